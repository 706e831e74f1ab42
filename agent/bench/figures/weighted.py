"""Statistics of rows that count as often as a resample drew them, for many resamples at once.

Each is made once for its rows and then called with weights of shape (rows, resamples), whole numbers from 0; it gives
one value a resample, as scikit-learn or scipy give it for the rows so repeated, and nan where these rows say nothing.
Sorting is done once, when it is made: a call is linear in the rows (Kendall's: times the bits of a label's rank).
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Weighted = Callable[[Floats], Floats]

BINS: Final = 10
EDGES: Final = np.arange(BINS + 1) / BINS


def share(top: Floats, bottom: Floats) -> Floats:
    """Quotients, nan where the bottom is not above 0."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def scaled(values: NDArray[Any]) -> Floats:
    """Values brought to [0, 1] by their ends, for statistics that are the same under it: no square overflows."""
    size = np.abs(values).max(initial=0.0)
    small = np.asarray(values, dtype=np.float64) / (size or 1.0)
    spread = small.max(initial=0.0) - small.min(initial=np.inf) if len(small) else 0.0
    return (small - small.min(initial=np.inf)) / spread if spread else np.zeros(len(small))


class Blocks:
    """Rows in the order of a value, equal ones together."""

    def __init__(self, values: NDArray[Any], *, descending: bool = False) -> None:
        unique, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        self.values = unique[::-1] if descending else unique
        self.inverse: Ints = len(unique) - 1 - inverse if descending else inverse
        self.order: Ints = np.argsort(self.inverse, kind="stable")
        self.ends: Ints = np.cumsum(counts[::-1] if descending else counts)

    def sums(self, weights: Floats) -> Floats:
        """Sum of the weights up to each block, shape (blocks + 1, resamples): 0 first."""
        running = np.cumsum(weights[self.order], axis=0)
        return np.concatenate([np.zeros((1, weights.shape[1])), running[self.ends - 1]])


def mean_of(values: NDArray[Any]) -> Weighted:
    """Mean."""
    column = np.asarray(values, dtype=np.float64)[None, :]

    def weighted(weights: Floats) -> Floats:
        return share((column @ weights)[0], weights.sum(axis=0))

    return weighted


def pearson_of(one: NDArray[Any], other: NDArray[Any]) -> Weighted:
    """Pearson's correlation."""
    sides = scaled(one)[:, None], scaled(other)[:, None]

    def weighted(weights: Floats) -> Floats:
        n = weights.sum(axis=0)
        a, b = (side - share((side * weights).sum(axis=0), n) for side in sides)
        spread_a, spread_b = ((weights * off * off).sum(axis=0) for off in (a, b))
        some = np.minimum(spread_a, spread_b) > n * 1e-28  # below it all drawn are equal, but for rounding
        return share((weights * a * b).sum(axis=0), np.where(some, np.sqrt(spread_a * spread_b), 0.0))

    return weighted


def spearman_of(one: NDArray[Any], other: NDArray[Any]) -> Weighted:
    """Spearman's rank correlation, mean ranks among equals."""
    sides = Blocks(one), Blocks(other)

    def weighted(weights: Floats) -> Floats:
        middle = (weights.sum(axis=0) + 1) / 2
        ranks, spreads = [], []
        for blocks in sides:
            sums = blocks.sums(weights)
            rank = (sums[:-1] + sums[1:] + 1) / 2 - middle
            spreads.append((np.diff(sums, axis=0) * rank * rank).sum(axis=0))
            ranks.append(rank[blocks.inverse])
        return share((weights * ranks[0] * ranks[1]).sum(axis=0), np.sqrt(spreads[0] * spreads[1]))

    return weighted


class Concordance:
    """Pairs of rows in the same order by two values, less those in the other: the numerator of Kendall's tau.

    Of a pair with different labels, the labels' ranks differ first in one bit. Level by level of the bits from the top,
    rows that agree in all bits above are a node; within it, in the order of the scores, each row with the bit set meets
    the rows without it that score below (same order) and above (the other), from one running sum.
    """

    def __init__(self, scores: NDArray[Any], labels: NDArray[Any]) -> None:
        x = np.unique(scores, return_inverse=True)[1]
        y = np.unique(labels, return_inverse=True)[1]
        top = int(y.max(initial=0)).bit_length()
        self.levels = [level for bit in range(top) if (level := self._level(x, y >> (bit + 1), y >> bit & 1))]

    @staticmethod
    def _level(x: Ints, node: Ints, bit: Ints) -> tuple[Ints, Ints, Ints] | None:
        order = np.lexsort((x, node))
        x, node, bit = x[order], node[order], bit[order]
        unset = np.concatenate([[0], np.cumsum(bit == 0)])  # how many rows without the bit come before a place
        new_node = np.concatenate([[True], node[1:] != node[:-1], [True]])
        new = new_node | np.concatenate([[True], x[1:] != x[:-1], [True]])
        bounds = []
        for starts in (new, new_node):
            places = np.flatnonzero(starts)
            run = np.cumsum(starts[:-1]) - 1
            bounds += [unset[places[:-1]][run], unset[places[1:]][run]]
        below, above, first, last = (bound[bit == 1] for bound in bounds)
        if not np.any(last > first):
            return None
        return order[bit == 0], order[bit == 1], np.stack([below, above, first, last])

    def __call__(self, weights: Floats) -> Floats:
        """Pairs in the same order less pairs in the other, of each resample."""
        total = np.zeros(weights.shape[1])
        for unset, given, places in self.levels:
            sums = np.concatenate([np.zeros((1, weights.shape[1])), np.cumsum(weights[unset], axis=0)])
            net = sums[places[0]]
            net += sums[places[1]]
            net -= sums[places[2]]
            net -= sums[places[3]]
            net *= weights[given]
            total += net.sum(axis=0)
        return total


