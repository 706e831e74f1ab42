"""Resamples: each statistic of weighted rows is scikit-learn's or scipy's of the rows so repeated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.metrics import average_precision_score, cohen_kappa_score, roc_auc_score

from agent.bench.figures import weighted as by
from agent.bench.figures.resampling import Estimate, weights, with_intervals
from agent.bench.figures.weighted import Floats, Weighted

SEEDS = range(6)


def _drawn(seed: int) -> tuple[Floats, Floats, Any, Floats]:
    """Scores with ties, labels with ties, whether they pass, and weights of 6 resamples in groups."""
    random = np.random.default_rng(seed)
    n = int(random.integers(8, 60))
    label = random.integers(1, [3, 6, 50][seed % 3], n).astype(float)
    score = np.round(label / label.max() * random.random(n), [1, 2, 9][seed % 3])
    group = random.integers(0, max(2, n // 3), n)
    group = np.unique(group, return_inverse=True)[1]
    return score, label, label >= np.median(label), next(weights(group, 6, [seed]))


def _same(weighted: Weighted, drawn: Floats, alone: Callable[[Any], float]) -> None:
    found = weighted(drawn)
    assert found.shape == (drawn.shape[1],)
    for value, column in zip(found, drawn.T, strict=True):
        rows = np.repeat(np.arange(len(column)), column.astype(int))
        expected = alone(rows)
        if np.isnan(expected):
            assert np.isnan(value)
        else:
            assert value == pytest.approx(expected, abs=1e-9)


def _constant(*sides: Floats) -> bool:
    return any(len(np.unique(side)) < 2 for side in sides)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["pearson", "spearman", "kendall"])
def test_correlations(seed: int, name: str) -> None:
    score, label, _, drawn = _drawn(seed)
    scipys: Any = {"pearson": pearsonr, "spearman": spearmanr, "kendall": kendalltau}[name]
    ours = {"pearson": by.pearson_of, "spearman": by.spearman_of, "kendall": by.kendall_of}[name]

    def alone(rows: Any) -> float:
        nothing = _constant(score[rows], label[rows])
        return float("nan") if nothing else float(scipys(score[rows], label[rows]).statistic)

    _same(ours(score, label), drawn, alone)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["auc", "ap"])
def test_ranking_of_taken_clips(seed: int, name: str) -> None:
    score, _, passed, drawn = _drawn(seed)
    sklearns = {"auc": roc_auc_score, "ap": average_precision_score}[name]
    ours = {"auc": by.auc_of, "ap": by.average_precision_of}[name]
    _same(
        ours(score, passed),
        drawn,
        lambda rows: float("nan") if _constant(passed[rows]) else float(sklearns(passed[rows], score[rows])),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_kappa(seed: int) -> None:
    score, label, _, drawn = _drawn(seed)
    steps = np.floor(score * label.max() + 0.5)

    def alone(rows: Any) -> float:
        a, b = label[rows].astype(int), steps[rows].astype(int)
        if len(np.unique(np.concatenate([a, b]))) < 2:
            return float("nan")
        return float(cohen_kappa_score(a, b, labels=range(51), weights="quadratic"))

    _same(by.kappa_of(label, steps), drawn, alone)


@pytest.mark.parametrize("seed", SEEDS)
def test_calibration_error_and_coverage_risk_by_their_definitions(seed: int) -> None:
    score, _, passed, drawn = _drawn(seed)

    def ece(rows: Any) -> float:
        total = 0.0
        for k in range(10):
            inside = [i for i in rows if k / 10 <= score[i] < (k + 1) / 10 or (k == 9 and score[i] == 1)]
            if inside:
                total += len(inside) * abs(np.mean(score[inside]) - np.mean(passed[inside]))
        return total / len(rows)

    def aurc(rows: Any) -> float:
        # clips accepted one by one, equal scores in no order: the mean of that block for each of them
        best_first = sorted(rows, key=lambda i: -score[i])
        expected = [np.mean([not passed[j] for j in rows if score[j] == score[i]]) for i in best_first]
        return float(np.mean([np.mean(expected[:k]) for k in range(1, len(rows) + 1)]))

    _same(by.ece_of(score, passed), drawn, ece)
    _same(by.aurc_of(score, passed), drawn, aurc)


@pytest.mark.parametrize("seed", SEEDS)
def test_ties_are_calibrated_anew(seed: int) -> None:
    score, label, _, drawn = _drawn(seed)
    gap, wanted = np.round(score - score[::-1], 1), np.sign(label - label[::-1])
    failed = 3

    def alone(rows: Any) -> float:
        best = 0
        for margin in [0.0, *np.abs(gap)]:
            called = np.where(np.abs(gap) <= margin, 0, np.sign(gap))
            best = max(best, sum(called[i] == wanted[i] for i in rows if i < len(gap) - failed))
        return best / len(rows)

    broken = gap.copy()
    broken[-failed:] = np.nan
    _same(by.three_way_of(broken, wanted, failed), drawn, alone)


def test_groups_are_drawn_as_a_whole_and_the_same_by_the_same_seed() -> None:
    group = np.array([0, 1, 1, 2, 0])
    first, again, other = (np.concatenate(list(weights(group, 500, [s])), axis=1) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first[0], first[4])
    assert np.array_equal(first[1], first[2])
    assert set((first[0] + first[1] + first[3]).tolist()) == {3.0}  # as many groups as there are
    assert first.mean() == pytest.approx(1, abs=0.1)


def test_an_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    random = np.random.default_rng(5)
    group = np.arange(400)
    values = random.normal(size=400)
    estimate = Estimate(float(values.mean()), group, by.mean_of(values))
    found = with_intervals({"mean": estimate, "none": "why not"}, group, 4000, [3])
    mean = found["mean"]
    assert mean.low is not None
    assert mean.high is not None
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    assert (found["none"].value, found["none"].why) == (None, "why not")
    doubled = np.repeat(group, 2)  # every row twice, in its group: no more is known
    twice = Estimate(mean.value or 0, np.arange(800), by.mean_of(np.repeat(values, 2)))
    again = with_intervals({"mean": twice}, doubled, 4000, [3])["mean"]
    assert again.low == pytest.approx(mean.low)
    assert again.high == pytest.approx(mean.high)


def test_resamples_that_say_nothing_are_left_out_and_counted() -> None:
    passed = np.array([True, False, False, False])
    score = np.array([0.9, 0.1, 0.4, 0.95])
    estimate = Estimate(0.5, np.arange(4), by.auc_of(score, passed))
    found = with_intervals({"auc": estimate}, np.arange(4), 2000, [0])["auc"]
    assert found.left_out / 2000 == pytest.approx(0.75**4 + 0.25**4, abs=0.04)  # none drawn, or it alone
    assert found.low is not None
    rare = Estimate(0.5, np.arange(4), lambda drawn: np.where(drawn[0] > 1, 0.5, np.nan))
    assert "say nothing of it" in with_intervals({"rare": rare}, np.arange(4), 200, [0])["rare"].why


def test_one_group_has_no_interval() -> None:
    estimate = Estimate(0.5, np.arange(4), by.mean_of(np.arange(4)))
    found = with_intervals({"mean": estimate}, np.zeros(4, dtype=int), 200, [0])["mean"]
    assert (found.low, found.high, found.why) == (None, None, "no interval: all rows are of one group")


@pytest.mark.thorough
@pytest.mark.parametrize("labels", [2, 5, 10_000])
def test_the_work_of_a_resample_is_linear_in_the_rows(labels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 rows: no sorting in a resample, and at most 60 passes over the rows of each (14 bits of a rank)."""
    random = np.random.default_rng(0)
    n = 10_000
    score, label = random.random(n), random.integers(0, labels, n)
    statistics = [by.kendall_of(score, label), by.spearman_of(score, label), by.pearson_of(score, label)]
    statistics += [make(score, label > 0) for make in (by.auc_of, by.average_precision_of, by.aurc_of, by.ece_of)]
    touched = 0
    cumsum = np.cumsum

    def counting(values: Any, **how: Any) -> Any:
        nonlocal touched
        touched += np.size(values)
        return cumsum(values, **how)

    def sorting(*_: Any, **__: Any) -> Any:
        raise AssertionError("a resample sorts")

    monkeypatch.setattr(np, "cumsum", counting)
    for name in ("sort", "argsort", "lexsort", "unique"):
        monkeypatch.setattr(np, name, sorting)
    drawn = np.ones((n, 8))
    for weighted in statistics:
        weighted(drawn)
    assert touched < 60 * drawn.size
