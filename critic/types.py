"""The critic's nouns: criteria, scores, a critique of one clip, and the Protocol every critic implements."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from reasoner.chat.types import Usage

Axis = Literal["adherence", "first_frame", "motion", "consistency", "physics", "quality"]


class Criterion(BaseModel):
    """One question that a critic answers about a clip, with its weight and floor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Stable key, snake_case."""
    title: str
    """For people."""
    axis: Axis
    definition: str
    """What is measured or asked, in one sentence."""
    negation: str = ""
    """The same question the other way round, asked as well where it stands; its yes counts against."""
    depends_on: str | None = None
    """Name of a criterion before it: not asked where that one is answered no."""
    unit: str = ""
    """Unit of `Score.measured`."""
    weight: float = Field(default=1.0, gt=0)
    floor: float = Field(default=0.0, ge=0, le=1)
    """A clip below it cannot be accepted."""


class Rubric(BaseModel):
    """A named, versioned list of criteria."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int = Field(ge=1)
    criteria: tuple[Criterion, ...]

    @property
    def id(self) -> str:
        """Name and version, as recorded in critiques."""
        return f"{self.name}/{self.version}"


class WrittenRubric(BaseModel):
    """The rubric of one request, and how it came to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rubric: Rubric
    notes: tuple[str, ...] = ()
    """What was made of an unusable checklist, in sentences for people."""
    by: str
    """`RubricWriter.id`."""
    usage: Usage = Usage()


class RubricWriter(Protocol):
    """Says what a request's clips are asked."""

    @property
    def id(self) -> str:
        """Model or file, and version: what a written rubric is remembered under."""
        ...

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        """The rubric for a request, once a request: every clip of a run is asked the same.

        Raises:
            JudgeError: none can be had.
            OSError: a file cannot be read.
        """
        ...


class Score(BaseModel):
    """The answer to one criterion for one clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion: str
    axis: Axis
    value: float = Field(ge=0, le=1)
    """1 is flawless."""
    weight: float = Field(gt=0)
    floor: float = Field(ge=0, le=1)
    explanation: str
    """One sentence with the measured figure, for people."""
    measured: float | None = None
    """The raw figure that `value` was derived from, in `unit`. None where there is no single one."""
    unit: str = ""
    method: Literal["measured", "logprobs", "reply", "inherited"] = "measured"
    """Where the value comes from: pixels, the probability of a one-word answer, a written reply (the server gives no
    probabilities), or the answer that this question hangs on, where it was not asked."""


class Defect(BaseModel):
    """Something wrong at a time in a clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion: str
    start: float = Field(ge=0)
    """Seconds from the start of the clip."""
    end: float = Field(ge=0)
    """Seconds; not before `start`."""
    words: str


class Trace(BaseModel):
    """A signal over the time of a clip, for a sparkline: at most 96 values, evenly spaced over the whole clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str
    values: tuple[float, ...]


class Critique(BaseModel):
    """All scores of one clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: tuple[Score, ...] = Field(min_length=1)
    overall: float = Field(ge=0, le=1)
    """Weighted mean of the scores, scaled down by the worst broken floor (`Critique.of`)."""
    floors_hold: bool
    """False when any score is below its floor: such a clip is never accepted."""
    feedback: str
    """In words that a rewriter can act on, worst first, with times as M:SS."""
    defects: tuple[Defect, ...] = ()
    traces: tuple[Trace, ...] = ()
    rubric: str
    """`Rubric.id`."""
    judge: str
    """`Critic.id`: model or method and version."""
    seconds: float = Field(ge=0)
    """Wall seconds that judging took."""
    notes: tuple[str, ...] = ()
    """What the critic could not do as meant, and how the clip was shown to a model, in sentences for people."""
    usage: Usage = Usage()
    """What asking a model took."""

    @classmethod
    def of(
        cls,
        scores: Sequence[Score],
        *,
        feedback: str,
        rubric: str,
        judge: str,
        seconds: float,
        defects: Sequence[Defect] = (),
        traces: Sequence[Trace] = (),
        notes: Sequence[str] = (),
        usage: Usage | None = None,
    ) -> Self:
        """Combine scores: their weighted mean, times value / floor of the worst broken floor.

        The factor keeps one broken criterion from hiding behind good ones without a cliff: it is 1 at the floor and
        falls to 0 with the criterion.
        """
        mean = sum(s.value * s.weight for s in scores) / sum(s.weight for s in scores)
        factor = min((s.value / s.floor for s in scores if s.value < s.floor), default=1.0)
        return cls(
            scores=tuple(scores),
            overall=round(mean * factor, 6),
            floors_hold=factor == 1.0,
            feedback=feedback,
            defects=tuple(defects),
            traces=tuple(traces),
            rubric=rubric,
            judge=judge,
            seconds=seconds,
            notes=tuple(notes),
            usage=usage or Usage(),
        )

    @property
    def lowest(self) -> Score:
        """The score that most needs work: lowest value, the heavier first among equals."""
        return min(self.scores, key=lambda s: (s.value, -s.weight))


class JudgeError(Exception):
    """A clip that could not be judged: it does not decode, or the judge's reply cannot be read. Never a zero."""


class Critic(Protocol):
    """Judges clips. `prompt` is always what the user asked, never a rewrite of it."""

    @property
    def id(self) -> str:
        """Method or model, and version: what a finished critique is remembered under."""
        ...

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """Judge one clip.

        Raises:
            JudgeError: this clip cannot be judged.
            OSError: the disk or folder failed.
        """
        ...
