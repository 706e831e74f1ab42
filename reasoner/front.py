"""The Pareto front of the captions tried: those that are better than every other one at something."""

from collections.abc import Sequence
from statistics import fmean

from reasoner.types import Revision

TOLERANCE = 0.01
"""Criterion means that differ by no more are taken for equal."""


def front(history: Sequence[Revision]) -> tuple[int, ...]:
    """Indices of the captions which no other one beats, in the order of the history.

    One beats another that is better than it in no criterion by more than `TOLERANCE`, is worse in some by more, and has
    the lower mean; criteria are compared where both have them. (The mean keeps tolerances from adding up to a ring of
    captions that beat one another.) A caption's second try on fresh seeds is left out: its scores are not on the seeds
    that the others share, so they would be compared by luck.
    """
    fair = [index for index, revision in enumerate(history) if not revision.caption.reseed]
    return tuple(
        index for index in fair if not any(_beats(history[other], history[index]) for other in fair if other != index)
    )


def ahead(revision: Revision, other: Revision, step: float = TOLERANCE) -> dict[str, float]:
    """By how much a caption's criterion means exceed another's, where by more than `step`; the largest first."""
    gaps = {name: revision.criteria[name] - other.criteria[name] for name in _common(revision, other)}
    return {name: gap for name, gap in sorted(gaps.items(), key=lambda item: -item[1]) if gap > step}


def _common(one: Revision, other: Revision) -> list[str]:
    return [name for name in one.criteria if name in other.criteria]


def _beats(one: Revision, other: Revision) -> bool:
    common = _common(one, other)
    if not ahead(one, other) or ahead(other, one):
        return False
    return fmean(one.criteria[name] for name in common) > fmean(other.criteria[name] for name in common)
