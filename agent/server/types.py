"""The server's nouns: who asks, what is asked, a job, what came of it, and why something was refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.config import DraftConfig
from agent.types import Canaries, Pairwise
from generator.export.types import Container, Interpolation, Quality
from generator.types import ControlKind

Dialect = Literal["fal", "nim", "openai", "runs"]
"""Whose words a request came in."""
Scope = Literal["run", "read", "upload", "admin"]
"""What a key may do: submit and cancel; look at its own; upload; look at everybody's and at the metrics."""
State = Literal["queued", "running", "completed", "failed", "cancelled"]
LIVE: Final[frozenset[State]] = frozenset({"queued", "running"})
"""States of a job that is not over."""
ANYBODY: Final = "anybody"
"""Who asks where no key is needed."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Caller(_Noun):
    """Who asks: a key's name, never the key."""

    owner: str = ANYBODY
    """Whose jobs, uploads and results these are."""
    scopes: frozenset[Scope] = frozenset({"run", "read", "upload", "admin"})
    passing: bool = False
    """It came with a token that a key got for a while, and not with a key."""


class ControlWish(_Noun):
    """A control video that steers a render (Cosmos Transfer)."""

    kind: ControlKind
    weight: float = Field(default=1.0, gt=0, le=1)
    """How strongly it steers."""
    url: str | None = None
    """Where it is still to be fetched: http(s). One that came with the request is in `Job.inputs`, as control-KIND."""


class RunRequest(_Noun):
    """What every dialect's request becomes. Nothing of it names an endpoint, a path or a host, but for media by URL.

    None: as the model's config has it.
    """

    model: str
    """As `server.models` has it."""
    prompt: str
    image_url: str | None = None
    """The first frame, where it is still to be fetched: http(s). One that came with the request is in `Job.inputs`."""
    video_url: str | None = None
    """Likewise the video to go on from, or, with `controls`, to restyle."""
    controls: tuple[ControlWish, ...] = ()
    """At most one of a kind."""
    negative_prompt: str | None = None
    size: str | None = None
    """auto, a tier (256p, 480p, 720p: in the shape of what is given), a preset or WxH."""
    num_frames: int | None = None
    fps: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    flow_shift: float | None = None
    sound: bool | None = None
    guardrails: bool | None = None
    """The backend's own safety checks."""
    seed: int | None = None
    enable_prompt_expansion: bool | None = None
    agentic: bool = True
    """False: one caption, one render, measured and not judged by a model."""
    max_iterations: int | None = None
    samples_per_iteration: int | None = None
    early_stop: bool | None = None
    accept_at: float | None = None
    include_raw_prompt: bool | None = None
    max_seconds: float | None = None
    max_renders: int | None = None
    max_gpu_seconds: float | None = None
    max_price_usd: float | None = None
    patience: int | None = None
    plateau: float | None = None
    plateau_iterations: int | None = None
    min_expected_gain: float | None = None
    speculate: bool | None = None
    racing: bool | None = None
    await_verdicts: bool | None = None
    draft: DraftConfig | Literal["auto", "none"] | None = None
    """As `search.draft`; none: what null is there."""
    pairwise: Pairwise | Literal["none"] | None = None
    """Likewise `search.pairwise`."""
    canaries: Canaries | Literal["none"] | None = None
    """Likewise `search.canaries`."""
    format: Container | None = None
    quality: Quality | None = None
    export_fps: int | None = None
    interpolation: Interpolation | None = None
    keep_sound: bool | None = None
    """As `output.sound`."""
    safety_checker: bool = True
    """Hold prompt, image and video against `server.safety` before anything is rendered."""
    notes: tuple[str, ...] = ()
    """What the dialect made of the wish where it could not be had as it stood, in sentences."""


class Problem(_Noun):
    """Why a request was refused or a job failed, for every dialect to put in its own words."""

    status: int = Field(ge=400, le=599)
    """HTTP."""
    type: str
    """fal's word where it has one: content_policy_violation, image_load_error, downstream_service_unavailable, …"""
    message: str
    """What was wrong and the cure, without secrets."""
    loc: tuple[str | int, ...] = ()
    """The field, as pydantic names places: ("image_url",)."""
    context: dict[str, Any] = {}

    def called(self, names: Mapping[str, str]) -> "Problem":
        """The same, its field by the name that a dialect has for it, also where the message begins with it."""
        first = self.loc[0] if self.loc else None
        if not isinstance(first, str) or first not in names:
            return self
        name, message = names[first], self.message
        if message.startswith((f"{first}: ", f"{first} ")):
            message = name + message.removeprefix(first)
        return self.model_copy(update={"loc": (*name.split("."), *self.loc[1:]), "message": message})


