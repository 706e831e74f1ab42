"""What drafts foretold of the renders as asked: a caption's scores at both tiers."""

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from agent.report.charts import Pair
from agent.run import Run
from agent.types import Iteration


@dataclass(frozen=True)
class Foretold:
    """A caption's drafts beside its renders as asked."""

    source: int
    """Index of the drafts."""
    drafts: int
    """Clips that `draft` is the mean of."""
    draft: float
    finals: int
    """Clips that `final` is the mean of."""
    final: float
    pairs: tuple[Pair, ...]
    """Seeds rendered at both tiers, the draft first. At another size the same seed is other noise."""

    @property
    def difference(self) -> float:
        """What the mean score came to beyond that of the drafts."""
        return self.final - self.draft


def foretold(run: Run, iteration: Iteration) -> Foretold | None:
    """What was known from drafts of a caption that is rendered as asked; None before both tiers have a judged clip."""
    if iteration.promoted is None:
        return None
    drafts = run.iterations[iteration.promoted].candidates
    if not drafts or not iteration.candidates:
        return None
    before = {c.seed: c.score for c in drafts}
    return Foretold(
        source=iteration.promoted,
        drafts=len(drafts),
        draft=fmean(before.values()),
        finals=len(iteration.candidates),
        final=fmean(c.score for c in iteration.candidates),
        pairs=tuple(Pair(c.seed, before[c.seed], c.score) for c in iteration.candidates if c.seed in before),
    )


def agreement(run: Run) -> tuple[int, int] | None:
    """In how many pairs of captions the better drafts had the better renders as asked, and of how many pairs.

    None for fewer than two captions that were rendered as asked.
    """
    known: dict[int, tuple[float, float]] = {}
    for iteration in run.iterations:
        found = foretold(run, iteration)
        if found is not None and found.source not in known:  # fresh seeds come later, and are seeds and no caption
            known[found.source] = found.draft, found.final
    pairs = list(combinations(known.values(), 2))
    if not pairs:
        return None
    return sum((one[0] - other[0]) * (one[1] - other[1]) > 0 for one, other in pairs), len(pairs)
