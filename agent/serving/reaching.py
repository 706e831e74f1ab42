"""The servers of a run: each reached, or started, once, and told of."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from agent.errors import ServingError, boundary
from agent.events import Emit, ServerReady, ServerWaiting
from agent.serving.supervisor import Served, served
from agent.serving.turns import GENERATOR, REASONER, Turns, first_turn
from generator.config import ServeOmniConfig
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig, ServeConfig


@dataclass
class Servers:
    """The servers of a run, for as long as `stack` lasts."""

    stack: AsyncExitStack
    folder: Path
    """Where the log of a server that is started goes."""
    emit: Emit
    new_client: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]
    """How chat servers are asked: `agent.http.http_client`."""
    turns: Turns | None = None
    """Set by `share`."""
    chats: list[tuple[EndpointConfig, Chat]] = field(default_factory=list)
    shared: EndpointConfig | None = None
    client: httpx.AsyncClient | None = None
    last: dict[str, Served] = field(default_factory=dict)
    """The server of each side, as last started."""

    async def share(self, reasoner: EndpointConfig, generator: ServeOmniConfig, key: str | None) -> Turns:
        """From now on, these two servers run one at a time. None is started yet.

        Args:
            reasoner: with its `serve`.
            generator: its server.
            key: the generator's.
        """
        if reasoner.serve is None:
            raise ValueError("a server that is not started here cannot be stopped for its turn to end")
        chat, its_key = reasoner.serve, os.environ.get(reasoner.api_key_env or "")
        self.shared = reasoner
        sides = {
            REASONER: lambda: self._turn(REASONER, chat, its_key),
            GENERATOR: lambda: self._turn(GENERATOR, generator, key),
        }
        self.turns = await self.stack.enter_async_context(Turns(sides))
        return self.turns

    @asynccontextmanager
    async def _turn(self, part: str, config: ServeConfig | ServeOmniConfig, key: str | None) -> AsyncIterator[Served]:
        async with self._served(part, config, key) as server:
            if server.reused:
                key_name = "reasoner.serve" if isinstance(config, ServeConfig) else "generator.serve"
                raise ServingError(
                    f"generator.serve.time_share: the {part}'s server runs on port {config.port} already, so it cannot "
                    f"be stopped when its turn ends; stop it, choose another {key_name}.port, or take time_share out"
                )
            self.last[part] = server
            self._ready(part, server.base_url if part == REASONER else server.root, server)
            yield server

    async def renderer(self, config: ServeOmniConfig, key: str | None) -> Served:
        """The generator's server, started or found. Not for one that takes turns.

        Raises:
            ServingError: it cannot be.
        """
        server = await self.stack.enter_async_context(self._served(GENERATOR, config, key))
        self._ready(GENERATOR, server.root, server)
        return server

    async def chat(self, part: str, config: EndpointConfig) -> Chat:
        """The client of an endpoint, connected.

        Raises:
            ServingError: it cannot be reached or started.
        """
        for known, chat in self.chats:
            if known == config:
                return chat
        if self.turns is not None and config == self.shared:
            chat = await self._chat_in_turn(self.turns, config)
        else:
            chat = await self._chat(part, config)
        self.chats.append((config, chat))
        return chat

    async def _chat_in_turn(self, turns: Turns, config: EndpointConfig) -> Chat:
        async with first_turn(turns, REASONER):
            return await self._connected(REASONER, _located(config, self.last[REASONER]))

    async def _chat(self, part: str, config: EndpointConfig) -> Chat:
        server = None
        if config.serve is not None:
            key = os.environ.get(config.api_key_env or "")
            server = await self.stack.enter_async_context(self._served(part, config.serve, key))
            config = _located(config, server)
        chat = await self._connected(part, config)
        seconds, reused = (0.0, True) if server is None else (server.seconds, server.reused)
        told = ServerReady(
            part=part, url=chat.url, model=chat.model, version=chat.version, seconds=seconds, reused=reused
        )
        self.emit(told)
        return chat

    async def _connected(self, part: str, config: EndpointConfig) -> Chat:
        with boundary(ServingError, f"reaching the {part}"):
            chat = Chat(await self._client(), config, os.environ.get(config.api_key_env or ""))
            await chat.connect()
            return chat

    @asynccontextmanager
    async def _served(self, part: str, config: ServeConfig | ServeOmniConfig, key: str | None) -> AsyncIterator[Served]:
        log = self.folder / f"{part}-server.log"
        section = "critic.endpoint" if part == "critic" else ""
        async with served(config, key, await self._client(), log, self._waiting(part), section) as server:
            yield server

    async def _client(self) -> httpx.AsyncClient:
        if self.client is None:
            self.client = await self.stack.enter_async_context(self.new_client())
        return self.client

    def _waiting(self, part: str) -> Callable[[float, str], None]:
        return lambda seconds, line: self.emit(ServerWaiting(part=part, seconds=seconds, line=line))

    def _ready(self, part: str, url: str, server: Served) -> None:
        omni = part == GENERATOR and server.version
        version = f"vLLM-Omni {server.version}" if omni else server.version
        told = {"model": server.model, "version": version, "seconds": server.seconds, "reused": server.reused}
        self.emit(ServerReady(part=part, url=url, **told))


def _located(config: EndpointConfig, server: Served) -> EndpointConfig:
    return config.model_copy(update={"base_url": server.base_url, "model": config.model or server.model})
