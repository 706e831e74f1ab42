"""The queue: the desk as it really is. Jobs in memory while they live, on disk always, carried out by the engine."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from agent.run import Run
from agent.server.admission import Admission
from agent.server.carrying import Carrier, MakeEngine
from agent.server.config import Served
from agent.server.desk import Cancelled, Page, may_see
from agent.server.engine.parent import Engine
from agent.server.entries import Entries
from agent.server.following import Following
from agent.server.holding import Backends
from agent.server.housekeeping import Housekeeping
from agent.server.places import Places
from agent.server.recording import Recorder
from agent.server.scrub import Scrub
from agent.server.store import Store
from agent.server.taking import Taking
from agent.server.types import Caller, Dialect, Job, LogLine, NewJob, State, refused
from agent.server.workers import Workers


class Queue:
    """See `agent.server.desk.Desk`.

    Args:
        served: the config.
        store: the jobs on disk.
        heard: hear of each change of a job's state (metrics).
        announce: makes the end of a job with a webhook known; when it returns that is on disk.
        make_engine: what carries jobs out. None: a process of its own.
        backends: asked whether a model's backends answer: its jobs wait while they do not. None: nobody is asked.
    """

    def __init__(
        self,
        served: Served,
        store: Store,
        *,
        heard: Sequence[Callable[[Job], None]] = (),
        announce: Callable[[Job], Awaitable[None]] | None = None,
        make_engine: MakeEngine | None = None,
        backends: Backends | None = None,
    ) -> None:
        limits = served.server.limits
        self._served = served
        self._store = store
        places = self._places = Places(served.folder)
        entries = self._entries = Entries(store, places)
        workers = self._workers = Workers(store.together)
        self._following = Following(workers)
        admission = Admission(limits, entries)
        self._taking = Taking(served, store, entries, admission, places, workers)
        recorder = self._recorder = Recorder(store, entries, places, workers, heard=heard, announce=announce)
        carrier = self._carrier = Carrier(
            *(limits, store, entries, admission, recorder, workers),
            make_engine or partial(Engine, served),
            backends=backends,
        )
        self._house = Housekeeping(served.server.retention, store, entries, carrier, recorder, places)
        self._scrub = Scrub(served.models.values(), [served.folder, Path.home()])
        self._parting = False

    async def start(self) -> None:
        """Go on with what the last server left, and keep the engine running."""
        self._house.sweep()
        await self._carrier.start()
        self._workers.spawn(self._house.watch())

    async def drain(self) -> None:
        """See `Desk.drain`."""
        self._carrier.draining = True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._served.server.drain_seconds):
                    while running := self._entries.running():
                        await running[0].changed.wait()
        finally:
            self._parting = True
            for entry in self._entries:
                entry.tell()

    async def stop(self) -> None:
        """End the engine. What ran goes on at the next start."""
        self._carrier.draining = True
        await self._carrier.engine.stop()
        await self._workers.close()

    async def submit(self, new: NewJob, caller: Caller) -> Job:
        """See `Desk.submit`."""
        if self._carrier.draining:
            why = "the server is being stopped; ask again"
            raise refused(503, "runner_scheduling_failure", why, retry_after=5)
        job, fresh = await self._taking.take(new, caller)
        if fresh:
            self._recorder.note(job)
            self._carrier.fill()
        return self.find(job.id, caller) or job

    def find(self, id: str, caller: Caller, dialect: Dialect | None = None) -> Job | None:  # noqa: A002
        """See `Desk.find`."""
        entry = self._entries.found(id)
        if entry is None or entry.removing or (dialect is not None and entry.job.dialect != dialect):
            return None
        return entry.job if may_see(caller, entry.job) else None

    def find_by_media_key(self, key: str) -> Job | None:
        """See `Desk.find_by_media_key`."""
        return self._entries.by_media_key(key)

    def position(self, job: Job) -> int:
        """See `Desk.position`."""
        return self._entries.position(job)

    def logs(self, job: Job, start: int = 0) -> list[LogLine]:
        """See `Desk.logs`."""
        book = self._entries.book(job.id)
        lines = [] if book is None else book.lines[start:]
        return [LogLine(self._scrub(line.message), line.level, line.timestamp) for line in lines]

    def progress(self, job: Job) -> float:
        """See `Desk.progress`."""
        if not job.live:
            return 1.0 if job.state == "completed" else 0.0
        book = self._entries.book(job.id)
        return 0.0 if book is None else book.done

    def run(self, job: Job) -> Run | None:
        """See `Desk.run`."""
        book = self._entries.book(job.id)
        return None if book is None else book.run

    def list(
        self,
        caller: Caller,
        *,
        dialect: Dialect | None = None,
        states: Sequence[State] = (),
        after: str | None = None,
        limit: int = 20,
        ascending: bool = False,
    ) -> Page:
        """See `Desk.list`."""
        if after is not None and self.find(after, caller) is None:
            return Page([], False)
        owner = None if "admin" in caller.scopes else caller.owner
        going = sum(entry.removing for entry in self._entries)
        found = self._store.list(
            owner, dialect=dialect, states=states, after=after, limit=limit + 1 + going, ascending=ascending
        )
        # memory is ahead of the disk by as much as one write takes
        entries = [self._entries.live(job.id) for job in found]
        jobs = [
            job if entry is None else entry.job
            for job, entry in zip(found, entries, strict=True)
            if entry is None or not entry.removing
        ]
        return Page(jobs[:limit], len(jobs) > limit)

    async def cancel(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """See `Desk.cancel`."""
        entry = self._entries.found(id)
        if entry is None or not may_see(caller, entry.job):
            return "unknown"
        if not entry.job.live:
            return "over"
        return "removed" if await self._carrier.cancel(entry) else "requested"

    async def delete(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """See `Desk.delete`."""
        done = await self.cancel(id, caller)
        entry = self._entries.found(id)
        if entry is None or done == "unknown":
            return "unknown"
        if entry.job.live:
            await self._recorder.unwant(entry)
        else:
            await self._recorder.forget(entry.job)
        return done

    async def changed(self, job: Job, *, lines: int, timeout: float) -> Job:  # noqa: ASYNC109
        """See `Desk.changed`."""
        until = time.monotonic() + timeout
        while True:
            entry = self._entries.found(job.id)
            if entry is None or entry.job.state != job.state or not entry.job.live or self._parting:
                return job if entry is None else entry.job
            news = entry.changed
            book = self._entries.book(entry.job.id)
            if book is not None and len(book.lines) > lines:
                return entry.job
            rest = until - time.monotonic()
            if rest <= 0:
                return entry.job
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):  # before Python 3.12 wait_for may swallow a cancellation
                    await news.wait()

    async def ended(self, job: Job, *, timeout: float | None = None) -> Job:  # noqa: ASYNC109
        """See `Desk.ended`."""
        async with asyncio.timeout(timeout):
            entry = self._entries.found(job.id)
            while entry is not None and entry.job.live:
                if self._parting:
                    why = f"the server is being stopped; the run {job.id} goes on at its next start"
                    raise refused(503, "runner_scheduling_failure", why, retry_after=5)
                await entry.changed.wait()
                entry = self._entries.found(job.id)
        return job if entry is None else entry.job

    async def events(self, job: Job, *, after: int = 0) -> AsyncIterator[tuple[int, str]]:
        """See `Desk.events`."""
        folder, number, offset = self.folder(job), after, 0
        while True:
            entry = self._entries.found(job.id)
            news = None if entry is None else entry.changed
            live = entry is not None and entry.job.live
            found, offset = await self._following.read(folder, number, offset, news)
            for line in found:
                number += 1
                yield number, line
            if not live or news is None or self._parting:
                return
            await news.wait()

    def folder(self, job: Job) -> Path:
        """See `Desk.folder`."""
        return self._places.run(job.id)

    @property
    def parting(self) -> bool:
        """See `Desk.parting`."""
        return self._parting

    def facts(self) -> dict[str, Any]:
        """See `Desk.facts`."""
        live = self._entries.by_state()
        return {
            "queued": live["queued"],
            "running": live["running"],
            "draining": self._carrier.draining,
            "engine_away": self._carrier.engine.away,
        }
