"""Each stop rule by a table: when it is in force, when it holds, and with which figures."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.course import place_of
from agent.events import RunFinished, RunStarted
from agent.journal import Journal, load
from agent.lines import standing
from agent.report.page import advice, render
from agent.run import Run
from agent.stopping import RULES, ended, sentence, stop_reason, verdicts
from agent.types import Candidate, Ending, Failure, GivenUp, StopReason, Verdict
from generator.types import Rendering
from reasoner.types import Caption
from tests import runs
from tests.parts import make_clip, make_critique, make_run

Scores = Sequence[Sequence[float]]


def scored(folder: Path, scores: Scores, *, fresh: Sequence[int] = (), **budget: Any) -> Run:
    """A run with these scores: an iteration each, on the same seeds but for those in `fresh`. A render: $0.40, 2 s."""
    budget = {"max_iterations": 9} | budget
    run = make_run(folder, **budget)
    for index, row in enumerate(scores):
        seeds = tuple(10 + (100 * index if index in fresh else 0) + n for n in range(len(row)))
        run = run.with_caption(Caption.raw(f"caption {index}"), seeds)
        for seed, score in zip(seeds, row, strict=True):
            made = Rendering(price_usd=0.4, render_seconds=2.0)
            clip = make_clip(run.clip_path(index, seed), seed, rendering=made)
            run = run.with_candidate(Candidate(clip=clip, critique=make_critique(score)))
    return run


def said(run: Run, rule: StopReason) -> Verdict:
    """What a rule in force says."""
    verdict = RULES[rule](run)
    assert verdict is not None
    assert verdict.rule == rule
    return verdict


def test_a_rule_that_nobody_set_is_not_in_force(tmp_path: Path) -> None:
    run = scored(tmp_path, [(0.5, 0.6)])
    assert [v.rule for v in verdicts(run)] == ["failed", "iterations", "cancelled"]
    limits: dict[str, Any] = {"max_renders": 9, "max_gpu_seconds": 99.0, "max_price_usd": 9.0, "max_seconds": 99.0}
    every: dict[str, Any] = {"patience": 3, "plateau": 0.01, "min_expected_gain": 1e-6, **limits}
    run = scored(tmp_path, [(0.5, 0.6)], accept_at=0.9, **every)
    assert [v.rule for v in verdicts(run)] == list(RULES)
    assert not any(v.holds for v in verdicts(run))
    run = scored(tmp_path, [(0.5, 0.6)], accept_at=0.9, early_stop=False)
    assert "accepted" not in [v.rule for v in verdicts(run)]


@pytest.mark.parametrize(
    ("scores", "patience", "holds", "count"),
    [
        ([(0.5, 0.6)], 1, False, 0),
        ([(0.5, 0.6), (0.6, 0.7)], 1, False, 0),
        ([(0.5, 0.6), (0.4, 0.6)], 1, True, 1),
        ([(0.5, 0.6), (0.4, 0.6)], 2, False, 1),
        ([(0.5, 0.6), (0.4, 0.6), (0.5, 0.6)], 2, True, 2),  # as good is no gain
        ([(0.5, 0.6), (0.4, 0.6), (0.5, 0.7)], 2, False, 0),
        ([(0.5, 0.6), (0.9, 0.1)], 1, True, 1),  # the best score rose, by dice: on both seeds it is a loss
    ],
)
def test_patience_counts_iterations_without_a_paired_gain(
    tmp_path: Path, scores: Scores, patience: int, holds: bool, count: int
) -> None:
    run = scored(tmp_path, scores, patience=patience)
    verdict = said(run, "patience")
    assert (verdict.holds, verdict.value, verdict.limit) == (holds, count, patience)
    assert stop_reason(run) == ("patience" if holds else None)


def test_an_expansion_that_gains_nothing_is_no_rewrite_that_came_to_nothing(tmp_path: Path) -> None:
    rules: dict[str, Any] = {"patience": 1, "plateau": 0.05, "plateau_iterations": 1, "min_expected_gain": 0.9}
    run = scored(tmp_path, [(0.6, 0.7), (0.5, 0.6)], **rules)
    assert stop_reason(run) == "patience"
    run = run.model_copy(update={"raw_first": True})
    assert stop_reason(run) is None
    run = scored(tmp_path, [(0.6, 0.7), (0.5, 0.6), (0.4, 0.5)], **rules).model_copy(update={"raw_first": True})
    assert [said(run, rule).holds for rule in ("patience", "plateau", "expected_gain")] == [True, True, True]


def test_fresh_seeds_show_no_paired_gain(tmp_path: Path) -> None:
    run = scored(tmp_path, [(0.5, 0.6), (0.8, 0.9)], fresh=[1], patience=1)
    assert said(run, "patience").holds


@pytest.mark.parametrize(
    ("scores", "window", "holds", "rise"),
    [
        ([(0.5, 0.6)], 1, False, None),
        ([(0.5, 0.6), (0.5, 0.6)], 2, False, None),
        ([(0.5, 0.6), (0.4, 0.605)], 1, True, 0.005),
        ([(0.5, 0.6), (0.4, 0.61)], 1, False, 0.01),  # as much as asked for
        ([(0.5, 0.6), (0.61, 0.5), (0.5, 0.5)], 1, True, 0.0),
        ([(0.5, 0.6), (0.61, 0.5), (0.5, 0.5)], 2, False, 0.01),
        ([(0.5, 0.6), (0.5, 0.5), (0.604, 0.5), (0.608, 0.5)], 2, True, 0.008),
        ([(0.5, 0.6), (0.9, 0.1)], 1, False, 0.3),  # by dice or not
    ],
)
def test_plateau_looks_at_the_best_score_of_all(
    tmp_path: Path, scores: Scores, window: int, holds: bool, rise: float | None
) -> None:
    run = scored(tmp_path, scores, plateau=0.01, plateau_iterations=window)
    verdict = said(run, "plateau")
    assert (verdict.holds, verdict.value, verdict.limit) == (holds, rise, 0.01)
    assert stop_reason(run) == ("plateau" if holds else None)


def test_the_first_accepted_clip_is_no_plateau(tmp_path: Path) -> None:
    """It is the better one, though a clip below a floor had scored higher."""
    run = scored(tmp_path, [(0.8,)], accept_at=0.5, early_stop=False, plateau=0.01, plateau_iterations=1)
    (first,) = run.iterations
    broken = first.candidates[0].model_copy(update={"critique": make_critique(0.8, floor=0.9)})
    run = run.model_copy(update={"iterations": (first.model_copy(update={"candidates": (broken,)}),)})
    assert not run.accepted
    run = run.with_caption(Caption.raw("x"), (10,))
    clip = make_clip(run.clip_path(1, 10), 10)
    run = run.with_candidate(Candidate(clip=clip, critique=make_critique(broken.score - 0.05)))
    assert run.accepted
    assert said(run, "plateau").value == pytest.approx(-0.05)
    assert not said(run, "plateau").holds


def test_patience_and_plateau_are_two_rules(tmp_path: Path) -> None:
    dice = scored(tmp_path, [(0.5, 0.6), (0.9, 0.1)], patience=1, plateau=0.01, plateau_iterations=1)
    assert (said(dice, "patience").holds, said(dice, "plateau").holds) == (True, False)
    words = scored(tmp_path, [(0.1, 0.6), (0.4, 0.6)], patience=1, plateau=0.01, plateau_iterations=1)
    assert (said(words, "patience").holds, said(words, "plateau").holds) == (False, True)


@pytest.mark.parametrize(
    ("scores", "least", "holds"),
    [
        ([(0.5, 0.5)], 1.0, False),  # never before the second iteration is done
        ([(0.5, 0.5, 0.5, 0.5)], 1.0, False),
        ([(0.5, 0.5), (0.5, 0.5)], 1e-6, True),
        ([(0.2, 0.4), (0.5, 0.1)], 0.5, True),
        ([(0.2, 0.4), (0.5, 0.1)], 0.01, False),
    ],
)
def test_a_render_must_be_expected_to_be_worth_its_price(
    tmp_path: Path, scores: Scores, least: float, holds: bool
) -> None:
    run = scored(tmp_path, scores, min_expected_gain=least)
    assert said(run, "expected_gain").holds is holds
    assert stop_reason(run) == ("expected_gain" if holds else None)


@pytest.mark.parametrize(
    ("rule", "budget", "holds", "words"),
    [
        ("iterations", {"max_iterations": 3}, False, "2 of 3 iterations are used."),
        ("iterations", {"max_iterations": 2}, True, "All 2 iterations are used."),
        ("renders", {"max_renders": 5}, False, "4 of 5 renders are used."),
        ("renders", {"max_renders": 4}, True, "All 4 renders are used."),
        (
            *("gpu_seconds", {"max_gpu_seconds": 10.0}, False),
            "8.0 of 10.0 s of the generator's time are used; a render takes 2.0 s.",
        ),
        (
            *("gpu_seconds", {"max_gpu_seconds": 9.9}, True),
            "8.0 of 9.9 s of the generator's time are used; a render takes 2.0 s.",
        ),
        ("price", {"max_price_usd": 2.0}, False, "$1.60 of $2.00 are spent; a render costs $0.40."),
        ("price", {"max_price_usd": 1.99}, True, "$1.60 of $1.99 are spent; a render costs $0.40."),
    ],
)
def test_what_may_be_spent(
    tmp_path: Path, rule: StopReason, budget: Mapping[str, Any], holds: bool, words: str
) -> None:
    run = scored(tmp_path, [(0.2, 0.4), (0.5, 0.1)], **budget)
    verdict = said(run, rule)
    assert (verdict.holds, verdict.words) == (holds, words)
    assert stop_reason(run) == (rule if holds else None)


def test_a_price_that_is_not_known_cannot_act_and_that_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, max_price_usd=1.0, max_gpu_seconds=60.0)
    assert said(run, "price").words == "$0.00 of $1.00 are spent; no price of a render is known."
    assert said(run, "gpu_seconds").words == "0.0 of 60.0 s of the generator's time are used."
    assert stop_reason(run) is None
    dear = run.model_copy(update={"expected_usd": 1.2})
    assert stop_reason(dear) == "price"
    stopped = dear.stopped(ended(dear, "price"))
    assert sentence(stopped) == "$0.00 of $1.00 are spent; a render costs $1.20."


def test_an_iteration_fails_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("x"), (10, 11))
    assert not said(run, "failed").holds
    run = run.with_failure(Failure(step="render", seed=10, message="no"))
    assert not said(run, "failed").holds, "one attempt is still to come"
    run = run.with_failure(Failure(step="render", seed=11, message="no"))
    assert stop_reason(run) == "failed"
    run = scored(tmp_path, [(0.9,)]).with_caption(Caption.raw("y"), (10,))
    assert not said(run.with_given_up(GivenUp(seed=10, stage="queued")), "failed").holds, "nobody wanted it"


def test_the_first_rule_that_holds_is_the_reason_and_all_are_written_down(tmp_path: Path) -> None:
    scores = [(0.5, 0.6), (0.4, 0.5)]
    run = scored(tmp_path, scores, max_renders=4, patience=1, accept_at=0.9)
    run = run.stopped(ended(run, "renders"))
    assert run.ending is not None
    assert [v.rule for v in run.ending.rules if v.holds] == ["renders", "patience"]
    assert sentence(run) == "All 4 renders are used. The best clip scores 0.60, below the threshold of 0.90."
    assert standing(run) == "accepted 0.6 of 0.9, iterations 2 of 9, renders 4 of 4, patience 1 of 1"


def test_what_was_written_down_is_not_worked_out_anew(tmp_path: Path) -> None:
    run = scored(tmp_path, [(0.5, 0.6), (0.4, 0.5)], patience=1)
    run = run.stopped(ended(run, "patience"))
    changed = run.model_copy(update={"iterations": run.iterations[:1]})
    assert verdicts(changed) == verdicts(run)


@pytest.mark.parametrize(
    ("budget", "words", "cure"),
    [
        (
            {"patience": 1},
            "1 iteration in a row without a gain on the same seeds; budget.patience is 1.",
            "raise budget.patience",
        ),
        (
            {"plateau": 0.1, "plateau_iterations": 1},
            "The best score rose by 0.000 over the last iteration; budget.plateau is 0.1.",
            "lower budget.plateau",
        ),
        (
            {"min_expected_gain": 0.1},
            "One more render is expected to gain 0.0084 (spread 0.071 by 4 scores); budget.min_expected_gain is 0.1.",
            "lower budget.min_expected_gain",
        ),
    ],
)
def test_the_sentence_has_the_figures_and_the_report_all_rules(
    tmp_path: Path, budget: Mapping[str, Any], words: str, cure: str
) -> None:
    run = scored(tmp_path, [(0.5, 0.6), (0.4, 0.5)], **budget)
    reason = stop_reason(run)
    assert reason is not None
    run = run.stopped(ended(run, reason))
    assert sentence(run) == f"{words} The best clip scores 0.60; no threshold was set."
    told = advice(run)
    assert told is not None
    assert cure in told[0]
    page = render(run)
    assert words in page
    assert all(v.words in page for v in verdicts(run))


def test_the_rules_lie_in_run_json_and_are_read_back(tmp_path: Path) -> None:
    run = scored(tmp_path, [(0.5, 0.6), (0.4, 0.5)], patience=1)
    diary = Journal(run)
    diary(RunStarted(run=run))
    diary(RunFinished(ending=ended(run, "patience")))
    facts = json.loads((tmp_path / "run.json").read_text())["ending"]
    assert [(r["rule"], r["value"], r["limit"]) for r in facts["rules"] if r["holds"]] == [("patience", 1, 1)]
    assert load(tmp_path) == diary.run


def test_a_run_from_before_is_read_and_its_rules_worked_out(tmp_path: Path) -> None:
    run = scored(tmp_path, [(0.5, 0.6), (0.4, 0.5)], max_renders=4)
    run = run.stopped(ended(run, "renders"))
    Journal(run)(RunStarted(run=run))
    facts = json.loads((tmp_path / "run.json").read_text())
    facts["ending"] = {"reason": "budget", "detail": ""}
    known = {"max_iterations", "samples_per_iteration", "early_stop", "max_seconds", "max_renders"}
    facts["budget"] = {key: value for key, value in facts["budget"].items() if key in known}
    for new in ("lost_usd", "expected_usd"):
        del facts[new]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    again = load(tmp_path)
    assert (again.stop_reason, verdicts(again), sentence(again)) == ("renders", verdicts(run), sentence(run))


def test_an_ending_from_before_is_read_by_its_new_name() -> None:
    assert Ending.model_validate({"reason": "budget", "detail": ""}) == Ending(reason="renders")


def test_a_rule_answers_alike_however_often_it_is_asked_and_looks_at_the_run_alone(tmp_path: Path) -> None:
    """Whatever the scores: no rule raises, words end a sentence, and the first that holds is the reason."""
    dice = random.Random(11)
    for number in range(60):
        rows = [[round(dice.random(), 3) for _ in range(3)] for _ in range(dice.randint(0, 5))]
        budget: dict[str, Any] = {
            "max_iterations": dice.randint(1, 6),
            "max_renders": dice.randint(1, 20),
            "max_gpu_seconds": dice.uniform(1, 40),
            "max_price_usd": dice.uniform(0.1, 9),
            "max_seconds": 9.0,
            "patience": dice.randint(1, 3),
            "plateau": dice.choice([0.01, 0.3]),
            "min_expected_gain": dice.uniform(0.001, 0.1),
        }
        run = scored(tmp_path, rows, accept_at=0.9, fresh=[2], **budget)
        found = verdicts(run)
        assert found == verdicts(run.model_copy(update={"folder": Path(f"/{number}")}))
        assert [v.rule for v in found] == list(RULES)
        assert all(v.words.endswith(".") and "None" not in v.words for v in found)
        assert stop_reason(run) == next((v.rule for v in found if v.holds), None)
        if stop_reason(run) is None:
            assert place_of(run, Caption.raw("x")).seeds, "a run that goes on renders something"


def test_a_caption_rendered_as_asked_is_no_iteration_and_says_so(tmp_path: Path) -> None:
    run = runs.compared(tmp_path)
    assert said(run, "iterations").words == "All 2 iterations are used."
    promoted = run.with_caption(run.iterations[1].caption, (4100, 4101), "target", promoted=1)
    words = "All 2 iterations are used; 1 more rendered a caption as asked and is not counted."
    assert said(promoted, "iterations").words == words
