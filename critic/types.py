"""The critic's nouns: criteria, scores, a critique of one clip, a comparison of two, and the Protocols behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol, Self

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
        overall, factor = _combined(scores)
        return cls(
            scores=tuple(scores),
            overall=overall,
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

    @property
    def measured(self) -> float | None:
        """The overall score of the measured signals alone, in [0, 1]; None where no score was measured.

        How they are weighed among one another does not depend on what else was asked, so that the critics `signals` and
        `hybrid` give a clip the same one.
        """
        scores = [s for s in self.scores if s.method == "measured"]
        return _combined(scores)[0] if scores else None


def _combined(scores: Sequence[Score]) -> tuple[float, float]:
    """The overall score, and the factor of the worst broken floor in it."""
    mean = sum(s.value * s.weight for s in scores) / sum(s.weight for s in scores)
    factor = min((s.value / s.floor for s in scores if s.value < s.floor), default=1.0)
    return round(mean * factor, 6), factor


TIE_WITHIN: Final = 0.05
"""Two clips are a tie where the probability that the first is better is nearer to 1/2 than this: a coin would do."""


class Comparison(BaseModel):
    """Which of two clips answers a request better. Whoever asked knows which clips they were."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p_first: float = Field(ge=0, le=1)
    """P(the first clip is better): the mean over both orders, which takes out a leaning to one place."""
    orders: tuple[float, float]
    """P(the first clip is better), each in [0, 1]: when it was shown first, and when it was shown second."""
    outcome: Literal["first", "second", "tie"]
    judge: str
    """`Comparer.id`."""
    method: Literal["logprobs", "reply"]
    """The probability of a one-letter answer, or a written reply (the server gives no probabilities)."""
    seconds: float = Field(ge=0)
    """Wall seconds that comparing took."""
    notes: tuple[str, ...] = ()
    """What could not be done as meant, and how the clips were shown, in sentences for people."""
    usage: Usage = Usage()

    @classmethod
    def of(
        cls,
        orders: tuple[float, float],
        *,
        judge: str,
        method: Literal["logprobs", "reply"],
        seconds: float,
        notes: Sequence[str] = (),
        usage: Usage | None = None,
    ) -> Self:
        """Decide by P(the first clip is better) in both orders.

        A tie where they disagree, since the place then decided and not the clip, and within `TIE_WITHIN` of 1/2.
        """
        p = sum(orders) / 2
        tie = not _agree(orders) or abs(p - 0.5) < TIE_WITHIN
        return cls(
            p_first=p,
            orders=orders,
            outcome="tie" if tie else "first" if p > 0.5 else "second",
            judge=judge,
            method=method,
            seconds=seconds,
            notes=tuple(notes),
            usage=usage or Usage(),
        )

    @property
    def consistent(self) -> bool:
        """Whether both orders point to the same clip: lie on the same side of 1/2."""
        return _agree(self.orders)


def _agree(orders: tuple[float, float]) -> bool:
    return (orders[0] - 0.5) * (orders[1] - 0.5) > 0


class JudgeError(Exception):
    """A clip that could not be judged or compared: it does not decode, or the judge's reply cannot be read.

    Never a zero.
    """


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


class Comparer(Protocol):
    """Compares clips two by two. `prompt` is always what the user asked, never a rewrite of it."""

    @property
    def id(self) -> str:
        """Method or model, and version: what a finished comparison is remembered under."""
        ...

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """Say which of two clips answers the request better, asked in both orders.

        Raises:
            JudgeError: these clips cannot be compared.
            OSError: the disk or folder failed.
        """
        ...
