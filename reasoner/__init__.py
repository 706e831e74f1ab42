"""Reasoners: what writes and rewrites the caption that a generator renders, behind one Protocol."""
