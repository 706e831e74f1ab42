"""The schedule of a forecast: wall seconds of rounds, with so many renders and critiques at once."""

import pytest

from agent.forecasting.rounds import Round
from agent.forecasting.schedule import Pace, side_by_side, wall_seconds


@pytest.mark.parametrize(
    ("count", "renderers", "judges", "seconds"),
    [
        (1, 1, 1, 1 + 10 + 2),
        (2, 1, 1, 1 + 20 + 2),  # the first is judged while the second renders
        (2, 2, 1, 1 + 10 + 4),  # both wait for the one judge
        (2, 2, 2, 1 + 10 + 2),
        (3, 2, 2, 1 + 20 + 2),
        (2, 9, 9, 1 + 10 + 2),
    ],
)
def test_a_round_by_the_clock(count: int, renderers: int, judges: int, seconds: float) -> None:
    assert side_by_side(count, 1, 10, 2, renderers, judges) == seconds


def test_judging_slower_than_rendering_is_what_counts_then() -> None:
    assert side_by_side(3, 0, 1, 10, 1, 1) == 1 + 30


def test_rounds_that_are_hardly_reached_hardly_count() -> None:
    rounds = [Round("target", 1, 8.0, likely=likely) for likely in (1, 0.5, 0.25)]
    assert wall_seconds(rounds, Pace(0, {}, 1, 1)) == 8 + 4 + 2


def test_a_promotion_writes_no_caption_and_each_tier_has_its_pace() -> None:
    rounds = [Round("draft", 2, 3.0), Round("draft", 2, 3.0, tested=True), Round("target", 1, 50.0, asks=False)]
    pace = Pace(caption=4, judge={"draft": 1.0, "target": 5.0}, renderers=1, judges=1, test=20)
    assert wall_seconds(rounds, pace) == 2 * (4 + 6 + 1) + 20 + 50 + 5


def test_rewrites_may_take_longer_than_the_first_caption() -> None:
    rounds = [Round("target", 1, 50.0, asks=False), *[Round("target", 1, 50.0)] * 3]  # the raw prompt is not written
    assert wall_seconds(rounds, Pace(4, {}, 1, 1, rewrite=25)) == 4 * 50 + 4 + 2 * 25
