"""The course of one render: submitted, followed, sent again when it was lost, and taken back when nobody waits."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from generator.pool import Pool
from generator.types import BackendError
from generator.vllm_omni import slip
from generator.vllm_omni.cleaning import bounded
from generator.vllm_omni.failures import BusyError, LostError, SilentError, failure
from generator.vllm_omni.following import Following
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.request import Request
from generator.vllm_omni.slip import Job
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.wire import Record, Wire
from generator.watchdog import Watchdog

log = logging.getLogger("generator.vllm_omni")


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
    stalled: dict[str, str] = field(default_factory=dict)
    """By endpoint, the job that stands still there: the endpoint is well again once it has ended."""


class Course:
    """One render, from its first submission to the file.

    Args:
        shared: of the backend.
        request: what is asked for.
        to: the clip's place: the job's slip lies beside it.
        telling: hears of it.
    """

    def __init__(self, shared: Shared, request: Request, to: Path, telling: Telling) -> None:
        self._shared, self._request, self._to, self._telling = shared, request, to, telling
        self._job: Job | None = None
        self._following: Following | None = None
        self._submitting: tuple[str, asyncio.Task[Record]] | None = None
        self._left: list[Job] = []
        self._refused_since: float | None = None
        self._resubmissions = 0
        self._inherited = False
        self._stall_seconds = 0.0
        self.attempts = 0
        self.lost_seconds = 0.0
        self.queue_seconds = 0.0
        self.render_seconds: float | None = None

    async def download(self, part: Path, most_bytes: int) -> tuple[Job, Record]:
        """Have the clip rendered and write it to `part`.

        Raises:
            RenderError: the server could not, or would not.
            BackendError: no server does, or the render was lost once too often.
            OSError: the disk failed.
        """
        pending = slip.read(self._to, self._request.hash)
        self._job = pending if pending is not None and pending.url in self._shared.pool.urls else None
        self._inherited = self._job is not None
        self.attempts = 1 if self._job else 0
        # back to where the job is, if that server is there at all
        avoid = [url for url in self._shared.pool.urls if self._job and url != self._job.url]
        url = ""
        while True:
            asked = time.monotonic()
            self._telling.queued(self.queue_seconds)
            try:
                async with self._shared.pool.turn(avoid=avoid) as url:
                    self.queue_seconds += time.monotonic() - asked
                    job, record = await self._held(url)
                # the server is free for the next one meanwhile
                self._telling.delivering(url)
                await self._shared.wire.download(url, job.id, part, most_bytes)
            except BusyError as busy:
                self._refused(url, busy)
                avoid = [url]
            except LostError as lost:
                self._lost(url, lost)
                avoid = [url]
            except asyncio.CancelledError:
                await bounded(self._abandon(), self._shared.limits.cleanup)
                raise
            else:
                return job, record

    async def _held(self, url: str) -> tuple[Job, Record]:
        """Render at `url` while its turn is ours; what is left there when we are cancelled still counts as load."""
        try:
            return await self._at(url)
        except asyncio.CancelledError:
            await bounded(self._abandon(), self._shared.limits.cleanup)
            raise

    async def _at(self, url: str) -> tuple[Job, Record]:
        shared = self._shared
        adopted = self._job is not None and self._job.url == url
        if self._job is None or not adopted:
            self._job = await self._submit(url)
        job = self._job
        following = self._following = Following(
            shared.wire, job, self._request.cost, shared.watchdog, shared.limits, self._telling, adopted=adopted
        )
        try:
            record = await following.to_end()
        finally:
            self.queue_seconds += following.queue_seconds
        if record.status == "failed":
            error = failure(url, *((record.error.code, record.error.message) if record.error else ("", "")))
            if isinstance(error, BackendError):
                shared.pool.set_aside(url, "it ran out of memory")
            raise error
        if adopted:  # what it seemed to have lost, it has not
            self.lost_seconds -= self._stall_seconds
        self.render_seconds = following.render_seconds
        if self.render_seconds is not None:
            shared.watchdog.ended(url, self._request.cost, self.render_seconds)
        return job, record

    async def _submit(self, url: str) -> Job:
        if self._job is not None:  # its server is away: it is told to stop when it can be
            self._left.append(self._job)
            self._job = None
        self._following = None
        task = asyncio.create_task(self._shared.wire.submit(url, self._request))
        self._submitting = url, task
        self.attempts += 1
        try:
            record = await asyncio.shield(task)
        except BusyError:
            self.attempts -= 1
            raise
        self._submitting, self._refused_since = None, None
        job = self._job = Job(url=url, id=record.id, request=self._request.hash)
        slip.write(self._to, job)
        if record.model is not None and record.model not in self._shared.served.get(url, [record.model]):
            why = f"it serves {record.model} now"
            self._shared.pool.set_aside(url, why)
            raise BackendError(f"{url} was restarted: {why}. Start it with the run's model, or take it out.")
        return job

    def _refused(self, url: str, busy: BusyError) -> None:
        now, patience = time.monotonic(), self._shared.limits.patience
        self._refused_since = self._refused_since or now
        self._shared.pool.set_aside(url, str(busy))
        if now - self._refused_since > patience:
            raise BackendError(
                f"No rendering server has taken the render for {patience:g} s; the last was {url}: {busy}. "
                "Start more servers, or ask for less at once."
            ) from busy

    def _lost(self, url: str, lost: LostError) -> None:
        shared, job = self._shared, self._job
        seconds = self._following.worked_seconds if self._following else 0.0
        self.lost_seconds += seconds
        shared.pool.set_aside(url, str(lost))
        if lost.stalled and job is not None and self._following is not None:
            shared.stalled[url] = self._following.blocking or job.id
        keeps = job is not None and shared.stalled.get(url) == job.id
        self._stall_seconds = seconds if keeps else 0.0
        if job is not None and not keeps:
            self._left.append(job)
            self._job = None
        # a job that a killed session left costs no resubmission: this one has not submitted any
        inherited, self._inherited = self._inherited, False
        if self._resubmissions >= shared.resubmit and not inherited:
            raise BackendError(
                f"{url} lost the render: {lost}. It was sent {self.attempts} time(s); more are allowed by "
                "generator.resubmit. Restart the server if it does not recover."
            ) from lost
        self._resubmissions += not inherited
        log.warning("render lost at %s: %s; it is sent again", url, lost)
        self._telling.resubmitted(seconds, url, f"{url} lost the render: {lost}. It is sent again.")

    async def _abandon(self) -> None:
        """Say that nobody waits any more, and find out what that costs."""
        shared, following = self._shared, self._following
        if self._submitting is not None:
            url, task = self._submitting
            with suppress(Exception):  # what came of a submission that failed is no matter any more
                self._job = Job(url=url, id=(await task).id, request=self._request.hash)
            self._submitting = None
        job, self._job = self._job, None
        if job is None:
            return
        worked = following.worked_seconds if following else 0.0
        status = "in_progress" if worked else "queued"  # as we saw it last, where the server says no more
        with suppress(SilentError, BackendError, TimeoutError):
            async with asyncio.timeout(shared.limits.cleanup / 2):
                record = await shared.wire.record(job.url, job.id)
                status = record.status if record else "failed"
                await shared.wire.delete(job.url, job.id)
        if status in ("queued", "failed"):
            return
        expected = shared.watchdog.expected(job.url, self._request.cost)
        rest = 0.0
        if status == "in_progress" and expected is not None:
            rest = max(expected - worked, worked / 4)  # what took longer than expected still takes a while
        shared.pool.occupied(job.url, rest)
        more = f" for about {rest:.0f} s more" if rest else ""
        note = f"Nobody waits for this render any more; {job.url} cannot stop it and goes on{more}."
        if status == "completed":
            note = f"Nobody waits for this render any more; {job.url} had just ended it."
        self._telling.abandoned(worked, job.url, note)

    async def forget(self) -> None:
        """Delete at the servers what nobody will ask for again: the finished job, and those that were lost."""
        jobs = [*self._left, *([self._job] if self._job else [])]
        self._left, self._job = [], None
        await asyncio.gather(*(self._delete(job) for job in jobs if self._shared.stalled.get(job.url) != job.id))

    async def _delete(self, job: Job) -> None:
        with suppress(SilentError):
            await self._shared.wire.delete(job.url, job.id)
