"""From waiting to over: who is begun when, what the engine tells of it, and what is written down at its end."""

import asyncio
import itertools
import logging
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from agent.errors import StorageError
from agent.server.admission import Admission
from agent.server.config import LimitsConfig
from agent.server.engine.messages import Over, Told
from agent.server.engine.work import CANCELLED
from agent.server.entries import Entries, Entry
from agent.server.holding import Backends, Holding
from agent.server.mourning import Mourning
from agent.server.places import Places
from agent.server.store import Store
from agent.server.types import Job
from agent.server.workers import Workers

log = logging.getLogger(__name__)

DISK_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Before the end of a job is written down once more, where the disk was full or failed."""
WAITING: Final = {"state": "queued", "started_at": None, "start_by": None}
"""What is different of a job that ran and waits again."""


class Carries(Protocol):
    """What carries jobs out: `agent.server.engine.parent.Engine`."""

    @property
    def pid(self) -> int | None:
        """Of its process."""

    async def start(self) -> None:
        """Be there from now on."""

    def begin(self, job: Job) -> None:
        """Carry a job out."""

    def cancel(self, id: str) -> None:  # noqa: A002 - the noun's own field
        """End a job."""

    async def stop(self) -> None:
        """Be gone."""


MakeEngine = Callable[[Callable[[Told | Over], None], Callable[[], None]], Carries]
"""From who hears its messages, and who hears of its death."""


class Carrier:
    """Begins what waits as far as there is room, and ends what is over.

    Args:
        limits: how much may run at once.
        store: the jobs on disk.
        entries: the jobs in memory.
        admission: told how long jobs run.
        places: where things lie.
        workers: the disk's threads.
        make_engine: what carries jobs out.
        heard: hear of each change of a job's state.
        announce: makes the end of a job with a webhook known; when it returns that is on disk.
        backends: asked whether a model's backends answer; None: nobody is.
    """

    def __init__(
        self,
        limits: LimitsConfig,
        store: Store,
        entries: Entries,
        admission: Admission,
        places: Places,
        workers: Workers,
        make_engine: MakeEngine,
        *,
        heard: Sequence[Callable[[Job], None]] = (),
        announce: Callable[[Job], Awaitable[None]] | None = None,
        backends: Backends | None = None,
    ) -> None:
        self._limits = limits
        self._holding = Holding(limits.backend_seconds, backends)
        self._store = store
        self._entries = entries
        self._admission = admission
        self._places = places
        self._workers = workers
        self._heard = heard
        self._announce = announce
        self._mourning = Mourning(entries, self._begun, self._ended)
        self.engine = make_engine(self._hear, self._mourning.died)
        self.draining = False
        """Whether nothing more is begun."""

    async def start(self) -> None:
        """Go on with what the last server left."""
        unwanted = set(self._store.unwanted())
        free = self._limits.max_running
        for seq, job in self._store.live():
            if job.state == "running" and not job.cancelling:
                free -= 1
                if free < 0:  # fewer may run than before: it waits again
                    job = job.model_copy(update=WAITING)  # noqa: PLW2901 - the same one
            entry = self._entries.enter(job, seq)
            entry.removing = job.id in unwanted
            self.note(job)
            if job.cancelling:
                self._ended(entry, _cancelled(job))
        for id_ in unwanted:
            if (known := self._entries.found(id_)) is not None and not known.job.live:
                self._workers.spawn(self.forget(known.job))
        await self.engine.start()
        for entry in self._entries.running():
            if not entry.job.cancelling:
                self.engine.begin(entry.job)
        self.fill()

    def fill(self) -> None:
        """Begin what waits as far as there is room."""
        running = Counter(entry.job.owner for entry in self._entries.running())
        free, most = self._limits.max_running - running.total(), self._limits.max_running_per_key
        if self.draining or free <= 0:
            return
        for entry in self._entries.waiting():
            owner = entry.job.owner
            if entry.ending:
                continue  # its end is on its way to the disk: nothing is written over it
            if most is not None and running[owner] >= most:
                continue
            if self._holding.waits(entry):
                continue
            running[owner] += 1
            entry.job = entry.job.model_copy(update={"state": "running", "started_at": datetime.now(UTC)})
            self._entries.moved()
            self._workers.spawn(self._begin(entry))
            free -= 1
            if free <= 0:
                return

    async def cancel(self, entry: Entry) -> bool:
        """End a job that lives. Returns whether that is done: one that runs, or is being written down, takes a while.

        Raises:
            StorageError: it waits, and goes on waiting: the disk failed.
        """
        if entry.ending:
            return False
        if entry.job.state == "queued" or entry.held:
            await self.end(entry, _cancelled(entry.job), patient=False)
            return True
        if not entry.job.cancelling:
            entry.job = entry.job.model_copy(update={"cancelling": True})
            await self._noted(entry.job)
            entry.tell()
            self.engine.cancel(entry.job.id)
        return False

    async def end(self, entry: Entry, over: Over, *, patient: bool = True) -> None:
        """A job is over: announced, written down, told.

        Args:
            entry: the job.
            over: what came of it.
            patient: a full disk is waited for, and the job lives until then. False: it goes on living.

        Raises:
            StorageError: the disk failed, and it is not waited for.
        """
        if not entry.job.live or entry.ending:
            return
        entry.ending = True
        now = datetime.now(UTC)
        changes: dict[str, Any] = {
            "state": over.state,
            "ended_at": now,
            "cancelling": False,
            "result": over.result,
            "problem": over.problem,
        }
        if entry.job.keep_until is not None:
            # as long as was asked, counted from here: a result may not be gone before anybody could fetch it
            changes["keep_until"] = now + (entry.job.keep_until - entry.job.created_at)
        job = entry.job.model_copy(update=changes)
        if job.started_at is not None:
            self._admission.took((now - job.started_at).total_seconds())
        try:
            await self._written(job, over.bytes, patient=patient)
        except StorageError:
            entry.ending = False
            self.fill()  # it was passed over meanwhile
            raise
        entry.job = job
        self._entries.leave(entry)
        self._mourning.next()
        self.note(job)
        entry.tell()
        await self._workers.on_files(partial(shutil.rmtree, self._places.inputs(job.id), ignore_errors=True))
        if entry.removing:
            await self.forget(job)
        self.fill()

    async def forget(self, job: Job) -> None:
        """Remove all that is kept of a job that is over.

        Its files go first: what a kill cuts off is then found again, and a full disk has room to write that down.

        Raises:
            StorageError: the disk failed; it is forgotten with the next cleaning.
        """
        if (entry := self._entries.found(job.id)) is not None:
            entry.removing = True
        for folder in (self._places.run(job.id), self._places.inputs(job.id)):
            await self._workers.on_files(partial(shutil.rmtree, folder, ignore_errors=True))
        await self._workers.on_disk(partial(self._store.remove, job.id))
        self._entries.forget(job)

    async def unwant(self, entry: Entry) -> None:
        """Forget a job once it is over, whichever server ends it."""
        entry.removing = True
        try:
            await self._workers.on_disk(partial(self._store.unwant, entry.job.id))
        except StorageError as error:
            log.error("that %s is to be removed is not on the disk: %s", entry.job.id, error)  # noqa: TRY400 - as below

    def note(self, job: Job) -> None:
        """Let the listeners hear of a job's state."""
        for hear in self._heard:
            try:
                hear(job)
            except Exception:
                log.exception("a listener failed on a job's change")

    async def _written(self, job: Job, size: int, *, patient: bool) -> None:
        announced = False
        for wait in itertools.chain(DISK_SECONDS, itertools.repeat(DISK_SECONDS[-1])):
            try:
                if not announced:
                    await self._announced(job)  # first: what a kill cuts off here is announced by the next server
                    announced = True
                await self._workers.on_disk(partial(self._store.save, job, size))
            except StorageError as error:
                if not patient:
                    raise
                log.error("the end of %s is not on the disk yet: %s", job.id, error)  # noqa: TRY400 - it says it all
                await asyncio.sleep(wait)
            else:
                return

    async def _announced(self, job: Job) -> None:
        """Make it known to its webhook.

        Raises:
            StorageError: the disk is full, or fails for now. One that cannot be announced ever is over all the same.
        """
        if job.webhook is None or self._announce is None:
            return
        try:
            await self._announce(job)
        except Exception as error:
            if isinstance(error, StorageError) and isinstance(error.__cause__, sqlite3.OperationalError):
                raise
            log.exception("the end of %s could not be announced", job.id)

    async def _noted(self, job: Job) -> None:
        """Write down what the next server would find out by itself, where the disk lets it."""
        try:
            await self._workers.on_disk(partial(self._store.save, job))
        except StorageError as error:
            log.error("%s goes on, though it could not be written down: %s", job.id, error)  # noqa: TRY400 - as above

    async def _begin(self, entry: Entry) -> None:
        self.note(entry.job)
        await self._noted(entry.job)
        entry.tell()
        if entry.job.live and not entry.ending:
            self.engine.begin(entry.job)
            if entry.job.cancelling:
                self.engine.cancel(entry.job.id)

    def _hear(self, message: Told | Over) -> None:
        entry = self._entries.live(message.id)
        if entry is None:
            return
        entry.fresh = True
        if isinstance(message, Over):
            self._workers.spawn(self._heard_over(entry, message))
        else:
            entry.tell()

    async def _heard_over(self, entry: Entry, over: Over) -> None:
        """The engine is done with a job: it is over, or waits for backends that went away."""
        waits = not entry.job.cancelling and await self._holding.again(entry, over)
        if entry.job.cancelling and over.state == "failed":
            over = _cancelled(entry.job)  # it was taken back while that was found out
        if entry.job.cancelling or entry.ending or not waits:
            await self.end(entry, over)
            return
        log.warning("%s waits for the backends of %s, which went away", entry.job.id, entry.job.request.model)
        entry.job = entry.job.model_copy(update=WAITING)
        self._entries.moved()
        self._mourning.next()
        self.note(entry.job)
        await self._noted(entry.job)
        entry.tell()
        self.fill()

    def _begun(self, job: Job) -> None:
        self.engine.begin(job)

    def _ended(self, entry: Entry, over: Over) -> None:
        self._workers.spawn(self.end(entry, over))


def _cancelled(job: Job) -> Over:
    return Over(id=job.id, state="cancelled", problem=CANCELLED)
