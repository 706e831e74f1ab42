"""Two critics on the same rows: differences, intervals, p-values that mean what they say, and the command."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, kstest, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from agent.bench.figures import swapping as swap
from agent.bench.figures.compare import compare
from agent.bench.figures.compute import figures
from agent.bench.figures.paired_types import AxisComparison, Comparison
from agent.bench.figures.verdicts import verdict
from agent.bench.figures.weighted import Floats, scaled
from agent.bench.folder import About, write
from agent.bench.types import Scored
from agent.cli import main
from agent.errors import ConfigError
from critic.instrument import Instrument


def _rows(seed: int, noise: float, n: int = 80, digits: int = 2, **more: Any) -> list[Scored]:
    """Scores of the same clips by a critic with so much noise: the seed and the noise say which."""
    clips, critic = np.random.default_rng(seed), np.random.default_rng([seed, round(100 * noise)])
    rows = []
    for number in range(n):
        quality = clips.normal()
        label = int(np.clip(round(3 + quality), 1, 5))
        score = round(float(1 / (1 + np.exp(-(quality + noise * critic.normal())))), digits)
        facts = {"sample_id": f"s{number:03}", "group": f"g{number // 2}", "label_type": "likert", "label": label}
        rows.append(Scored.model_validate({**facts, "scale": (1, 5), "score": score, **more}))
    return rows


def _of(a: Sequence[Scored], b: Sequence[Scored], **how: Any) -> AxisComparison:
    return compare(a, b, **{"resamples": 200, **how}).axes[0]


def test_each_side_is_what_its_own_report_says() -> None:
    a, b = _rows(1, 0.5), _rows(1, 3.0)
    made = _of(a, b)
    for rows, side in ((a, "a"), (b, "b")):
        alone = figures(rows, dataset="x", bootstrap=0).main
        for name in ("roc_auc", "average_precision", "spearman", "kendall", "pearson", "brier"):
            assert getattr(made.of(name), side) == pytest.approx(getattr(alone, name).value, abs=1e-9)
    for found in made.differences:
        if found.a is not None and found.b is not None:
            assert found.difference == pytest.approx(found.a - found.b)
    assert (made.n, made.groups, made.of("roc_auc").n) == (80, 40, 80)


def test_a_better_critic_is_found_to_be_better() -> None:
    made = _of(_rows(2, 0.3), _rows(2, 4.0))
    for found in made.differences:
        if found.statistic != "pairwise_accuracy":
            assert found.separated, found
            assert found.needed is None
    assert made.words[0].startswith("A is better than B on these 80 rows: ROC AUC 0.9")
    assert _of(_rows(2, 4.0), _rows(2, 0.3)).words[0].startswith("B is better than A on these 80 rows")


def test_critics_that_are_alike_are_not_separated_and_it_says_how_many_rows_it_takes() -> None:
    a, b = _rows(3, 1.00), _rows(3, 1.01)
    made = _of(a, b)
    found = made.of("roc_auc")
    assert not found.separated
    assert found.needed is not None
    assert found.needed > 80
    assert f"about {found.needed:,} rows would be needed" in made.words[0]
    assert made.words[0].startswith("Not separated on these 80 rows: ROC AUC 0.")


def test_the_rows_that_it_says_are_needed_are_enough_four_times_in_five() -> None:
    """In theory: at that many rows the difference is 2.8 of its standard errors."""
    found = _of(_rows(3, 1.00), _rows(3, 1.3), resamples=600).of("spearman")
    assert found.needed is not None
    assert found.low is not None
    assert found.high is not None
    error = (found.high - found.low) / 2 / 1.96 * np.sqrt(80 / found.needed)
    assert abs(found.difference or 0) / error == pytest.approx(2.8, rel=0.15)


def test_the_same_critic_twice_does_not_differ_at_all() -> None:
    rows = _rows(4, 1.0)
    for found in _of(rows, rows).differences:
        if found.statistic != "pairwise_accuracy":
            assert (found.difference, found.low, found.high, found.p, found.needed) == (0, 0, 0, 1, None)
            assert not found.separated


def test_neither_order_matters() -> None:
    a, b = _rows(5, 0.7), _rows(5, 1.0)
    forth = compare(a, b, resamples=200, seed=3)
    shuffled = compare(a[::-1], [b[i] for i in np.random.default_rng(0).permutation(80)], resamples=200, seed=3)
    assert shuffled == forth
    back = _of(b, a, resamples=200, seed=3)
    for one, other in zip(forth.axes[0].differences, back.differences, strict=True):
        if one.difference is not None:
            assert other.difference == -one.difference
            assert (other.p, other.n) == (one.p, one.n)
            assert other.low == pytest.approx(-(one.high or 0), abs=1e-12)
    assert compare(a, b, resamples=200, seed=4) != forth
    assert Comparison.model_validate_json(forth.model_dump_json()) == forth


def test_rows_are_joined_and_what_is_left_out_is_told() -> None:
    a, b = _rows(6, 0.5), _rows(6, 2.0)
    b[0] = b[0].model_copy(update={"label": 6 - b[0].label if b[0].label != 3 else 1.0})
    b[1] = b[1].model_copy(update={"score": None, "failure": "no answer"})
    made = compare(a[:70], b, names=("mine", "other"), resamples=100).axes[0]
    assert (made.n, made.only_a, made.only_b, made.unequal) == (69, 0, 10, 1)
    assert (made.failed_a, made.failed_b, made.of("roc_auc").n) == (0, 1, 68)
    words = " ".join(made.words)
    for said in (
        "10 in other alone",
        "for labels that differ: 1.",
        "0 of 69 rows by mine and 1 by other",
    ):
        assert said in words


def test_groups_of_one_side_hold_for_both() -> None:
    a, b = _rows(7, 0.5), _rows(7, 2.0)
    ungrouped = [row.model_copy(update={"group": row.sample_id}) for row in b]
    assert _of(a, ungrouped) == _of(a, b) == _of([r.model_copy(update={"group": r.sample_id}) for r in a], b)
    crossed = [row.model_copy(update={"group": f"h{(i + 1) // 2}"}) for i, row in enumerate(b)]
    made = _of(a, crossed)
    assert made.groups == 1  # a chain of overlapping groups is one
    assert made.of("roc_auc").why == "neither interval nor p: all rows are of one group"
    assert made.words[0].startswith("Nothing can be said of the difference: ROC AUC")


def test_nothing_in_common_is_an_error_that_shows_both() -> None:
    a, b = _rows(8, 0.5, n=4), [r.model_copy(update={"sample_id": "x" + r.sample_id}) for r in _rows(8, 1.0, n=4)]
    with pytest.raises(ConfigError, match=r"A and B have no row in common.*'s000' on overall, B 'xs000' on overall"):
        compare(a, b)
    with pytest.raises(ConfigError, match="on the axis physics"):
        compare(a, a, axis="physics")
    others = [r.model_copy(update={"label": 6 - r.label, "scale": (0, 5)}) for r in a]
    with pytest.raises(ConfigError, match="all 4 rows that both have differ in their labels"):
        compare(a, others)


def _pairs(right: Sequence[float | None]) -> list[Scored]:
    facts = {"label_type": "pair", "label": 1}
    return [
        Scored.model_validate(
            {**facts, "sample_id": f"p{i}", "group": f"g{i}", "score": r, "score_b": None if r is None else 0.5}
        )
        for i, r in enumerate(right)
    ]


def test_on_pairs_a_failure_is_wrong() -> None:
    made = _of(_pairs([0.9] * 30), _pairs([0.9] * 15 + [0.5] * 5 + [0.1] * 5 + [None] * 5))
    found = made.of("pairwise_accuracy")
    assert (found.a, found.b, found.n, found.separated) == (1, (15 + 2.5) / 30, 30, True)
    assert made.words[0].startswith("A is better than B on these 30 rows: accuracy on pairs 1.00 against 0.58")
    assert made.of("roc_auc").difference is None


def _drawn(seed: int) -> tuple[Floats, Floats, Floats, Any, Any]:
    random = np.random.default_rng(seed)
    label = random.integers(0, 4, 24).astype(float)
    a, b = (np.round(label / 4 + random.random(24), 1) for _ in range(2))
    group = np.unique(random.integers(0, 6, 24), return_inverse=True)[1]
    tosses = random.random((group.max() + 1, 20)) < 0.5
    tosses[:, 0], tosses[:, 1] = False, True
    return a, b, label, group, tosses


@pytest.mark.parametrize("seed", range(4))
def test_swapped_groups_give_the_statistic_of_the_swapped_ranks(seed: int) -> None:
    a, b, label, group, tosses = _drawn(seed)
    passed = label >= 2
    ranks = rankdata(a), rankdata(b)
    scales = scaled(a), scaled(b)
    areas, kendalls = (
        swap.reordered(a, b, group, swap.area_statistic(passed))(tosses),
        swap.reordered(a, b, group, swap.kendall_statistic(label))(tosses),
    )
    pearsons = swap.pearsons(a, b, label, group)(tosses)
    precisions = swap.reordered(a, b, group, swap.precision_statistic(passed))(tosses)
    for k, toss in enumerate(tosses.T):
        mixed = [np.where(toss[group], sides[::-1], sides) for sides in (ranks, scales)]
        area = [roc_auc_score(passed, side) for side in mixed[0]]
        assert areas[k] == pytest.approx(area[0] - area[1], abs=1e-9)
        moments = [float(np.corrcoef(side, label)[0, 1]) for side in mixed[1]]
        assert pearsons[k] == pytest.approx(moments[0] - moments[1], abs=1e-9)
        ap = [average_precision_score(passed, side) for side in mixed[0]]
        assert precisions[k] == pytest.approx(ap[0] - ap[1], abs=1e-9)
        order = np.sign(label[:, None] - label)
        untied = [[np.sqrt((np.sign(v[:, None] - v) ** 2).sum()) for v in (side, label)] for side in mixed[0]]
        tau = [
            (np.sign(side[:, None] - side) * order).sum() / size[0] / size[1]
            for side, size in zip(mixed[0], untied, strict=True)
        ]
        assert kendalls[k] == pytest.approx(tau[0] - tau[1], abs=1e-9)
    seen = roc_auc_score(passed, a) - roc_auc_score(passed, b)
    assert areas[:2] == pytest.approx([seen, -seen], abs=1e-9)  # none swapped, all swapped


def test_many_rows_are_sorted_and_few_compared_pair_by_pair() -> None:
    random = np.random.default_rng(0)
    label, score = random.integers(0, 5, 300).astype(float), np.round(random.random(300), 1)
    for n in (40, 250, 251, 300):
        expected = float(kendalltau(score[:n], label[:n]).statistic)
        assert swap.kendall_statistic(label[:n])(score[:n]) == pytest.approx(expected, abs=1e-9)


@cache
def _null(seed: int, gain: float = 0.0) -> dict[str, float]:
    """p of critics that are as good as each other, on scales of their own, over 30 groups of two rows alike."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(30), 2)
    label = random.normal(size=60)
    habit = random.normal(size=(2, 30))[:, group]  # what a critic always sees in the clips of one prompt
    a = label + habit[0] + random.normal(size=60)
    b = 7 + 3 * (label * (1 + gain) + habit[1] + random.normal(size=60))
    passed = label > 0.3
    area = np.diff([rankdata(side)[passed].mean() - rankdata(side)[~passed].mean() for side in (b, a)])[0] / 60
    pearson = np.corrcoef(a, label)[0, 1] - np.corrcoef(b, label)[0, 1]
    areas = swap.reordered(a, b, group, swap.area_statistic(passed))
    pearsons = swap.pearsons(a, b, label, group)
    return {
        "area": swap.p_value(areas, float(area), 30, 199, [seed]),
        "pearson": swap.p_value(pearsons, float(pearson), 30, 199, [seed]),
    }


