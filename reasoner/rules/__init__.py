"""The embedded reasoner: writes and rewrites captions by the field's vocabulary, without a model."""

from reasoner.rules.backend import Rules

__all__ = ["Rules"]
