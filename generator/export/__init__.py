"""The chosen clip in the form that was asked for: format, quality, rate, sound, poster."""