class Refused(Exception):  # noqa: N818 - what is raised is the refusal
    """A request is not taken. Each dialect answers in its own form; see `agent.server.answers`."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which it may be asked again. None: asking again is of no use."""


def refused(
    status: int,
    type: str,  # noqa: A002 - the noun's own field
    message: str,
    *,
    loc: tuple[str | int, ...] = (),
    retry_after: float | None = None,
    **context: Any,
) -> Refused:
    """A refusal, to be raised."""
    return Refused(Problem(status=status, type=type, message=message, loc=loc, context=context), retry_after)


class Webhook(_Noun):
    """Where the end of a job is told."""

    url: str


class Shot(_Noun):
    """One candidate or failed attempt of a job that is over, as clients see it."""

    iteration: int
    """Counted from 0."""
    seed: int
    tier: Literal["draft", "target"]
    file: str | None
    """Of the clip, within the run's folder; None: there is none."""
    score: float | None
    """In [0, 1]; None: it was not judged."""
    accepted: bool = False
    scores: dict[str, float] = {}
    """By criterion."""
    feedback: str = ""
    prompt: str = ""
    """That it was rendered from."""
    error: str = ""


class Video(_Noun):
    """A video file of a run's folder."""

    file: str
    """Within the run's folder."""
    content_type: str
    bytes: int
    width: int
    height: int
    fps: float
    num_frames: int
    duration: float
    """Seconds."""


class Safety(_Noun):
    """What the safety checker did."""

    requested: bool
    effective: Literal["passed", "off", "unavailable", "refused"]
    checks: tuple[str, ...] = ()
    """Which looked: words, reasoner, backend."""
    note: str = ""


class Result(_Noun):
    """What came of a job, as far as clients see it."""

    video: Video | None
    seed: int
    prompt: str
    """That the video was rendered from."""
    score: float | None
    accept_at: float | None
    accepted: bool
    calibrated: bool
    stop_reason: str | None
    stop_sentence: str
    iterations: int
    renders: int
    shots: tuple[Shot, ...]
    notes: tuple[str, ...] = ()
    requested: dict[str, Any] = {}
    """Size, frames, fps and the like, as asked for …"""
    effective: dict[str, Any] = {}
    """… and as the video has them."""
    seconds: dict[str, float] = {}
    """By step."""
    gpu_seconds: float = 0.0
    price_usd: float | None = None
    safety: Safety | None = None


class Job(_Noun):
    """One accepted request: on disk from the moment that its id is told."""

    id: str
    owner: str
    dialect: Dialect
    endpoint: str
    """What was called, such as nvidia/cosmos-3-super/image-to-video."""
    request: RunRequest
    wire: dict[str, Any] = {}
    """What a dialect wants back to answer in its own words, such as a size as it was spelt. No media, no secrets."""
    inputs: dict[str, str] = {}
    """Media that came with the request, by what they are (image, video, control-edge, …): names in the job's input
    folder."""
    base_url: str = ""
    """Scheme, host and prefix that it was submitted to: what a webhook's addresses are built from."""
    priority: int = 0
    """The higher, the earlier. fal: normal 0, low -1."""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    start_by: datetime | None = None
    """Not started by then, it fails."""
    keep_until: datetime | None = None
    """Its files are removed then, moved by the time that it took once it is over. None: by `server.retention`."""
    state: State = "queued"
    cancelling: bool = False
    """It was asked to stop, and is not over yet."""
    problem: Problem | None = None
    result: Result | None = None
    media_key: str
    """Unguessable: the addresses of its files hold it."""
    idempotency_key: str | None = None
    digest: str = ""
    """SHA-256 of what was asked: the same idempotency key with another one is refused."""
    webhook: Webhook | None = None
    ephemeral: bool = False
    """Its media are answered once, within the answer, and not kept (fal's sync_mode)."""

    @property
    def live(self) -> bool:
        """Whether it is not over."""
        return self.state in LIVE


@dataclass(frozen=True)
class NewJob:
    """A request that is to become a job."""

    dialect: Dialect
    endpoint: str
    request: RunRequest
    base_url: str = ""
    wire: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, bytes | Path] = field(default_factory=dict)
    """Media at hand, by what they are (image, video, control-edge, …): bytes, or a file of ours that is linked."""
    priority: int = 0
    start_within: float | None = None
    """Seconds."""
    keep_seconds: float | None = None
    """After its end. None: as `server.retention` has it."""
    idempotency_key: str | None = None
    webhook: Webhook | None = None
    ephemeral: bool = False
    id: str | None = None
    """None: drawn."""


@dataclass(frozen=True)
class LogLine:
    """One line of what a job tells while it runs."""

    message: str
    level: Literal["STDERR", "STDOUT", "ERROR", "INFO", "WARN", "DEBUG"]
    timestamp: str
    """ISO 8601 with its offset."""
