"""One request at fal: watched until it is completed, its result fetched, or withdrawn."""

import asyncio
import time
from typing import Any, Literal

import fal_client
import httpx

from generator.fal.faults import Failure, Faults
from generator.fal.types import Answered, Pace, Told, UnsettledError
from generator.types import BackendError

_MISSES = 3
"""Polls in a row without an answer before a request is given up. fal's client has repeated each of them itself."""
_RESULT_TRIES = 3
_PASSING = frozenset((404, 408, 429))
"""Answers to a poll that the next one may not get, like all from 500 on."""
_FORGOTTEN = frozenset((404, 410))


class GoneError(Exception):
    """fal no longer has a killed session's request, or did not render it: only a new one gives a clip.

    Args:
        why: in words.
        billed: whether it may have been rendered, and be billed.
    """

    def __init__(self, why: str, *, billed: bool) -> None:
        super().__init__(why)
        self.billed = billed


class Job:
    """A request that fal has taken.

    Args:
        handle: fal's.
        faults: words failures.
        pace: how often fal is asked.
        price: what it costs, in words that end a sentence.
        told: of its stages.
        adopted: a killed session submitted it: when it began is not known.
    """

    def __init__(
        self,
        handle: fal_client.AsyncRequestHandle,
        *,
        faults: Faults,
        pace: Pace,
        price: str,
        told: Told,
        adopted: bool = False,
    ) -> None:
        self._handle, self._faults, self._pace, self._price, self._told = handle, faults, pace, price, told
        self._adopted = adopted
        self._submitted = time.monotonic()
        self._waited = not adopted
        """Whether it was seen before it began."""
        self._started: float | None = None

    async def answer(self) -> Answered:
        """Its answer. Whatever ends this early, cancelling included, withdraws it.

        Raises:
            RenderError: the model refused the request.
            UnsettledError: fal cannot be asked; it may have rendered it, or still be at it.
            BackendError: it was not rendered, for other reasons.
            GoneError: it was adopted, and gives no clip any more.
        """
        try:
            completed = await self._watched()
        except GoneError:
            raise
        except BackendError as error:
            if not await self.withdrawn():
                raise UnsettledError(str(error)) from error
            raise
        except BaseException:
            await self.withdrawn()
            raise
        over = time.monotonic()
        try:
            body = await self._fetched(completed)
        except (asyncio.CancelledError, UnsettledError):
            self._abandoned(_ABANDONED["ended"], "is", over)
            raise
        took = (completed.metrics or {}).get("inference_time")
        return Answered(
            body=body,
            job=self._handle.request_id,
            queue_seconds=(self._started or over) - self._submitted if self._waited else 0.0,
            render_seconds=over - self._started if self._started is not None and self._waited else None,
            inference_seconds=float(took) if isinstance(took, int | float) else None,
        )

    async def _watched(self) -> fal_client.Completed:
        pause, misses = self._pace.first_poll, 0
        while True:
            try:
                status = await self._handle.status()
            except (fal_client.FalClientHTTPError, httpx.HTTPError) as error:
                misses += 1
                code = error.status_code if isinstance(error, fal_client.FalClientHTTPError) else 500
                if misses == _MISSES or not (code in _PASSING or code >= 500):
                    if self._adopted and code in _FORGOTTEN:
                        raise GoneError("fal no longer knows it", billed=True) from None
                    raise self._failure(error, "while the render was watched") from None
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise self._unreadable(error) from None
            else:
                misses, now = 0, time.monotonic()
                match status:
                    case fal_client.Completed():
                        return status
                    case fal_client.Queued(position=position):
                        self._waited = True
                        self._told("queued", now - self._submitted, f"Position {position} in fal's queue.")
                    case _:
                        self._started = self._started or now
                        self._told("rendering", now - self._started, "")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, self._pace.longest_poll)

    async def _fetched(self, completed: fal_client.Completed) -> Any:
        left = _RESULT_TRIES
        while True:
            left -= 1
            try:
                body = await self._handle.get()
            except (fal_client.FalClientHTTPError, httpx.HTTPError) as error:
                code = error.status_code if isinstance(error, fal_client.FalClientHTTPError) else 500
                if code < 500 or completed.error or not left:
                    raise self._without_result(completed, code, self._failure(error, "for the result")) from None
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise UnsettledError(str(self._unreadable(error))) from None
            else:
                break
            await asyncio.sleep(self._pace.first_poll)
        if completed.error or completed.error_type:
            failure = self._faults.of_state(str(completed.error or "no reason given"), completed.error_type)
            raise self._without_result(completed, 200, failure)
        return body

    def _without_result(self, completed: fal_client.Completed, code: int, failure: Failure) -> Exception:
        """What it means that a request ended, and its result was answered with `code`."""
        failed = bool(completed.error or completed.error_type)
        if self._adopted and isinstance(failure, BackendError) and (failed or code in _FORGOTTEN):
            return GoneError("it was not rendered" if failed else "fal no longer has its clip", billed=not failed)
        if failed or not isinstance(failure, BackendError):
            return failure
        return UnsettledError(str(failure))

    async def withdrawn(self) -> bool:
        """Cancel it at fal, within `pace.cancel`, and tell where it may be rendered and billed all the same.

        Returns:
            Whether fal answered: False where nobody knows what becomes of it.

        Raises:
            CancelledError: the caller was cancelled meanwhile.
        """
        work = asyncio.create_task(self._cancelled())
        try:
            await ended(work, self._pace.cancel)
        finally:
            word = "unknown" if work.cancelled() or work.exception() else work.result()
            if word != "removed":
                self._abandoned(_ABANDONED[word], "may be", time.monotonic())
        return word != "unknown"

    def _abandoned(self, note: str, billed: str, until: float) -> None:
        self._told("abandoned", until - (self._started or self._submitted), f"{note} It {billed} billed{self._price}.")

    async def _cancelled(self) -> Literal["removed", "running", "ended"]:
        # not handle.cancel(), which does not say whether the request was still in the queue
        response = await self._handle.client.put(self._handle.cancel_url, timeout=self._pace.cancel)
        if response.status_code in {400, 404}:
            return "ended"
        response.raise_for_status()
        return "removed" if response.status_code == httpx.codes.OK and self._started is None else "running"

    def _failure(self, error: fal_client.FalClientHTTPError | httpx.HTTPError, doing: str) -> Failure:
        if isinstance(error, fal_client.FalClientHTTPError):
            return self._faults.of_answer(error.response)
        return self._faults.of_connection(error, doing)

    def _unreadable(self, error: Exception) -> BackendError:
        return BackendError(
            f"fal answered with what its client {fal_client.__version__} does not read ({type(error).__name__}: "
            f"{self._faults.quoted(str(error))}). pip install -U fal-client"
        )


_ABANDONED = {
    "running": "fal was asked to stop the render; what it had begun may go on.",
    "ended": "The render had ended at fal already.",
    "unknown": "The render could not be cancelled at fal.",
}


async def ended(work: asyncio.Task[Any], seconds: float) -> None:
    """Wait until `work` has ended, cancelled after `seconds`, however often the waiting itself is cancelled.

    Raises:
        CancelledError: the waiting was cancelled meanwhile.
    """
    loop = asyncio.get_running_loop()
    end, interrupted = loop.time() + seconds, False
    while not work.done():
        if loop.time() >= end:
            work.cancel()
        try:
            await asyncio.wait([work], timeout=max(0.01, end - loop.time()))
        except asyncio.CancelledError:
            interrupted = True
    if interrupted:
        raise asyncio.CancelledError
