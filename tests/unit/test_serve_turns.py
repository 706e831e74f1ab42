"""Whose turn it is: the order in which jobs of several keys start, and the places that they are told."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.server import turns
from agent.server.book import Book
from agent.server.entries import Entry
from agent.server.turns import Turns, positions
from agent.server.types import Job, RunRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(name: str, seq: int = 0, priority: int = 0) -> Entry:
    """A job, its owner the first letter of its name."""
    request = RunRequest(model="m", prompt="p")
    facts = {"dialect": "runs", "endpoint": "e", "created_at": NOW, "media_key": name, "request": request}
    job = Job.model_validate({**facts, "id": name, "owner": name[0], "priority": priority})
    return Entry(job, seq, Book(Path()))


def line(*names: str, priority: int = 0) -> list[Entry]:
    return [entry(name, seq, priority) for seq, name in enumerate(names)]


def told(waiting: Iterable[Entry], running: Sequence[Entry] = (), begun: dict[str, int] | None = None) -> list[str]:
    """The names of those that wait, by the places that they are told."""
    found = positions(Turns(waiting, running, begun or {}), running)
    assert sorted(found.values()) == list(range(len(found)))
    return sorted(found, key=lambda name: found[name])


def test_one_key_alone_starts_in_the_order_of_arrival() -> None:
    assert told(line("a1", "a2", "a3"), line("a0")) == ["a1", "a2", "a3"]


def test_another_keys_one_goes_before_a_hundred() -> None:
    many = [f"a{n}" for n in range(100)]
    assert told(line(*many, "b1"), line("a-", "a+"), {"a": 2})[:3] == ["b1", "a0", "a1"]


def test_one_place_is_taken_by_turns() -> None:
    assert told(line("a1", "a2", "a3", "b1", "c1", "b2"), line("a0"), {"a": 1}) == ["b1", "c1", "a1", "b2", "a2", "a3"]


def test_a_third_key_is_not_kept_waiting_by_two_that_share_the_places() -> None:
    running = [*line("a0"), *line("b0")]
    assert told(line("a1", "b1", "a2", "b2", "c1"), running, {"a": 1, "b": 2})[0] == "c1"


def test_priority_goes_before_fairness() -> None:
    low = entry("b1", 9, -1)
    assert told([low, *line("a1", "a2")], line("a0"), {"a": 1}) == ["a1", "a2", "b1"]


def test_those_that_may_not_start_let_others_pass() -> None:
    order = Turns(line("a1", "a2", "b1", "b2"), line("b0"), {"b": 1})
    first = order.next()
    assert first is not None
    order.skip(first)
    second = order.next()
    assert second is not None
    assert [one.job.id for one in (first, second)] == ["a1", "a2"], "its backends are away; the next of the key may go"
    third = order.next()
    assert third is not None
    assert (third.job.id, order.next()) == ("b1", None), "nothing was done with it: its key has what it may have"


def test_places_are_the_order_in_which_they_start_if_what_runs_ends_in_its_order() -> None:
    for seed in range(30):
        dice = random.Random(seed)
        waiting = [entry(f"{dice.choice('abcd')}{n}", n, dice.choice((0, 0, -1))) for n in range(40)]
        running = [entry(f"{dice.choice('abe')}r{n}") for n in range(dice.randrange(5))]
        begun = {one.job.owner: n for n, one in enumerate(running, 1)}
        assert told(waiting, running, begun) == _by_hand(waiting, running, begun), seed


def _by_hand(waiting: Iterable[Entry], running: Iterable[Entry], begun: dict[str, int]) -> list[str]:
    """As it is written: of all that wait, the least by priority, how many run, when one was begun last, arrival."""
    left, ends, last, order = list(waiting), list(running), dict(begun), list[str]()
    while left:
        del ends[:1]
        now = Counter(one.job.owner for one in ends)

        def turn(one: Entry, now: Counter[str] = now) -> tuple[int, int, int, int]:
            return -one.job.priority, now[one.job.owner], last.get(one.job.owner, 0), one.seq

        first = min(left, key=turn)
        left.remove(first)
        ends.append(first)
        last[first.job.owner] = 100 + len(order)
        order.append(first.job.id)
    return order


def test_those_far_behind_are_told_by_priority_and_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "FORESEEN", 2)
    waiting = [*line("a1", "a2", "a3", "b1", "b2"), entry("c1", 9, -1), entry("c0", 10, 1)]
    assert told(waiting, line("a0"), {"a": 1}) == ["c0", "b1", "a1", "a2", "a3", "b2", "c1"]
