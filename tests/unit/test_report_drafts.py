"""Pages of runs with drafts: told apart from what was asked for, and what they foretold."""

from pathlib import Path

import pytest

from agent.report.tiers import agreement, foretold
from agent.run import Run
from agent.types import Ending, Failure
from reasoner.types import Caption
from tests import runs
from tests.pages import page


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.compared(tmp_path_factory.mktemp("runs") / "compared")


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.promoted(tmp_path_factory.mktemp("runs") / "promoted").stopped(Ending(reason="iterations"))


def said(run: Run) -> str:
    """All text of a run's page, sizes with a plain x."""
    return page(run).said.replace("\N{MULTIPLICATION SIGN}", "x")


@pytest.fixture(scope="module")
def told(promoted: Run) -> str:
    return said(promoted)


def test_each_iteration_says_its_tier_and_where_its_caption_came_from(told: str) -> None:
    assert "Iteration 2 ◇ draft 160x96 rewritten from iteration 1 · 2 drafts · best 0.95" in told
    assert "Iteration 3 ● as asked 320x192 caption of iteration 2, rendered as asked · 2 candidates" in told
    assert "Renders 8, 4 drafts" in told
    assert "Captions tried 2 of 2 Captions rendered as asked 2 Renders of each 2 Drafts of a caption 2" in told


def test_a_run_without_drafts_says_nothing_of_them(tmp_path: Path) -> None:
    words = said(runs.many(tmp_path / "run", 1))
    assert "draft" not in words
    assert " as asked" not in words


def test_the_strip_tells_drafts_by_their_shape_and_in_words(promoted: Run) -> None:
    shown = page(promoted)
    plot = shown.html.partition('<svg class="plot"')[2].partition("<ul")[0]
    assert plot.count('<path class="mark') == 4
    assert plot.count('<circle class="mark') == 4
    assert "draft of seed 4101: 0.95" in plot
    labels = [a["aria-label"] for a in shown.all("a", "column")]
    assert labels[1] == "Iteration 2: drafts, best 0.95, 2 candidates"
    assert labels[2] == "Iteration 3: iteration 2 rendered as asked, best 0.96, 2 candidates"
    assert "best so far as asked best draft so far" in shown.said
    assert len(shown.all("section", "draft")) == 2


def test_a_render_as_asked_stands_beside_its_drafts(told: str) -> None:
    assert "What its drafts foretold drafts of 160x96 in iteration 2 Seed Drawing Draft As asked Change" in told
    assert "4101 0.95 0.96 +0.02 Mean of 2 drafts, and of 2 renders as asked 0.94 0.95 +0.01" in told
    assert told.count("Paired gain") == 1, "a promotion is compared with no caption"
    assert runs.ASSUMES in told


def test_the_edits_of_a_promoted_caption_stand_with_its_drafts_alone(told: str) -> None:
    assert told.count("Prompt problem The caption names no move, so the camera drifts.") == 1
    assert "Caption as in iteration 2" in told
    assert "No field was edited" not in told
    assert "iteration 3: 3 fields changed since the first caption" in told


def test_a_rewrite_says_which_render_as_asked_it_answers(promoted: Run) -> None:
    caption = Caption(prompt="third", source="rewrite", reasoner="rules/2")
    assert (
        "rewritten from iteration 2 and its render as asked, iteration 3"
        in page(promoted.with_caption(caption, (4100,), "draft")).said
    )


@pytest.mark.parametrize(("verdict", "words"), [("model_limit", "Limit of the model"), ("reseed", "Up to the seed")])
def test_fresh_seeds_are_rendered_as_asked_and_say_why(promoted: Run, verdict: str, words: str) -> None:
    fresh = promoted.iterations[1].caption.on_fresh_seeds("Nothing is left to edit.")
    fresh = fresh.model_copy(update={"verdict": verdict})
    run = promoted.model_copy(update={"iterations": promoted.iterations[:2]}).with_caption(fresh, (4102,), "target", 1)
    run = run.with_candidate(runs.candidate(run, 2, 4102, {"camera": 0.8}))
    told = said(run)
    assert "caption of iteration 2, rendered as asked on fresh seeds" in told
    assert f"{words} Nothing is left to edit." in told
    assert "No seed has both." in told


def test_requested_beside_effective_keeps_the_tiers_apart(told: str) -> None:
    assert "4 clips · h264 Requested Effective Size 320x192 320x192" in told
    assert "iteration 2, seed 4101 · h264 Draft Effective Size 160x96 160x96" in told


def test_a_run_in_the_middle_of_its_drafts(compared: Run) -> None:
    first, last = compared.iterations
    last = last.model_copy(update={"candidates": last.candidates[:1]})
    words = said(compared.model_copy(update={"iterations": (first, last)}))
    assert "◇ draft 160x96 320x192 was asked for; nothing is rendered at it yet" in words
    assert "Running. Iteration 2: 1 of 2 drafts done." in words
    assert "Renders 3, all drafts" in words
    assert "By drafts alone, the chosen one scores +0.21 against 0.72" in words


def test_a_run_in_the_middle_of_a_promotion(compared: Run) -> None:
    words = said(compared.with_caption(compared.iterations[1].caption.once_more(), (4100,), "target", 1))
    assert "Running. Iteration 3, iteration 2 rendered as asked: 0 of 1 render done." in words
    assert "What its drafts foretold" not in words


def test_a_run_killed_before_the_promotion(compared: Run) -> None:
    shown = page(compared.stopped(Ending(reason="cancelled")))
    assert "draft 160x96 320x192 was asked for 0.95" in shown.said.replace("\N{MULTIPLICATION SIGN}", "x")
    assert "The clip is a draft: none was rendered as asked." in shown.said
    assert shown.all("video", "chosen")[0]["aria-label"] == "The chosen clip, a draft: iteration 2, seed 4101"
    assert "draft interrupted" in shown.html.partition("<title>")[2].partition("</title>")[0]
    assert "retake run --resume compared" in shown.said


def test_a_failed_promotion(compared: Run) -> None:
    run = compared.with_caption(compared.iterations[1].caption.once_more(), (4100,), "target", 1)
    run = run.with_failure(Failure(step="render", seed=4100, message="out of memory"))
    words = said(run.stopped(Ending(reason="failed")))
    assert "caption of iteration 2, rendered as asked · 0 candidates · 1 failed" in words
    assert "✕ Rendering failed seed 4100 out of memory" in words
    assert "draft 160x96 320x192 was asked for 0.95" in words


def test_promotions_that_lost_their_drafts_foretell_nothing(promoted: Run) -> None:
    first, second, *finals = promoted.iterations
    gone = promoted.model_copy(
        update={"iterations": (first, second.model_copy(update={"candidates": ()}), *finals)},
    )
    assert foretold(gone, finals[0]) is None
    assert said(gone).count("What its drafts foretold") == 1


def test_agreement_counts_pairs_of_captions(promoted: Run) -> None:
    assert agreement(promoted) == (1, 1)
    first, second, third, fourth = promoted.iterations
    swapped = (
        third.model_copy(update={"candidates": fourth.candidates}),
        fourth.model_copy(update={"candidates": third.candidates}),
    )
    assert agreement(promoted.model_copy(update={"iterations": (first, second, *swapped)})) == (0, 1)
    assert agreement(promoted.model_copy(update={"iterations": (first, second, third)})) is None


def test_a_fallback_that_is_promoted_is_said_once(tmp_path: Path) -> None:
    run = runs.compared(tmp_path / "run").model_copy(update={"iterations": ()})
    raw = Caption.raw(runs.PROMPT, "expanding the prompt: no answer")
    run = run.with_caption(raw, (4100,), "draft")
    run = run.with_candidate(runs.candidate(run, 0, 4100, {"camera": 0.8}, "draft"))
    run = run.with_caption(raw.once_more(), (4100,), "target", 0)
    run = run.with_candidate(runs.candidate(run, 1, 4100, {"camera": 0.8})).stopped(Ending(reason="iterations"))
    shown = page(run)
    assert len(shown.all("div", "alarm")) == 2, "at the top and in its iteration"
    assert "caption of iteration 1, rendered as asked" in shown.said


def test_a_run_of_before_the_tiers_can_be_shown(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 1)
    facts = run.model_dump(mode="json", context={"folder": run.folder})
    for name in ("canaries", "self_test", "self_test_failure", "tested", "duels", "choice"):
        del facts[name]
    del facts["request"]["draft"]
    for iteration in facts["iterations"]:
        del iteration["tier"], iteration["promoted"], iteration["caption"]["verdict"]
    old = Run.model_validate(facts, context={"folder": run.folder}).model_copy(update={"folder": run.folder})
    assert page(old).html == page(run).html
