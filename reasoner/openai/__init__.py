"""The reasoner behind an OpenAI-compatible server: a model writes and rewrites the caption."""

from reasoner.openai.backend import OpenAI

__all__ = ["OpenAI"]
