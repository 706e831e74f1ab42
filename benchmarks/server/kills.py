"""`retake serve` killed again and again under submit load: is an accepted request lost, or a finished render repeated?

Clients submit with an idempotency key each. One whose answer the kill took away is sent again with its key until it is
accepted; now and then a key that was accepted long ago is sent once more.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from pydantic import BaseModel, ConfigDict

from benchmarks.server.serving import Serving
from benchmarks.server.wire import Answered, Line
from tests.scripted_servers import Counts, Servers

LONGEST_LIFE_SECONDS = 5.0
"""From the start of a process, or from its first answer, to its kill: starting is killed too."""
OVER = ("completed", "failed", "cancelled")


class Killed(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    kills: int
    while_starting: int
    """Kills before the server answered."""
    accepted: int
    ended: dict[str, int]
    """Accepted requests, by their state in the end."""
    lost: int
    """Accepted requests that the server does not know any more, or that are not over in time."""
    jobs: int
    """On the server; more than accepted: an idempotency key became two runs."""
    two_ids: int
    """Answers to a repeated key with another id than the first."""
    repeats: int
    """Submits of a key that was sent before: its answer was lost, or it was asked on purpose."""
    finished_twice: int
    known_twice: int
    unknown_twice: int
    """See `tests.scripted_servers.Counts`."""
    renders: int
    orphans: int
    """Processes that outlived the kill of their server by five seconds, or as many as were asked for."""
    errors: dict[str, int]
    """Answers that were neither 2xx nor an honest refusal."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether every accepted request came to its end, once."""
        twice = self.finished_twice + self.known_twice + self.two_ids + abs(self.jobs - self.accepted)
        completed = self.ended.get("completed") == self.accepted
        return completed and not (self.lost or twice or self.orphans or self.errors)


@dataclass
class _Book:
    """What the clients know."""

    accepted: dict[str, str] = field(default_factory=dict)
    """Id by idempotency key."""
    two_ids: int = 0
    repeats: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Clients:
    """Submit until they are told to stop, and then finish what they began."""

    def __init__(self, serving: Serving, count: int, pause: float, seed: int) -> None:
        self._serving, self._pause = serving, pause
        self._dice = random.Random(seed)
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(count)]
        self.book = _Book()

    async def stop(self) -> _Book:
        """Let each get its last answer."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        return self.book

    async def _client(self, number: int) -> None:
        line = Line(self._serving.url)
        sent = 0
        while not self._stop.is_set():
            sent += 1
            await self._submit(line, f"key-{number}-{sent}")
            if self.book.accepted and self._dice.random() < 0.2:
                self.book.repeats += 1
                await self._submit(line, self._dice.choice(tuple(self.book.accepted)))
            await asyncio.sleep(self._pause * self._dice.uniform(0.5, 1.5))
        await line.close()

    async def _submit(self, line: Line, key: str) -> None:
        body = {"prompt": f"A red kite rises over a beach, mark-{key.replace('-', 'x')}"}
        request = line.request("POST", "/v1/runs", body, {"Idempotency-Key": key})
        while True:
            try:
                answered = await line.ask(request, 10)
            except ConnectionRefusedError:
                answered = None  # it was not sent
            except (OSError, TimeoutError):
                answered = None
                self.book.repeats += 1
            if answered is not None and 200 <= answered.status < 300:
                break
            if answered is not None and answered.status not in (429, 503):
                self.book.errors[f"submit: HTTP {answered.status} {answered.body[:200]!r}"] += 1
            await asyncio.sleep(0.1)
        if self.book.accepted.setdefault(key, answered.json["id"]) != answered.json["id"]:
            self.book.two_ids += 1


async def _asked(line: Line, request: bytes) -> Answered | None:
    """None: nobody answered."""
    with suppress(OSError, TimeoutError):
        return await line.ask(request, 10)
    return None


async def killed(
    serving: Serving, servers: Servers, kills: int, *, clients: int = 4, pause: float = 2.5, seed: int = 0,
    longest_life: float = LONGEST_LIFE_SECONDS, patience: float = 90.0, outlived: float = 5.0,
    tell: Callable[[int], None] = lambda _done: None,
) -> Killed:  # fmt: skip
    """Kill the server so often, start it a last time, wait for every accepted request, and count.

    Args:
        serving: not started.
        servers: that it asks.
        kills: at random moments.
        clients: that submit.
        pause: seconds between two submits of each, on average.
        seed: of the moments.
        longest_life: seconds from the start of a process, or from its first answer, to its kill.
        patience: seconds in which one more of the accepted requests must be over, in the end.
        outlived: seconds after the kill of their server from which processes count as orphans.
        tell: hears how many kills are done.
    """
    begun, dice = time.monotonic(), random.Random(seed)
    submitting = Clients(serving, clients, pause, seed)
    orphans = while_starting = 0
    for number in range(kills):
        serving.start()
        if number % 4 < 2:
            await serving.ready()
        await asyncio.sleep(dice.uniform(0.1, longest_life))
        while_starting += not await serving.answers()
        orphans += await _kill(serving, outlived, whole=number % 2 == 1)
        tell(number + 1)
    serving.start()
    book = await submitting.stop()
    states, jobs = await _ends(serving, book, patience)
    counts = await asyncio.to_thread(servers.counts)
    return Killed(
        kills=kills,
        while_starting=while_starting,
        accepted=len(book.accepted),
        ended=Counter(state for state in states.values() if state in OVER),
        lost=sum(state not in OVER for state in states.values()),
        jobs=jobs,
        two_ids=book.two_ids,
        repeats=book.repeats,
        orphans=orphans,
        errors=book.errors,
        seconds=round(time.monotonic() - begun, 1),
        **_counted(counts),
    )


def _counted(counts: Counts) -> dict[str, int]:
    names = ("finished_twice", "known_twice", "unknown_twice")
    return {name: getattr(counts, name) for name in names} | {"renders": len(counts.renders)}


async def _kill(serving: Serving, outlived: float, *, whole: bool) -> int:
    """Kill the server alone or with all it has started; how many of its processes live on for so many seconds."""
    with_it = serving.children()
    serving.signal(signal.SIGKILL, whole=whole)
    await asyncio.to_thread(serving.wait)
    _, alive = await asyncio.to_thread(psutil.wait_procs, with_it, outlived)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    return len(alive)


async def _ends(serving: Serving, book: _Book, patience: float) -> tuple[dict[str, str], int]:
    """By idempotency key how its request ended, as far as it did; and how many jobs the server has."""
    line, end = Line(serving.url), time.monotonic() + patience
    states: dict[str, str] = {}
    before = 0
    while time.monotonic() < end:
        for key, name in book.accepted.items():
            if states.get(key) not in OVER:
                answered = await _asked(line, line.request("GET", f"/v1/runs/{name}"))
                states[key] = (
                    "silent" if answered is None else answered.json["state"] if answered.status == 200 else "unknown"
                )
        over = sum(state in OVER for state in states.values())
        if over == len(states):
            break
        if over > before:
            before, end = over, time.monotonic() + patience
        await asyncio.sleep(2)
    jobs = await _listed(line)
    await line.close()
    return states, jobs


async def _listed(line: Line) -> int:
    """How many jobs there are, by the list's pages."""
    count, after = 0, ""
    while True:
        answered = await _asked(line, line.request("GET", f"/v1/runs?limit=100{after}"))
        if answered is None or answered.status != 200:
            return -1
        page = answered.json
        count += len(page["data"])
        if not page["has_more"]:
            return count
        after = f"&after={page['data'][-1]['id']}"
