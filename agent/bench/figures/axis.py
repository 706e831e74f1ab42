"""All figures of the rows of one axis."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.stats import binomtest, mannwhitneyu, permutation_test, rankdata, spearmanr

from agent.bench.figures.calibration import bins, histogram_edges, reliability
from agent.bench.figures.columns import Columns, columns
from agent.bench.figures.curves import curves
from agent.bench.figures.estimates import estimates, tie_margin
from agent.bench.figures.resampling import with_intervals
from agent.bench.figures.sentences import sentences
from agent.bench.figures.types import AxisFigures, Figure, Leaning
from agent.bench.figures.weighted import Floats
from agent.bench.types import AXES, RowAxis, Scored

LEVEL: Final = 0.05
_SHUFFLED: Final = 20
"""Rows under which Student's distribution, by which scipy says how likely a rank correlation is by luck, is none."""


class Telling(NamedTuple):
    """The figure that says whether a score is worth anything, what a coin has of it, and how a coin does by luck."""

    name: str
    figure: Figure
    coin: float
    p: float
    """Of the rank test that belongs to it, without groups: it guards against few rows, whose bootstrap is too sure."""

    @property
    def chance(self) -> bool:
        """Whether nothing tells the critic from a coin."""
        low, high = self.figure.low, self.figure.high
        return low is None or high is None or low <= self.coin <= high or self.p > LEVEL


def axis_figures(
    axis: RowAxis, rows: Sequence[Scored], pass_at: float | None, resamples: int, seed: int
) -> AxisFigures:
    """All figures of the rows of one axis.

    Args:
        axis: which.
        rows: of this axis alone.
        pass_at: least label that passes.
        resamples: of the bootstrap; 0: no intervals.
        seed: of the bootstrap and of the folds.
    """
    by = columns(rows, pass_at)
    found = with_intervals(estimates(by, seed), by.group, resamples, [seed, AXES.index(axis)])
    scored = np.isfinite(by.score)
    singles = np.array([row.label_type != "pair" for row in by.rows], dtype=bool)
    score = by.score[scored & singles]
    counts = np.unique(score, return_counts=True)[1]
    reasons = Counter(row.failure or "no score" for row, has in zip(by.rows, scored.tolist(), strict=True) if not has)
    passed = by.passes[by.taken]
    within = bool(np.all((score >= 0) & (score <= 1)))
    telling = _telling(by, found)
    facts: dict[str, Any] = {
        "axis": axis,
        "n": len(score),
        "n_pairs": int((~singles).sum()),
        "n_failed": int((~scored).sum()),
        "n_pairs_failed": int((~scored & ~singles).sum()),
        "failures": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:10]),
        "groups": len(np.unique(by.group)),
        "n_pass": int(passed.sum()),
        "n_fail": int((~passed).sum()),
        "pass_at": by.pass_at,
        "leaning": Leaning(
            leniency=found.pop("leniency"),
            length_correlation=found.pop("length_correlation"),
            unique=len(counts),
            commonest_share=float(counts.max() / len(score)) if len(score) else 0.0,
        ),
        "tie_margin": tie_margin(by),
        **curves(by),
        "reliability": reliability(by.score[by.taken], passed) if len(by.taken) and within else (),
        "histogram": _histogram(by, scored & singles),
        "chance": telling is None or telling.chance,
    }
    found.pop("pairwise_scored")
    told = AxisFigures(**facts, **found, words=())
    return told.model_copy(update={"words": sentences(told, telling, by)})


def _histogram(by: Columns, shown: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[Any, ...]:
    """All clips with a score, by it; those taken counted where every label says it."""
    rows = np.flatnonzero(shown)
    said = bool(np.isin(rows, by.taken).all())
    score = by.score[rows]
    return bins(score, by.passes[rows] if said else None, histogram_edges(score)) if len(rows) else ()


def _telling(by: Columns, found: dict[str, Figure]) -> Telling | None:
    """AUC, else the accuracy on pairs that have scores, else the rank correlation; None: there is none of them."""
    if found["roc_auc"].value is not None:
        score, passed = by.score[by.taken], by.passes[by.taken]
        return Telling("AUC", found["roc_auc"], 0.5, float(mannwhitneyu(score[passed], score[~passed]).pvalue))
    pairs = found["pairwise_scored"]
    if pairs.value is not None:
        right = round(pairs.value * pairs.n)
        return Telling("Accuracy on pairs", pairs, 0.5, float(binomtest(right, pairs.n).pvalue))
    if found["spearman"].value is not None:
        p = _by_luck(by.score[by.graded], by.grade[by.graded])
        return Telling("Rank correlation (Spearman)", found["spearman"], 0.0, p)
    return None


def _by_luck(score: Floats, grade: Floats) -> float:
    """Chance of a rank correlation as far from 0: of few rows by shuffling (all orders, if they are under 8)."""
    if len(score) >= _SHUFFLED:
        answer: Any = spearmanr(score, grade)
        return float(answer.pvalue)
    one, other = (rankdata(side) - (len(side) + 1) / 2 for side in (score, grade))
    made = permutation_test(
        (one,), lambda shuffled, axis: (shuffled * other).sum(axis=axis), permutation_type="pairings", rng=0
    )
    return float(made.pvalue)
