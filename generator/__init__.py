"""Generators: what renders a prompt into a clip, behind one Protocol."""
