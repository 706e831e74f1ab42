"""The suite's nouns: a case, what a critic made of it, and the figures of a degradation."""

from pydantic import BaseModel, ConfigDict, Field

from critic.instrument import Instrument
from critic.types import Axis


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Case(_Noun):
    """A clip of the suite and what it is judged against. Its files are named from the suite's folder."""

    base: str
    degradation: str = ""
    """"" and severity 0: the base clip as it is, encoded like the others."""
    severity: int = Field(default=0, ge=0, le=5)
    prompt: str
    clip: str
    first_frame: str | None = None

    @property
    def id(self) -> str:
        """For a table of scores."""
        return f"{self.base}/{self.degradation}-{self.severity}" if self.degradation else f"{self.base}/base"


class Judged(_Noun):
    """What a critic made of a case."""

    case: Case
    score: float | None = None
    """None: it failed."""
    failure: str = ""
    criteria: dict[str, float] = {}
    """Its scores by criterion, in [0, 1]."""


class Part(_Noun):
    """How far a critic tells the degraded clips of some severities from their bases."""

    auc: float | None = None
    """P(the base scores over its own degraded clip), ties a half: what choosing among clips of one request needs."""
    pooled: float | None = None
    """P(a base scores over any base's degraded clip), ties a half: what a threshold needs."""
    pairs: int = 0
    """Degraded clips that were judged, and their base too."""


class Row(_Noun):
    """The figures of one degradation."""

    degradation: str
    words: str
    axis: Axis
    seen: bool
    """Whether people see it at first glance at severity 3 and up."""
    all: Part
    """Over all severities: what the table is sorted by."""
    clear: Part
    """Over the severities of 3 and up."""
    by_severity: dict[int, Part]
    interval: tuple[float, float] | None = None
    """95 % of `all.auc`, by resampling bases. None: fewer than two bases."""
    pooled_interval: tuple[float, float] | None = None
    spearman: float | None = None
    """Rank correlation of severity with how far the score falls, within a base, mean over bases: 1 is a strict order, 0
    where the score does not change. None: one severity."""
    fell: str = ""
    """The criterion whose score fell most against the base, in the mean. "": none fell."""
    fell_by: float = 0.0
    bases: int = 0
    """That it can be done to, and that were judged."""
    failed: int = 0
    """Cases that could not be judged. They are in no figure."""


class Suite(_Noun):
    """Everything that came of it: `degrade.json`."""

    instrument: Instrument
    command: str
    versions: dict[str, str]
    settings: dict[str, str]
    """How the clips were made, for people."""
    bases: dict[str, str]
    """The base clips' prompts by name."""
    base_scores: dict[str, float]
    rows: tuple[Row, ...]
    """The worst told first."""
    judged: tuple[Judged, ...]
    seconds: float
    """Wall seconds of this session."""
    recalled: int = 0
    """Cases that an earlier session had judged."""

    @property
    def blind(self) -> tuple[Row, ...]:
        """What people see at first glance and the critic misses: an AUC under 0.9 over all severities."""
        return tuple(row for row in self.rows if row.seen and row.all.auc is not None and row.all.auc < LEAST)


LEAST = 0.9
"""AUC that a degradation that is seen at first glance should reach."""
