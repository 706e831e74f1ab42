"""The schedule of a forecast: renders by iteration, and wall seconds with so many at once."""

import pytest

from agent.forecasting.schedule import Pace, expected, iteration_seconds, reached, renders, wall_seconds
from agent.types import Budget


@pytest.mark.parametrize(
    ("budget", "counts"),
    [
        ({}, (2, 2)),
        ({"max_iterations": 3, "samples_per_iteration": 4}, (4, 4, 4)),
        ({"max_renders": 3}, (2, 1)),
        ({"max_renders": 1}, (1,)),
        ({"max_renders": 4, "max_iterations": 5}, (2, 2)),
        ({"max_renders": 99}, (2, 2)),
    ],
)
def test_renders_of_each_iteration(budget: dict[str, int], counts: tuple[int, ...]) -> None:
    assert renders(Budget.model_validate(budget)) == counts


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
def test_an_iteration_by_the_clock(count: int, renderers: int, judges: int, seconds: float) -> None:
    assert iteration_seconds(count, Pace(1, 10, 2, renderers, judges)) == seconds


def test_judging_slower_than_rendering_is_what_counts_then() -> None:
    assert iteration_seconds(3, Pace(0, 1, 10, 1, 1)) == 1 + 30


def test_iterations_that_are_hardly_reached_hardly_count() -> None:
    reach = reached(3, 0.5)
    assert reach == (1, 0.5, 0.25)
    assert expected((2, 2, 1), reach) == 2 + 1 + 0.25
    assert wall_seconds((1, 1, 1), reach, Pace(0, 8, 0, 1, 1)) == 8 + 4 + 2
    assert reached(3, 0.0) == (1, 1, 1)
