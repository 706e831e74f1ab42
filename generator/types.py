"""The generator's nouns: what is asked of a render, what came back, and the Protocol every backend implements."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

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


Mode = Literal["text2video", "image2video", "video2video", "transfer"]
"""What a clip is made from."""
ControlKind = Literal["edge", "blur", "depth", "seg"]
"""What a control video shows (Cosmos Transfer). NIM calls blur `vis`."""


class Control(BaseModel):
    """A video that steers a render, frame by frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ControlKind
    path: RunPath
    """A video of exactly the clip's width and height."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """How strongly it steers."""


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
    flow_shift: float | None = Field(default=None, gt=0, le=100)
    """Shift of the noise schedule towards high noise. None: the backend's own."""
    first_frame: RunPath | None = None
    """An RGB image of exactly `width` x `height`, or None."""
    source_video: RunPath | None = None
    """A video of exactly `width` x `height` that the clip goes on from (video-to-video), or, with `controls`, that is
    restyled. None: text- or image-to-video."""
    controls: tuple[Control, ...] = ()
    """At most one of a kind."""
    sound: bool = False
    """Whether the model shall make sound as well."""
    guardrails: bool = True
    """Whether the backend's safety checks shall act, where it has them. Off only because a person asked for it."""

    def with_files(self, place: Callable[[Path], Path]) -> Self:
        """The same render, made from the files that `place` gives for its own."""
        return self.model_copy(
            update={
                "first_frame": None if self.first_frame is None else place(self.first_frame),
                "source_video": None if self.source_video is None else place(self.source_video),
                "controls": tuple(c.model_copy(update={"path": place(c.path)}) for c in self.controls),
            }
        )

    @property
    def mode(self) -> Mode:
        """What kind of render this is."""
        if self.controls:
            return "transfer"
        if self.source_video is not None:
            return "video2video"
        return "text2video" if self.first_frame is None else "image2video"

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
    audio: str = ""
    """Codec of the sound; "" where there is none."""


class Rendering(BaseModel):
    """What a backend says of a render, and what was measured around it: effective, beside the requested spec."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    """As the backend names it."""
    version: str = ""
    """Of the server or library that rendered, e.g. "vllm-omni 0.30.0"."""
    endpoint: str = ""
    """Address of the server; "" in process."""
    job: str = ""
    """The server's id of the job that gave this clip."""
    guardrails: Literal["on", "off", "none", "unknown"] = "none"
    """Whether safety checks acted. none: the backend has none; unknown: it does not say."""
    num_inference_steps: int | None = None
    """Denoising steps really made. None: the backend does not say."""
    queue_seconds: float = Field(default=0.0, ge=0)
    """Waited for a free endpoint and in its queue: measured here, not the server's word."""
    render_seconds: float | None = Field(default=None, ge=0)
    """From the start of the work to its end, measured here. None: the backend does not show when it starts."""
    attempts: int = Field(default=1, ge=1)
    """Submissions. More than 1: a job was lost and sent again."""
    lost_seconds: float = Field(default=0.0, ge=0)
    """Spent by the server on submissions that gave nothing."""
    price_usd: float | None = Field(default=None, ge=0)
    """What the render cost. None: nothing is billed, or the price is not known."""


class Progress(BaseModel):
    """Where a render stands. Told as it changes, at most about once a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    clip: str = ""
    """Name of the file it is rendered into: a seed may be rendered of two captions at once. "": the backend does not
    say."""
    stage: Literal["queued", "rendering", "delivering", "resubmitted", "abandoned"]
    """abandoned: nobody waits for it any more, and the backend cannot stop it."""
    seconds: float = Field(default=0.0, ge=0)
    """In this stage so far; for resubmitted and abandoned: of the backend's time spent for nothing."""
    step: int | None = None
    """Denoising steps done, where the backend tells."""
    steps: int | None = None
    endpoint: str = ""
    note: str = ""
    """In a sentence, where there is something to say."""
    price_usd: float | None = Field(default=None, ge=0)
    """For abandoned: what is billed for it, or may be. None: nothing, or not known."""


Tell = Callable[[Progress], None]
"""A listener of renders: synchronous, observational, called in the event loop's thread."""


def telling_of(to: Path, tell: Tell) -> Tell:
    """The listener of one render, which tells the others into which file it is rendered."""
    return lambda progress: tell(progress.model_copy(update={"clip": to.name}))


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
    rendering: Rendering = Rendering()
    """How it was made."""
    notes: tuple[str, ...] = ()
    """What the backend says of this render, in sentences for people: what it could not do as asked."""


class RenderError(Exception):
    """A render that gave no usable clip, for good: asking the same again gives the same."""

    rendering: Rendering | None = None
    """What the backend did all the same. None: nothing, or not known."""


class BlockedError(RenderError):
    """The backend's safety checks refused the prompt or the clip."""


class BackendError(Exception):
    """The backend does not work at the moment: dead, unreachable, full, out of memory. The same render may do later."""

    rendering: Rendering | None = None
    """As in `RenderError`."""


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
            BackendError: the backend does not work; nothing is known of the render.
            OSError: the disk or folder failed; no other attempt will do better.
        """
        ...