@pytest.mark.parametrize("name", ["area", "pearson"])
def test_among_equals_every_p_is_as_likely_as_another(name: str) -> None:
    found = [_null(seed)[name] for seed in range(200)]
    assert kstest(found, "uniform").pvalue > 0.01
    assert sum(p <= 0.05 for p in found) / 200 == pytest.approx(0.05, abs=0.035)


@pytest.mark.parametrize("name", ["area", "pearson"])
def test_among_unequals_small_ones_are_the_rule(name: str) -> None:
    assert sum(_null(seed, gain=3.0)[name] <= 0.05 for seed in range(40)) >= 32


@pytest.mark.thorough
def test_what_clips_of_one_class_differ_by_is_no_difference_of_areas() -> None:
    """Where every clip is a group: mean ranks as they are gave a p of at most a fifth but an eighth of the time."""
    found = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        good = random.normal(size=60)
        a, b, passed = good + random.normal(size=60), good + random.normal(size=60), good > 0.7
        seen = float(roc_auc_score(passed, a) - roc_auc_score(passed, b))
        areas = swap.reordered(a, b, np.arange(60), swap.area_statistic(passed))
        found.append(swap.p_value(areas, seen, 60, 199, [seed]))
    assert sum(p <= 0.2 for p in found) / 300 == pytest.approx(0.2, abs=0.06)
    assert sum(p <= 0.05 for p in found) / 300 <= 0.09


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["average_precision", "kendall"])
def test_so_it_is_of_statistics_of_the_order(name: str) -> None:
    found = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        label = random.normal(size=50)
        a, b = label + random.normal(size=50), np.exp(label + random.normal(size=50))
        group, passed = np.repeat(np.arange(25), 2), label > 0
        by_name = {
            "average_precision": swap.precision_statistic(passed),
            "kendall": swap.kendall_statistic(label),
        }
        swapped = swap.reordered(a, b, group, by_name[name])
        seen = by_name[name](a) - by_name[name](b)
        found.append(swap.p_value(swapped, seen, 25, 99, [seed]))
    assert kstest(found, "uniform").pvalue > 0.01


