"""Each figure against its definition, counted out, and what is said where there is none."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from agent.bench.figures.compute import figures
from agent.bench.figures.types import AxisFigures, Figure, Figures
from agent.bench.types import Scored
from agent.errors import ConfigError

SEEDS = range(4)


def _row(number: int, label: float, score: float | None, kind: str = "binary", **more: Any) -> Scored:
    facts = {"sample_id": f"s{number:04}", "label_type": kind, "label": label, "score": score, "group": f"g{number}"}
    return Scored.model_validate({**facts, **more})


def _likert(seed: int, n: int = 40, digits: int = 1) -> list[Scored]:
    """Scores and labels with ties, in groups, with words."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        label = int(random.integers(1, 6))
        score = round(float(0.5 * random.random() + 0.1 * label), digits)
        more = {"group": f"g{random.integers(0, n // 3)}", "words": int(random.integers(5, 9)), "scale": (1, 5)}
        rows.append(_row(number, label, score, "likert", **more))
    return rows


def _of(rows: Sequence[Scored], **how: Any) -> AxisFigures:
    return figures(rows, dataset="test", **{"bootstrap": 0, **how}).main


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < w for v in values) + (sum(v == w for v in values) + 1) / 2 for w in values]


def _pearson(a: Sequence[float], b: Sequence[float]) -> float:
    x, y = math.fsum(a) / len(a), math.fsum(b) / len(b)
    top = math.fsum((i - x) * (j - y) for i, j in zip(a, b, strict=True))
    return top / math.sqrt(math.fsum((i - x) ** 2 for i in a) * math.fsum((j - y) ** 2 for j in b))


def _columns(rows: Sequence[Scored]) -> tuple[list[float], list[float], list[bool]]:
    return [r.score or 0.0 for r in rows], [r.label for r in rows], [r.label >= 4 for r in rows]


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_of_taken_clips(seed: int) -> None:
    rows = _likert(seed)
    score, _, passed = _columns(rows)
    found = _of(rows)
    good, bad = ([s for s, p in zip(score, passed, strict=True) if p is side] for side in (True, False))
    won = sum((g > b) + (g == b) / 2 for g in good for b in bad)
    assert found.roc_auc.value == pytest.approx(won / len(good) / len(bad), abs=1e-9)
    area, recall = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        accepted = [p for s, p in zip(score, passed, strict=True) if s >= threshold]
        now = sum(accepted) / len(good)
        area, recall = area + (now - recall) * sum(accepted) / len(accepted), now
    assert found.average_precision.value == pytest.approx(area, abs=1e-9)
    assert (found.n_pass, found.n_fail, found.pass_at) == (len(good), len(bad), "label >= 4 of 1-5")


