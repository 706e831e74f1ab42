"""The generator's nouns: what is asked of a render, what came back, and the Protocol every backend implements."""

from pathlib import Path
from typing import Annotated, Protocol

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
)


def _folder(info: ValidationInfo | SerializationInfo) -> Path | None:
    context = info.context
    return context.get("folder") if isinstance(context, dict) else None


def _enter(path: Path, info: ValidationInfo) -> Path:
    folder = _folder(info)
    return folder / path if folder and not path.is_absolute() else path


def _leave(path: Path, info: SerializationInfo) -> str:
    folder = _folder(info)
    return path.relative_to(folder).as_posix() if folder and path.is_relative_to(folder) else str(path)


RunPath = Annotated[Path, AfterValidator(_enter), PlainSerializer(_leave, return_type=str)]
"""A file of a run. Written relative to ``context={"folder": run_folder}`` and read back against it, so a run folder can
be moved and copied."""


class RenderSpec(BaseModel):
    """What a render is asked for, beside its prompt and seed. Equal specs ask for the same thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(gt=0)
    """Pixels. One of the Cosmos3 sizes of `generator.sizes`."""
    height: int = Field(gt=0)
    """Pixels."""
    num_frames: int = Field(ge=5)
    """On the 4k+1 grid of the video tokenizer."""
    fps: int = Field(ge=1, le=60)
    num_inference_steps: int = Field(default=35, ge=1, le=200)
    """Denoising steps: more is slower and cleaner."""
    guidance_scale: float = Field(default=6.0, ge=0, le=20)
    """How closely the prompt is followed."""
    negative_prompt: str = ""
    """What the clip should not look like. Empty: none."""
    first_frame: RunPath | None = None
    """An RGB image of exactly `width` x `height`, or None for text-to-video."""

    @property
    def seconds(self) -> float:
        """Duration of the clip in seconds."""
        return self.num_frames / self.fps


class Effective(BaseModel):
    """What a rendered file really holds, read from the file and not from the backend's word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int
    height: int
    num_frames: int
    """Counted packets, since some containers state none."""
    fps: float
    codec: str


class Clip(BaseModel):
    """A rendered video: requested beside effective."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: RunPath
    seed: int = Field(ge=0)
    spec: RenderSpec
    """As requested."""
    effective: Effective
    """As delivered."""
    seconds: float = Field(ge=0)
    """Wall seconds that this render took when it was made."""
    generator: str
    """Backend and version, as in `Generator.id`."""
    notes: tuple[str, ...] = ()
    """What the backend says of this render, in sentences for people: what it could not do as asked."""


class RenderError(Exception):
    """A render that gave no usable clip: the backend failed, or delivered something other than what was asked."""


class Generator(Protocol):
    """Renders a prompt. Implementations must survive cancellation and leave nothing behind at `to` when they fail."""

    @property
    def id(self) -> str:
        """Backend, model and version: what a finished render is remembered under."""
        ...

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished (`generator.delivery`).

        Raises:
            RenderError: the attempt gave no usable clip; another seed or prompt may.
            OSError: the disk or folder failed; no other attempt will do better.
        """
        ...
