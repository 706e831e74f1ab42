"""The nouns of our own API's answers, as its documentation has them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.server.agentic import Agentic
from agent.server.types import Dialect, Problem, RunRequest, State


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Video(_View):
    """A video file."""

    url: str
    """Answers without a key: it holds a secret of its own."""
    content_type: str
    bytes: int
    width: int
    height: int
    fps: float
    num_frames: int
    duration: float
    """Seconds."""


class Result(Agentic):
    """What came of a run."""

    video: Video | None
    """The chosen clip, in the form that was asked for."""


class Forecast(_View):
    """What the whole run is expected to take, and what it takes at worst."""

    renders: tuple[float, float] | None = Field(examples=[[4.0, 8.0]])
    seconds: tuple[float, float] | None
    """null: no pace is known."""
    price_usd: tuple[float, float] | None
    """null: nothing is billed, or no price is known."""


class Progress(_View):
    """How far a run has come."""

    done: float
    """How much of the work, in [0, 1], by the renders that may still come."""
    iterations: int
    """Begun."""
    renders: int
    """Made, failed ones included."""
    score: float | None
    """Best so far, in [0, 1]."""
    forecast: Forecast | None
    """null: none was made yet."""


class Cost(_View):
    """What a run has cost so far."""

    gpu_seconds: float
    """Of the generator at work, side by side added up, lost ones included."""
    price_usd: float | None
    """null: nothing is billed, or the price is not known."""


class Urls(_View):
    """Where the rest of it is."""

    self: str
    events: str
    run: str
    """The whole of it, as run.json has it."""
    files: str
    report: str
    cancel: str


class RunView(_View):
    """A run as clients see it."""

    id: str
    object: Literal["run"] = "run"
    state: State
    """queued, running, completed, failed or cancelled."""
    cancelling: bool
    """It was asked to stop, and is not over yet."""
    position: int | None
    """Runs that start before it, while it is queued."""
    waits_for: str | None
    """Why it is not begun though it may be next: what its model's backends lack. null: nothing, or it is not queued."""
    dialect: Dialect
    """Whose words it came in: the list has the caller's runs of all dialects."""
    endpoint: str
    """What was called."""
    model: str
    request: RunRequest
    """As it was understood. null: as the model's config has it."""
    priority: int
    progress: Progress
    result: Result | None
    """Once it is over, if anything came of it."""
    problem: Problem | None
    """Why it failed."""
    cost: Cost
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    keep_until: datetime | None
    """Its files are removed then. null: as the server keeps them."""
    urls: Urls


class Runs(_View):
    """A part of the caller's runs."""

    object: Literal["list"] = "list"
    data: list[RunView]
    has_more: bool
    next: str | None
    """What to give as `after` for the part that follows. null: there is none."""


class Deleted(_View):
    """What became of a run that was to be removed."""

    id: str
    object: Literal["run.deleted"] = "run.deleted"
    deleted: bool
    """false: it still runs; it was asked to stop, and is removed once it is over."""


class File(_View):
    """A file of a run's folder."""

    path: str
    """Within the folder, such as clips/01-seed-7.mp4."""
    bytes: int
    sha256: str
    content_type: str
    url: str


class Files(_View):
    """The files of a run's folder that its clients may have."""

    object: Literal["list"] = "list"
    data: list[File]
