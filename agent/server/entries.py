"""The jobs in memory: those that live, and those that were asked for last."""

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from agent.server.book import Book
from agent.server.places import Places
from agent.server.store import Store
from agent.server.turns import Turns, positions
from agent.server.types import Job, State
from agent.server.weighing import Weights, weighed

REMEMBERED: Final = 1000
"""Jobs that are over and kept in memory, those asked for last."""
BOOKS: Final = 50
"""Of them, those whose events are kept read: hundreds of KiB each."""
LONGEST_ID: Final = 80


@dataclass
class Entry:
    """A job in memory."""

    job: Job
    seq: int
    book: Book
    fresh: bool = True
    """Whether its events may hold more than the book."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    deaths: int = 0
    """Engines that died while they carried it."""
    held: bool = False
    """It runs, but waits to be carried alone: see `agent.server.mourning`."""
    turn: int = 0
    """When it was begun, as a count of beginnings."""
    media: Weights = field(default_factory=dict)
    """Of the files that came with its request."""
    lacking: float | None = None
    """Since when, by the monotonic clock, its backends were found missing."""
    removing: bool = False
    """It is removed as soon as it is over."""
    ending: bool = False
    """It is being written down as over."""

    def tell(self) -> None:
        """Wake whoever waits for news."""
        self.changed.set()
        self.changed = asyncio.Event()


class Entries:
    """What is known of jobs without asking the disk, and the disk behind it.

    Args:
        store: the jobs on disk.
        places: where run folders lie.
    """

    def __init__(self, store: Store, places: Places) -> None:
        self._store = store
        self._places = places
        self._live: dict[str, Entry] = {}
        self._over: OrderedDict[str, Entry] = OrderedDict()
        self._books: OrderedDict[str, Entry] = OrderedDict()
        self._by_media: OrderedDict[str, str] = OrderedDict()
        self._positions: dict[str, int] | None = None
        self._begun: dict[str, int] = {}
        """When an owner's last job was begun, as a count of beginnings."""
        self._beginnings = itertools.count(1)

    def __iter__(self) -> Iterator[Entry]:
        """Those that live."""
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        """How many live."""
        return len(self._live)

    def enter(self, job: Job, seq: int) -> Entry:
        """A job begins to live."""
        entry = self._live[job.id] = Entry(job, seq, Book(self._places.run(job.id)))
        entry.media = weighed({name: self._places.inputs(job.id) / file for name, file in job.inputs.items()})
        self._positions = None
        return entry

    def leave(self, entry: Entry) -> None:
        """A job is over."""
        self._live.pop(entry.job.id, None)
        self._positions = None
        self._remember(entry)

    def forget(self, job: Job) -> None:
        """A job is removed."""
        self._live.pop(job.id, None)
        self._over.pop(job.id, None)
        self._books.pop(job.id, None)
        self._by_media.pop(job.media_key, None)
        self._positions = None

    def begun(self, entry: Entry) -> None:
        """A job was begun, now or by an earlier server: in this order."""
        entry.turn = self._begun[entry.job.owner] = next(self._beginnings)
        self._positions = None

    def waits_again(self) -> None:
        """A job that ran is back in the queue."""
        self._positions = None

    def live(self, id: str) -> Entry | None:  # noqa: A002 - the noun's own field
        """A job that lives."""
        return self._live.get(id)

    def found(self, id: str) -> Entry | None:  # noqa: A002 - as above
        """A job, wherever it is known from."""
        entry = self._live.get(id) or self._over.get(id)
        if entry is not None:
            return entry
        job = self._store.get(id) if len(id) <= LONGEST_ID else None
        return None if job is None else self._remember(Entry(job, 0, Book(self._places.run(id))))

    def by_media_key(self, key: str) -> Job | None:
        """The job whose files a media key opens."""
        known = self._by_media.get(key)
        if known is not None and (entry := self.found(known)) is not None:
            return entry.job
        job = self._store.by_media_key(key) if len(key) <= LONGEST_ID else None
        if job is not None:
            self._by_media[key] = job.id
            while len(self._by_media) > REMEMBERED:
                self._by_media.popitem(last=False)
        return job

    def book(self, id: str) -> Book | None:  # noqa: A002 - as above
        """What a job's run has told so far, with what is new."""
        entry = self.found(id)
        if entry is None:
            return None
        if entry.fresh:
            entry.fresh = False
            entry.book.read()
        if not entry.job.live:
            self._shelve(entry)
        return entry.book

    def waiting(self) -> Sequence[Entry]:
        """Those that wait, in the order of arrival."""
        return sorted(self._in("queued"), key=attrgetter("seq"))

    def running(self) -> Sequence[Entry]:
        """Those that run, in the order in which they were begun."""
        return sorted(self._in("running"), key=attrgetter("turn"))

    def turns(self) -> Turns:
        """Those that wait, to be taken in the order in which they start."""
        return Turns(self.waiting(), self.running(), self._begun)

    def position(self, job: Job) -> int:
        """How many will start before a job, if what runs ends in the order in which it was begun."""
        if self._positions is None:
            self._positions = positions(self.turns(), self.running())
        return self._positions.get(job.id, 0)

    def by_state(self) -> Counter[str]:
        """How many live in each state."""
        return Counter(entry.job.state for entry in self._live.values())

    def _in(self, state: State) -> Iterator[Entry]:
        return (entry for entry in self._live.values() if entry.job.state == state)

    def _remember(self, entry: Entry) -> Entry:
        self._over[entry.job.id] = entry
        self._over.move_to_end(entry.job.id)
        while len(self._over) > REMEMBERED:
            self._books.pop(self._over.popitem(last=False)[0], None)
        if entry.book.number:
            self._shelve(entry)
        return entry

    def _shelve(self, entry: Entry) -> None:
        """Keep what a job that is over has told, and put away what nobody asked for the longest."""
        self._books[entry.job.id] = entry
        self._books.move_to_end(entry.job.id)
        while len(self._books) > BOOKS:
            _, old = self._books.popitem(last=False)
            old.book, old.fresh = Book(self._places.run(old.job.id)), True
