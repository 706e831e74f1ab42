"""A candidate's scores in the order in which they are read: by axis, the lowest first, what is fine folded away."""

from dataclasses import dataclass
from statistics import fmean

from agent.types import Candidate, Iteration
from critic.types import Axis, Score

FEW = 8
"""Criteria that are shown without folding any away."""
FINE = 0.9
"""A criterion that no clip of the iteration falls below is folded away."""


@dataclass(frozen=True)
class Group:
    """The scores of one axis."""

    axis: Axis
    value: float
    """Their weighted mean."""
    shown: tuple[Score, ...]
    fine: tuple[Score, ...]
    """Near-flawless in every clip of the iteration."""


def groups(candidate: Candidate, iteration: Iteration) -> tuple[Group, ...]:
    """The candidate's scores by axis, the axis with the lowest of them first.

    Order and folding are the iteration's, so that its clips can be compared line by line. A broken floor and the
    candidate's lowest score are never folded away.
    """
    values: dict[str, list[float]] = {}
    for each in iteration.candidates:
        for score in each.critique.scores:
            values.setdefault(score.criterion, []).append(score.value)
    scores = candidate.critique.scores
    lowest = candidate.critique.lowest
    broken = {s.criterion for c in iteration.candidates for s in c.critique.scores if s.value < s.floor}

    def fine(score: Score) -> bool:
        low = min(values[score.criterion])
        return len(scores) > FEW and low >= FINE and score is not lowest and score.criterion not in broken

    found = []
    ordered = sorted(scores, key=lambda s: fmean(values[s.criterion]))
    for axis in dict.fromkeys(s.axis for s in ordered):
        own = [s for s in ordered if s.axis == axis]
        found.append(
            Group(
                axis=axis,
                value=sum(s.value * s.weight for s in own) / sum(s.weight for s in own),
                shown=tuple(s for s in own if not fine(s)),
                fine=tuple(s for s in own if fine(s)),
            )
        )
    return tuple(found)
