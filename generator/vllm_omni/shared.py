"""What all renders of a backend have in common: the servers, and the jobs there that nobody waits for."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from generator.job_slip import Job
from generator.pool import Pool
from generator.vllm_omni.failures import SilentError
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.wire import Record, Wire
from generator.watchdog import Watchdog


@dataclass(frozen=True)
class Watched:
    """A job, ours or another client's, that an endpoint stands still over."""

    id: str
    status: str
    """In which it stands still: the endpoint is well again once the job has left it."""


@dataclass
class Shared:
    """What all renders of a backend have in common."""

    wire: Wire
    pool: Pool
    watchdog: Watchdog
    limits: Limits
    resubmit: int
    """How often a lost render is sent again."""
    served: dict[str, list[str]] = field(default_factory=dict)
    """By endpoint, the names of what it serves."""
    stalled: dict[str, Watched] = field(default_factory=dict)
    """By endpoint, what it stands still over."""
    unseen: dict[str, float] = field(default_factory=dict)
    """By endpoint, the work of a render of ours that was deleted there while it ran: it goes on, and no list shows
    it."""
    unwanted: list[Job] = field(default_factory=list)
    """Jobs of ours that are still to be deleted."""
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    async def delete(self, job: Job, seconds: float) -> bool:
        """Have a job of ours deleted, now or later. One that its server stands still over is kept as the sign of that.

        Args:
            job: ours, never another client's.
            seconds: that it may take.

        Returns:
            Whether the server has confirmed it.
        """
        if job not in self.unwanted:  # first of all: whoever is cancelled over it has not forgotten it
            self.unwanted.append(job)
        if self.stalled.get(job.url) == Watched(job.id, "in_progress"):
            return False
        with suppress(SilentError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wire.delete(job.url, job.id)
            if job in self.unwanted:
                self.unwanted.remove(job)
            return True
        return False

    async def tidy(self, url: str) -> None:
        """Delete at one endpoint what could not be deleted before."""
        jobs = [job for job in self.unwanted if job.url == url]
        await asyncio.gather(*(self.delete(job, self.limits.cleanup) for job in jobs))

    def take_back(self, url: str, submission: asyncio.Task[Record], request: str) -> None:
        """Delete the job of a submission whose answer nobody waits for, when that comes."""

        async def late() -> None:
            with suppress(Exception):  # one that failed has left nothing
                job = Job(url=url, id=(await submission).id, request=request)
                await self.delete(job, self.limits.cleanup)

        task = asyncio.create_task(late())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def close(self) -> None:
        """Delete what is still unwanted: nobody comes back for it."""
        self.stalled.clear()
        if self._late:
            await asyncio.wait(self._late, timeout=self.limits.cleanup)
        for task in tuple(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await asyncio.gather(*(self.tidy(url) for url in {job.url for job in self.unwanted}))