@pytest.mark.parametrize("seed", SEEDS)
def test_correlations(seed: int) -> None:
    rows = _likert(seed)
    score, label, _ = _columns(rows)
    found = _of(rows)
    assert found.pearson.value == pytest.approx(_pearson(score, label), abs=1e-9)
    assert found.spearman.value == pytest.approx(_pearson(_ranks(score), _ranks(label)), abs=1e-9)
    words = [float(r.words or 0) for r in rows]
    talk = found.leaning.length_correlation.value
    assert talk == pytest.approx(_pearson(_ranks(score), _ranks(words)), abs=1e-9)
    pairs = [(_sign(score[i] - score[j]), _sign(label[i] - label[j])) for i, j in combinations(range(len(rows)), 2)]
    untied = math.sqrt(sum(s != 0 for s, _ in pairs) * sum(lab != 0 for _, lab in pairs))
    assert found.kendall.value == pytest.approx(sum(s * lab for s, lab in pairs) / untied, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_agreement_on_the_labels_steps(seed: int) -> None:
    rows = _likert(seed, digits=3)
    score, label, _ = _columns(rows)
    found, n = _of(rows), len(rows)
    steps = [1 + math.floor(4 * s + 0.5) for s in score]
    together = np.zeros((5, 5))
    for step, said in zip(steps, label, strict=True):
        together[step - 1, int(said) - 1] += 1
    observed = sum((i - j) ** 2 * together[i, j] for i in range(5) for j in range(5))
    by_luck = sum((i - j) ** 2 * together[i].sum() * together[:, j].sum() / n for i in range(5) for j in range(5))
    assert found.quadratic_kappa.value == pytest.approx(1 - observed / by_luck, abs=1e-9)
    right = sum(step == said for step, said in zip(steps, label, strict=True))
    assert found.exact_accuracy.value == pytest.approx(right / n, abs=1e-9)


def test_steps_that_nothing_is_on_do_not_bring_their_neighbours_nearer() -> None:
    rows = [_row(n, label, score, "likert", scale=(1, 5)) for n, (label, score) in enumerate([(1, 0), (5, 1), (4, 0)])]
    assert _of(rows).quadratic_kappa.value == pytest.approx(1 - 9 / ((0 + 16 + 9 + 0 + 16 + 9 + 16 + 0 + 1) / 3))


def test_scores_on_the_labels_own_scale_are_on_its_steps() -> None:
    rows = [
        _row(n, label, score, "likert", scale=(1, 5)) for n, (label, score) in enumerate([(1, 1.4), (5, 4.5), (4, 3)])
    ]
    found = _of(rows)
    assert found.exact_accuracy.value == pytest.approx(2 / 3)
    assert found.ece.why == found.brier.why == "scores leave [0, 1]: they are no probabilities"
    assert "scores leave [0, 1]" in found.leaning.leniency.why
    assert found.reliability == ()
    assert (found.histogram[0].low, found.histogram[-1].high) == (0.0, 4.5)
    assert found.roc_auc.value == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_calibration(seed: int) -> None:
    rows = _likert(seed, digits=2)
    score, label, passed = _columns(rows)
    found, n = _of(rows), len(rows)
    error = 0.0
    for k in range(10):
        inside = [i for i in range(n) if k / 10 <= score[i] < (k + 1) / 10 or (k == 9 and score[i] == 1)]
        shown = found.reliability[k]
        assert (shown.low, shown.high, shown.n) == (k / 10, (k + 1) / 10, len(inside))
        if inside:
            mean, share = (math.fsum(side[i] for i in inside) / len(inside) for side in (score, passed))
            assert shown.mean_score == pytest.approx(mean)
            assert shown.passed == pytest.approx(share)
            error += len(inside) / n * abs(mean - share)
    assert found.ece.value == pytest.approx(error, abs=1e-9)
    brier = math.fsum((s - p) ** 2 for s, p in zip(score, passed, strict=True)) / n
    assert found.brier.value == pytest.approx(brier, abs=1e-9)
    kinder = math.fsum(s - (lab - 1) / 4 for s, lab in zip(score, label, strict=True)) / n
    assert found.leaning.leniency.value == pytest.approx(kinder, abs=1e-9)
    commonest = max(score.count(s) for s in score)
    assert found.leaning.unique == len(set(score))
    assert found.leaning.commonest_share == pytest.approx(commonest / n)
    assert sum(b.n for b in found.histogram) == n


@pytest.mark.parametrize("seed", SEEDS)
def test_coverage_and_risk(seed: int) -> None:
    rows = _likert(seed)
    score, _, passed = _columns(rows)
    found = _of(rows)
    best_first = sorted(range(len(rows)), key=lambda i: -score[i])
    risk = [np.mean([not passed[j] for j in best_first if score[j] == score[i]]) for i in best_first]
    area = np.mean([np.mean(risk[:k]) for k in range(1, len(rows) + 1)])
    assert found.aurc.value == pytest.approx(float(area), abs=1e-9)
    assert found.coverage_risk is not None
    for coverage, wrong in zip(found.coverage_risk.x, found.coverage_risk.y, strict=True):
        k = round(coverage * len(rows))
        assert wrong == pytest.approx(sum(not passed[i] for i in best_first[:k]) / k)
    assert found.coverage_risk.x[-1] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 8, (30, 2)) / 8  # eighths: their differences are exact
    labels = random.integers(0, 3, 30) / 2
    rows = [
        _row(i, labels[i], scores[i, 0], "pair", score_b=scores[i, 1], orders=(0.6, float(random.random())))
        for i in range(30)
    ]
    rows += [_row(30 + i, 1, None, "pair", failure="no answer") for i in range(3)]
    found = _of(rows)
    wanted = [_sign(r.label - 0.5) for r in rows]
    gaps = [None if r.score is None else r.score - (r.score_b or 0) for r in rows]
    half = [0 if g is None else (_sign(g) * w + 1) / 2 for g, w in zip(gaps, wanted, strict=True) if w]
    assert found.pairwise_accuracy.value == pytest.approx(sum(half) / len(half), abs=1e-9)
    assert found.pairwise_accuracy.n == len(half)
    right = {}
    for margin in [k / 8 for k in range(9)]:
        called = [None if g is None else 0 if abs(g) <= margin else _sign(g) for g in gaps]
        right[margin] = sum(c == w for c, w in zip(called, wanted, strict=True)) / 33
    assert found.pairwise_accuracy_ties.value == pytest.approx(max(right.values()), abs=1e-9)
    assert found.tie_margin is not None
    assert right[found.tie_margin] == max(right.values())
    same = [(o[0] > 0.5) == (o[1] > 0.5) for r in rows if (o := r.orders)]
    assert found.swap_consistency.value == pytest.approx(sum(same) / 30, abs=1e-9)
    assert (found.n, found.n_pairs, found.n_failed, found.n_pairs_failed) == (0, 33, 3, 3)
    assert found.roc_auc.why == "no label says it: pairs alone"


