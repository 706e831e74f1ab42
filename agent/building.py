"""Which class stands behind each backend's name, what it is given, and for how long it lives."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config import RunConfig
from agent.errors import ConfigError, ServingError, boundary
from agent.events import Emit, ServerReady, ServerWaiting
from agent.memory import Memory, RememberedRubric
from critic.config import CriticConfig, HybridConfig, SignalsConfig, VLMConfig
from critic.types import Critic, RubricWriter
from generator.config import AnimaticConfig, GeneratorConfig
from generator.types import Generator
from reasoner.chat.config import EndpointConfig
from reasoner.config import OpenAIConfig, ReasonerConfig, RulesConfig
from reasoner.types import Reasoner

if TYPE_CHECKING:
    import httpx

    from reasoner.chat.client import Chat

BASE_URL = "COSMOS_PROMPT_UPSAMPLER_BASE_URL"
"""Environment variable that NVIDIA's tools read the reasoner's address from."""
_KEY_LENGTH = 16
"""Characters from which a name that is not all capitals may be a pasted key, and is not repeated."""
DEFAULT_URL = "http://127.0.0.1:8000"


def endpoints(config: RunConfig) -> dict[str, EndpointConfig]:
    """The servers that a config asks, by part.

    Raises:
        ConfigError: the critic asks one and none is named, or a variable that should hold a key is not set.
    """
    found: dict[str, EndpointConfig] = {}
    if isinstance(config.reasoner, OpenAIConfig):
        found["reasoner"] = _located(config.reasoner, os.environ.get(BASE_URL))
    if isinstance(config.critic, VLMConfig | HybridConfig):
        if config.critic.endpoint is not None:
            found["critic"] = _located(config.critic.endpoint, None)
        elif "reasoner" in found:
            found["critic"] = found["reasoner"]
        else:
            raise ConfigError(
                f"critic.endpoint: the critic {config.critic.backend} asks a server, and the reasoner rules has none "
                "to share; name one (base_url or serve), or take reasoner.backend: openai"
            )
    for part, endpoint in found.items():
        if endpoint.api_key_env and not os.environ.get(endpoint.api_key_env):
            key = "reasoner" if part == "reasoner" or endpoint == found.get("reasoner") else "critic.endpoint"
            name = endpoint.api_key_env
            if name != name.upper() and len(name) >= _KEY_LENGTH:
                raise ConfigError(
                    f"{key}.api_key_env: no environment variable has the name given there; is it the key itself? Then "
                    "change that key, export it as a variable, and write the variable's name"
                )
            raise ConfigError(
                f"{key}.api_key_env: the environment variable {name} is not set; export it, or take the key out where "
                "the server needs none"
            )
    return found


def _located(config: EndpointConfig, variable: str | None) -> EndpointConfig:
    """The endpoint with its address decided: the config's, the variable's, or else the local one."""
    fields = {name: getattr(config, name) for name in EndpointConfig.model_fields}
    if config.base_url is None and variable:
        try:
            return EndpointConfig.model_validate({**fields, "base_url": variable, "serve": None})
        except ValueError:
            raise ConfigError(f"{BASE_URL}: must look like {DEFAULT_URL}, without user or password") from None
    if config.base_url is not None:
        return EndpointConfig(**{**fields, "serve": None})
    if config.serve is None:
        return EndpointConfig(**{**fields, "base_url": DEFAULT_URL})
    return EndpointConfig(**fields)


@dataclass
class Servers:
    """The chat servers of a run: each reached, or started, once."""

    stack: AsyncExitStack
    folder: Path
    """Where the log of a server that is started goes."""
    emit: Emit
    chats: list[tuple[EndpointConfig, "Chat"]] = field(default_factory=list)
    client: "httpx.AsyncClient | None" = None

    async def chat(self, part: str, config: EndpointConfig) -> "Chat":
        """The client of an endpoint, connected.

        Raises:
            ServingError: it cannot be reached or started.
        """
        from reasoner.chat.client import Chat  # noqa: PLC0415 - httpx is loaded by those who ask a server

        for known, chat in self.chats:
            if known == config:
                return chat
        client, key = await self._client(), os.environ.get(config.api_key_env or "")
        seconds, reused = 0.0, True
        located = config
        if config.serve is not None:
            from agent.serving import served  # noqa: PLC0415 - as above

            log = self.folder / f"{part}-server.log"
            server = await self.stack.enter_async_context(served(config.serve, key, client, log, self._waiting(part)))
            located = config.model_copy(update={"base_url": server.base_url, "model": config.model or server.model})
            seconds, reused = server.seconds, server.reused
        with boundary(ServingError, f"reaching the {part}"):
            chat = Chat(client, located, key)
            await chat.connect()
        self.emit(
            ServerReady(part=part, url=chat.url, model=chat.model, version=chat.version, seconds=seconds, reused=reused)
        )
        self.chats.append((config, chat))
        return chat

    async def _client(self) -> "httpx.AsyncClient":
        if self.client is None:
            from agent.http import http_client  # noqa: PLC0415 - as above

            self.client = await self.stack.enter_async_context(http_client())
        return self.client

    def _waiting(self, part: str) -> Callable[[float, str], None]:
        return lambda seconds, line: self.emit(ServerWaiting(part=part, seconds=seconds, line=line))


@dataclass(frozen=True)
class Parts:
    """The three, ready to work."""

    reasoner: Reasoner
    generator: Generator
    critic: Critic


@asynccontextmanager
async def build(config: RunConfig, memory: Memory, emit: Emit) -> AsyncIterator[Parts]:
    """The three parts that a config names, for as long as the context lasts.

    Raises:
        ConfigError: a key is wrong.
        ServingError: a server cannot be reached or started.
    """
    where = endpoints(config)
    async with AsyncExitStack() as stack:
        servers = Servers(stack, memory.folder, emit)
        chats = {part: await servers.chat(part, endpoint) for part, endpoint in where.items()}
        yield Parts(
            reasoner=build_reasoner(config.reasoner, chats.get("reasoner")),
            generator=build_generator(config.generator),
            critic=build_critic(config.critic, chats.get("critic"), memory),
        )


def build_reasoner(config: ReasonerConfig, chat: "Chat | None" = None) -> Reasoner:
    """The reasoner that a config names. `chat`: the server it asks, if it asks one."""
    match config:
        case RulesConfig():
            from reasoner.rules import Rules  # noqa: PLC0415 - a backend is loaded by those who use it

            return Rules(config)
        case OpenAIConfig():
            from reasoner.openai import OpenAI  # noqa: PLC0415 - as above

            return OpenAI(config, _there(chat))


def build_generator(config: GeneratorConfig) -> Generator:
    """The generator that a config names."""
    match config:
        case AnimaticConfig():
            from generator.animatic import Animatic  # noqa: PLC0415 - as above

            return Animatic(config)


def build_critic(config: CriticConfig, chat: "Chat | None" = None, memory: Memory | None = None) -> Critic:
    """The critic that a config names. `chat`: the server it asks, if it asks one."""
    match config:
        case SignalsConfig():
            from critic.signals import Signals  # noqa: PLC0415 - as above

            return Signals(config)
        case VLMConfig():
            from critic.vlm import VLM  # noqa: PLC0415 - as above

            return VLM(config, _there(chat), _rubrics(config, _there(chat), memory))
        case HybridConfig():
            from critic.hybrid import Hybrid  # noqa: PLC0415 - as above
            from critic.signals import Signals  # noqa: PLC0415 - as above
            from critic.vlm import VLM  # noqa: PLC0415 - as above

            asking = VLM(config, _there(chat), _rubrics(config, _there(chat), memory))
            return Hybrid(config, Signals(SignalsConfig(concurrency=config.concurrency)), asking)


def rubric_file(path: str) -> bytes:
    """A user's rubric, found fit to be asked.

    Raises:
        ConfigError: it is not.
    """
    from critic.vlm import FromFile  # noqa: PLC0415 - as above

    with boundary(ConfigError, "critic.rubric"):
        FromFile(Path(path))
        return Path(path).read_bytes()


def _rubrics(config: VLMConfig | HybridConfig, chat: "Chat", memory: Memory | None) -> RubricWriter:
    from critic.vlm import Checklist, FromFile  # noqa: PLC0415 - as above

    if config.rubric is not None:
        with boundary(ConfigError, "critic.rubric"):
            writer: RubricWriter = FromFile(Path(config.rubric))
    else:
        writer = Checklist(chat)
    return writer if memory is None else RememberedRubric(writer, memory)


def _there(chat: "Chat | None") -> "Chat":
    if chat is None:
        raise ValueError("this backend asks a server: give it the connected Chat")
    return chat