def _table(path: Path, rows: Sequence[Scored]) -> str:
    lines = [f"{r.sample_id},{r.score},{r.label:g},{r.group},1-5" for r in rows]
    path.write_text("sample_id,score,label,group,scale\n" + "\n".join(lines) + "\n")
    return str(path)


def _bench(folder: Path, labels: str) -> str:
    folder.mkdir()
    (folder / "scored.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in _rows(2, 0.3, n=12)))
    about = About(
        dataset=folder.name,
        source="labels.csv",
        format="plain",
        sha256=labels,
        instrument=Instrument(critic="signals/1"),
        made=datetime(2026, 1, 1, tzinfo=UTC),
    )
    write(folder, about)
    return str(folder)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "scored.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in _rows(2, 0.3)))
    other = _table(tmp_path / "judge.csv", _rows(2, 4.0))
    assert main(["bench", "compare", str(folder), other, "--resamples", "200"]) == 0
    told = capsys.readouterr().out
    assert "bench is better than judge.csv on these 80 rows: ROC AUC" in told
    assert "  Kendall tau-b " in told
    assert main(["bench", "compare", str(folder), other, "--resamples", "200", "--json", "--seed", "7"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["a"], found["b"], found["seed"]) == ("bench", "judge.csv", 7)
    assert {d["statistic"] for d in found["axes"][0]["differences"]} >= {"roc_auc", "kendall", "brier"}


def test_two_benchmarks_of_different_labels_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [_bench(tmp_path / name, labels) for name, labels in (("a", "0" * 64), ("b", "1" * 64), ("c", "0" * 64))]
    assert main(["bench", "compare", *folders[:2], "--resamples", "100"]) == 0
    assert "which are not the same bytes: rows are joined by sample_id alone" in capsys.readouterr().err
    assert main(["bench", "compare", folders[0], folders[2], "--resamples", "100"]) == 0
    assert not capsys.readouterr().err


def test_an_interval_that_leaves_0_out_where_the_test_does_not_is_told_as_that() -> None:
    made = _of(_rows(2, 0.3), _rows(2, 4.0))
    found = made.of("roc_auc").model_copy(update={"p": 0.09, "separated": False, "needed": 81})
    others = [each for each in made.differences if each.statistic != "roc_auc"]
    told = verdict(made.model_copy(update={"differences": (found, *others)}), ("A", "B"))[0]
    assert told.startswith("Not separated on these 80 rows")
    assert told.endswith("the test does not bear that out: rows of more prompts would tell.")


def test_the_command_tells_bad_rows_and_shows_no_escape_sequence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _rows(1, 1.0, n=10)
    a = _table(tmp_path / "a.csv", rows)
    with Path(a).open("a") as file:
        file.write("\x1b[2J,1,9,g,1-5\n")
    b = _table(tmp_path / "b\x1b[2J.csv", rows)
    assert main(["bench", "compare", a, b, "--resamples", "100"]) == 0
    told = capsys.readouterr().out
    assert "1 bad row left out; line 12: label must lie on its scale" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("more", "code"),
    [(["--axis", "phisics"], 2), (["--resamples", "5"], 2), (["--seed", "-1"], 2), (["--pass-at", "nan"], 2)],
)
def test_wrong_arguments(tmp_path: Path, more: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    a = _table(tmp_path / "a.csv", _rows(1, 1.0, n=4))
    with pytest.raises(SystemExit) as left:
        main(["bench", "compare", a, a, *more])
    assert left.value.code == code
    assert main(["bench", "compare", a, str(tmp_path / "none.csv")]) == code
    assert "none.csv: does not exist: give a benchmark's folder or a table" in capsys.readouterr().err


def test_rows_that_say_nothing_end_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row.model_copy(update={"label": 3}) for row in _rows(1, 1.0, n=6)]
    a = _table(tmp_path / "a.csv", [r.model_copy(update={"score": None}) for r in rows])
    assert main(["bench", "compare", a, a]) == 3
    assert "Nothing can be said: no row has scores by both" in capsys.readouterr().out