def kendall_of(scores: NDArray[Any], labels: NDArray[Any]) -> Weighted:
    """Kendall's tau-b."""
    concordance, sides = Concordance(scores, labels), (Blocks(scores), Blocks(labels))

    def weighted(weights: Floats) -> Floats:
        n = weights.sum(axis=0)
        untied = []
        for blocks in sides:
            tied = np.diff(blocks.sums(weights), axis=0)
            untied.append((n * (n - 1) - (tied * (tied - 1)).sum(axis=0)) / 2)
        return share(concordance(weights), np.sqrt(untied[0]) * np.sqrt(untied[1]))

    return weighted


def auc_of(scores: NDArray[Any], passed: NDArray[np.bool_]) -> Weighted:
    """Area under the ROC curve: the share of (taken, not taken) pairs in the right order, ties a half."""
    concordance = Concordance(scores, passed)

    def weighted(weights: Floats) -> Floats:
        taken = weights[passed].sum(axis=0)
        pairs = taken * (weights.sum(axis=0) - taken)
        return share(concordance(weights) + pairs, 2 * pairs)

    return weighted


def average_precision_of(scores: NDArray[Any], passed: NDArray[np.bool_]) -> Weighted:
    """Average precision: precision at each score that is there, weighted by the recall that it adds."""
    blocks = Blocks(scores, descending=True)
    column = passed[:, None].astype(np.float64)

    def weighted(weights: Floats) -> Floats:
        taken, all_of = blocks.sums(weights * column), blocks.sums(weights)
        precision = np.nan_to_num(share(taken[1:], all_of[1:]))
        both = (taken[-1] > 0) & (taken[-1] < all_of[-1])
        return share((np.diff(taken, axis=0) * precision).sum(axis=0), np.where(both, taken[-1], 0.0))

    return weighted


def aurc_of(scores: NDArray[Any], passed: NDArray[np.bool_]) -> Weighted:
    """Mean over k of the share not taken among the k best scored; equal scores come in no order (its expectation)."""
    blocks = Blocks(scores, descending=True)
    column = (~passed)[:, None].astype(np.float64)

    def weighted(weights: Floats) -> Floats:
        wrong, all_of = blocks.sums(weights * column), blocks.sums(weights)
        size = np.diff(all_of, axis=0)
        rate = np.nan_to_num(share(np.diff(wrong, axis=0), size))
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(all_of[-1].max()) + 1))])
        reciprocal = np.diff(harmonic[all_of.astype(np.intp)], axis=0)  # sum of 1/k over the block's k
        return share((rate * size + (wrong[:-1] - rate * all_of[:-1]) * reciprocal).sum(axis=0), all_of[-1])

    return weighted


def ece_of(scores: NDArray[Any], passed: NDArray[np.bool_]) -> Weighted:
    """Expected calibration error, 10 bins of equal width (Guo et al., 2017); a bin holds its lower end."""
    place = np.clip(np.searchsorted(EDGES, scores, side="right") - 1, 0, BINS - 1)
    gaps = np.zeros((BINS, len(place)))
    gaps[place, np.arange(len(place))] = scores - passed

    def weighted(weights: Floats) -> Floats:
        return share(np.abs(gaps @ weights).sum(axis=0), weights.sum(axis=0))

    return weighted


def kappa_of(one: NDArray[Any], other: NDArray[Any]) -> Weighted:
    """Cohen's kappa with quadratic weights, of whole steps: 1 less observed over expected squared distance."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    moments = np.stack([np.ones(len(a)), a, b, a * a + b * b, (a - b) ** 2])

    def weighted(weights: Floats) -> Floats:
        n, x, y, squares, apart = moments @ weights
        expected = n * squares - 2 * x * y
        return 1 - share(n * apart, expected)

    return weighted


def three_way_of(gaps: NDArray[Any], wanted: NDArray[Any], failed: int = 0) -> Weighted:
    """Three-way accuracy at the margin of a tie that gives the most of it (Deutsch, Foster and Freitag, 2023).

    Args:
        gaps: the critic's score of the first less that of the second. Within the margin of 0, it is a tie.
        wanted: 1 the first is better, -1 the second, 0 a tie of people.
        failed: pairs, the last ones, without scores: never right.
    """
    judged = len(gaps) - failed
    blocks = Blocks(np.abs(gaps[:judged]))
    ties = (wanted[:judged] == 0)[:, None].astype(np.float64)
    right = ((np.sign(gaps[:judged]) == wanted[:judged]) & (wanted[:judged] != 0))[:, None].astype(np.float64)
    least = int(len(blocks.values) > 0 and blocks.values[0] == 0)  # equal scores are a tie at every margin

    def weighted(weights: Floats) -> Floats:
        tied, ordered = blocks.sums(weights[:judged] * ties), blocks.sums(weights[:judged] * right)
        return share((tied + ordered[-1] - ordered)[least:].max(axis=0), weights.sum(axis=0))

    return weighted
