"""What the page is shown of one run, and of what may be asked for: words and figures, never markup."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.report.changes import Kind
from agent.types import Step, Tier


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PieceView(_View):
    """A stretch of a diff."""

    kind: Kind
    text: str


class ChangeView(_View):
    """A caption field that differs."""

    path: str
    """Dotted, as the caption has it."""
    name: str
    """For people."""
    pieces: tuple[PieceView, ...]
    """Long unchanged stretches are cut to a few words."""
    reasons: tuple[str, ...] = ()


class CriterionView(_View):
    """One criterion's score for one clip."""

    name: str
    axis: str
    value: float
    floor: float
    """A clip below it is not accepted. 0: there is none."""
    explanation: str
    method: str
    """Beside the name, where the value does not come from pixels."""
    fine: bool
    """Near-flawless in every clip of the iteration: folded away."""


class DefectView(_View):
    """Something wrong at a time in a clip."""

    start: float
    """Seconds."""
    span: str
    """As M:SS."""
    criterion: str
    words: str


class CandidateView(_View):
    """A judged clip."""

    seed: int
    clip: str | None
    """Its address. None: the file is gone."""
    poster: str | None
    """Address of a still picture of it, once the run has made one."""
    size: str
    seconds: float
    """Of the clip."""
    score: float
    chosen: bool
    accepted: bool
    decision: Literal["accepted", "rejected", "undecided"] | None
    floors_hold: bool
    lowest: str
    """Name of the criterion that most needs work, with its value."""
    criteria: tuple[CriterionView, ...]
    defects: tuple[DefectView, ...]
    notes: tuple[str, ...]
    made: str
    """Where and in what time it was rendered, in a sentence."""


class FailureView(_View):
    """A seed without a judged clip."""

    seed: int
    what: str
    """Such as "Rendering failed", "Given up"."""
    message: str
    failed: bool
    """False: it was given up, since another clip was accepted."""
    clip: str | None = None
    """Of a clip that could not be judged."""


class GainView(_View):
    """What a caption gained over its parent's on the same seeds."""

    over: int
    """Number of the parent."""
    mean: str
    seeds: tuple[tuple[int, str, str, str], ...]
    """Seed, score before, after, gain."""
    words: str


class IterationView(_View):
    """A caption and what came of it."""

    number: int
    """From 1."""
    origin: str
    tier: Tier
    drafted: bool
    """Whether the run has drafts at all."""
    best: float | None
    candidates: tuple[CandidateView, ...]
    failures: tuple[FailureView, ...]
    pending: tuple[int, ...]
    """Seeds that are rendered or judged, or wait for it."""
    critique: str
    """Of its best candidate, in words."""
    critique_of: int | None
    """Seed of that."""
    verdict: str
    diagnosis: str
    against: int | None
    """Number of the iteration whose caption was rewritten."""
    changes: tuple[ChangeView, ...]
    gain: GainView | None
    fallback: str
    """Why the user's own words stand in for a caption; "" where none had to."""
    caption: str
    """As sent to the generator."""


class LedgerView(_View):
    """What one step took."""

    step: Step
    name: str
    count: int
    failed: int
    seconds: float
    tokens: int


class DifferenceView(_View):
    """What clips hold that is not what was asked for."""

    clips: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]
    """Property, requested, effective."""


class FileView(_View):
    """A file of the run's folder."""

    name: str
    url: str


class RunLook(_View):
    """One run as the page shows it."""

    id: str
    prompt: str
    first_frame: str | None
    shape: tuple[int, int]
    """Pixels as requested: width, height."""
    seed: int
    """Of the first candidate."""
    running: bool
    status: str
    """In a word or two: running, accepted, not accepted, undecided, finished, failed, interrupted."""
    sentence: str
    """What it is at, or why it stopped."""
    score: float | None
    accept_at: float | None
    calibrated: bool
    accepted: bool
    video: str | None
    """The chosen clip in the form that was asked for; while it runs, the best so far."""
    poster: str | None
    chosen: tuple[int, int] | None
    """Number of its iteration, and its seed."""
    draft: bool
    """The chosen clip is a draft."""
    floors_hold: bool
    final: str
    """What the changes below are of: "Final prompt", "Best prompt so far"."""
    final_of: str
    """Which caption that is."""
    changes: tuple[ChangeView, ...]
    """From the first caption to the chosen clip's."""
    fields: tuple[tuple[str, str], ...]
    """The chosen clip's caption by field."""
    iterations: tuple[IterationView, ...]
    planned: int
    """Iterations at most."""
    renders: int
    ledger: tuple[LedgerView, ...]
    price_usd: float | None
    lost_seconds: float
    forecast: str
    """What it was expected to take, in a line; "": not known."""
    standing: str
    """Where it stands against each limit, in a line."""
    differences: tuple[DifferenceView, ...]
    notes: tuple[str, ...]
    report: str | None
    files: tuple[FileView, ...]


class ModelForm(_View):
    """What may be asked of one model, and what it does where nothing is asked."""

    name: str
    backend: str
    image: Literal["none", "optional", "required"]
    sizes: tuple[str, ...]
    defaults: dict[str, float | int | str | bool | None]
    """By field of a request."""
    ranges: dict[str, tuple[float, float]]
    """Least and most, by field."""
    max_frames: dict[str, int]
    """By size."""
    drafts: str
    """What drafts it makes by itself, in a sentence; "": none."""
    price_usd: float | None
    """Of a render with the defaults. None: nothing is billed, or not known."""


class FormView(_View):
    """What the form offers."""

    models: tuple[ModelForm, ...]
    default_model: str
    max_upload_bytes: int
    """Of one file."""
    may_run: bool
    """Whether this caller's key may submit."""
    may_upload: bool
