"""What a page says of the final choice, and of the critic's self-test."""

from pathlib import Path

import pytest

from agent.ledger import ledger
from agent.report import charts
from agent.report.duels import final
from agent.report.trust import trust
from agent.run import Run
from agent.types import Canaries, Choice, Ending, Entrant
from critic.canaries.types import SelfTest
from tests import runs
from tests.pages import Page, page


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.chosen(tmp_path_factory.mktemp("runs") / "chosen")


@pytest.fixture(scope="module")
def told(chosen: Run) -> Page:
    return page(chosen)


def test_the_choice_is_on_the_first_screen_and_told_in_full_below(chosen: Run, told: Page) -> None:
    assert "Chosen among 3 near-equal candidates, though it scores 0.03 below the highest of them." in told.said
    assert chosen.choice is not None
    assert f"Final choice {chosen.choice.words} It scores 0.03 below the highest of them" in told.said
    assert "B ★ chosen 4100, iteration 3 0.93 1.5" in told.said
    assert told.html.count("★ chosen") == 2, "in the table and on its card"
    assert "Each clip was shown as 6 frames." in told.said


def test_the_comparisons_are_a_table_with_both_orders(told: Page) -> None:
    rows = "A and B 0.22 0.31 B A and C 0.81 0.34 tie: the orders disagree B and C 0.56 0.52 tie: too near 0.50"
    assert rows in told.said


def test_a_choice_without_comparisons_says_why(chosen: Run) -> None:
    assert chosen.choice is not None
    among = chosen.choice.among
    words = "3 candidates are within 0.05 of the best score, and the score decided: the model did not answer"
    run = chosen.model_copy(
        update={"duels": (), "choice": Choice(chosen=among[0], among=among, by="score", words=words)}
    )
    said = page(run).said
    assert "3 candidates are near-equal; the score decided." in said
    assert f"Final choice {words} Near-equal candidates, not compared" in said
    assert "Won" not in said


def test_many_comparisons_are_folded_away(chosen: Run, told: Page) -> None:
    assert "comparisons" not in {given.get("id") for given in told.all("details")}
    many = page(chosen.model_copy(update={"duels": chosen.duels * 5}))
    assert "comparisons" in {given.get("id") for given in many.all("details")}
    assert "15 comparisons Probability that the first of a pair is the better one" in many.said


def test_comparisons_made_beside_one_that_failed_are_told_and_decide_nothing(chosen: Run) -> None:
    assert chosen.choice is not None
    among = chosen.choice.among
    words = "3 candidates are within 0.05 of the best score, and the score decided: the model did not answer"
    choice = Choice(chosen=among[0], among=among, by="score", words=words)
    run = chosen.model_copy(update={"duels": chosen.duels[:1], "choice": choice})
    said = page(run).said
    assert "3 candidates are near-equal; the score decided." in said
    assert "A and B 0.22 0.31 B" in said
    assert ledger(run).steps["compare"].usage == chosen.duels[0].comparison.usage


def test_a_run_ended_between_its_comparisons_and_its_choice(chosen: Run) -> None:
    run = chosen.model_copy(update={"choice": None})
    found = final(run)
    assert found is not None
    assert [one.letter for one in found.finalists] == ["A", "B", "C"]
    assert found.chosen is None
    said = page(run).said
    assert "The comparisons are made; the choice is not." in said
    assert "Chosen among" not in said


