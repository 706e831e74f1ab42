"""The interval of a paired gain."""

import pytest

from agent.paired import Gain, quantile


@pytest.mark.parametrize(
    ("freedom", "published"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_students_t_is_that_of_the_published_tables(freedom: int, published: float) -> None:
    assert quantile(freedom) == pytest.approx(published, abs=6e-4)


def test_the_interval_of_a_worked_example() -> None:
    gain = Gain(by_seed={1: 0.1, 2: 0.2, 3: 0.3})
    assert gain.n == 3
    assert gain.mean == pytest.approx(0.2)
    # the standard error is 0.1 over the root of 3, and t is 4.3027
    assert gain.interval is not None
    assert tuple(gain.interval) == pytest.approx((-0.0484, 0.4484), abs=1e-4)
    assert gain.interval.holds_zero


def test_a_steady_gain_excludes_zero_and_two_seeds_have_no_interval() -> None:
    steady = Gain(by_seed={1: 0.20, 2: 0.22, 3: 0.21, 4: 0.19}).interval
    assert steady is not None
    assert not steady.holds_zero
    assert Gain(by_seed={1: 0.2, 2: 0.2}).interval is None
