"""Telling the end of a job to an address: signed, at least once, never to an address that is not public."""

import asyncio
import contextlib
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpcore
import httpx

from agent.errors import IntakeError
from agent.intake.guard import GuardedBackend, Resolve, system_resolve
from agent.server.config import WebhookConfig
from agent.server.deliveries import Deliveries, Delivery
from agent.server.receivers import host_of, unfit
from agent.server.signing import Signer
from agent.server.types import Job

log = logging.getLogger(__name__)

FILE: Final = "webhooks.sqlite"
AT_ONCE: Final = 16
PER_OWNER: Final = 8
"""Of those, of one owner: one with many hosts that never answer keeps no other's waiting."""
PER_HOST: Final = 2
"""Of those, to one host: one that is slow keeps nobody else waiting."""
REMEMBERED_SECONDS: Final = 7 * 24 * 3600.0
"""That a delivery which is over is remembered, so that nothing is told anew after a restart."""
CONNECT_SECONDS: Final = 5.0
_LONGEST_WAIT: Final = 60.0

PayloadOf = Callable[[Job], tuple[int, object]]
"""A job that is over as its client would be answered: HTTP status and body."""


def envelope(job: Job, status: int, payload: object) -> bytes:
    """The body of a webhook, as fal's receivers expect it.

    Args:
        job: that is over.
        status: HTTP, that its client would be answered with.
        payload: the body of that answer.
    """
    told: dict[str, object] = {"request_id": job.id, "gateway_request_id": job.id}
    told["status"] = "OK" if status < 400 else "ERROR"
    if status >= 400:
        told["error"] = f"Invalid status code: {status}"
    try:
        return json.dumps({**told, "payload": payload}, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        why = f"the result cannot be told as JSON ({type(error).__name__})"
        return json.dumps({**told, "payload": None, "payload_error": why}).encode()


class Webhooks:
    """Delivers them. What was announced outlives any kill.

    Args:
        folder: the server's own, where the key and what is still to be told are kept.
        config: how often, for how long, and to whom.
        payload_of: what is told of a job.
        resolve: how a host becomes addresses.
        dial: what opens a connection to a checked address; the system's sockets if None.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        config: WebhookConfig,
        payload_of: PayloadOf,
        *,
        resolve: Resolve = system_resolve,
        dial: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._config = config
        self._payload_of = payload_of
        self._resolve = resolve
        self._dial = dial
        self._signer = Signer.of(folder)
        self._table = Deliveries(folder / FILE)
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[tuple[str, str]] = Counter()
        """How many are under way to a host, and of an owner."""
        self._news = asyncio.Event()

    async def announce(self, job: Job, payload: Mapping[str, Any] | None = None) -> None:
        """Have the end of a job told to its webhook. When this returns it is on the disk.

        Args:
            job: that is over.
            payload: the whole body; None: as `payload_of` has it.

        Raises:
            StorageError: the disk failed.
        """
        if job.webhook is None:
            return
        body = await asyncio.to_thread(self._body, job, payload)  # it may hold the whole video
        await asyncio.to_thread(self._table.add, job.id, job.owner, job.webhook.url, body, time.time())
        self._news.set()

    def _body(self, job: Job, payload: Mapping[str, Any] | None) -> bytes:
        return json.dumps(payload).encode() if payload is not None else envelope(job, *self._payload_of(job))

    async def run(self) -> None:
        """Deliver, until cancelled. What is under way then is tried again by the next server."""
        try:
            while True:
                self._news.clear()
                try:
                    rest = await self._begin_due()
                except Exception:
                    log.exception("webhooks could not be read; they are tried again")
                    rest = _LONGEST_WAIT
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest):  # before Python 3.12 wait_for may swallow a cancellation
                        await self._news.wait()
        finally:
            flying = list(self._flying.values())
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()

    async def _begin_due(self) -> float:
        """Begin those whose time has come, as far as there is room. Returns the seconds until the next look."""
        now = time.time()
        await asyncio.to_thread(self._table.forget, now - REMEMBERED_SECONDS)
        for delivery in await asyncio.to_thread(self._table.due, now):
            host = host_of(delivery.url)
            if len(self._flying) >= AT_ONCE:
                break
            to, of = ("to", host), ("of", delivery.owner)
            if delivery.id in self._flying or self._busy[to] >= PER_HOST or self._busy[of] >= PER_OWNER:
                continue
            self._busy.update((to, of))
            task = self._flying[delivery.id] = asyncio.create_task(self._deliver(delivery))
            task.add_done_callback(partial(self._landed, delivery.id, (to, of)))
        soonest = await asyncio.to_thread(self._table.next_due, now)
        return _LONGEST_WAIT if soonest is None else min(_LONGEST_WAIT, max(0.01, soonest - time.time()))

    def _landed(self, id: str, counted: tuple[tuple[str, str], ...], _: object) -> None:  # noqa: A002 - the job's own word
        del self._flying[id]
        self._busy.subtract(counted)
        for one in counted:
            if not self._busy[one]:
                del self._busy[one]
        self._news.set()

    async def _deliver(self, delivery: Delivery) -> None:
        """One attempt."""
        try:
            body = await asyncio.to_thread(self._table.body, delivery.id)
            unsent = unfit(delivery.url, self._config)  # whenever it is tried: not again
            wrong = unsent or await self._post(delivery, body)
            if not wrong:
                await asyncio.to_thread(self._table.delivered, delivery.id)
                return
            due = None if unsent else self._next(delivery)
            await asyncio.to_thread(self._table.failed, delivery.id, due)
            then = "given up" if due is None else f"again in {due - time.time():.0f} s"
            log.warning("webhook of %s to %s: %s; %s", delivery.id, host_of(delivery.url), wrong, then)
        except Exception:
            log.exception("a webhook of %s could not be tried; it stays to be delivered", delivery.id)
            await asyncio.sleep(_LONGEST_WAIT)  # its time has come still: not at once again

    async def _post(self, delivery: Delivery, body: bytes) -> str:
        """Send it. Returns what went wrong; "": it was taken, by any 2xx. No redirect is followed, no answer read."""
        url = httpx.URL(delivery.url)
        user = re.sub(r"[^!-~]+", "-", delivery.owner) or "-"
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "cosmos-retake",
            **self._signer.headers(delivery.id, user, int(time.time()), body),
        }
        guard = GuardedBackend(
            "the address",
            allow_private=self._config.allow_private_addresses,
            resolve=self._resolve,
            dial=self._dial,
        )
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            async with (
                asyncio.timeout(self._config.timeout_seconds),
                httpcore.AsyncConnectionPool(network_backend=guard) as pool,
                pool.stream(
                    "POST",
                    target,
                    headers=list(headers.items()),
                    content=body,
                    extensions={"timeout": {"connect": CONNECT_SECONDS}},
                ) as response,
            ):
                return "" if 200 <= response.status < 300 else f"answered HTTP {response.status}"
        except TimeoutError:
            return f"took longer than {self._config.timeout_seconds:g} s"
        except IntakeError as error:
            private = "private" in str(error)
            return "leads to an address that is not public" if private else "the host is unknown"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return f"could not be reached ({str(error)[:80] or type(error).__name__})"

    def _next(self, delivery: Delivery) -> float | None:
        """When it is tried again after a failure; None: no more."""
        made, most, seconds = delivery.attempts + 1, self._config.attempts, self._config.hours * 3600
        if made >= most:
            return None
        whole = sum(n * n for n in range(1, most))
        due = time.time() + max(1.0, seconds * made * made / whole * random.uniform(0.9, 1.0))
        return due if due <= delivery.begun + seconds else None
