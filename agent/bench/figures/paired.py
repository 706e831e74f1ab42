"""Two critics compared on the rows that both have: differences with intervals, p-values, and a verdict."""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from agent.bench.figures import swapping as swap
from agent.bench.figures import weighted as by
from agent.bench.figures.columns import Columns, columns
from agent.bench.figures.joining import Joined
from agent.bench.figures.paired_types import AxisComparison, Difference
from agent.bench.figures.resampling import weights
from agent.bench.figures.verdicts import verdict
from agent.bench.figures.weighted import Floats, Ints, Weighted

STATISTICS: Final = ("roc_auc", "average_precision", "spearman", "kendall", "pearson", "pairwise_accuracy", "brier")
_ROWS_DRAWN: Final = 40_000_000
"""Rows times resamples at most: with many rows fewer resamples say as much."""
_ROWS_SORTED: Final = 5_000_000
"""Rows times permutations at most, of statistics that must be sorted anew for each."""
_FEWEST: Final = 500
_POWER: Final = 1.96 + 0.84
"""Standard errors between no difference and one that is seen four times in five at 95 %."""


class _Pair(NamedTuple):
    """A statistic of both critics on rows that both have."""

    rows: Ints
    a: Weighted
    b: Weighted
    swapped: swap.Swapped
    groups: int
    sorts: bool = False


def compare_axis(
    joined: Joined, names: tuple[str, str], pass_at: float | None, resamples: int, seed: int
) -> AxisComparison:
    """Two critics on the rows of one axis.

    Args:
        joined: the rows that both have.
        names: of the critics, for people.
        pass_at: least label that passes.
        resamples: of the bootstrap, and permutations; with very many rows fewer are made.
        seed: of both.
    """
    a, b = columns(joined.a, pass_at), columns(joined.b, pass_at)
    found = _pairs(a, b)
    differences = tuple(_difference(name, found[name], a.group, resamples, seed) for name in STATISTICS)
    facts: dict[str, Any] = {
        "axis": joined.axis,
        "n": len(joined.a),
        "groups": len(np.unique(a.group)),
        "only_a": joined.only_a,
        "only_b": joined.only_b,
        "unequal": joined.unequal,
        "failed_a": int((~np.isfinite(a.score)).sum()),
        "failed_b": int((~np.isfinite(b.score)).sum()),
        "pass_at": a.pass_at,
        "differences": differences,
    }
    made = AxisComparison(**facts, words=())
    return made.model_copy(update={"words": verdict(made, names)})


def _pairs(a: Columns, b: Columns) -> dict[str, _Pair | str]:
    return {**_of_taken(a, b), **_of_grades(a, b), "pairwise_accuracy": _of_pairs(a, b)}


def _of_taken(a: Columns, b: Columns) -> dict[str, _Pair | str]:
    rows = np.intersect1d(a.taken, b.taken)
    x, y, passed = a.score[rows], b.score[rows], a.passes[rows]
    names = ("roc_auc", "average_precision", "brier")
    if not len(rows):
        return dict.fromkeys(names, "no row has scores by both" if len(a.asked) else a.pass_at)
    group, groups = _groups(a.group[rows])
    found: dict[str, _Pair | str] = dict.fromkeys(names, "people took all of these clips, or none of them")
    if passed.any() and not passed.all():
        sorting = swap.reordered(x, y, group, swap.area_statistic(passed))
        found["roc_auc"] = _Pair(rows, by.auc_of(x, passed), by.auc_of(y, passed), sorting, groups, sorts=True)
        sorting = swap.reordered(x, y, group, swap.precision_statistic(passed))
        made = by.average_precision_of(x, passed), by.average_precision_of(y, passed)
        found["average_precision"] = _Pair(rows, *made, sorting, groups, sorts=True)
    found["brier"] = "scores leave [0, 1]: they are no probabilities"
    if all(np.all((side >= 0) & (side <= 1)) for side in (x, y)):
        losses = (x - passed) ** 2, (y - passed) ** 2
        found["brier"] = _Pair(rows, by.mean_of(losses[0]), by.mean_of(losses[1]), swap.means(*losses, group), groups)
    return found