def test_judged_twice() -> None:
    rows = [_row(1, 1, 0.5, retest=0.7), _row(2, 0, 0.4, retest=0.4), _row(3, 1, 0.4), _row(4, 1, None, retest=0.2)]
    assert _of(rows).retest.value == pytest.approx(0.1)
    assert _of(rows).retest.n == 2


def test_isotonic_regression_is_judged_on_other_groups() -> None:
    random = np.random.default_rng(0)
    rows = [_row(n, float(random.random() < 0.5), n / 400, group=f"g{n}") for n in range(400)]
    assert (_of(rows).ece_isotonic.value or 0) < 0.12
    overconfident = [r.model_copy(update={"score": 0.9 + 0.1 * (r.score or 0)}) for r in rows]
    found = _of(overconfident)
    assert (found.ece.value or 0) > 0.4
    assert (found.ece_isotonic.value or 1) < 0.12
    one_group = [r.model_copy(update={"group": "g"}) for r in rows]
    assert _of(one_group).ece_isotonic.value is None
    assert found.isotonic is not None
    assert list(found.isotonic.y) == sorted(found.isotonic.y)


def test_a_failure_is_a_failure_and_never_a_zero() -> None:
    rows = _likert(1)
    failed = [_row(100 + n, 1 + n % 5, None, "likert", scale=(1, 5), failure="no answer") for n in range(10)]
    alone, both = _of(rows), _of(rows + failed)
    for name in ("roc_auc", "average_precision", "spearman", "kendall", "pearson", "ece", "brier", "aurc"):
        assert getattr(both, name) == getattr(alone, name)
    assert both.exact_accuracy.value == pytest.approx((alone.exact_accuracy.value or 0) * 40 / 50)
    assert (both.n, both.n_failed, both.failures) == (40, 10, {"no answer": 10})
    assert both.coverage_risk is not None
    assert both.coverage_risk.x[-1] == pytest.approx(40 / 50)
    assert both.precision_recall is not None
    assert both.precision_recall.x[-1] == pytest.approx(both.n_pass / (both.n_pass + 4))
    assert any("10 of 50 rows (20%) failed" in sentence for sentence in both.words)


def test_a_clip_with_a_broken_floor_is_never_accepted() -> None:
    rows = _likert(2)
    broken = [r.model_copy(update={"floors_hold": n >= 10}) for n, r in enumerate(rows)]
    whole, found = _of(rows), _of(broken)
    assert found.roc_auc == whole.roc_auc
    assert found.aurc.value == _of(rows[10:]).aurc.value
    assert found.coverage_risk is not None
    assert found.coverage_risk.x[-1] == pytest.approx(30 / 40)
    assert any("10 rows break a floor" in sentence for sentence in found.words)


def test_labels_of_several_kinds_are_brought_together_and_it_is_said() -> None:
    stars = [_row(n, label, 0.2 * label, "likert", scale=(1, 5)) for n, label in enumerate([1, 2, 3, 4, 5])]
    verdicts = [_row(10 + n, label, 0.3 + n / 10) for n, label in enumerate([0.0, 1.0, 1.0])]
    free = [_row(20, 70, 0.5, "mos")]
    found = _of([*stars, *verdicts, *free])
    unit = [0, 0.25, 0.5, 0.75, 1, 0, 1, 1]
    score = [0.2, 0.4, 0.6, 0.8, 1.0, 0.3, 0.4, 0.5]
    assert found.pearson.value == pytest.approx(_pearson(score, unit), abs=1e-9)
    assert found.pass_at.split("; ") == ["label is pass", "label >= 4 of 1-5"]
    assert any("several kinds (5 likert of 1-5, 3 binary, 1 mos)" in sentence for sentence in found.words)
    assert any("1 row with a score cannot be compared" in sentence for sentence in found.words)


