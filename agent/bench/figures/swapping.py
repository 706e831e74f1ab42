"""The permutation test of two critics: how much they would differ if they were swapped in some groups.

If two critics are equally good, which of them gave which of the two scores that a group's rows have is as good as
tossed: swapping them in any of the groups gives differences that were as likely as the one seen (the permutation test
of a paired design; for areas under ROC curves Venkatraman and Begg, Biometrika 83, 1996, and Bandos, Rockette and Gur,
Statistics in Medicine 24, 2005). Rows of one group are swapped together, since they are not independent.

Scores can be swapped only where they mean the same: of statistics that know ranks alone each critic's scores are first
brought to ranks, of Pearson's correlation, which no linear scale changes, to [0, 1] by their ends; the Brier score's
are probabilities already, and an accuracy's are right or wrong. Each statistic of the unswapped ranks is that of the
scores. Spearman's correlation is then taken of the swapped ranks as they are (Pearson's correlation); the area, average
precision and Kendall's correlation, of the swapped ranks in their new order. (Differences of mean ranks as they are
would hold what the clips of one class differ by among themselves, which no area knows of: its p would be too high.)
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from agent.bench.figures.weighted import Floats, Ints, scaled, share

Swapped = Callable[[NDArray[np.bool_]], Floats]
"""From which groups are swapped, shape (groups, permutations), to A's statistic less B's, one a permutation."""
_CELLS: Final = 2_000_000
_FEW: Final = 250
"""Rows of which all pairs are compared sooner than scipy sorts them."""


def tosses(groups: int, permutations: int, seed: list[int]) -> Iterator[NDArray[np.bool_]]:
    """Which groups are swapped, shape (groups, some of the permutations)."""
    random = np.random.default_rng(seed)
    step = max(1, _CELLS // max(1, groups))
    for done in range(0, permutations, step):
        yield random.random((min(step, permutations - done), groups)).T < 0.5


def p_value(swapped: Swapped, seen: float, groups: int, permutations: int, seed: list[int]) -> float:
    """Share of differences at least as large either way, the one seen among them (Phipson and Smyth, 2010).

    A permutation of which nothing can be said counts as one of them.
    """
    found = np.concatenate([swapped(toss) for toss in tosses(groups, permutations, seed)])
    as_large = ~(np.abs(found) < abs(seen) - 1e-12)
    return float((1 + as_large.sum()) / (1 + permutations))


def means(a: Floats, b: Floats, group: Ints) -> Swapped:
    """Of the mean of a value."""
    off = np.bincount(group, weights=(a - b) / len(a))

    def swapped(toss: NDArray[np.bool_]) -> Floats:
        return np.asarray(off @ np.where(toss, -1.0, 1.0))

    return swapped


def pearsons(a: Floats, b: Floats, label: Floats, group: Ints) -> Swapped:
    """Of Pearson's correlation with the label; of Spearman's, if all three are ranks."""
    label = scaled(label) - scaled(label).mean()
    size = np.sqrt(label @ label / len(label))
    sums = []
    for side in (scaled(a), scaled(b)):
        columns = (side, side * side, side * label)
        sums.append(np.stack([np.bincount(group, weights=column / len(label)) for column in columns]))
    apart, whole = sums[1] - sums[0], sums[0].sum(axis=1)
    both = whole + sums[1].sum(axis=1)

    def correlation(moments: Floats) -> Floats:
        mean, square, product = moments
        variance = square - mean * mean
        return share(product, np.where(variance > 1e-15, np.sqrt(np.abs(variance)) * size, 0.0))

    def swapped(toss: NDArray[np.bool_]) -> Floats:
        first = whole[:, None] + apart @ toss.astype(np.float64)
        return correlation(first) - correlation(both[:, None] - first)

    return swapped


def reordered(a: Floats, b: Floats, group: Ints, statistic: Callable[[Floats], float]) -> Swapped:
    """Of a statistic of the ranks in their new order."""
    ranks = rankdata(a), rankdata(b)

    def swapped(toss: NDArray[np.bool_]) -> Floats:
        found = []
        for column in toss.T:
            other = column[group]
            first, second = np.where(other, ranks[1], ranks[0]), np.where(other, ranks[0], ranks[1])
            found.append(statistic(first) - statistic(second))
        return np.array(found)

    return swapped


def area_statistic(passed: NDArray[np.bool_]) -> Callable[[Floats], float]:
    """Area under the ROC curve of scores; ties a half."""
    pairs = int(passed.sum()) * int((~passed).sum())

    def statistic(score: Floats) -> float:
        taken, others = score[passed], np.sort(score[~passed])
        below, up_to = (others.searchsorted(taken, side).sum() for side in ("left", "right"))
        return float((below + up_to) / (2 * pairs))

    return statistic


def precision_statistic(passed: NDArray[np.bool_]) -> Callable[[Floats], float]:
    """Average precision of scores."""

    def statistic(score: Floats) -> float:
        order = np.argsort(-score, kind="stable")
        ends = np.flatnonzero(np.diff(score[order], append=-np.inf))
        taken = np.cumsum(passed[order])[ends]
        return float(np.diff(taken, prepend=0) @ (taken / (ends + 1)) / taken[-1])

    return statistic


def kendall_statistic(label: Floats) -> Callable[[Floats], float]:
    """Kendall's tau-b of scores and labels; nan where all scores are equal."""
    if len(label) > _FEW:
        return lambda score: _of(kendalltau(score, label, method="asymptotic"))
    order = np.sign(label[:, None] - label)
    untied = (order > 0).sum()

    def statistic(score: Floats) -> float:
        above = score[:, None] > score
        pairs = above.sum() * untied
        return float(np.vdot(above.astype(np.float64), order) / np.sqrt(pairs)) if pairs else float("nan")

    return statistic


def _of(found: Any) -> float:
    return float(found.statistic)
