"""From waiting to over: who is begun when, what the engine tells of it, and what is written down at its end."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.errors import StorageError
from agent.server.admission import Admission
from agent.server.config import LimitsConfig
from agent.server.engine.messages import Over, Told
from agent.server.engine.work import CANCELLED
from agent.server.entries import Entries, Entry
from agent.server.holding import Backends, Holding
from agent.server.mourning import Mourning
from agent.server.recording import Recorder, ended
from agent.server.store import Store
from agent.server.types import Job
from agent.server.workers import Workers

log = logging.getLogger(__name__)

WAITING: Final = {"state": "queued", "started_at": None, "start_by": None}
"""What is different of a job that ran and waits again."""


class Carries(Protocol):
    """What carries jobs out: `agent.server.engine.parent.Engine`."""

    @property
    def away(self) -> bool:
        """Whether its process was lost, and no other works yet."""

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
        recorder: writes down and tells what becomes of them.
        workers: for what nobody waits for.
        make_engine: what carries jobs out.
        backends: asked whether a model's backends answer; None: nobody is.
    """

    def __init__(
        self,
        limits: LimitsConfig,
        store: Store,
        entries: Entries,
        admission: Admission,
        recorder: Recorder,
        workers: Workers,
        make_engine: MakeEngine,
        *,
        backends: Backends | None = None,
    ) -> None:
        self._limits = limits
        self._holding = Holding(limits.backend_seconds, backends)
        self._store = store
        self._entries = entries
        self._admission = admission
        self._recorder = recorder
        self._workers = workers
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
            self._recorder.note(job)
            if job.cancelling:
                self._ended(entry, _cancelled(job))
        for id_ in unwanted:
            if (known := self._entries.found(id_)) is not None and not known.job.live:
                self._workers.spawn(self._recorder.forget(known.job))
        for entry in sorted(self._entries.running(), key=lambda entry: entry.job.started_at or entry.job.created_at):
            self._entries.begun(entry)
        await self.engine.start()
        for entry in self._entries.running():
            if not entry.job.cancelling:
                self.engine.begin(entry.job)
        self.fill()

    def fill(self) -> None:
        """Begin what waits as far as there is room."""
        free, most = self._limits.max_running - len(self._entries.running()), self._limits.max_running_per_key
        if self.draining or free <= 0:
            return
        turns = self._entries.turns()
        while free > 0 and (entry := turns.next()) is not None:
            if most is not None and turns.running(entry.job.owner) >= most:
                continue  # nor may any other of that key
            if entry.ending or self._holding.waits(entry):  # what ends is on its way to the disk, and not written over
                turns.skip(entry)
                continue
            turns.begin(entry)
            entry.job = entry.job.model_copy(update={"state": "running", "started_at": datetime.now(UTC)})
            self._entries.begun(entry)
            self._workers.spawn(self._begin(entry))
            free -= 1

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
            await self._recorder.save(entry.job)
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
        job = ended(entry.job, over, now)
        if job.started_at is not None:
            self._admission.took((now - job.started_at).total_seconds())
        try:
            await self._recorder.save_end(job, over.bytes, patient=patient)
        except StorageError:
            entry.ending = False
            self.fill()  # it was passed over meanwhile
            raise
        entry.job = job
        self._entries.leave(entry)
        self._mourning.next()
        self._recorder.note(job)
        entry.tell()
        await self._recorder.drop_inputs(job)
        if entry.removing:
            await self._recorder.forget(job)
        self.fill()

    async def _begin(self, entry: Entry) -> None:
        self._recorder.note(entry.job)
        await self._recorder.save(entry.job)
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
            # it was taken back while that was found out
            over = over.model_copy(update={"state": "cancelled", "problem": CANCELLED})
        if entry.job.cancelling or entry.ending or not waits:
            await self.end(entry, over)
            return
        log.warning("%s waits for the backends of %s, which went away", entry.job.id, entry.job.request.model)
        entry.job = entry.job.model_copy(update=WAITING)
        self._entries.waits_again()
        self._mourning.next()
        self._recorder.note(entry.job)
        await self._recorder.save(entry.job)
        entry.tell()
        self.fill()

    def _begun(self, job: Job) -> None:
        self.engine.begin(job)

    def _ended(self, entry: Entry, over: Over) -> None:
        self._workers.spawn(self.end(entry, over))


def _cancelled(job: Job) -> Over:
    return Over(id=job.id, state="cancelled", problem=CANCELLED)