def test_pass_at_decides_what_counts_as_taken() -> None:
    rows = [_row(n, label, label / 100, "mos") for n, label in enumerate([10, 40, 60, 90])]
    assert _of(rows).roc_auc.why == "no label says it: give --pass-at LABEL"
    found = _of(rows, pass_at=50)
    assert (found.n_pass, found.n_fail, found.pass_at, found.roc_auc.value) == (2, 2, "label >= 50", 1)


def _shuffled(rows: list[Scored]) -> list[Scored]:
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


def test_neither_the_order_of_the_rows_nor_another_axis_changes_a_figure() -> None:
    rows = _likert(3)
    physics = [r.model_copy(update={"axis": "physics", "score": 1 - (r.score or 0)}) for r in rows[:20]]
    first = figures(rows, dataset="d", bootstrap=100, seed=4)
    both = figures(_shuffled([*physics, *rows]), dataset="d", bootstrap=100, seed=4)
    assert both.of("overall") == first.of("overall")
    assert both.main.axis == "overall"
    assert [a.axis for a in both.axes] == ["overall", "physics"]
    assert figures(rows, dataset="d", bootstrap=100, seed=5).main.roc_auc != first.main.roc_auc
    assert Figures.model_validate_json(both.model_dump_json()) == both


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([_row(1, 1, None, failure="no answer")], "Nothing can be said: 1 row, and not one has a score."),
        ([_row(1, 0, None, "pair", failure="x")], "Nothing can be said: 1 row, and not one has a score."),
        (
            [_row(1, 1, 0.5)],
            "Nothing can be said of 1 row: people took all of these clips, or none of them; fewer than",
        ),
        ([_row(n, 1, n / 10) for n in range(9)], "Nothing can be said of 9 rows: people took all"),
        ([_row(n, 0.5, 0.1, "pair", score_b=0.2) for n in range(9)], "Nothing can be said of 9 rows: no label says it"),
        ([_row(n, n % 2, 0.5) for n in range(20)], "AUC 0.50 (0.50 to 0.50): no better than a coin on these 20 clips"),
        (
            [_row(n, n % 2, 1 - n % 2) for n in range(4)],
            "AUC 0.00 (0.00 to 0.00): no better than a coin on these 4 clips",
        ),
        ([_row(n, n % 2, n % 2) for n in range(4)], "AUC 1.00 (1.00 to 1.00): these 4 clips are too few to tell it"),
        (
            [_row(n, n % 2, n % 2) for n in range(40)],
            "AUC 1.00 (1.00 to 1.00): better than a coin on these 40 clips; a",
        ),
        (
            [_row(n, n % 2, 1 - n % 2) for n in range(40)],
            "AUC 0.00 (0.00 to 0.00): worse than a coin on these 40 clips",
        ),
        ([_row(n, n % 2, n % 2, group="g") for n in range(40)], "AUC 1.00, no interval: all rows are of one group: it"),
        ([_row(n, n % 2, 0.1, "pair", score_b=0.2) for n in range(40)], "Accuracy on pairs 0.50 ("),
        (
            [_row(n, n, n / 40, "mos") for n in range(40)],
            "Rank correlation (Spearman) 1.00 (1.00 to 1.00): better than a coin",
        ),
        ([_row(n, n, -n, "mos") for n in range(40)], "Rank correlation (Spearman) -1.00 (-1.00 to -1.00): worse than"),
    ],
)
def test_the_first_sentence_says_whether_the_score_is_worth_anything(rows: list[Scored], said: str) -> None:
    found = _of(rows, bootstrap=200)
    assert found.words[0].startswith(said)
    assert found.chance is not any(word in said for word in (": better than", ": worse than"))


def test_a_critic_that_knows_nothing_is_called_a_coin() -> None:
    """Nineteen in twenty of them, as the intervals promise, give or take."""
    random = np.random.default_rng(7)
    called = 0
    for _ in range(20):
        rows = [_row(n, float(random.random() < 0.5), float(random.random()), group=f"g{n // 2}") for n in range(60)]
        found = _of(rows, bootstrap=100)
        called += found.chance
        assert found.chance is ("a threshold on it would mean nothing" in found.words[0])
    assert called >= 17


