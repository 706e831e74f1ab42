"""RunConfig: everything in the one YAML file that a user edits."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.intake import FetchRules
from agent.types import Budget
from critic.config import CriticConfig, SignalsConfig
from generator.config import AnimaticConfig, GeneratorConfig
from reasoner.config import ReasonerConfig, RulesConfig

NEGATIVE_PROMPT = (
    "The video captures a series of frames showing macroblocking artifacts, chromatic aberration, high-frequency "
    "noise, and rolling shutter distortion. It includes static with no motion, motion blur, over-saturation, "
    "shaky footage, low resolution, grainy texture, pixelated images, poorly lit areas, underexposed and "
    "overexposed scenes, poor color balance, washed out colors, choppy sequences, jerky movements, low frame "
    "rate, bit-depth compression artifacts, color banding, unnatural transitions, outdated special effects, fake "
    "elements, unconvincing visuals, poorly edited content, jump cuts, hard cut, visual noise, and flickering. It "
    "features moiré patterns, edge halos, and temporal aliasing. Furthermore, the content defies common sense, "
    "generating illogical scenarios, nonsensical entities, absurd character behaviors, and conceptual paradoxes "
    "that violate basic human reasoning and everyday reality. The video looks like a surreal or glitchy "
    "hallucination. Overall, the video is of poor quality."
)
"""NVIDIA's, as its post-trained image-to-video template and the hosted endpoint have it, verbatim."""

MAX_PROMPT = 4096
"""Characters of a prompt in words: the hosted endpoint's limit."""
MAX_CAPTION = 20_000
"""Characters of a prompt that is a JSON caption already: NIM's limit."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class RequestConfig(_Section):
    """What is asked for."""

    prompt: str = ""
    """What should happen in the video, in plain words or as a finished JSON caption."""
    image: str | None = None
    """The first frame: a path, an http(s) URL or a data URI. null: text-to-video."""
    negative_prompt: str = Field(default=NEGATIVE_PROMPT, max_length=2048)
    """What the clip should not look like. "" disables it."""
    size: str = "auto"
    """auto, a preset (square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9) or WxH; snapped to
    the nearest size that Cosmos3 was trained on. auto: 832x480, or the 480p size nearest to the image's shape."""
    num_frames: int = Field(default=189, ge=5)
    """Frames; moved to the nearest 4k+1. At most 397 (256p), 297 (480p), 197 (720p)."""
    fps: int = Field(default=24, ge=1, le=60)
    """Frames per second."""
    num_inference_steps: int = Field(default=35, ge=1, le=200)
    """Denoising steps: more is slower and cleaner."""
    guidance_scale: float = Field(default=6.0, ge=0, le=20)
    """How closely the prompt is followed."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Seed of the first candidate; the others count up from it. null: drawn once and written down."""
    enable_prompt_expansion: bool = True
    """Let the reasoner write the caption that the model was trained on. false: your words go to the generator as they
    are."""
    image_fetch: FetchRules = FetchRules()
    """How an image URL may be fetched."""


class OutputConfig(_Section):
    """Where runs are kept."""

    dir: str | None = None
    """Folder that holds one folder a run. null: `runs` in the current folder."""

    @property
    def folder(self) -> Path:
        """Where runs are made."""
        return Path(self.dir or "runs")


class RunConfig(_Section):
    """Everything a run needs to know."""

    request: RequestConfig = RequestConfig()
    reasoner: ReasonerConfig = RulesConfig()
    generator: GeneratorConfig = AnimaticConfig()
    critic: CriticConfig = SignalsConfig()
    budget: Budget = Budget()
    output: OutputConfig = OutputConfig()

    @model_validator(mode="before")
    @classmethod
    def _embedded_unless_named(cls, data: Any) -> Any:
        """A section that names no backend is about the embedded one."""
        if not isinstance(data, dict):
            return data
        embedded = {"reasoner": "rules", "generator": "animatic", "critic": "signals"}
        return {
            key: {"backend": embedded[key], **value} if key in embedded and isinstance(value, dict) else value
            for key, value in data.items()
        }

    def to_yaml(self) -> str:
        """As a config file."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
