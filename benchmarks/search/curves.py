"""What a strategy has to show for its render seconds, and how many it takes to reach the reference's score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.bench.ranking import Estimate, Floats, estimate
from benchmarks.search.replay import Trace

CAPS = 400
"""Most moments that a curve is read at."""
EXACT = 1e-9
"""What a sum may be off by."""


@dataclass(frozen=True)
class Curve:
    """A strategy at rising caps of render seconds a prompt. First axis: prompts and orders of seeds; second: caps."""

    caps: Floats
    score: Floats
    """Of the clip that would be handed over at a cap; 0 where there is none."""
    spent: Floats
    """Render seconds under the cap."""

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> "Curve":
        """Read at every moment at which a render ends, or at evenly chosen ones of them."""
        moments = np.unique([spent for trace in traces for spent in trace.renders])
        if len(moments) > CAPS:
            moments = moments[np.unique(np.linspace(0, len(moments) - 1, CAPS).round().astype(int))]
        points = np.array([[trace.at(cap) for cap in moments] for trace in traces])
        return cls(caps=moments, spent=points[:, :, 0], score=points[:, :, 1])

    def only(self, keep: NDArray[np.bool_]) -> "Curve":
        """Of some prompts and orders alone."""
        return Curve(self.caps, self.score[keep], self.spent[keep])

    @property
    def final(self) -> Floats:
        """Score at the strategy's own end."""
        return self.score[:, -1]

    @property
    def total(self) -> Floats:
        """Render seconds at the strategy's own end."""
        return self.spent[:, -1]


@dataclass(frozen=True)
class Comparison:
    """A strategy beside the reference."""

    reach: Estimate
    """Render seconds until its mean score is the reference's final one, over the reference's. Infinite: never."""
    unreached: float
    """Share of the resamples in which it never is."""
    difference: Estimate
    """Its mean final score minus the reference's, when it stops by its own rules."""
    cost: Estimate
    """Its render seconds then, over the reference's."""

    @property
    def said_of_never(self) -> str:
        """In how many resamples the reference's score is reached, or is not, where that is not always so."""
        if self.unreached == 1:
            return "never"
        if not np.isfinite(self.reach.value):
            return f"never; reached in {_percent(1 - self.unreached)}"
        return f"never in {_percent(self.unreached)}" if self.unreached else ""


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def compared(curve: Curve, reference: Curve, weights: Floats) -> Comparison:
    """By the level weights, with intervals by the others.

    Args:
        curve: of the strategy.
        reference: of the schedule whose score is to be reached.
        weights: see `resampling.weights`.
    """
    wanted, seconds = weights @ reference.final, weights @ reference.total
    reached = weights @ curve.score >= wanted[:, None] - EXACT
    spent = weights @ curve.spent
    first = reached.argmax(axis=1)
    ratio = np.where(reached.any(axis=1), spent[np.arange(len(spent)), first] / seconds, np.inf)
    return Comparison(
        reach=estimate(ratio),
        unreached=float(np.isinf(ratio[1:]).mean()),
        difference=estimate(weights @ curve.final - wanted),
        cost=estimate(weights @ curve.total / seconds),
    )
