"""One model's queue at fal, through fal's own client: each render is submitted once."""

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import fal_client
import fal_client.client
import httpx

from generator import job_slip
from generator.fal.faults import Failure, Faults, unusable_proxy
from generator.fal.job import GoneError, Job, ended
from generator.fal.types import Answered, Pace, Submission, Told
from generator.types import BackendError

_POST_SECONDS = 60.0
_MOST_PAUSE_SECONDS = 15.0
_LEAST_START_SECONDS = 1.0
"""fal takes no shorter limit of the wait for a start."""


class Queue:
    """The queue of one model. Many renders may be in it side by side.

    Args:
        model: such as "fal-ai/cosmos-predict-2.5/text-to-video".
        key: of the account.
        faults: words failures.
        seconds: limit of one render, the wait in the queue included.
        pace: how often fal is asked.
    """

    def __init__(self, model: str, key: str, *, faults: Faults, seconds: float, pace: Pace) -> None:
        self._model, self._faults, self._seconds, self._pace = model, faults, seconds, pace
        self._client = fal_client.AsyncClient(key=key, default_timeout=_POST_SECONDS)
        self._open = False

    @property
    def endpoint(self) -> str:
        """Address of fal's queue."""
        return fal_client.client.QUEUE_URL_FORMAT.rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        if self._open:
            await (await self._http()).aclose()

    async def answer(self, arguments: dict[str, Any], told: Told, price: str, to: Path) -> Answered:
        """The answer to one request. Whatever ends this early, cancelling included, withdraws the request at fal.

        A slip beside `to` names the request once fal has taken it, and stays there: its clip is paid, and a killed
        session's is watched on instead of submitting it again.

        Args:
            arguments: the model's input.
            told: of the stages of the render.
            price: what the render costs, in words that end a sentence.
            to: the clip's place.

        Raises:
            RenderError: fal or the model refused the request.
            UnsettledError: fal cannot be asked; it may have rendered it, or still be at it.
            BackendError: it was not rendered, for other reasons.
            OSError: the disk failed.
        """
        request = await asyncio.to_thread(_hash, self._model, arguments)
        submission = Submission(arguments, request, told, price, to)
        try:
            async with asyncio.timeout(self._seconds):
                lost, before = 0, job_slip.read(to, request)
                if before is not None and before.url == self.endpoint and _is_name(before.id):
                    try:
                        return await (await self._job(before.id, submission, adopted=True)).answer()
                    except GoneError as gone:
                        lost = int(gone.billed)
                        bill = f" and may be billed{price}" if gone.billed else ""
                        told("resubmitted", 0.0, f"A killed session's request is lost: {gone}{bill}. It is sent again.")
                job = await self._submitted(submission)
                return (await job.answer())._replace(lost=lost)
        except TimeoutError:
            if submission.refused is not None:  # that is what used the time up
                raise submission.refused from None
            raise BackendError(
                f"{self._model} did not finish within {self._seconds:g} s, the wait in fal's queue included. Raise "
                "generator.timeout_seconds, or try later."
            ) from None

    async def _submitted(self, submission: Submission) -> Job:
        """Submit, again only where fal surely took nothing: no connection, or no room."""
        began = time.monotonic()
        pause, until = self._pace.first_pause, began + self._pace.patience
        while True:
            try:
                job = await self._kept(submission)
            except _NotTakenError as nothing:
                failure = nothing.failure
            else:
                submission.refused = None
                return job
            if time.monotonic() + pause > until:
                raise failure
            submission.told("queued", time.monotonic() - began, f"{failure} It is tried again.")
            submission.refused = failure
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MOST_PAUSE_SECONDS)

    async def _kept(self, submission: Submission) -> Job:
        """Submit once; a request that fal takes while its caller is cancelled is withdrawn, or it would be billed."""

        async def kept() -> Job:
            name = await self._posted(submission)
            job = await self._job(name, submission)
            try:
                job_slip.write(submission.to, job_slip.Job(url=self.endpoint, id=name, request=submission.request))
            except OSError:
                await job.withdrawn()
                raise
            return job

        work = asyncio.create_task(kept())
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            try:
                await ended(work, self._pace.cancel)
            finally:
                if work.cancelled():
                    submission.abandoned("Cancelled while it was submitted.")
                elif work.exception() is None:
                    await work.result().withdrawn()
            raise

    async def _job(self, name: str, submission: Submission, *, adopted: bool = False) -> Job:
        # by its name, not by the addresses in an answer: the key goes to no host that an answer names
        await self._http()
        handle = await self._client.get_handle(self._model, name)
        return Job(
            handle,
            faults=self._faults,
            pace=self._pace,
            price=submission.price,
            told=submission.told,
            adopted=adopted,
        )

    async def _posted(self, submission: Submission) -> str:
        """Submit by one POST; fal's name for the request.

        `AsyncClient.submit` posts up to ten times after a timeout or a broken connection, and fal may take, render and
        bill each of them.
        """
        http = await self._http()
        submission.begun = time.monotonic()
        start = {"X-Fal-Request-Timeout": str(float(self._seconds))} if self._seconds > _LEAST_START_SECONDS else {}
        try:
            url = fal_client.client.QUEUE_URL_FORMAT + self._model
            response = await http.post(url, json=submission.arguments, headers=start)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotTakenError(self._faults.of_connection(error, "to submit the render")) from None
        except httpx.HTTPError as error:
            submission.abandoned("The connection broke while it was submitted.")
            lost = self._faults.of_connection(error, "while the render was submitted")
            raise BackendError(f"{lost} If fal took it, it is billed{submission.price}.") from None
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _NotTakenError(self._faults.of_answer(response))
        if not response.is_success:
            raise self._faults.of_answer(response)
        try:
            name = response.json()["request_id"]
        except (ValueError, KeyError, TypeError):
            name = None
        if not isinstance(name, str) or not _is_name(name):
            submission.abandoned("fal did not name it.")
            raise BackendError(
                f"fal took the render without naming it. It cannot be watched, but is billed{submission.price}."
            )
        return name

    async def _http(self) -> httpx.AsyncClient:
        """The connections of fal's client: its handles show them, and it has no other way to close them."""
        try:
            http = (await self._client.get_handle(self._model, "none")).client
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise unusable_proxy(error) from None
        self._open = True
        return http


def _hash(model: str, arguments: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([model, arguments], sort_keys=True).encode()).hexdigest()


def _is_name(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


class _NotTakenError(Exception):
    """fal surely did not take a submission."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure
