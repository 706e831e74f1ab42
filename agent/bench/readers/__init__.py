"""Datasets with people's labels, each format by a reader of its own."""