def _of_grades(a: Columns, b: Columns) -> dict[str, _Pair | str]:
    rows, names = np.intersect1d(a.graded, b.graded), ("spearman", "kendall", "pearson")
    x, y, label = a.score[rows], b.score[rows], a.grade[rows]
    if len(rows) < 2:
        return dict.fromkeys(names, "fewer than 2 rows have scores by both and a graded label")
    for side, what in ((label, "labels"), (x, "scores of A"), (y, "scores of B")):
        if np.all(side == side[0]):
            return dict.fromkeys(names, f"all {what} are equal")
    group, groups = _groups(a.group[rows])
    ranks = [np.asarray(rankdata(side), dtype=np.float64) for side in (x, y, label)]
    sorting = swap.reordered(x, y, group, swap.kendall_statistic(label))
    return {
        "spearman": _Pair(
            rows,
            by.spearman_of(x, label),
            by.spearman_of(y, label),
            swap.pearsons(ranks[0], ranks[1], ranks[2], group),
            groups,
        ),
        "kendall": _Pair(rows, by.kendall_of(x, label), by.kendall_of(y, label), sorting, groups, sorts=True),
        "pearson": _Pair(
            rows, by.pearson_of(x, label), by.pearson_of(y, label), swap.pearsons(x, y, label, group), groups
        ),
    }


def _of_pairs(a: Columns, b: Columns) -> _Pair | str:
    """Accuracy on the pairs that people do not call a tie; one without a score counts as wrong."""
    wanted = np.sign(np.array([row.label for row in a.rows]) - 0.5)
    rows = np.sort(a.pairs[wanted[a.pairs] != 0])
    if not len(rows):
        return "there are no pairs that people do not call a tie"
    right = [np.nan_to_num((np.sign(side.gap[rows]) * wanted[rows] + 1) / 2, nan=0.0) for side in (a, b)]
    if all(np.isnan(side.gap[rows]).all() for side in (a, b)):
        return "no pair has scores"
    group, groups = _groups(a.group[rows])
    return _Pair(rows, by.mean_of(right[0]), by.mean_of(right[1]), swap.means(right[0], right[1], group), groups)


def _groups(group: Ints) -> tuple[Ints, int]:
    found = np.unique(group, return_inverse=True)[1]
    return found, int(found.max(initial=-1)) + 1


def _difference(name: str, pair: _Pair | str, group: Ints, resamples: int, seed: int) -> Difference:
    if isinstance(pair, str):
        return Difference(statistic=name, why=pair)
    once, n = np.ones((len(pair.rows), 1)), len(pair.rows)
    a, b = float(pair.a(once)[0]), float(pair.b(once)[0])
    facts: dict[str, Any] = {"statistic": name, "a": a, "b": b, "difference": a - b, "n": n}
    if pair.groups < 2:
        return Difference(**facts, why="neither interval nor p: all rows are of one group")
    drawn = _drawn(pair, group, min(resamples, max(_FEWEST, _ROWS_DRAWN // n)), seed)
    permutations = min(resamples, max(_FEWEST, _ROWS_SORTED // n)) if pair.sorts else resamples
    facts["p"] = swap.p_value(pair.swapped, a - b, pair.groups, permutations, [seed, 1])
    facts["permutations"], facts["resamples"] = permutations, len(drawn)
    if 2 * len(drawn) <= min(resamples, _FEWEST):
        return Difference(**facts, why="no interval: most resamples say nothing of it")
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    made = Difference(**facts, low=min(low, a - b), high=max(high, a - b))
    spread = float(drawn.std())
    if made.separated or abs(a - b) < 1e-12 or not spread:
        return made
    return made.model_copy(update={"needed": _rounded(max(n + 1.0, n * (_POWER * spread / (a - b)) ** 2))})


def _rounded(rows: float) -> int:
    """Upwards to two digits: no more are known."""
    step: int = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(rows / step) * step


def _drawn(pair: _Pair, group: NDArray[Any], resamples: int, seed: int) -> Floats:
    """Differences of the resamples that say something of them; both critics' rows are drawn together."""
    found: Sequence[Floats] = [
        pair.a(some) - pair.b(some) for some in weights(_groups(group[pair.rows])[0], resamples, [seed, 0])
    ]
    drawn = np.concatenate(found)
    return np.asarray(drawn[np.isfinite(drawn)])
