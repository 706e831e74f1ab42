"""Which generator renders, and its settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AnimaticConfig(BaseModel):
    """The embedded previsualisation renderer. No GPU, no weights."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    backend: Literal["animatic"] = "animatic"
    concurrency: int = Field(default=2, ge=1, le=64)
    """Clips rendered at the same time. More than the machine's cores only waits."""


GeneratorConfig = AnimaticConfig
"""Grows into a union discriminated by `backend` with the next backend."""
