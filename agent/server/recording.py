"""What becomes of a job, written down and told: to the disk, to its webhook, to listeners; and all of it removed."""

import asyncio
import itertools
import logging
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from agent.errors import StorageError
from agent.server.engine.messages import Over
from agent.server.entries import Entries, Entry
from agent.server.places import Places
from agent.server.store import Store
from agent.server.types import Job
from agent.server.workers import Workers

log = logging.getLogger(__name__)

DISK_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Before the end of a job is written down once more, where the disk was full or failed."""


class Recorder:
    """Keeps on the disk what memory says of jobs.

    Args:
        store: the jobs on disk.
        entries: the jobs in memory.
        places: where things lie.
        workers: the disk's threads.
        heard: hear of each change of a job's state.
        announce: makes the end of a job with a webhook known; when it returns that is on disk.
    """

    def __init__(
        self,
        store: Store,
        entries: Entries,
        places: Places,
        workers: Workers,
        *,
        heard: Sequence[Callable[[Job], None]] = (),
        announce: Callable[[Job], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._entries = entries
        self._places = places
        self._workers = workers
        self._heard = heard
        self._announce = announce

    def note(self, job: Job) -> None:
        """Let the listeners hear of a job's state."""
        for hear in self._heard:
            try:
                hear(job)
            except Exception:
                log.exception("a listener failed on a job's change")

    async def save(self, job: Job) -> None:
        """Write down what the next server would find out by itself, where the disk lets it."""
        try:
            await self._workers.on_disk(partial(self._store.save, job))
        except StorageError as error:
            # the message says it all, here and below
            log.error("%s goes on, though it could not be written down: %s", job.id, error)  # noqa: TRY400

    async def save_end(self, job: Job, size: int, *, patient: bool) -> None:
        """Announce a job that is over, and write it down.

        Args:
            job: as it is at its end.
            size: bytes that its folder takes; 0: they are counted here.
            patient: a full disk is waited for.

        Raises:
            StorageError: the disk failed, and it is not waited for.
        """
        # what no engine ended nobody has measured yet
        size = size or await self._workers.on_files(partial(self._places.size, job.id))
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
                log.error("the end of %s is not on the disk yet: %s", job.id, error)  # noqa: TRY400
                await asyncio.sleep(wait)
            else:
                return

    async def drop_inputs(self, job: Job) -> None:
        """Remove the media that came with the request of a job that is over."""
        await self._workers.on_files(partial(shutil.rmtree, self._places.inputs(job.id), ignore_errors=True))

    async def forget(self, job: Job) -> None:
        """Remove all that is kept of a job that is over.

        Its files go first: what a kill cuts off is then found again, and a full disk has room to write that down.

        Raises:
            StorageError: the disk failed; it is forgotten with the next cleaning.
        """
        if (entry := self._entries.found(job.id)) is not None:
            entry.removing = True
        await self._workers.on_files(partial(shutil.rmtree, self._places.run(job.id), ignore_errors=True))
        await self.drop_inputs(job)
        await self._workers.on_disk(partial(self._store.remove, job.id))
        self._entries.forget(job)

    async def unwant(self, entry: Entry) -> None:
        """Forget a job once it is over, whichever server ends it."""
        entry.removing = True
        try:
            await self._workers.on_disk(partial(self._store.unwant, entry.job.id))
        except StorageError as error:
            log.error("that %s is to be removed is not on the disk: %s", entry.job.id, error)  # noqa: TRY400

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


def ended(job: Job, over: Over, now: datetime) -> Job:
    """A job with what came of it."""
    changes: dict[str, Any] = {
        "state": over.state,
        "ended_at": now,
        "cancelling": False,
        "result": over.result,
        "problem": over.problem,
    }
    if job.keep_until is not None:
        # as long as was asked, counted from here: a result may not be gone before anybody could fetch it
        changes["keep_until"] = now + (job.keep_until - job.created_at)
    return job.model_copy(update=changes)
