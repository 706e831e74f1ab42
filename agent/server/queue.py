"""The queue: the desk as it really is. Jobs in memory while they live, on disk always, carried out by the engine."""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

from agent.run import Run
from agent.server.book import Book, raw
from agent.server.config import Served
from agent.server.desk import Cancelled, Page
from agent.server.engine.messages import Over, Told
from agent.server.engine.parent import Engine
from agent.server.engine.work import CANCELLED
from agent.server.places import Places
from agent.server.scrub import Scrub
from agent.server.store import Store
from agent.server.types import Caller, Dialect, Job, LogLine, NewJob, Problem, State, refused
from agent.server.wishes import checked

log = logging.getLogger(__name__)

REMEMBERED: Final = 1000
"""Jobs that are over and kept in memory, those asked for last."""
DEATHS: Final = 3
"""Engines that may die while they carry the same job, before it is given up as what kills them."""
TICK_SECONDS: Final = 1.0
"""Between two looks at what has waited too long."""
HOUSE_SECONDS: Final = 60.0
"""Between two looks at what has been kept too long."""

T = TypeVar("T")


@dataclass
class _Entry:
    """A job in memory."""

    job: Job
    seq: int
    book: Book
    fresh: bool = True
    """Whether its events may hold more than the book."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    deaths: int = 0
    removing: bool = False

    def tell(self) -> None:
        """Wake whoever waits for news."""
        self.changed.set()
        self.changed = asyncio.Event()


class Queue:
    """See `agent.server.desk.Desk`.

    Args:
        served: the config.
        store: the jobs on disk.
        heard: hear of each change of a job's state (metrics).
        announce: makes the end of a job with a webhook known; when it returns that is on disk.
    """

    def __init__(
        self,
        served: Served,
        store: Store,
        *,
        heard: Sequence[Callable[[Job], None]] = (),
        announce: Callable[[Job], Awaitable[None]] | None = None,
    ) -> None:
        self._served = served
        self._limits = served.server.limits
        self._store = store
        self._places = Places(served.folder)
        self._heard = heard
        self._announce = announce
        self._live: dict[str, _Entry] = {}
        self._over: OrderedDict[str, _Entry] = OrderedDict()
        self._by_media: OrderedDict[str, str] = OrderedDict()
        self._arriving: Counter[str] = Counter()
        self._submitting: dict[tuple[str, str], asyncio.Lock] = {}
        self._positions: dict[str, int] | None = None
        self._engine = Engine(served, self._hear, self._mourn)
        self._disk = ThreadPoolExecutor(1, "jobs")
        self._files = ThreadPoolExecutor(2, "files")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._scrub = Scrub(served.models.values(), [served.folder, Path.home()])
        self._durations: list[float] = []
        self.draining = False
        """Whether nothing new is taken or begun."""

    # ---- life

    async def start(self) -> None:
        """Go on with what the last server left, and keep the engine running."""
        self._sweep()
        for seq, job in self._store.live():
            if job.cancelling:
                await self._end(self._enter(job, seq), Over(id=job.id, state="cancelled", problem=CANCELLED))
            else:
                self._enter(job, seq)
        await self._engine.start()
        for entry in self._live.values():
            if entry.job.state == "running":
                self._engine.begin(entry.job)
        self._fill()
        self._spawn(self._watch())

    async def drain(self) -> None:
        """Take nothing more and begin nothing more, and wait for what runs, as long as `drain_seconds` says."""
        self.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._served.server.drain_seconds):
                while running := [e for e in self._live.values() if e.job.state == "running"]:
                    await running[0].changed.wait()

    async def stop(self) -> None:
        """End the engine. What ran goes on at the next start."""
        self.draining = True
        await self._engine.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._disk.shutdown()
        self._files.shutdown()

    # ---- the desk

    async def submit(self, new: NewJob, caller: Caller) -> Job:
        """See `Desk.submit`."""
        if self.draining:
            raise refused(
                503, "runner_scheduling_failure", "the server is being stopped; ask again soon", retry_after=5
            )
        model = self._served.server.model_named(new.request.model)
        if model is None:
            known = ", ".join(self._served.server.models)
            raise refused(
                404, "not_found", f"there is no model {new.request.model!r:.80}; there are {known}", loc=("model",)
            )
        request = new.request.model_copy(update={"model": model})
        inputs = {name: name + _suffix(given) for name, given in new.inputs.items()}
        digest = await self._on_files(partial(_digest, new))
        if new.idempotency_key is None:
            return await self._taken(new, request, inputs, digest, caller)
        once = (caller.owner, new.idempotency_key)
        lock = self._submitting.setdefault(once, asyncio.Lock())
        try:
            async with lock:
                known_job = self._store.by_key(*once)
                if known_job is None:
                    return await self._taken(new, request, inputs, digest, caller)
        finally:
            if not lock.locked():
                self._submitting.pop(once, None)
        if known_job.digest != digest:
            raise refused(
                422, "idempotency_key_reused", "this idempotency key was used for another request; give a new one",
                loc=("Idempotency-Key",),
            )  # fmt: skip
        return known_job

    async def _taken(self, new: NewJob, request: Any, inputs: Mapping[str, str], digest: str, caller: Caller) -> Job:
        id_ = new.id or str(uuid4())
        at_hand = {name: self._places.inputs(id_) / file for name, file in inputs.items()}
        checked(self._served.models[request.model], request, at_hand, self._limits)
        self._admit(caller.owner)
        now = datetime.now(UTC)
        job = Job(
            id=id_,
            owner=caller.owner,
            dialect=new.dialect,
            endpoint=new.endpoint,
            request=request,
            wire=dict(new.wire),
            inputs=dict(inputs),
            base_url=new.base_url,
            priority=new.priority,
            created_at=now,
            start_by=None if new.start_within is None else now + timedelta(seconds=new.start_within),
            keep_until=None if new.keep_seconds is None else now + timedelta(seconds=new.keep_seconds),
            media_key=secrets.token_urlsafe(24),
            idempotency_key=new.idempotency_key,
            digest=digest,
            webhook=new.webhook,
            ephemeral=new.ephemeral,
        )
        self._arriving[caller.owner] += 1
        try:
            if new.inputs:
                await self._on_files(partial(_keep, self._places.inputs(id_), inputs, new.inputs))
            seq = await self._on_disk(partial(self._store.add, job))
        except BaseException:
            self._arriving[caller.owner] -= 1
            shutil.rmtree(self._places.inputs(id_), ignore_errors=True)
            raise
        self._arriving[caller.owner] -= 1
        self._enter(job, seq)
        self._fill()
        return self._live[id_].job

    def _admit(self, owner: str) -> None:
        """Refuse what would wait in a full queue."""
        limits = self._limits
        waiting = [e for e in self._live.values() if e.job.state == "queued"]
        free = limits.max_running - (len(self._live) - len(waiting))
        arriving = self._arriving.total()
        if len(waiting) + arriving >= limits.max_queued + max(0, free):
            raise refused(
                429, "queue_full", f"the queue is full: {len(waiting) + arriving} requests wait, and "
                f"{limits.max_queued} may; ask again later", retry_after=self._patience(),
            )  # fmt: skip
        if limits.max_queued_per_key is not None:
            mine = sum(e.job.owner == owner for e in waiting) + self._arriving[owner]
            if mine >= limits.max_queued_per_key:
                raise refused(
                    429, "concurrent_requests_limit", f"{mine} requests of this key wait, and "
                    f"{limits.max_queued_per_key} may; ask again later", retry_after=self._patience(),
                )  # fmt: skip

    def _patience(self) -> float:
        """Seconds until a place in the queue is likely to come free, by what the last runs took."""
        if not self._durations:
            return 10.0
        return min(600.0, max(1.0, sorted(self._durations)[len(self._durations) // 2] / self._limits.max_running))

    def find(self, id: str, caller: Caller, dialect: Dialect | None = None) -> Job | None:  # noqa: A002
        """See `Desk.find`."""
        entry = self._found(id)
        if entry is None or (dialect is not None and entry.job.dialect != dialect):
            return None
        return entry.job if _may_see(caller, entry.job) else None

    def find_by_media_key(self, key: str) -> Job | None:
        """The job whose files a media key opens."""
        known = self._by_media.get(key)
        if known is not None and (entry := self._found(known)) is not None:
            return entry.job
        job = self._store.by_media_key(key)
        if job is not None:
            self._by_media[key] = job.id
            while len(self._by_media) > REMEMBERED:
                self._by_media.popitem(last=False)
        return job

    def position(self, job: Job) -> int:
        """See `Desk.position`."""
        if self._positions is None:
            self._positions = {entry.job.id: n for n, entry in enumerate(self._waiting())}
        return self._positions.get(job.id, 0)

    def logs(self, job: Job, start: int = 0) -> list[LogLine]:
        """See `Desk.logs`."""
        book = self._read(job)
        return [] if book is None else [
            LogLine(self._scrub(line.message), line.level, line.timestamp) for line in book.lines[start:]
        ]  # fmt: skip

    def progress(self, job: Job) -> float:
        """See `Desk.progress`."""
        if not job.live:
            return 1.0 if job.state == "completed" else 0.0
        book = self._read(job)
        return 0.0 if book is None else book.done

    def run(self, job: Job) -> Run | None:
        """See `Desk.run`."""
        book = self._read(job)
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
        jobs = self._store.list(
            owner, dialect=dialect, states=states, after=after, limit=limit + 1, ascending=ascending
        )
        # memory is ahead of the disk by as much as one write takes
        jobs = [self._live[job.id].job if job.id in self._live else job for job in jobs]
        return Page(jobs[:limit], len(jobs) > limit)

    async def cancel(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """See `Desk.cancel`."""
        entry = self._found(id)
        if entry is None or not _may_see(caller, entry.job):
            return "unknown"
        if not entry.job.live:
            return "over"
        if entry.job.state == "queued":
            await self._end(entry, Over(id=id, state="cancelled", problem=CANCELLED))
            return "removed"
        if not entry.job.cancelling:
            await self._save(entry, cancelling=True)
            self._engine.cancel(id)
        return "requested"

    async def delete(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """See `Desk.delete`."""
        done = await self.cancel(id, caller)
        entry = self._found(id)
        if entry is None or done == "unknown":
            return "unknown"
        if entry.job.live:
            entry.removing = True
        else:
            await self._forget(entry.job)
        return done

    async def changed(self, job: Job, *, lines: int, timeout: float) -> Job:  # noqa: ASYNC109
        """See `Desk.changed`."""
        until = time.monotonic() + timeout
        while True:
            entry = self._found(job.id)
            if entry is None or entry.job.state != job.state or not entry.job.live:
                return job if entry is None else entry.job
            news = entry.changed
            book = self._read(entry.job)
            if book is not None and len(book.lines) > lines:
                return entry.job
            rest = until - time.monotonic()
            if rest <= 0:
                return entry.job
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), rest)

    async def ended(self, job: Job, *, timeout: float | None = None) -> Job:  # noqa: ASYNC109
        """See `Desk.ended`."""
        async with asyncio.timeout(timeout):
            entry = self._found(job.id)
            while entry is not None and entry.job.live:
                await entry.changed.wait()
                entry = self._found(job.id)
        return job if entry is None else entry.job

    async def events(self, job: Job, *, after: int = 0) -> AsyncIterator[tuple[int, str]]:
        """See `Desk.events`."""
        folder, number, offset = self.folder(job), after, 0
        while True:
            entry = self._found(job.id)
            news = None if entry is None else entry.changed
            live = entry is not None and entry.job.live
            found = await self._on_files(lambda n=number, o=offset: list(raw(folder, n, o)))  # type: ignore[misc]
            for at, line in found:
                number = at
                yield at, line.decode("utf-8", "replace").rstrip("\n")
            if not live or news is None:
                return
            offset = 0 if not found and not offset else offset
            await news.wait()

    def folder(self, job: Job) -> Path:
        """See `Desk.folder`."""
        return self._places.run(job.id)

    def facts(self) -> dict[str, Any]:
        """See `Desk.facts`."""
        live = Counter(entry.job.state for entry in self._live.values())
        return {
            "queued": live["queued"],
            "running": live["running"],
            "jobs": self._store.counts(),
            "draining": self.draining,
            "engine_pid": self._engine.pid,
        }

    # ---- inside

    def _found(self, id_: str) -> _Entry | None:
        entry = self._live.get(id_) or self._over.get(id_)
        if entry is not None:
            return entry
        job = self._store.get(id_) if len(id_) <= 80 else None
        return None if job is None else self._remember(_Entry(job, 0, Book(self._places.run(id_))))

    def _remember(self, entry: _Entry) -> _Entry:
        self._over[entry.job.id] = entry
        self._over.move_to_end(entry.job.id)
        while len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
        return entry

    def _read(self, job: Job) -> Book | None:
        entry = self._found(job.id)
        if entry is None:
            return None
        if entry.fresh:
            entry.fresh = False
            entry.book.read()
        return entry.book

    def _enter(self, job: Job, seq: int) -> _Entry:
        entry = self._live[job.id] = _Entry(job, seq, Book(self._places.run(job.id)))
        self._positions = None
        self._note(job)
        return entry

    def _waiting(self) -> Sequence[_Entry]:
        waiting = (entry for entry in self._live.values() if entry.job.state == "queued")
        return sorted(waiting, key=lambda entry: (-entry.job.priority, entry.seq))

    def _fill(self) -> None:
        """Begin what waits as far as there is room."""
        if self.draining:
            return
        running = Counter(entry.job.owner for entry in self._live.values() if entry.job.state == "running")
        free, most = self._limits.max_running - running.total(), self._limits.max_running_per_key
        if free <= 0:
            return
        for entry in self._waiting():
            owner = entry.job.owner
            if most is not None and running[owner] >= most:
                continue
            running[owner] += 1
            entry.job = entry.job.model_copy(update={"state": "running", "started_at": datetime.now(UTC)})
            self._positions = None
            self._spawn(self._begin(entry))
            free -= 1
            if free <= 0:
                return

    async def _begin(self, entry: _Entry) -> None:
        self._note(entry.job)
        await self._on_disk(partial(self._store.save, entry.job))
        entry.tell()
        if entry.job.live:
            self._engine.begin(entry.job)

    def _hear(self, message: Told | Over) -> None:
        entry = self._live.get(message.id)
        if entry is None:
            return
        entry.fresh = True
        if isinstance(message, Told):
            entry.tell()
        else:
            self._spawn(self._end(entry, message))

    def _mourn(self) -> None:
        """The engine died: what it carried is begun again, but for a job that kills it each time."""
        for entry in list(self._live.values()):
            if entry.job.state != "running":
                continue
            entry.deaths += 1
            if entry.job.cancelling:
                self._spawn(self._end(entry, Over(id=entry.job.id, state="cancelled", problem=CANCELLED)))
            elif entry.deaths >= DEATHS:
                why = f"the process that carried this request died {DEATHS} times; it is not tried again"
                problem = Problem(status=500, type="runner_server_error", message=why)
                self._spawn(self._end(entry, Over(id=entry.job.id, state="failed", problem=problem)))
            else:
                self._engine.begin(entry.job)

    async def _end(self, entry: _Entry, over: Over) -> None:
        if not entry.job.live:
            return
        now = datetime.now(UTC)
        changes: dict[str, Any] = {
            "state": over.state,
            "ended_at": now,
            "result": over.result,
            "problem": over.problem,
            "cancelling": False,
        }
        job = entry.job.model_copy(update=changes)
        if job.started_at is not None:
            self._durations = [*self._durations[-99:], (now - job.started_at).total_seconds()]
        if job.webhook is not None and self._announce is not None:
            try:
                await self._announce(job)  # first: what a kill cuts off here is announced by the next server
            except Exception:
                log.exception("the end of %s could not be announced", job.id)
        await self._on_disk(partial(self._store.save, job, over.bytes))
        entry.job = job
        self._live.pop(job.id, None)
        self._positions = None
        self._remember(entry)
        self._note(job)
        entry.tell()
        self._spawn(self._on_files(partial(shutil.rmtree, self._places.inputs(job.id), ignore_errors=True)))
        if entry.removing:
            await self._forget(job)
        self._fill()

    async def _save(self, entry: _Entry, **changes: Any) -> None:
        entry.job = entry.job.model_copy(update=changes)
        await self._on_disk(partial(self._store.save, entry.job))
        entry.tell()

    async def _forget(self, job: Job) -> None:
        """Remove all that is kept of a job that is over."""
        await self._on_disk(partial(self._store.remove, job.id))
        self._over.pop(job.id, None)
        self._by_media.pop(job.media_key, None)
        for folder in (self._places.run(job.id), self._places.inputs(job.id)):
            await self._on_files(partial(shutil.rmtree, folder, ignore_errors=True))

    async def _watch(self) -> None:
        """Fail what could not start in time, and forget what was kept long enough."""
        housed = 0.0
        while True:
            try:
                await self._expire()
                if time.monotonic() - housed > HOUSE_SECONDS:
                    housed = time.monotonic()
                    await self.clean()
            except Exception:
                log.exception("housekeeping failed; it is tried again")
            await asyncio.sleep(TICK_SECONDS)

    async def _expire(self) -> None:
        now = datetime.now(UTC)
        for entry in self._waiting():
            if entry.job.start_by is not None and entry.job.start_by <= now and entry.job.state == "queued":
                problem = Problem(
                    status=504, type="request_timeout", message="it could not start within the time asked"
                )
                await self._end(entry, Over(id=entry.job.id, state="failed", problem=problem))

    async def clean(self) -> None:
        """Forget jobs that were kept as long, or that take more room, than `server.retention` says."""
        rules, now = self._served.server.retention, time.time()
        before = None if rules.days is None else now - rules.days * 86400
        for job in self._store.outlived(now, before):
            await self._forget(job)
        if rules.gib is not None:
            room = rules.gib * 2**30
            for job in [job for total, job in self._store.heaviest() if total > room]:
                await self._forget(job)

    def _sweep(self) -> None:
        """Remove what a kill left half made: folders beside the runs' that were never renamed."""
        for path in self._places.folder.glob(".*.tmp"):
            shutil.rmtree(path, ignore_errors=True)

    def _note(self, job: Job) -> None:
        for hear in self._heard:
            try:
                hear(job)
            except Exception:
                log.exception("a listener failed on a job's change")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job failed", exc_info=error)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _on_files(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, work)


def _may_see(caller: Caller, job: Job) -> bool:
    return job.owner == caller.owner or "admin" in caller.scopes


def _suffix(given: bytes | Path) -> str:
    """Of a file of ours, which has one that we chose."""
    return given.suffix if isinstance(given, Path) else ""


def _digest(new: NewJob) -> str:
    """SHA-256 of what is asked: the request and its media."""
    whole = hashlib.sha256(new.endpoint.encode())
    whole.update(new.request.model_dump_json().encode())
    whole.update(json.dumps(dict(new.wire), sort_keys=True, default=str).encode())
    for name, given in sorted(new.inputs.items()):
        whole.update(name.encode())
        whole.update(hashlib.sha256(given if isinstance(given, bytes) else given.read_bytes()).digest())
    return whole.hexdigest()


def _keep(folder: Path, names: Mapping[str, str], given: Mapping[str, bytes | Path]) -> None:
    """Write a request's media down: on the disk before the job is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in given.items():
        path = folder / names[name]
        if isinstance(data, Path):
            try:
                os.link(data, path)
            except OSError:
                shutil.copyfile(data, path)
        else:
            path.write_bytes(data)
        with path.open("rb") as file:
            os.fsync(file.fileno())
