"""Which critic judges, and its settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SignalsConfig(BaseModel):
    """The embedded critic: measured signals and no model."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    backend: Literal["signals"] = "signals"
    accept_at: float | None = Field(default=0.95, ge=0, le=1)
    """Overall score at which a clip is accepted and the run stops early, if every floor holds. null: never."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Clips judged at the same time."""


CriticConfig = SignalsConfig
"""Grows into a union discriminated by `backend` with the next backend."""
