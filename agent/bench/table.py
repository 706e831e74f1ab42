"""Scores beside labels, from a benchmark's folder or from any table: `sample_id, score, label, group`."""
