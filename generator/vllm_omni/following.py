"""One job, followed to its end: its times measured here, and given up when it stalls."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from generator.job_slip import Job
from generator.vllm_omni.failures import LostError, SilentError
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.shared import Watched
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.wire import Record, Wire
from generator.watchdog import QueueWatch, Watchdog


@dataclass(frozen=True)
class Patience:
    """How much a job's server is put up with."""

    away: float
    """Seconds that it may be silent, before the job is given up."""
    idle: float
    """Seconds that a queue may stand still in which nothing is seen to run."""
    on_away: Callable[[str], None]
    """Hears why, whenever the server turns out to be silent: nothing more shall be sent there meanwhile."""


class Following:
    """Follows a job.

    Args:
        wire: asks its server.
        job: the job.
        cost: its render's `watchdog.work`.
        watchdog: says when it has stalled.
        limits: how often it is asked after.
        telling: hears of it.
        patience: with its server.
        adopted: it is not followed from its submission: when it began is not known.
    """

    def __init__(
        self,
        wire: Wire,
        job: Job,
        cost: float,
        watchdog: Watchdog,
        limits: Limits,
        telling: Telling,
        patience: Patience,
        *,
        adopted: bool,
    ) -> None:
        self.job = job
        self._wire, self._cost, self._watchdog = wire, cost, watchdog
        self._limits, self._telling, self._patience = limits, telling, patience
        self._start = time.monotonic()
        self._last_queued = None if adopted else self._start
        self._first_working: float | None = None
        self._end: float | None = None
        self._silent_since: float | None = None
        self._looked = self._start
        self.blocking = Watched(job.id, "in_progress")
        """What the server stands still over, once it does."""
        self._queue = QueueWatch(stall_seconds=watchdog.stall_seconds, idle_seconds=patience.idle)

    @property
    def queue_seconds(self) -> float:
        """In the server's queue, as far as we saw."""
        return (self._began or self._end or time.monotonic()) - self._start

    @property
    def worked_seconds(self) -> float:
        """What the server has worked on it, as far as we saw: 0 while it waits."""
        began = self._began
        return 0.0 if began is None else (self._end or time.monotonic()) - began

    @property
    def render_seconds(self) -> float | None:
        """From the start of the work to its end. None: nobody saw it start."""
        return None if self._last_queued is None or self._end is None else self.worked_seconds

    @property
    def _began(self) -> float | None:
        # it began between the last look that saw it wait and the first that did not
        if self._first_working is not None:
            return self._first_working
        return self._last_queued if self._end is not None else None

    async def to_end(self) -> Record:
        """Wait until the job is completed or failed.

        Raises:
            LostError: the server is away or forgot it, it stalled, or the queue before it stands still.
            FaultError: the server wants another key.
        """
        while True:
            record = await self._look()
            if record is not None:
                if record.status in ("completed", "failed"):
                    self._end = time.monotonic()
                    return record
                await self._judge(record)
            waited = self.worked_seconds if self._first_working is not None else self.queue_seconds
            await asyncio.sleep(self._limits.pause(waited))

    async def _look(self) -> Record | None:
        """The job's record; None where the server was silent, which it may be for a while."""
        try:
            record = await self._wire.record(self.job.url, self.job.id)
        except SilentError as error:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            silent = now - self._silent_since
            if error.dead or silent > self._limits.silent:
                self._patience.on_away(str(error))
                if silent > self._patience.away:
                    raise LostError(f"it has not answered for {silent:.0f} s: {error}", gone=False) from error
            return None
        self._silent_since = None
        if record is None:
            raise LostError("it no longer knows the job: it was restarted")
        return record

    async def _judge(self, record: Record) -> None:
        now = time.monotonic()
        if record.status == "queued":
            self._last_queued = now
            self._telling.queued(self.queue_seconds, self.job.url)
            if now - self._looked >= self._limits.queue_look:
                self._looked = now
                await self._look_at_queue()
            return
        self._first_working = self._first_working or now
        self._telling.rendering(self.worked_seconds, self.job.url)
        limit = self._watchdog.limit(self.job.url, self._cost)
        if self.worked_seconds > limit:
            raise LostError(
                f"the render did not end within {limit:.0f} s; out of memory, a server leaves jobs so for ever",
                gone=False,
                stalled=True,
            )

    async def _look_at_queue(self) -> None:
        try:
            jobs = await self._wire.jobs(self.job.url)
        except SilentError:
            return  # whether it is dead shows when the job itself is asked after
        running = [job.id for job in jobs if job.status == "in_progress"]
        before = [job.id for job in jobs if job.status == "queued"]
        ahead = before.index(self.job.id) if self.job.id in before else 0
        still = self._queue.still(running, ahead, time.monotonic())
        if still is not None:
            self.blocking = Watched(running[0], "in_progress") if running else Watched(self.job.id, "queued")
            raise LostError(f"its queue has stood still for {still:.0f} s", gone=False, stalled=True)
