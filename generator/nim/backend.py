"""The generator that asks NVIDIA's Cosmos NIM."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from generator.config import NIMConfig
from generator.delivery import after_rendering, deliver, held, written_aside
from generator.nim import limits, media, reply
from generator.nim.dialect import Served
from generator.nim.exchange import Exchange
from generator.nim.failures import GivenUpError, LostError, RefusedError, UnsentError
from generator.nim.forms import form
from generator.nim.tally import Tally
from generator.pool import FIRST_PROBE_SECONDS, PATIENCE_SECONDS, Pool
from generator.probe import verify
from generator.types import BackendError, Clip, Rendering, RenderSpec, Tell, telling_of
from generator.watchdog import Watchdog, work

NIM_VERSION = 1
"""Goes up with every change of what a NIM is asked for the same spec: finished renders are remembered under it."""

log = logging.getLogger("generator.nim")


class NIM:
    """Renders on Cosmos NIMs, one render at a time each.

    A request is answered when its clip is done, and nothing is heard until then. The NIM promises no seed: the same
    request may give another clip.

    Args:
        config: its settings; `endpoints` and `api_key_env` have become `urls` and `key`.
        client: must not repeat a POST by itself.
        urls: of the servers, at least one, without /v1.
        key: sent as a bearer token.
        tell: hears of progress.
        patience: seconds that every server may be gone before a render is given up.
        first_probe: seconds after which a server that failed is first asked again.
        largest: bytes of a clip that are taken.
    """

    def __init__(
        self,
        config: NIMConfig,
        client: httpx.AsyncClient,
        urls: Sequence[str],
        key: str | None = None,
        tell: Tell = lambda _: None,
        *,
        patience: float = PATIENCE_SECONDS,
        first_probe: float = FIRST_PROBE_SECONDS,
        largest: int = reply.LARGEST_VIDEO,
    ) -> None:
        self._config, self._tell, self._largest = config, tell, largest
        self._exchange = Exchange(client, key)
        self._pool = Pool(urls, config.in_flight, self._healthy, patience=patience, first_probe=first_probe)
        self._watchdog = Watchdog(min(config.timeout_seconds, config.stall_seconds))
        self._known: dict[str, Served] = {}
        self._first: Served | None = None
        """What the servers have in common: the first that answered."""

    @property
    def id(self) -> str:
        """Backend, version and, once connected, the model."""
        return f"nim/{NIM_VERSION} {self._first.model if self._first else ''}".strip()

    @property
    def served(self) -> Served | None:
        """What the servers are; None before `connect`."""
        return self._first

    @property
    def servers(self) -> dict[str, tuple[str, str]]:
        """Model and version of each server that has answered, by its URL."""
        return {url: (found.model, found.version) for url, found in self._known.items()}

    async def connect(self) -> None:
        """Ask every server what it is. Those that do not answer are set aside and asked again later.

        Raises:
            BackendError: none is ready, or one is no generator, of an unknown dialect, or of another model than the
                others.
        """
        await self._met()

    async def close(self) -> None:
        """Nothing is held: every connection ends with its question."""

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished.

        Raises:
            RenderError: the request does not fit the server's dialect, or it gave no usable clip.
            BlockedError: the server's guardrails refused it.
            BackendError: no server works at the moment.
            OSError: the disk or folder failed.
        """
        started = time.perf_counter()
        log.info("render start seed=%d to=%s", seed, to)
        served = self._first or await self._met()
        with written_aside(to) as part:
            part.touch()  # a folder that cannot be written to is found before a render is spent
            limits.check(served.dialect, prompt, spec, seed)
            sources = await asyncio.to_thread(media.load, served.dialect, spec)
            asked = form(served, prompt, spec, seed, sources)
            body = await asyncio.to_thread(lambda: json.dumps(asked.body).encode())
            del sources
            tally = Tally(seed, telling_of(to, self._tell))
            content = await self._rendered(body, spec, tally)

            def finish() -> Clip:
                rendering = self._rendering(tally)
                with after_rendering(rendering):
                    got = self._exchange.video(content, seed)
                    part.write_bytes(got.video)
                    effective = verify(part, spec)
                clip = Clip(
                    path=to,
                    seed=seed,
                    spec=spec,
                    effective=effective,
                    seconds=round(time.perf_counter() - started, 3),
                    generator=self.id,
                    rendering=rendering,
                    notes=(*asked.notes, *got.notes),
                )
                return deliver(part, clip, prompt)

            clip = await held(asyncio.create_task(asyncio.to_thread(finish)), to)
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip

    async def _met(self) -> Served:
        """What the servers that are ready have in common."""
        urls = self._pool.urls
        gone = dict(zip(urls, await asyncio.gather(*(self._exchange.ready(url) for url in urls)), strict=True))
        for url, why in gone.items():
            if why:
                self._pool.set_aside(url, why)
            else:
                self._meet(url, await self._exchange.served(url, self._config.dialect))
        if self._first is None:
            each = "; ".join(f"{url} {why}" for url, why in gone.items())
            raise BackendError(f"No NIM is ready: {each}. Start one, or name one that runs in generator.endpoints.")
        return self._first

    async def _rendered(self, body: bytes, spec: RenderSpec, tally: Tally) -> bytes:
        """The answer of the first server that gives one, resubmitted as far as the config allows."""
        unsent, again, failed = 2 * len(self._pool.urls), self._config.resubmit, list[str]()
        cost = work(spec.width, spec.height, spec.num_frames, spec.num_inference_steps, spec.guidance_scale)
        while True:
            tally.queued()
            async with self._pool.turn(avoid=failed) as url:
                tally.rendering(url)
                limit = self._watchdog.limit(url, cost)
                try:
                    content = await self._exchange.infer(url, body, limit=limit, largest=self._largest)
                except (asyncio.CancelledError, GivenUpError) as error:
                    self._goes_on(url, cost, limit, tally, error)
                    raise
                except UnsentError as error:
                    self._pool.set_aside(url, str(error))
                    tally.unsent()
                    unsent -= 1
                    if unsent < 0:
                        raise
                    continue
                except RefusedError as error:
                    tally.refused()
                    again -= 1
                    if again < 0:
                        raise
                    self._pool.occupied(url, error.after)
                    continue
                except LostError as error:
                    self._pool.set_aside(url, str(error))
                    failed.append(url)
                    again -= 1
                    if again < 0:
                        tally.abandoned(str(error))
                        raise
                    tally.resubmitted(str(error))
                    continue
                except BackendError as error:
                    self._pool.set_aside(url, str(error))
                    raise
                tally.delivering()
                self._watchdog.ended(url, cost, tally.render_seconds)
                return content

    def _goes_on(self, url: str, cost: float, limit: float, tally: Tally, error: BaseException) -> None:
        """Count a render that nobody waits for as load there, and tell of it."""
        note = "Nobody waits for this render any more. A NIM cannot stop one: it goes on there."
        if isinstance(error, GivenUpError):
            note = str(error)
            self._pool.set_aside(url, note)  # before its load is counted, which this clears
        # where nothing is known yet, it is taken to be half-way
        expected = self._watchdog.expected(url, cost) or 2 * tally.elapsed
        self._pool.occupied(url, min(expected, limit) - tally.elapsed)
        tally.abandoned(note)

    async def _healthy(self, url: str) -> bool:
        if await self._exchange.ready(url):
            return False
        try:
            self._meet(url, await self._exchange.served(url, self._config.dialect))
        except BackendError as error:
            self._pool.set_aside(url, str(error))  # another model has been started there
            return False
        return True

    def _meet(self, url: str, found: Served) -> None:
        """Take note of what a server is.

        Raises:
            BackendError: another model or dialect than the others.
        """
        first = self._first = self._first or found
        if (found.dialect, found.model) != (first.dialect, first.model):
            raise BackendError(
                f"The NIM at {url} serves {found.model or 'a model without a name'} ({found.dialect}), others serve "
                f"{first.model or 'one without a name'} ({first.dialect}): clips of one run would not compare. "
                "Name servers of one model in generator.endpoints."
            )
        self._known[url] = found

    def _rendering(self, tally: Tally) -> Rendering:
        served = self._known.get(tally.endpoint) or self._first
        return Rendering(
            model=served.model if served else "",
            version=served.version if served else "",
            endpoint=tally.endpoint,
            guardrails="unknown",  # its operator's setting, which no NIM tells
            queue_seconds=round(tally.queue_seconds, 3),
            render_seconds=round(tally.render_seconds, 3),
            attempts=tally.attempts,
            lost_seconds=round(tally.lost_seconds, 3),
        )
