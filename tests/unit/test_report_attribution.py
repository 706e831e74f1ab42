"""Whose doing a gain is: the parts, and the sentence."""

from pathlib import Path

import pytest

from agent.report.attribution import attributed, attribution
from agent.run import Run
from agent.types import Candidate
from reasoner.types import Caption
from tests import runs
from tests.parts import make_clip, make_critique, make_run

Scores = dict[int, float]
FIRST = Caption(prompt="first", source="upsample", reasoner="r")
SECOND = Caption(prompt="second", source="rewrite", reasoner="r")


def run_of(folder: Path, *iterations: tuple[Caption, Scores]) -> Run:
    run = make_run(folder)
    for number, (caption, scores) in enumerate(iterations):
        run = run.with_caption(caption, tuple(scores))
        for seed, score in scores.items():
            clip = make_clip(run.clip_path(number, seed), seed)
            run = run.with_candidate(Candidate(clip=clip, critique=make_critique(score)))
    return run


def test_the_parts_are_those_of_a_two_way_table_and_sum_up(tmp_path: Path) -> None:
    # means: first 0.5, second 0.7; seed 12 has 0.65 against 0.6 over all
    run = run_of(tmp_path, (FIRST, {10: 0.4, 11: 0.6, 12: 0.5}), (SECOND, {10: 0.6, 11: 0.7, 12: 0.8}))
    found = attribution(run)
    assert found is not None
    assert found.caption is not None
    parts = (found.caption.mean, found.seed, found.both)
    assert parts == pytest.approx((0.2, 0.05, 0.05))
    assert sum(parts) == pytest.approx(found.total)
    assert attributed(run) == (
        "The chosen clip scores +0.30 against 0.50, the mean of the first caption over the 3 seeds that both have: "
        "+0.20 is the caption's doing, +0.05 the seed's, +0.05 of the two together. "
        "The caption's 95 % interval is \N{MINUS SIGN}0.05 to +0.45 (3 seeds) and contains 0: it may be chance."
    )


def test_fresh_seeds_are_the_seeds_doing(tmp_path: Path) -> None:
    fresh = FIRST.on_fresh_seeds("nothing left")
    run = run_of(tmp_path, (FIRST, {10: 0.4, 11: 0.6}), (fresh, {12: 0.7, 13: 0.5}))
    assert attributed(run) == (
        "The chosen clip scores +0.20 against 0.50, the mean of the first caption over 2 seeds: "
        "all of it is the seed's doing."
    )


def test_a_rewrite_on_fresh_seeds_has_both_parts(tmp_path: Path) -> None:
    fresh = SECOND.on_fresh_seeds("nothing left")
    run = run_of(tmp_path, (FIRST, {10: 0.4, 11: 0.6}), (SECOND, {10: 0.5, 11: 0.7}), (fresh, {12: 0.9, 13: 0.5}))
    said = attributed(run)
    assert "+0.10 is the caption's doing, +0.30 that of its own seed. 2 seeds are too few for an interval." in said


def test_a_render_as_asked_is_told_beside_what_drafts_know(tmp_path: Path) -> None:
    run = runs.promoted(tmp_path / "run")
    assert attribution(run) is None, "no two renders of one tier are compared"
    assert attributed(run) == (
        "By drafts, on the same seeds, the chosen clip's caption scores +0.18 against 0.76, the mean of the first "
        "caption over the 2 seeds that both have. 2 seeds are too few for an interval. Rendered as asked the clip "
        "scores 0.96, its caption's drafts 0.94; the draft of its seed had 0.95. What its seed did cannot be told: at "
        "another size the same seed is other noise. In 1 of 1 pair of captions the better drafts had the better render "
        "as asked."
    )


def test_the_first_caption_rendered_as_asked_gained_nothing_by_words(tmp_path: Path) -> None:
    run = runs.promoted(tmp_path / "run")
    first, second, _, final = run.iterations
    said = attributed(run.model_copy(update={"iterations": (first, second, final)}))
    assert said.startswith("The chosen clip has the words of the first caption. Rendered as asked the clip scores 0.93")
    assert "In 1 of 1" not in said


def test_drafts_without_a_common_seed_leave_the_caption_open(tmp_path: Path) -> None:
    run = runs.promoted(tmp_path / "run")
    first, second, third, _ = run.iterations
    alone = second.model_copy(update={"candidates": ()})
    said = attributed(run.model_copy(update={"iterations": (first, alone, third)}))
    assert said == (
        "No seed has drafts of both the chosen clip's caption and the first one: what the caption did is open. "
        "Rendered as asked the clip scores 0.96. What its seed did cannot be told: at another size the same seed is "
        "other noise."
    )


def test_one_seed_tells_little_and_one_clip_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path, (FIRST, {10: 0.4}), (SECOND, {10: 0.5}))
    assert "over the one seed that both have: +0.10 is the caption's doing. 1 seed is too few" in attributed(run)
    assert attributed(run_of(tmp_path, (FIRST, {10: 0.4}))) == ""
    assert attributed(run_of(tmp_path, (FIRST, {10: 0.4}), (SECOND, {11: 0.5}))) == ""
