"""Measurements of the project's parts, each a command that writes a page of docs."""
