"""Whose turn it is: which of the jobs that wait starts next, so that no key's hundred keep another's one waiting."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.server.entries import Entry

FORESEEN: Final = 1000
"""Beginnings that are foreseen one by one: more of them would take the event loop tens of milliseconds."""
Head = tuple[int, int, int, str]
"""Of a line: how many of its owner's run, when one of them was begun last, its first job's arrival; the owner."""


class Turns:
    """The jobs that wait, to be taken in the order in which they start.

    The higher priority goes first. Of one priority, the owner of whom fewest run; of several such, the one who has
    waited longest since one of theirs was begun. An owner's own start in the order of arrival, and so do those of
    owners between whom nothing else decides.

    Args:
        waiting: in the order of arrival.
        running: those that run.
        begun: when an owner's last one was begun, as a count of beginnings.
    """

    def __init__(self, waiting: "Iterable[Entry]", running: "Iterable[Entry]", begun: Mapping[str, int]) -> None:
        self._running = Counter(entry.job.owner for entry in running)
        self._begun = defaultdict(int, begun)
        self._last = max(begun.values(), default=0)
        lines: defaultdict[int, defaultdict[str, deque[Entry]]] = defaultdict(lambda: defaultdict(deque))
        for entry in waiting:
            lines[entry.job.priority][entry.job.owner].append(entry)
        self._levels = [lines[priority] for priority in sorted(lines)]
        """Of each priority, the highest last, an owner's line."""
        self._lines: Mapping[str, deque[Entry]] = {}
        """Those of the priority that is being taken."""
        self._heads: list[Head] = []
        """A heap of their heads, also of those that have changed since …"""
        self._head: dict[str, Head] = {}
        """… and an owner's head as it is."""

    def next(self) -> "Entry | None":
        """Take out the one that starts next; then `begin` or `skip` it. None: none waits.

        Where neither is done, no other of its owner's and its priority follows.
        """
        while True:
            while self._heads:
                head = heappop(self._heads)
                owner = head[-1]
                if self._head.get(owner) is head:
                    return self._lines[owner].popleft()
            if not self._levels:
                return None
            self._lines = self._levels.pop()
            for owner in self._lines:
                self._line_up(owner)

    def begin(self, entry: "Entry") -> None:
        """It starts."""
        owner = entry.job.owner
        self._last += 1
        self._running[owner] += 1
        self._begun[owner] = self._last
        self._line_up(owner)

    def skip(self, entry: "Entry") -> None:
        """It waits on, and the next of its owner's may start instead."""
        self._line_up(entry.job.owner)

    def end(self, entry: "Entry") -> None:
        """One that runs is over."""
        self._running[entry.job.owner] -= 1
        self._line_up(entry.job.owner)

    def running(self, owner: str) -> int:
        """How many of an owner's run."""
        return self._running[owner]

    def rest(self) -> "Iterator[Entry]":
        """All that are left, by priority and arrival."""
        for lines in (self._lines, *reversed(self._levels)):
            yield from sorted(chain.from_iterable(lines.values()), key=attrgetter("seq"))

    def _line_up(self, owner: str) -> None:
        if line := self._lines.get(owner):
            head = self._head[owner] = (self._running[owner], self._begun[owner], line[0].seq, owner)
            heappush(self._heads, head)


def positions(turns: Turns, running: "Iterable[Entry]") -> dict[str, int]:
    """How many jobs start before each that waits, by its id, if what runs ends in the order in which it was begun.

    Those far behind are told by priority and arrival.

    Args:
        turns: those that wait; it is of no use afterwards.
        running: those that run, in the order in which they were begun.
    """
    ends, told = deque(running), dict[str, int]()
    while len(told) < FORESEEN:
        if ends:
            turns.end(ends.popleft())
        if (entry := turns.next()) is None:
            return told
        told[entry.job.id] = len(told)
        turns.begin(entry)
        ends.append(entry)
    for entry in turns.rest():
        told[entry.job.id] = len(told)
    return told
