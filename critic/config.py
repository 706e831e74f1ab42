"""Which critic judges, and its settings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.chat.config import EndpointConfig


class _Critic(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    accept_at: float | None = Field(default=None, ge=0, le=1)
    """Overall score at which a clip is accepted and the run stops early, if every floor holds. null: never."""
    threshold_file: str | None = None
    """YAML file that `retake bench calibrate` wrote: its threshold is then accept_at, and a run says what it is worth.
    null: none."""
    threshold_must_match: bool = True
    """Refuse a threshold_file of another critic. false: use its threshold, and label the run uncalibrated."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Clips judged at the same time."""


class SignalsConfig(_Critic):
    """The embedded critic: measured signals and no model."""

    backend: Literal["signals"] = "signals"
    accept_at: float | None = Field(default=0.96, ge=0, le=1)
    """Overall score at which a clip is accepted and the run stops early, if every floor holds. null: never."""


class _Asking(_Critic):
    endpoint: EndpointConfig | None = None
    """The server that is asked. null: the reasoner's."""
    fps: float = Field(default=4.0, gt=0, le=60)
    """Frames shown of each second of a clip."""
    max_frames: int = Field(default=32, ge=2, le=256)
    """Most frames shown of a clip; a longer one is shown with fewer of each second."""
    long_side: int = Field(default=448, ge=64, le=2048)
    """Pixels on the long side of the frames shown."""
    rubric: str | None = None
    """YAML file with the questions to ask. null: the model writes a checklist for each request."""
    feedback: bool = True
    """Ask for defects with times after the scores: what rewrites are made from."""


class VLMConfig(_Asking):
    """Yes/no questions asked of a vision language model, scored by the probability of yes."""

    backend: Literal["vlm"] = "vlm"


class HybridConfig(_Asking):
    """Measured signals first; the model is asked about clips that pass them."""

    backend: Literal["hybrid"] = "hybrid"
    signals_share: float = Field(default=0.3, gt=0, lt=1)
    """Share of the measured signals in the overall score; the rest is the model's answers."""


CriticConfig = Annotated[SignalsConfig | VLMConfig | HybridConfig, Field(discriminator="backend")]
