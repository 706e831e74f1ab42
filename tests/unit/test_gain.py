"""What one more render is expected to gain, against tables and against drawn numbers."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

import pytest

from agent.gain import PRIOR_SPREAD, differences, expected_best, expected_gain, spread
from agent.run import Run
from agent.types import Candidate
from reasoner.types import Caption
from tests.parts import make_clip, make_critique, make_run


def scored(run: Run, *iterations: Sequence[float], fresh: bool = False) -> Run:
    """The run with these scores, an iteration each, on the same seeds unless `fresh`."""
    for index, scores in enumerate(iterations):
        seeds = tuple(10 + (100 * index if fresh else 0) + n for n in range(len(scores)))
        run = run.with_caption(Caption.raw(f"caption {index}"), seeds)
        for seed, score in zip(seeds, scores, strict=True):
            made = make_clip(run.clip_path(index, seed), seed)
            run = run.with_candidate(Candidate(clip=made, critique=make_critique(score)))
    return run


@pytest.mark.parametrize(
    ("count", "value"),
    [
        (0, 0.0),
        (1, 0.0),
        (2, 0.56419),
        (3, 0.84628),
        (4, 1.02938),
        (5, 1.16296),
        (10, 1.53875),
        (20, 1.86748),
        (100, 2.50759),
        (1000, 3.24144),
    ],
)
def test_the_expected_best_is_the_tables(count: int, value: float) -> None:
    """Order statistics of the normal distribution as tabulated (Harter 1961)."""
    assert expected_best(count) == pytest.approx(value, abs=1e-5)


def test_each_further_draw_gains_less() -> None:
    gains = [expected_best(n + 1) - expected_best(n) for n in range(1, 60)]
    assert all(later < sooner for sooner, later in pairwise(gains))
    assert gains[-1] > 0


@pytest.mark.parametrize("count", [2, 7, 30])
def test_the_expected_best_is_what_draws_come_to(count: int) -> None:
    dice = random.Random(count)
    drawn = [max(dice.gauss(0, 1) for _ in range(count)) for _ in range(4000)]
    assert expected_best(count) == pytest.approx(fmean(drawn), abs=4 * stdev(drawn) / 4000**0.5)


def test_the_spread_is_assumed_where_too_little_is_known(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert spread(run) == PRIOR_SPREAD
    assert spread(scored(run, (0.2, 0.9))) == PRIOR_SPREAD
    assert spread(scored(run, (0.2,), (0.9,))) == PRIOR_SPREAD


def test_the_spread_of_one_caption_is_that_of_its_scores(tmp_path: Path) -> None:
    scores = (0.2, 0.5, 0.6, 0.9)
    assert spread(scored(make_run(tmp_path), scores)) == pytest.approx(stdev(scores))
    assert spread(scored(make_run(tmp_path), (0.2, 0.5), (0.6, 0.9), fresh=True)) == pytest.approx(stdev(scores))


def test_the_spread_of_pairs_leaves_out_what_the_seed_does(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.1, 0.9), (0.12, 0.88))
    assert differences(run) == [pytest.approx(0.02), pytest.approx(-0.02)]
    assert spread(run) == pytest.approx(0.02 / 2**0.5)


def test_pairs_are_of_a_caption_and_the_one_it_came_from(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.5,), (0.4,), (0.7,), (0.6,))
    assert [i.parent for i in run.iterations] == [None, 0, 0, 2]
    assert differences(run) == [pytest.approx(-0.1), pytest.approx(0.2), pytest.approx(-0.1)]


def test_the_spread_of_pairs_is_that_of_a_single_draw(tmp_path: Path) -> None:
    dice = random.Random(3)
    seeds = [dice.uniform(0.3, 0.7) for _ in range(40)]
    rows = [[seed + dice.gauss(0, 0.05) for seed in seeds] for _ in range(2)]
    assert spread(scored(make_run(tmp_path), *rows)) == pytest.approx(0.05, rel=0.25)


@pytest.mark.parametrize("more", [1, 2, 4])
def test_the_expected_gain_is_of_one_render_of_the_next_iteration(tmp_path: Path, more: int) -> None:
    run = scored(make_run(tmp_path, samples_per_iteration=more), (0.2, 0.3), (0.4, 0.1))
    whole = spread(run) * (expected_best(4 + more) - expected_best(4))
    assert expected_gain(run) == pytest.approx(whole / more)


def test_an_iteration_that_the_budget_cuts_short_gains_what_is_left_of_it(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path, samples_per_iteration=4, max_renders=5), (0.2, 0.3), (0.4, 0.1))
    assert expected_gain(run) == pytest.approx(spread(run) * (expected_best(5) - expected_best(4)))


def test_no_more_is_expected_than_is_left(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.1, 0.999), (0.9, 0.2))
    assert expected_gain(run) == pytest.approx(0.001 / 2)
    assert expected_gain(scored(make_run(tmp_path), (0.1, 1.0), (0.9, 0.2))) == 0.0


def test_the_same_score_again_and_again_promises_nothing(tmp_path: Path) -> None:
    assert expected_gain(scored(make_run(tmp_path), (0.5, 0.5), (0.5, 0.5))) == 0.0
