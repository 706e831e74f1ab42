"""What is left behind of a render: what it cost is told, and its jobs are deleted or kept to be found again."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from generator import job_slip
from generator.job_slip import Job
from generator.types import BackendError
from generator.vllm_omni.failures import SilentError
from generator.vllm_omni.following import Following
from generator.vllm_omni.request import Request
from generator.vllm_omni.shared import Shared
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.wire import Record

log = logging.getLogger("generator.vllm_omni")


class Leaving:
    """The jobs of one render and what has become of each: followed, kept for later, or left for good.

    Args:
        shared: of the backend.
        request: what is asked for.
        to: the clip's place: the job's slip lies beside it.
        telling: hears of it.
    """

    def __init__(self, shared: Shared, request: Request, to: Path, telling: Telling) -> None:
        self._shared, self._request, self._to, self._telling = shared, request, to, telling
        self._submitting: tuple[str, asyncio.Task[Record]] | None = None
        self._job: Job | None = None
        """At hand."""
        self._following: Following | None = None
        """Of the job at hand."""
        self._before = 0.0
        """Seconds that its server had worked on it before it was followed."""
        self._kept: tuple[Job, float] | None = None
        """A job that may still end well, though nobody follows it, and the seconds that its server worked on it. There
        is none while another is at hand."""
        self._left: list[Job] = []
        self._spent = 0.0
        """Seconds worked on jobs that were dropped, until somebody is told."""
        self.lost_seconds = 0.0

    @property
    def unfinished(self) -> bool:
        """Whether a job is known that may still give the clip."""
        return self._job is not None or self._kept is not None

    def _worked(self) -> float:
        return self._before + (self._following.worked_seconds if self._following else 0.0)

    def _keep(self) -> None:
        """The job at hand may end well later, and is asked for then."""
        if self._job is not None:
            self._kept = self._job, self._worked()
        self._job, self._following, self._before = None, None, 0.0

    def _take_up(self, url: str) -> Job | None:
        """The job kept for later is at hand again, if it is at `url`."""
        if self._kept is None or self._kept[0].url != url:
            return None
        (job, self._before), self._kept = self._kept, None
        self._job = job
        return job

    def _drop(self) -> None:
        """The job at hand, if there is one, gives nothing."""
        if self._job is not None:
            self._spent += self._worked()
            self._left.append(self._job)
            job_slip.remove(self._to)
        self._job, self._following, self._before = None, None, 0.0

    def _leave(self, why: str) -> None:
        """The job kept for later is not waited for any longer: it has been sent again."""
        if self._kept is not None:
            (job, self._spent), self._kept = self._kept, None
            self._left.append(job)
            self._lose(job.url, f"Its job at {job.url} is given up: {why}", again=True)

    def _lose(self, url: str, note: str, *, again: bool) -> None:
        """Tell and count what was dropped since the last time."""
        seconds, self._spent = self._spent, 0.0
        self.lost_seconds += seconds
        if again:
            log.warning("%s", note)
            self._telling.resubmitted(seconds, url, note)
        elif seconds:
            self._telling.abandoned(seconds, url, note)

    def spoilt(self, note: str) -> None:
        """What was rendered is of no use: tell what it took."""
        url = self._job.url if self._job else self._left[-1].url if self._left else ""
        self._drop()
        self._lose(url, note, again=False)

    async def abandon(self) -> None:
        """Say that nobody waits any more, and find out what that costs."""
        if self._submitting is not None:
            await self._catch_up(*self._submitting)
        kept, self._kept = self._kept, None
        worked = self._worked()
        if self._job is None and kept is not None:
            self._job, worked = kept
        job, self._job = self._job, None
        if job is None:
            return
        self._following, self._before = None, 0.0
        shared, seconds = self._shared, self._shared.limits.cleanup / 4
        status = "in_progress" if worked else "queued"  # as we saw it last, where the server says no more
        with suppress(SilentError, BackendError, TimeoutError):
            async with asyncio.timeout(seconds):
                record = await shared.wire.record(job.url, job.id)
                status = record.status if record else "failed"
        deleted = await shared.delete(job, seconds)
        if deleted and not worked and status in ("queued", "failed"):
            return
        rest = 0.0
        if status == "in_progress":
            expected = shared.watchdog.expected(job.url, self._request.cost)
            if expected is not None:  # what took longer than expected still takes a while
                rest = max(expected - worked, worked / 4)
            shared.unseen[job.url] = self._request.cost
            shared.pool.occupied(job.url, rest)
        more = f" for about {rest:.0f} s more" if rest else ""
        note = f"Nobody waits for this render any more; {job.url} cannot stop it and goes on{more}."
        if status == "completed":
            note = f"Nobody waits for this render any more; {job.url} had just ended it."
        elif status == "failed":
            note = f"Nobody waits for this render any more; {job.url} had just lost it."
        elif not deleted:
            note = (
                f"Nobody waits for this render any more; {job.url} has not confirmed that, and may render it{more}. "
                "It is told again."
            )
        self._telling.abandoned(worked, job.url, note)

    async def _catch_up(self, url: str, submission: "asyncio.Task[Record]") -> None:
        """Get hold of the job that is being submitted, now or, where the answer takes too long, when it comes."""
        self._submitting = None
        record = None
        try:
            async with asyncio.timeout(self._shared.limits.cleanup / 4):
                record = await asyncio.shield(submission)
        except TimeoutError:
            self._shared.take_back(url, submission, self._request.hash)
            note = f"Cancelled while it was sent to {url}: if that takes it, it is taken back as soon as it says so."
            self._telling.abandoned(0.0, url, note)
        except Exception as error:  # noqa: BLE001 - what came of a submission that failed is no matter any more
            log.info("the submission to %s that was cancelled had failed: %s", url, error)
        if record is not None:
            if self._kept is not None:
                self._left.append(self._kept[0])
                self._kept = None
            self._job = Job(url=url, id=record.id, request=self._request.hash)

    async def forget(self, *, keep: bool) -> None:
        """Delete at the servers what nobody will ask for again: the finished job, and those that were lost.

        Args:
            keep: the job that may still give the clip is for the next session.
        """
        jobs, self._left = self._left, []
        if not keep:
            jobs += [*([self._job] if self._job else []), *([self._kept[0]] if self._kept else [])]
        await asyncio.gather(*(self._shared.delete(job, self._shared.limits.cleanup) for job in jobs))
