"""The course of one render: submitted, followed, sent again when it was lost, and taken back when nobody waits."""

import asyncio
import logging
import time
from pathlib import Path

from generator import job_slip
from generator.job_slip import Job
from generator.types import BackendError, RenderError
from generator.vllm_omni.cleaning import bounded
from generator.vllm_omni.failures import BusyError, FaultError, LostError, failure
from generator.vllm_omni.following import Following, Patience
from generator.vllm_omni.leaving import Leaving
from generator.vllm_omni.request import Request
from generator.vllm_omni.shared import Shared
from generator.vllm_omni.telling import Telling
from generator.vllm_omni.wire import Record

RETURNS = 2
"""How often a render goes back to a job that it had to wait for; then the job is given up."""

log = logging.getLogger("generator.vllm_omni")


class Course(Leaving):
    """One render, from its first submission to the file.

    Args:
        shared: of the backend.
        request: what is asked for.
        to: the clip's place: the job's slip lies beside it.
        telling: hears of it.
    """

    def __init__(self, shared: Shared, request: Request, to: Path, telling: Telling) -> None:
        super().__init__(shared, request, to, telling)
        self._refused_since: float | None = None
        self._faulty: set[str] = set()
        self._returns = 0
        self._resubmissions = 0
        self._inherited = False
        self.attempts = 0
        self.queue_seconds = 0.0
        self.render_seconds: float | None = None

    @property
    def found_finished(self) -> bool:
        """Whether an earlier session had it rendered, and nobody saw how long it took."""
        return self._inherited and self.attempts == 1 and self.render_seconds is None

    async def download(self, part: Path, most_bytes: int) -> tuple[Job, Record]:
        """Have the clip rendered and write it to `part`.

        Raises:
            RenderError: the server could not, or would not.
            BackendError: no server does, or the render was lost once too often.
            OSError: the disk failed.
        """
        pending = job_slip.read(self._to, self._request.hash)
        if pending is not None and pending.url in self._shared.pool.urls:
            self._kept, self._inherited, self.attempts = (pending, 0.0), True, 1
        url = ""
        while True:
            asked = time.monotonic()
            self._telling.queued(self.queue_seconds)
            try:
                async with self._shared.pool.turn(avoid=self._avoided(url)) as url:
                    self.queue_seconds += time.monotonic() - asked
                    job, record = await self._held(url)
                # the server is free for the next one meanwhile
                self._telling.delivering(url)
                await self._shared.wire.download(url, job.id, part, most_bytes)
            except BusyError as busy:
                self._refused(url, busy)
            except LostError as lost:
                self._on_lost(url, lost)
            except FaultError as fault:
                self._on_fault(url, fault)
            except RenderError as error:
                self.spoilt(f"It gave no clip: {error}")
                raise
            except asyncio.CancelledError:
                await bounded(self.abandon(), self._shared.limits.cleanup)
                raise
            else:
                return job, record

    def _avoided(self, last: str) -> set[str]:
        """Where it is rendered only if every other endpoint is set aside; `last`: where it was tried last."""
        if self._kept is not None:  # back to where its job is, once that server is well
            return set(self._shared.pool.urls) - {self._kept[0].url}
        return {last, *self._faulty}

    async def _held(self, url: str) -> tuple[Job, Record]:
        """Render at `url` while its turn is ours; what is left there when we are cancelled still counts as load."""
        try:
            return await self._at(url)
        except asyncio.CancelledError:
            await bounded(self.abandon(), self._shared.limits.cleanup)
            raise

    async def _at(self, url: str) -> tuple[Job, Record]:
        shared, cost = self._shared, self._request.cost
        taken_up = self._take_up(url)
        adopted, job = taken_up is not None, taken_up or await self._submit(url)
        following = self._following = Following(
            shared.wire, job, cost, shared.watchdog, shared.limits, self._telling, self._patience(url), adopted=adopted
        )
        try:
            record = await following.to_end()
        finally:
            self.queue_seconds += following.queue_seconds
        shared.unseen.pop(url, None)  # it came first
        if record.status == "failed":
            self._drop()
            raise failure(url, *((record.error.code, record.error.message) if record.error else ("", "")))
        self.render_seconds = following.render_seconds
        if self.render_seconds is not None:
            shared.watchdog.ended(url, cost, self.render_seconds)
        return job, record

    def _patience(self, url: str) -> Patience:
        shared, watchdog = self._shared, self._shared.watchdog
        idle, alone = watchdog.stall_seconds, not self._again or len(shared.pool.urls) == 1
        if (unseen := shared.unseen.get(url)) is not None:
            idle = watchdog.limit(url, max(unseen, self._request.cost))
        return Patience(
            away=shared.limits.patience if alone else shared.limits.away,
            idle=idle,
            on_away=lambda why: shared.pool.set_aside(url, why),
        )

    async def _submit(self, url: str) -> Job:
        shared = self._shared
        if self._kept is not None and not self._again:
            raise BackendError(
                f"{self._kept[0].url} has not ended the render, and it may not be sent once more (generator.resubmit). "
                "Its job may still end there: a resumed run asks for it."
            )
        await shared.tidy(url)
        task = asyncio.create_task(shared.wire.submit(url, self._request))
        self._submitting = url, task
        self.attempts += 1
        try:
            record = await asyncio.shield(task)
        except Exception as error:
            self._submitting = None
            self.attempts -= isinstance(error, BusyError)
            raise
        self._submitting = self._refused_since = None
        if self._kept is not None:
            self._leave(f"{url} renders it instead.")
            self._count()
        job = self._job = Job(url=url, id=record.id, request=self._request.hash)
        job_slip.write(self._to, job)
        if record.model is not None and record.model not in shared.served.get(url, [record.model]):
            self._drop()
            why = f"it serves {record.model} now"
            raise FaultError(f"{url} was restarted: {why}. Start it with the run's model, or take it out.", why)
        return job

    @property
    def _again(self) -> bool:
        """Whether it may be sent once more."""
        return self._inherited or self._resubmissions < self._shared.resubmit

    def _count(self) -> None:
        """It is sent once more. In place of a job that a killed session left that is free: this one has sent none."""
        self._resubmissions += not self._inherited
        self._inherited = False

    def _refused(self, url: str, busy: BusyError) -> None:
        now, patience = time.monotonic(), self._shared.limits.patience
        self._refused_since = self._refused_since or now
        self._shared.pool.set_aside(url, str(busy))
        if now - self._refused_since > patience:
            raise BackendError(
                f"No rendering server has taken the render for {patience:g} s; the last was {url}: {busy}. "
                "Start more servers, or ask for less at once."
            ) from busy

    def _on_lost(self, url: str, lost: LostError) -> None:
        self._shared.pool.set_aside(url, str(lost))
        if lost.stalled and self._following is not None:
            self._shared.stalled[url] = self._following.blocking
        said = f"{url} lost the render: {lost}."
        if self._job is not None and not lost.gone and self._returns < RETURNS:
            self._returns += 1
            self._keep()
            log.warning("%s: %s; its job may still end there", url, lost)
            if self._again:
                self._telling.waiting(url, f"{url}: {lost}. The render goes to another server, or on there.")
                return
            said = f"{url}: {lost}. Its job may still end there: a resumed run asks for it."
        else:
            self._drop()
            if self._again:
                self._count()
                self._lose(url, f"{said} It is sent again.", again=True)
                return
            self._lose(url, said, again=False)
        raise BackendError(
            f"{said} It was sent {self.attempts} time(s); more are allowed by generator.resubmit. "
            "Restart the server if it does not recover."
        ) from lost

    def _on_fault(self, url: str, fault: FaultError) -> None:
        """Another server may do better, once; where there is none, or not now, the fault is the answer."""
        pool = self._shared.pool
        pool.set_aside(url, fault.why)
        self._faulty.add(url)
        if self._job is not None:  # it is still there, and does not answer us
            self._keep()
        others = set(pool.urls) - set(pool.aside) - self._faulty
        if not others or not self._again:
            self._lose(url, str(fault), again=False)
            raise fault
        if self._kept is None:
            self._count()
        self._lose(url, f"{fault} Another server is tried.", again=True)