def test_without_near_equals_there_is_no_choice_to_show(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    assert final(run) is None
    assert not [a for _, a in page(run).elements if a.get("id") in {"choice", "self-test"}]


def test_a_passed_test_says_what_was_told_apart(told: Page) -> None:
    assert "uncalibrated · ✓ critic passed its self-test, AUC 0.75" in told.said
    assert runs.TEST.sentence(0.7) in told.said
    rows = "a standstill 0.10 0.93 ✓ told a clip played backwards 0.71 0.93 ✓ told frames in random order 0.92 0.93"
    assert f"{rows} \N{EN DASH} tied a prompt of something else \N{EN DASH} 0.93 not judged" in told.said
    assert "A prompt of something else was not judged and counts as a tie: the model answered twice" in told.said
    assert "may not end the run early" not in told.said


def test_a_failed_test_says_that_it_may_not_end_the_run(chosen: Run) -> None:
    said = page(chosen.model_copy(update={"canaries": Canaries(least_auc=0.8)})).said
    assert "✕ critic failed its self-test, AUC 0.75" in said
    assert "it could not judge a prompt of something else. It may not end the run early." in said


def test_a_test_that_could_not_be_made_says_why(chosen: Run) -> None:
    said = page(chosen.without_test("testing the critic: its server went away")).said
    assert "✕ critic could not be tested" in said
    words = "The critic could not be tested: testing the critic: its server went away. It may not end the run early."
    assert f"✕ not made {words}" in said


def test_a_critic_that_is_not_tested_yet_and_one_that_never_was(tmp_path: Path) -> None:
    run = runs.compared(tmp_path / "run")
    assert "It is tested before the run spends more than 300 s" in page(run).said
    assert "It is tested in runs that spend more than" in page(run.stopped(Ending(reason="cancelled"))).said
    assert trust(run.model_copy(update={"canaries": None})) is None


def test_a_missed_canary_and_a_poor_clip_are_said(chosen: Run) -> None:
    found = tuple(c.model_copy(update={"score": 0.2, "control": 0.1, "outcome": "missed"}) for c in runs.CANARIES[:1])
    poor = SelfTest.of(found, critic="signals/1", control=0.1, seconds=1.0)
    said = page(chosen.with_test(poor, Entrant(iteration=2, seed=4101))).said
    assert "a standstill 0.20 0.10 ✕ missed" in said
    assert "Doctored versions of the clip of iteration 3, seed 4101" in said
    assert "The clip itself scored 0.10: too little to tell much from" in said


def test_the_ledger_has_rows_and_colours_for_both_steps(chosen: Run, told: Page) -> None:
    assert "Comparisons 3 7.5 s Critic's self-test 1 14.5 s All" in told.said
    assert "Comparisons 6 18,300 0 6 Critic's self-test 30 61,000 0 30" in told.said
    steps = [share.step for share in charts.shares(ledger(chosen))]
    assert steps[-2:] == ["compare", "test"]
    for step in steps:
        assert f".ledger .{step} {{ fill: var(--{step}); }}" in told.html
        assert f".swatch.{step} {{ background: var(--{step}); }}" in told.html
        assert told.html.count(f"--{step}: #") == 2, "light and dark"


def test_hostile_words_stay_words(chosen: Run) -> None:
    bad = "</script><img src=x onerror=alert(1)> {{7*7}}"
    assert chosen.choice is not None
    assert chosen.self_test is not None
    assert chosen.request.draft is not None
    test = chosen.self_test.model_copy(update={"notes": (bad,), "critic": bad, "unjudged": {"prompt_swapped": bad}})
    duel = chosen.duels[0].model_copy(
        update={"comparison": chosen.duels[0].comparison.model_copy(update={"notes": (bad,), "judge": bad})}
    )
    draft = chosen.request.draft.model_copy(update={"assumes": bad})
    run = chosen.model_copy(
        update={
            "choice": chosen.choice.model_copy(update={"words": bad}),
            "self_test": test,
            "duels": (duel,),
            "request": chosen.request.model_copy(update={"draft": draft}),
        }
    )
    for each in (run, run.model_copy(update={"self_test": None, "self_test_failure": bad})):
        shown = page(each)
        assert [name for name, _ in shown.elements].count("script") == 1
        assert not shown.all("img")
        assert not [key for _, given in shown.elements for key in given if key.startswith("on")]
        assert shown.said.count(bad) > 3
