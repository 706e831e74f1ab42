"""The embedded previsualisation renderer. Imports OpenCV and FFmpeg: import it only where it is used."""

from generator.animatic.backend import ANIMATIC_VERSION, Animatic

__all__ = ["ANIMATIC_VERSION", "Animatic"]
