"""What goes over the wire: what the page is shown, and what it sends back."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.types import Entrant

MAX_RATER = 80
"""Characters of a rater's name, as in `agent.marks.Mark`."""


def plain(name: str) -> str:
    """A name on one line: nothing in it that a terminal or a table would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


Rater = Annotated[str, Field(max_length=MAX_RATER), AfterValidator(plain)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["rating", "verdict", "pair"]


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CandidateView(_Noun):
    """A candidate as the page shows it, with this rater's marks."""

    entrant: Entrant
    clip: str | None
    """Its address. None: the file is gone, or lies outside the run's folder."""
    sha256: str | None
    """Of the clip's bytes. None: as above."""
    size: str
    """Width x height in pixels."""
    score: float
    """The critic's. Hidden until it is asked for, where people rate blind."""
    draft: bool
    rating: float | None = None
    verdict: float | None = None


class PairView(_Noun):
    """Two candidates of a run to be held against one another. `left` is `first` or not, by the pair alone."""

    first: Entrant
    second: Entrant
    swapped: bool
    """Whether the second stands on the left."""
    label: float | None = None
    """1 the first is better, 0 the second, 0.5 a tie."""


class RunView(_Noun):
    """A run as the page shows it."""

    index: int
    """What the wire calls it, as long as this server lives."""
    name: str
    """Of its folder."""
    prompt: str = ""
    first_frame: str | None = None
    report: str | None = None
    """Address of its report.html, if it has one."""
    running: bool = False
    candidates: tuple[CandidateView, ...] = ()
    pairs: tuple[PairView, ...] = ()
    notes: tuple[str, ...] = ()
    """What is wrong with it, in sentences."""


class RunsView(_Noun):
    """All that there is to mark."""

    blind: bool
    rater: str | None
    """Whose marks these are, where the command line says it. None: the page asks."""
    runs: tuple[RunView, ...]


class NewMark(_Noun):
    """A mark as the page sends it."""

    run: int = Field(ge=0)
    kind: Kind
    first: Entrant
    first_sha256: Sha256
    """Of the clip that was looked at."""
    second: Entrant | None = None
    second_sha256: Sha256 | None = None
    label: float | None
    """As in `agent.marks.Mark`. None: taken back."""
    rater: Rater = ""


class Saved(_Noun):
    """A mark that is on the disk."""

    saved: Literal[True] = True
    at: str
    """When, ISO 8601."""
