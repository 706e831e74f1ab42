"""Whether the backends that the models need are there: asked in the background, told without asking."""

import asyncio
import importlib.util
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final, Literal

import httpx

from agent.building import NIM_URL, OMNI_URL, endpoints
from agent.config import RunConfig
from agent.errors import ConfigError
from agent.http import http_client
from agent.server.config import Served
from generator.config import DiffusersConfig, FalConfig, NIMConfig, VLLMOmniConfig
from reasoner.chat.config import EndpointConfig

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 10.0
"""Between two rounds."""
AWAY_SECONDS: Final = 2.0
"""The same, while something is missing."""
ANSWER_SECONDS: Final = 3.0
"""For one question to one server."""
PATHS: Final = {"chat": ("/health", "/v1/models"), "omni": ("/health",), "nim": ("/v1/health/ready",)}
"""Where a server of a kind is asked; the next one where it does not know the one before."""
Kind = Literal["chat", "omni", "nim"]


@dataclass(frozen=True)
class Lack:
    """What a model's part misses."""

    part: str
    """reasoner, generator or critic."""
    what: str
    """In words for anybody."""
    where: str = ""
    """For the operator: addresses, names of variables."""


@dataclass(frozen=True)
class _Asked:
    """A server that is asked, and how."""

    kind: Kind
    url: str
    key_env: str | None


@dataclass(frozen=True)
class _Need:
    """What a part needs: one of these servers, or something of this machine that is lacking."""

    part: str
    servers: tuple[_Asked, ...] = ()
    lack: Lack | None = None


class Readiness:
    """Asks the backends every few seconds for as long as it is entered, and remembers what they said.

    Args:
        served: the config.
        every: seconds between two rounds.
        answer: seconds that one server may take.
    """

    def __init__(self, served: Served, *, every: float = EVERY_SECONDS, answer: float = ANSWER_SECONDS) -> None:
        self._served, self._every, self._answer = served, every, answer
        self._said: dict[_Asked, str] = {}
        """Why a server cannot work; "" where it can."""
        self._lacks: dict[str, tuple[Lack, ...]] = {}
        self._asked = asyncio.Event()
        self._client: httpx.AsyncClient | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask, in the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ask no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def lacks(self, model: str) -> tuple[Lack, ...]:
        """What a model misses, as the last round found it; empty: it can work. Waits for the first round alone."""
        self.start()
        await self._asked.wait()
        return self._lacks.get(model, ())

    async def fails(self, model: str) -> bool:
        """Whether a model misses something at this moment: its servers are asked now."""
        await self._asked.wait()
        needs = tuple(_needs(self._served.models[model]))
        asked = sorted({one for need in needs for one in need.servers}, key=lambda a: a.url)
        if asked and self._client is not None:
            client = self._client
            said = await asyncio.gather(*(self._ask(client, one) for one in asked))
            self._said.update(zip(asked, said, strict=True))
        self._lacks = {**self._lacks, model: tuple(self._missing(needs))}
        return bool(self._lacks[model])

    def known(self) -> Mapping[str, tuple[Lack, ...]]:
        """What each model misses, as far as it has been asked."""
        return self._lacks

    async def _watch(self) -> None:
        async with AsyncExitStack() as stack:
            while True:
                try:
                    await self._round(stack)
                except Exception:
                    log.exception("asking the backends failed")
                    unknown = (Lack("server", "could not ask its backends; see its log"),)
                    self._lacks = dict.fromkeys(self._served.models, unknown)
                    self._asked.set()
                away = any(self._lacks.values())  # somebody waits for it to come back
                await asyncio.sleep(min(self._every, AWAY_SECONDS) if away else self._every)

    async def _round(self, stack: AsyncExitStack) -> None:
        needs = {name: tuple(_needs(config)) for name, config in self._served.models.items()}
        asked = sorted({one for each in needs.values() for need in each for one in need.servers}, key=lambda a: a.url)
        if asked and self._client is None:  # the embedded parts need none
            client = http_client(backoff_seconds=0.01, longest_wait_seconds=0.05)
            self._client = await stack.enter_async_context(client)
        if self._client is not None:
            said = await asyncio.gather(*(self._ask(self._client, one) for one in asked))
            self._said = dict(zip(asked, said, strict=True))
        found = {name: tuple(self._missing(each)) for name, each in needs.items()}
        for name, lacks in found.items():
            if bool(lacks) != bool(self._lacks.get(name)):  # at the start, too: requests for it will wait
                told = "; ".join(f"{lack.part} {lack.what} ({lack.where})" for lack in lacks) or "ready again"
                log.warning("model %s: %s", name, told)
        self._lacks = found
        self._asked.set()

    def _missing(self, needs: Iterable[_Need]) -> Iterable[Lack]:
        for need in needs:
            if need.lack is not None:
                yield need.lack
            elif need.servers and all(self._said[one] for one in need.servers):
                what = self._said[need.servers[0]]
                if len(need.servers) > 1:
                    what = f"none of its {len(need.servers)} servers can work (the first {what})"
                yield Lack(need.part, what, ", ".join(one.url for one in need.servers))

    async def _ask(self, client: httpx.AsyncClient, one: _Asked) -> str:
        """Why it cannot work; "" where it can."""
        key = os.environ.get(one.key_env) if one.key_env else None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        status = 0
        try:
            async with asyncio.timeout(self._answer):
                for path in PATHS[one.kind]:
                    async with client.stream("GET", one.url + path, headers=headers) as response:
                        status = response.status_code
                    if status != httpx.codes.NOT_FOUND:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError):
            return "does not answer"
        if status in {401, 403}:
            return "refuses our key" if key else "wants a key"
        return "" if 200 <= status < 300 else f"is not ready (it answers {status})"


def _needs(config: RunConfig) -> Iterable[_Need]:
    """What a model's parts need. The embedded ones need nothing."""
    try:
        chats = endpoints(config)
    except ConfigError as error:
        yield _Need("config", lack=Lack("config", "lacks a key that it names", str(error)))
        return
    for part, chat in chats.items():
        yield _chat(part, chat)
    generator = config.generator
    match generator:
        case VLLMOmniConfig(serve=None):
            urls = generator.endpoints or (OMNI_URL,)
            yield _Need("generator", tuple(_Asked("omni", url, generator.api_key_env) for url in urls))
        case VLLMOmniConfig(serve=serve) if serve is not None:
            yield _ours("generator", serve.executable)
        case NIMConfig():
            urls = generator.endpoints or (NIM_URL,)
            yield _Need("generator", tuple(_Asked("nim", url, generator.api_key_env) for url in urls))
        case DiffusersConfig():
            yield _library("generator", "torch", "diffusers")
        case FalConfig():
            yield _library("generator", "fal_client")


def _chat(part: str, chat: EndpointConfig) -> _Need:
    if chat.base_url is None:
        return _ours(part, chat.serve.executable if chat.serve is not None else "vllm")
    return _Need(part, (_Asked("chat", chat.base_url.removesuffix("/v1"), chat.api_key_env),))


def _ours(part: str, executable: str) -> _Need:
    """A server that each run starts, or finds running: what can be told before is whether its command is there."""
    if shutil.which(executable) is not None:
        return _Need(part)
    return _Need(part, lack=Lack(part, "has a server to start whose command is not on this machine", executable))


def _library(part: str, *names: str) -> _Need:
    gone = [name for name in names if importlib.util.find_spec(name) is None]
    if not gone:
        return _Need(part)
    return _Need(part, lack=Lack(part, "needs a library that is not installed", ", ".join(gone)))
