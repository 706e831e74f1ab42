"""Which candidates of a run are worth holding against one another."""

from collections.abc import Callable
from itertools import islice

from agent.marking.shelf import dice
from agent.run import Run
from agent.types import Candidate, Entrant

Pair = tuple[Entrant, Entrant]
"""In the order of the run: a pair is the same whichever stands on the left."""
MOST = 10
"""Pairs proposed of a run: few enough to be finished."""


def proposed(run: Run, content: Callable[[Candidate], str | None], most: int = MOST) -> list[Pair]:
    """Pairs of a tier whose scores are nearest to one another: there people tell what the score does not.

    Args:
        run: whose candidates.
        content: tells a clip's bytes; None: it cannot be shown. Two clips of the same bytes are no pair.
        most: pairs.
    """
    found: list[tuple[float, bytes, Pair]] = []
    for draft in (False, True):
        tier = [(e, c) for e, c in run.entrants.items() if run.is_draft(c) is draft and content(c) is not None]
        tier.sort(key=lambda item: item[1].score)
        for index, (one, low) in enumerate(tier):
            # of the nearest pairs none lies further apart in this order than there are pairs wanted
            for other, high in islice(tier, index + 1, index + 1 + most):
                if content(low) != content(high):
                    pair = in_order(one, other)
                    found.append((round(high.score - low.score, 6), dice(run, *pair), pair))
    return [pair for *_, pair in sorted(found)[:most]]


def in_order(one: Entrant, other: Entrant) -> Pair:
    """The two, the earlier of the run first."""
    first, second = sorted((one, other), key=lambda e: (e.iteration, e.seed))
    return first, second


def swapped(run: Run, pair: Pair) -> bool:
    """Whether the second of a pair stands on the left: by chance, and the same at each look."""
    return bool(dice(run, *pair)[-1] & 1)