def test_what_sways_a_critic_is_said() -> None:
    random = np.random.default_rng(1)
    rows = []
    for n in range(80):
        label = int(random.integers(1, 6))
        score = round(min(1.0, 0.72 + 0.06 * label), 1)
        more = {"scale": (1, 5), "words": round(100 * score) + n % 3, "group": f"g{n % 12}"}
        rows.append(_row(n, label, score, "likert", **more))
    words = " ".join(_of(rows, bootstrap=200).words)
    for said in (
        "It is kinder than people by 0.",
        "It is saturated: ",
        "The longer its critique, the higher its score",
        "With 12 prompts these intervals are rough",
    ):
        assert said in words


def test_what_intervals_leave_open_is_said() -> None:
    perfect = [_row(n, n % 2, 0.9 if n % 2 else 0.1, "binary", group=f"g{n}") for n in range(80)]
    assert "No two clips are out of order" in " ".join(_of(perfect, bootstrap=50).words)
    mixed = [*perfect[:50], _row(99, 1, 0.05, "binary", group="g99")]
    assert "Over 51 prompts these intervals are a little too narrow." in _of(mixed, bootstrap=50).words


@pytest.mark.parametrize("seed", range(60))
def test_few_rows_of_any_kinds_have_their_figures_or_say_why_not(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(int(random.integers(1, 6))):
        kind = str(random.choice(["likert", "mos", "binary", "pair"][seed % 4 :]))
        more: dict[str, Any] = {"group": f"g{random.integers(3)}", "floors_hold": bool(random.random() < 0.7)}
        score = None if random.random() < 0.2 else float(random.choice([0, 0.5, 1, 3 if seed % 3 == 0 else 0.3]))
        if kind == "likert":
            more["scale"] = (1, 5)
        if kind == "pair":
            more.update(score_b=None if score is None else 0.5, orders=(0.4, float(random.random())))
        rows.append(_row(number, int(random.integers(1 if kind == "likert" else 0, 2)), score, kind, **more))
    found = _of(rows, bootstrap=20)
    assert found.words
    assert found.n + found.n_pairs + found.n_failed - found.n_pairs_failed == len(rows)
    for _, figure in found:
        if isinstance(figure, Figure):
            assert (figure.value is None) <= bool(figure.why)


def test_two_rows_have_correlations() -> None:
    found = _of([_row(1, 1, 0.2, "mos"), _row(2, 2, 0.7, "mos")])
    assert (found.spearman.value, found.kendall.value, found.pearson.value) == pytest.approx((1, 1, 1))


def test_every_number_is_one_even_where_scores_are_absurd() -> None:
    rows = [_row(n, n % 2, (-1) ** n * 1.7e308 if n < 2 else n * 1e-300) for n in range(12)]
    found = _of(rows, bootstrap=50)
    assert found.roc_auc.value is not None
    assert -1 <= (found.pearson.value or 0) <= 1


def test_curves_have_at_most_512_points_and_their_ends() -> None:
    random = np.random.default_rng(0)
    rows = [_row(n, float(random.random() < 0.5), float(random.random())) for n in range(3000)]
    found = _of(rows)
    for curve in (found.roc, found.precision_recall, found.coverage_risk, found.isotonic):
        assert curve is not None
        assert len(curve.x) == len(curve.y) <= 512
    assert found.roc is not None
    assert (found.roc.x[0], found.roc.y[0], found.roc.x[-1], found.roc.y[-1]) == (0, 0, 1, 1)


def test_no_rows_are_an_error() -> None:
    with pytest.raises(ConfigError, match="clips: holds no row"):
        figures([], dataset="clips")


@pytest.mark.parametrize(("rows", "chance"), [(2, True), (4, True), (5, False), (19, False)])
def test_a_few_rows_in_order_are_luck(rows: int, chance: bool) -> None:
    """Four in order either way are 2 of 24 orders, whatever Student's distribution says of a perfect correlation."""
    found = _of([_row(n, n, n / 20, "mos") for n in range(rows)], bootstrap=50)
    assert found.spearman.value == pytest.approx(1)
    assert found.chance is chance


def test_pairs_that_people_call_ties_alone_are_said_to_be() -> None:
    found = _of([_row(n, 0.5, 0.5, "pair", score_b=0.5) for n in range(3)])
    said = "On pairs it agrees with people, who call each with scores a tie, in 1.00 (scores"
    assert said in " ".join(found.words)
