"""Two critics on the same rows: what they differ by, with what certainty."""

from pydantic import BaseModel, ConfigDict, Field

from agent.bench.types import RowAxis


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Difference(_Noun):
    """One statistic of both critics, and A's less B's."""

    statistic: str
    """Its name in `AxisFigures`."""
    a: float | None = None
    """None: it cannot be computed; `why` says the reason."""
    b: float | None = None
    difference: float | None = None
    """A less B. Of `brier` less is better, of the others more."""
    low: float | None = None
    """Ends of its 95 % interval, by paired bootstrap over groups."""
    high: float | None = None
    p: float | None = Field(default=None, gt=0, le=1)
    """Of a difference at least as large either way if the two critics could be swapped in any group."""
    resamples: int = 0
    """Behind the interval; those that say nothing of it are left out."""
    permutations: int = 0
    """Behind p."""
    n: int = Field(default=0, ge=0)
    """Rows that have a score by both (pairs: all of them; one without a score counts as wrong)."""
    needed: int | None = None
    """Rows at which such a difference would be seen four times in five, where it is not seen on these. None: it is
    seen, or there is none."""
    why: str = ""

    @property
    def separated(self) -> bool:
        """Whether the difference is told from none: its interval leaves 0 out, and p is at most 0.05."""
        if self.low is None or self.high is None or self.p is None:
            return False
        return not self.low <= 0 <= self.high and self.p <= 0.05


class AxisComparison(_Noun):
    """Two critics on the rows of one axis."""

    axis: RowAxis
    n: int
    """Rows that both have, with the same label."""
    groups: int
    """Rows that are of one group for either are of one group here."""
    only_a: int
    """Rows that B does not have."""
    only_b: int
    unequal: int
    """Rows of both whose labels differ: they are left out."""
    failed_a: int
    """Of the n rows, those without a score by A."""
    failed_b: int
    pass_at: str
    """What counts as taken, in words."""
    differences: tuple[Difference, ...]
    words: tuple[str, ...]
    """What it comes to, in sentences for people: first the verdict."""

    def of(self, statistic: str) -> Difference:
        """The difference of a statistic, by its name."""
        return next(d for d in self.differences if d.statistic == statistic)


class Comparison(_Noun):
    """Two critics on the same rows, by axis."""

    a: str
    """What the first is called, for people."""
    b: str
    seed: int
    axes: tuple[AxisComparison, ...]
