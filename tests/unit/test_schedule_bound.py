"""The exact scheduler of benchmarks.schedule against every schedule there is."""

import random
from collections.abc import Sequence

import pytest

from benchmarks.schedule.bound import Chain, shortest_round, shortest_run


def every_schedule(captions: Sequence[int], rounds: Sequence[Sequence[Chain]], endpoints: int, judges: int) -> int:
    """The shortest of all: each order of all steps of a run with each choice of places, nothing left out."""
    steps: list[tuple[int, str, tuple[int, ...]]] = []  # milliseconds, where, what comes before
    before: tuple[int, ...] = ()
    for caption, chains in zip(captions, rounds, strict=True):
        steps.append((caption, "reasoner", before))
        written, before = len(steps) - 1, ()
        for render, judge in chains:
            steps += [(render, "endpoints", (written,)), (judge, "judges", (len(steps),))]
            before += (len(steps) - 1,)

    def least(ends: dict[int, int], places: dict[str, tuple[int, ...]]) -> int:
        if len(ends) == len(steps):
            return max(ends.values())
        found = []
        for number, (takes, where, needed) in enumerate(steps):
            if number in ends or any(each not in ends for each in needed):
                continue
            for place, free in enumerate(places[where]):
                end = max([free, *(ends[each] for each in needed)]) + takes
                taken = (*places[where][:place], end, *places[where][place + 1 :])
                found.append(least({**ends, number: end}, {**places, where: taken}))
        return min(found)

    return least({}, {"reasoner": (0,), "endpoints": (0,) * endpoints, "judges": (0,) * judges})


@pytest.mark.parametrize(("endpoints", "judges"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_a_round_is_as_short_as_the_shortest_of_all_schedules(endpoints: int, judges: int) -> None:
    dice = random.Random(endpoints * 10 + judges)
    for size, most in ((1, 9), (2, 9), (2, 4), (3, 9), (3, 3), (4 if judges == 1 else 3, 9)):
        chains = [(dice.randint(1, most), dice.randint(1, most)) for _ in range(size)]
        assert shortest_round(chains, endpoints, judges) == every_schedule([0], [chains], endpoints, judges), chains


@pytest.mark.parametrize(("endpoints", "judges"), [(1, 1), (2, 1), (1, 2)])
def test_a_run_is_the_sum_of_its_captions_and_rounds(endpoints: int, judges: int) -> None:
    dice = random.Random(endpoints * 10 + judges)
    rounds = [[(dice.randint(1, 9), dice.randint(1, 9)) for _ in range(2)] for _ in range(2)]
    assert shortest_run([5, 2], rounds, endpoints, judges) == every_schedule([5, 2], rounds, endpoints, judges)


@pytest.mark.parametrize(
    ("chains", "endpoints", "judges", "shortest"),
    [
        ([(1, 1), (1, 1), (2, 1)], 2, 2, 3),  # the long render first
        ([(2, 1), (2, 9)], 1, 1, 12),  # the long judgement first
        ([(5, 4), (6, 7), (2, 3)], 1, 1, 19),  # neither order by length nor by judgement
        ([(7, 8), (1, 4), (4, 9)], 2, 2, 15),
    ],
)
def test_schedules_that_no_simple_rule_finds(chains: list[Chain], endpoints: int, judges: int, shortest: int) -> None:
    assert shortest_round(chains, endpoints, judges) == shortest
    assert every_schedule([0], [chains], endpoints, judges) == shortest


@pytest.mark.parametrize(
    ("candidates", "endpoints", "judges", "shortest"),
    [(1, 8, 2, 64), (8, 1, 2, 484), (8, 8, 2, 76), (8, 8, 8, 64), (5, 4, 2, 124), (7, 4, 2, 128)],
)
def test_renders_that_take_the_same_time(candidates: int, endpoints: int, judges: int, shortest: int) -> None:
    assert shortest_round([(60, 4)] * candidates, endpoints, judges) == shortest


@pytest.mark.parametrize(("chains", "endpoints", "judges"), [([(1, 1)], 0, 1), ([(1, 1)], 1, 0), ([(0, 1)], 1, 1)])
def test_what_is_no_round_is_refused(chains: list[Chain], endpoints: int, judges: int) -> None:
    with pytest.raises(ValueError, match="a round needs"):
        shortest_round(chains, endpoints, judges)
