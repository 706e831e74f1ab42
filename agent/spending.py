"""What renders cost: spent so far, expected of the next one, and how many a limit still pays for."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, Self

from agent.types import Budget, Draft, Failure, Iteration, Tier
from generator.types import Clip

ROUNDING = 1e-9
"""Of a render: so that three at $0.10 fit into $0.30."""


class Cost(NamedTuple):
    """What renders cost in one unit: US dollars, or seconds of the generator at work."""

    spent: float
    """By clips, by renders that failed, and by what was rendered for nobody."""
    each: float | None
    """Expected of one more: the mean of the run's own. None: nothing is known yet."""
    target: float | None = None
    """Expected of one at the target tier, where `each` is of a draft."""
    held: float = 0.0
    """Kept for the promotion of the best draft."""
    pending: float = 0.0
    """Expected of the renders that are under way."""

    @classmethod
    def of(cls, known: Sequence[float], *, lost: float, expected: float | None = None, pending: int = 0) -> Self:
        """From the renders whose cost is known; `expected` of one stands in before there is any."""
        each = fmean(known) if known else expected
        return cls(round(sum(known) + lost, 4), each, pending=pending * (each or 0.0))

    @classmethod
    def over(
        cls,
        known: Callable[[Sequence[Iteration]], list[float]],
        iterations: Sequence[Iteration],
        draft: Draft | None,
        *,
        lost: float,
        running: bool,
        expected: tuple[float | None, float | None] = (None, None),
    ) -> Self:
        """Of a run's renders, each tier at its own pace; what is not known of one follows from the other.

        Args:
            known: what those of some iterations cost, as far as it is known.
            iterations: the run's.
            draft: the tier that captions are compared at, if there is one.
            lost: by what was rendered for nobody.
            running: whether the run is: nothing is under way in one that has ended.
            expected: of a draft and of a render as asked, before there is one.
        """
        under_way: dict[Tier, int] = {"draft": 0, "target": 0}
        for iteration in iterations if running else ():
            under_way[iteration.tier] += len(iteration.missing)
        if draft is None:
            return cls.of(known(iterations), lost=lost, expected=expected[1], pending=under_way["target"])
        drafts = known([i for i in iterations if i.tier == "draft"])
        finals = known([i for i in iterations if i.tier == "target"])
        each, target = fmean(drafts) if drafts else expected[0], fmean(finals) if finals else expected[1]
        found = cls.drafting(round(sum(drafts) + sum(finals) + lost, 4), each, target, draft)
        pending = under_way["draft"] * (found.each or 0.0) + under_way["target"] * (found.target or 0.0)
        return found._replace(pending=pending)

    @classmethod
    def drafting(cls, spent: float, each: float | None, target: float | None, draft: Draft) -> Self:
        """Where there are drafts: what is not known of one tier follows from the other, and a promotion is held."""
        if each is None and target is not None:
            each = target / draft.ratio
        if target is None and each is not None:
            target = each * draft.ratio
        return cls(spent, each, target=target, held=draft.seeds * (target or 0.0))

    def pays_for(self, limit: float | None) -> float:
        """How many more fit under `limit`, beside what is under way and held: a whole number from 0, or infinity."""
        if limit is None:
            return math.inf
        left = limit - self.spent - self.pending - self.held
        if self.each:
            return max(0, math.floor(left / self.each + ROUNDING))
        return math.inf if left > 0 or self.each == 0 else 0

    def of_target(self) -> Self:
        """Of one more at the target tier, with nothing held: it is what was held for."""
        return self._replace(each=self.each if self.target is None else self.target, held=0.0)


def affords(budget: Budget, renders: int, price: Cost, gpu: Cost, held: int = 0) -> float:
    """How many more renders a budget pays for: a whole number from 0, or infinity.

    Args:
        budget: of the run.
        renders: made or under way.
        price: in US dollars.
        gpu: in seconds of the generator.
        held: renders kept for a promotion.
    """
    left = math.inf if budget.max_renders is None else max(0, budget.max_renders - renders - held)
    return min(left, price.pays_for(budget.max_price_usd), gpu.pays_for(budget.max_gpu_seconds))


def prices(iterations: Sequence[Iteration]) -> list[float]:
    """US dollars of each render whose price is known, failed ones included."""
    renderings = [c.rendering for c in _clips(iterations)] + [f.rendering for f in _failures(iterations)]
    return [r.price_usd for r in renderings if r is not None and r.price_usd is not None]


def seconds(iterations: Sequence[Iteration]) -> list[float]:
    """Seconds that the generator worked on each render whose time is known, failed ones included."""
    failed = [f.rendering.render_seconds for f in _failures(iterations) if f.rendering is not None]
    return [worked(clip) for clip in _clips(iterations)] + [s for s in failed if s is not None]


def worked(clip: Clip) -> float:
    """Seconds that the generator worked on a clip, as the backend told; else all but the wait and what was lost."""
    told = clip.rendering
    if told.render_seconds is not None:
        return told.render_seconds
    return max(0.0, clip.seconds - told.queue_seconds - told.lost_seconds)


def _clips(iterations: Sequence[Iteration]) -> list[Clip]:
    """Each once: two captions of the same words share their clips."""
    found: dict[tuple[Path, int], Clip] = {}
    for i in iterations:
        clips = [*(c.clip for c in i.candidates), *(f.clip for f in i.failures if f.clip)]
        found |= {(clip.path, clip.seed): clip for clip in clips}
    return list(found.values())


def _failures(iterations: Sequence[Iteration]) -> Iterator[Failure]:
    return (failure for i in iterations for failure in i.failures if failure.clip is None)
