"""Model servers that configs have Retake start (`serve:`), kept running between runs: loading one takes minutes."""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx

from agent.building import endpoints
from agent.building.generators import key_of
from agent.config import RunConfig
from agent.errors import ServingError, boundary
from agent.http import http_client
from agent.serving.endpoints import shared_by_turns
from agent.serving.listening import listens
from agent.serving.supervisor import Served, served
from generator.config import ServeOmniConfig, VLLMOmniConfig
from reasoner.chat.config import ServeConfig

log = logging.getLogger(__name__)


class Warm:
    """Starts what a run's config wants started, once, and keeps it. The runs find it there and leave it running.

    Servers that take turns (time_share) are left to the run: it starts and stops them.

    Args:
        folder: where their logs go.
        new_client: how a server is asked whether it is there.
    """

    def __init__(
        self, folder: Path, new_client: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]] = http_client
    ) -> None:
        self._folder = folder
        self._new_client = new_client
        self._kept: dict[int, _Kept] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Both by port."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def need(self, config: RunConfig) -> None:
        """Return once every server that the config has started here answers.

        Raises:
            ServingError: one cannot be started; the next run tries again.
        """
        # shielded: a run that is cancelled meanwhile takes a start of minutes from no other
        await asyncio.gather(*(asyncio.shield(self._holding(*wanted)) for wanted in wanted_by(config)))

    async def begin(self, configs: Iterable[RunConfig]) -> None:
        """Start what runs of these will need, each server once. A failure is logged: the next run tries again."""
        wanted = {serve.port: (part, serve, key) for config in configs for part, serve, key in wanted_by(config)}
        for error in await asyncio.gather(*(self._holding(*one) for one in wanted.values()), return_exceptions=True):
            if isinstance(error, Exception):
                log.warning("a model's server could not be started; the next run tries again: %s", error)

    async def close(self) -> None:
        """Stop what was started."""
        for kept in self._kept.values():
            await kept.close()

    def _holding(self, part: str, serve: ServeConfig | ServeOmniConfig, key: str | None) -> asyncio.Task[None]:
        task = asyncio.create_task(self._hold(part, serve, key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _hold(self, part: str, serve: ServeConfig | ServeOmniConfig, key: str | None) -> None:
        name = f"{part}-{serve.port}"
        async with self._locks[serve.port]:
            kept = self._kept.get(serve.port)
            if kept is not None:
                if kept.serve == serve and await listens(serve.port):
                    return
                await kept.close()
            self._kept[serve.port] = kept = _Kept(serve)
            try:
                await kept.start(part, key, self._folder / f"{name}.log", self._new_client)
            except BaseException:
                del self._kept[serve.port]
                raise


def starts(config: RunConfig) -> bool:
    """Whether a config has Retake start servers, those that take turns too."""
    parts = (config.reasoner, config.generator, getattr(config.critic, "endpoint", None))
    return any(getattr(part, "serve", None) is not None for part in parts)


def wanted_by(config: RunConfig) -> Iterator[tuple[str, ServeConfig | ServeOmniConfig, str | None]]:
    """(part, server, its key) of what a config has Retake start, but for those that take turns."""
    if shared_by_turns(config) is not None:
        return
    seen = set()
    for part, endpoint in endpoints(config).items():
        if endpoint.serve is not None and endpoint.serve.port not in seen:
            seen.add(endpoint.serve.port)
            yield part, endpoint.serve, os.environ.get(endpoint.api_key_env or "")
    if isinstance(config.generator, VLLMOmniConfig) and config.generator.serve is not None:
        yield "generator", config.generator.serve, key_of(config.generator)


class _Kept:
    """One server, held in a task of its own: what it is held by must be left where it was entered."""

    def __init__(self, serve: ServeConfig | ServeOmniConfig) -> None:
        self.serve = serve
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(
        self,
        part: str,
        key: str | None,
        logs: Path,
        new_client: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]],
    ) -> None:
        ready: asyncio.Future[Served] = asyncio.get_running_loop().create_future()

        def tell(seconds: float, line: str) -> None:
            log.info("the %s's server starts: %.0f s, %s", part, seconds, line)

        async def hold() -> None:
            try:
                with boundary(ServingError, f"starting the {part}'s server"):
                    async with new_client() as client, served(self.serve, key, client, logs, tell) as server:
                        ready.set_result(server)
                        await self._over.wait()
            except Exception as error:
                if not ready.done():
                    ready.set_exception(error)
                else:
                    log.exception("the %s's server could not be stopped in order", part)

        self._task = asyncio.create_task(hold())
        try:
            server = await ready
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        log.info("the %s's server answers at %s", part, server.root)

    async def close(self) -> None:
        self._over.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
