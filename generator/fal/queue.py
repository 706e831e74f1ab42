"""One model's queue at fal, through fal's own client: each render is submitted once."""

import asyncio
import time
from typing import Any

import fal_client
import fal_client.client
import httpx

from generator.fal.faults import Failure, Faults, unusable_proxy
from generator.fal.job import Job, ended
from generator.fal.types import Answered, Pace, Told
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

    async def answer(self, arguments: dict[str, Any], told: Told, price: str) -> Answered:
        """The answer to one request. Whatever ends this early, cancelling included, withdraws the request at fal.

        Args:
            arguments: the model's input.
            told: of the stages of the render.
            price: what the render costs, in words that end a sentence.

        Raises:
            RenderError: fal or the model refused the request.
            BackendError: it was not rendered, for other reasons.
        """
        try:
            async with asyncio.timeout(self._seconds):
                job = await self._submitted(arguments, told, price)
                return await job.answer()
        except TimeoutError:
            raise BackendError(
                f"{self._model} did not finish within {self._seconds:g} s, the wait in fal's queue included. Raise "
                "generator.timeout_seconds, or try later."
            ) from None

    async def _submitted(self, arguments: dict[str, Any], told: Told, price: str) -> Job:
        """Submit, again only where fal surely took nothing: no connection, or no room."""
        pause, until = self._pace.first_pause, time.monotonic() + self._pace.patience
        while True:
            try:
                return await self._kept(arguments, told, price)
            except _NotTakenError as nothing:
                if time.monotonic() + pause > until:
                    raise nothing.failure from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MOST_PAUSE_SECONDS)

    async def _kept(self, arguments: dict[str, Any], told: Told, price: str) -> Job:
        """Submit once; a request that fal takes while its caller is cancelled is withdrawn, or it would be billed."""

        async def job() -> Job:
            handle = await self._posted(arguments, price)
            return Job(handle, faults=self._faults, pace=self._pace, price=price, told=told)

        work = asyncio.create_task(job())
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            try:
                await ended(work, self._pace.cancel)
            finally:
                if work.cancelled():
                    told("abandoned", 0.0, f"Cancelled while it was submitted. If fal took it, it is billed{price}.")
                elif work.exception() is None:
                    await work.result().withdrawn()
            raise

    async def _posted(self, arguments: dict[str, Any], price: str) -> fal_client.AsyncRequestHandle:
        """Submit by one POST.

        `AsyncClient.submit` posts up to ten times after a timeout or a broken connection, and fal may take, render and
        bill each of them.
        """
        http = await self._http()
        start = {"X-Fal-Request-Timeout": str(float(self._seconds))} if self._seconds > _LEAST_START_SECONDS else {}
        try:
            url = fal_client.client.QUEUE_URL_FORMAT + self._model
            response = await http.post(url, json=arguments, headers=start)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotTakenError(self._faults.of_connection(error, "to submit the render")) from None
        except httpx.HTTPError as error:
            lost = self._faults.of_connection(error, "while the render was submitted")
            raise BackendError(f"{lost} If fal took it, it is billed{price}.") from None
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _NotTakenError(self._faults.of_answer(response))
        if not response.is_success:
            raise self._faults.of_answer(response)
        try:
            job = response.json()["request_id"]
        except (ValueError, KeyError, TypeError):
            job = None
        if not isinstance(job, str) or not job.replace("-", "").replace("_", "").isalnum():
            raise BackendError(f"fal took the render without naming it. It cannot be watched, but is billed{price}.")
        # by its id, not by the addresses in the answer: the key goes to no host that an answer names
        return await self._client.get_handle(self._model, job)

    async def _http(self) -> httpx.AsyncClient:
        """The connections of fal's client: its handles show them, and it has no other way to close them."""
        try:
            http = (await self._client.get_handle(self._model, "none")).client
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise unusable_proxy(error) from None
        self._open = True
        return http


class _NotTakenError(Exception):
    """fal surely did not take a submission."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure
