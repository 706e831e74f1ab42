"""Which reasoner writes captions, and its settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class RulesConfig(BaseModel):
    """The embedded caption writer: the field's vocabulary and no model."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    backend: Literal["rules"] = "rules"


ReasonerConfig = RulesConfig
"""Grows into a union discriminated by `backend` with the next backend."""
