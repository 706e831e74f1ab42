"""How long a render may take, learnt from what came before it."""

import pytest

from generator.watchdog import FACTOR, FEWEST, FLOOR_SECONDS, KEPT, QueueWatch, Watchdog, work

HERE, THERE = "http://here", "http://there"


def nano(width: int, height: int) -> float:
    return work(width, height, 189, 35, 6.0)


def test_before_there_is_a_history_the_configured_limit_holds() -> None:
    dog = Watchdog(stall_seconds=3600)
    for _ in range(FEWEST - 1):
        dog.ended(HERE, 100, 50)
    assert dog.limit(HERE, 100) == 3600
    assert dog.expected(HERE, 100) == 50


def test_then_the_slowest_of_the_last_ones_sets_it() -> None:
    dog = Watchdog(stall_seconds=3600)
    for seconds in (40, 50, 45):
        dog.ended(HERE, 100, seconds)
    assert dog.limit(HERE, 100) == FACTOR * 50
    assert dog.limit(THERE, 100) == 3600
    for _ in range(KEPT):
        dog.ended(HERE, 100, 30)
    assert dog.limit(HERE, 100) == FACTOR * 30


def test_no_limit_is_below_the_floor_nor_above_the_configured_one() -> None:
    dog = Watchdog(stall_seconds=200)
    for _ in range(FEWEST):
        dog.ended(HERE, 100, 2)
    assert dog.limit(HERE, 100) == FLOOR_SECONDS
    assert dog.limit(HERE, 100_000) == 200
    assert Watchdog(stall_seconds=5).limit(HERE, 1) == 5


def test_less_work_saves_in_proportion_and_more_costs_more_than_that() -> None:
    dog = Watchdog(stall_seconds=1e9, floor_seconds=0)
    dog.ended(HERE, 100, 10)
    assert dog.expected(HERE, 50) == 5
    assert dog.expected(HERE, 200) == pytest.approx(10 * 2**1.25)


def test_published_latencies_are_never_expected_too_early() -> None:
    """Cosmos3-Nano on one H100 (NVIDIA/cosmos, inference_benchmarks.md): 7.37, 59.77 and 205.97 s."""
    dog = Watchdog(stall_seconds=1e9)
    for _ in range(FEWEST):
        dog.ended(HERE, nano(320, 192), 7.37)
    for width, height, seconds in ((832, 480, 59.77), (1280, 720, 205.97)):
        expected = dog.expected(HERE, nano(width, height))
        assert expected is not None
        assert seconds < expected < 2 * seconds
        assert dog.limit(HERE, nano(width, height)) > 3 * seconds


def test_without_guidance_a_render_is_half_the_work() -> None:
    assert work(64, 48, 5, 10, 1.0) * 2 == work(64, 48, 5, 10, 6.0)


def test_what_is_expected_somewhere_new_comes_from_the_others() -> None:
    dog = Watchdog(stall_seconds=3600)
    assert dog.expected(THERE, 100) is None
    dog.ended(HERE, 100, 30)
    assert dog.expected(THERE, 100) == 30


def test_a_queue_that_moves_is_never_still() -> None:
    watch = QueueWatch(stall_seconds=10, idle_seconds=5)
    for now in range(0, 100, 8):
        assert watch.still([f"job {now}"], 3, now) is None
    assert watch.still(["job"], 3, 100) is None
    assert watch.still(["job"], 2, 109) is None
    assert watch.still(["job"], 2, 119) is None
    assert watch.still(["job"], 2, 119.5) == 10.5


def test_a_queue_before_which_nothing_runs_is_still_sooner() -> None:
    watch = QueueWatch(stall_seconds=10, idle_seconds=5)
    assert watch.still([], 0, 50) is None
    assert watch.still([], 0, 55) is None
    assert watch.still([], 0, 56) == 6
