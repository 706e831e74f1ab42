"""What a run is expected to cost, and what it may cost: the values that a forecast is made of."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from agent.types import Step


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Value):
    """A quantity of a whole run."""

    expected: float = Field(ge=0)
    """Never above `worst`."""
    worst: float = Field(ge=0)
    """With every iteration used, each step at the slowest that is known of it."""

    @classmethod
    def sure(cls, value: float) -> Self:
        """One of which nothing better is known than its upper end."""
        return cls(expected=value, worst=value)

    def times(self, count: "Bounds") -> "Bounds":
        """What `count` of these come to."""
        return Bounds(expected=round(self.expected * count.expected, 4), worst=round(self.worst * count.worst, 4))


class StepForecast(_Value):
    """What one step is forecast to take, wherever it is done."""

    count: Bounds
    """Captions, renders, critiques, tests of the critic, or comparisons of two clips."""
    drafts: Bounds | None = None
    """Of the renders those that are drafts. None: there are none."""
    finals: Bounds | None = None
    """Of the renders those that are as asked, where there are drafts. The most of both may not come in one run."""
    requests: Bounds | None = None
    """Questions asked of a model. None: not known."""
    tokens: Bounds | None = None
    """Read and written. None: not known."""

    @classmethod
    def none(cls) -> Self:
        """Of a step that is not done."""
        return cls(count=Bounds.sure(0), requests=Bounds.sure(0), tokens=Bounds.sure(0))


class Place(_Value):
    """What a run takes on one kind of hardware, or at an endpoint with a history."""

    name: str
    """Hardware as its source names it, or where the history was made."""
    model: str = ""
    """As its source names it; "" where only one can be meant."""
    gpus: int = 0
    """Of one endpoint; 0: none, or not known."""
    render: Bounds
    """Seconds of one render as asked."""
    draft: Bounds | None = None
    """Of one draft. None: there are none."""
    seconds: dict[Step, Bounds]
    """Of a whole run by step, parallel work added up. A step that is not there is not known."""
    wall: Bounds
    """Seconds from the first caption to the final choice, steps that are not known left out."""
    basis: str
    """What the seconds of a render come from, in a sentence."""


class Forecast(_Value):
    """What a run is expected to cost, and what it may cost."""

    steps: dict[Step, StepForecast]
    """Captions, renders, critiques, and where they are made a test of the critic and comparisons."""
    places: tuple[Place, ...] = ()
    """One where the pace is known, one for each kind of hardware where that is not known, none where no pace is."""
    price_usd: Bounds | None = None
    """None: nothing is billed, or no price is known."""
    assumes: tuple[str, ...] = ()
    """What was taken to be so, and what is left out, in sentences."""
    sources: tuple[str, ...] = ()
    """Where the figures come from."""

    def seconds(self, step: Step) -> tuple[Bounds, Bounds] | None:
        """The least and the most that a step takes over all places. None: not known at one of them."""
        found = [place.seconds[step] for place in self.places if step in place.seconds]
        if not found or len(found) < len(self.places):
            return None
        return _ends(found)

    @property
    def wall(self) -> tuple[Bounds, Bounds] | None:
        """The least and the most wall seconds over all places. None: not known."""
        return _ends([place.wall for place in self.places]) if self.places else None


def _ends(found: Sequence[Bounds]) -> tuple[Bounds, Bounds]:
    """The least and the most of each end."""
    expected, worst = [b.expected for b in found], [b.worst for b in found]
    return Bounds(expected=min(expected), worst=min(worst)), Bounds(expected=max(expected), worst=max(worst))
