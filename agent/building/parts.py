"""The three parts of a run: which class stands behind each name, what it is given, and for how long it lives."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.building.generators import build_generator, key_of
from agent.config import RunConfig
from agent.errors import ConfigError, boundary
from agent.events import Emit
from agent.memory import Memory, RememberedRubric
from agent.serving.endpoints import endpoints, shared_by_turns
from agent.serving.in_turn import ComparerInTurn, CriticInTurn, ReasonerInTurn
from agent.serving.turns import REASONER, Turns
from critic.config import CriticConfig, HybridConfig, SignalsConfig, VLMConfig
from critic.types import Comparer, Critic, RubricWriter
from generator.config import AnimaticConfig
from generator.types import Generator
from reasoner.config import OpenAIConfig, ReasonerConfig, RulesConfig
from reasoner.types import Reasoner

if TYPE_CHECKING:
    from critic.vlm import Viewer
    from reasoner.chat.client import Chat


@dataclass(frozen=True)
class Parts:
    """The three, ready to work, and what the final choice is made with."""

    reasoner: Reasoner
    generator: Generator
    critic: Critic
    comparer: Comparer | None = None
    """The critic's model, asked which of two clips is better; None: the critic asks none."""
    measuring: Critic | None = None
    """Measures what a comparison leaves tied; None: the critic's own critiques hold it (`Critique.measured`)."""


@asynccontextmanager
async def build(config: RunConfig, memory: Memory, emit: Emit) -> AsyncIterator[Parts]:
    """The three parts that a config names, for as long as the context lasts.

    Raises:
        ConfigError: a key is wrong.
        ServingError: a server cannot be reached or started.
    """
    where = endpoints(config)
    async with AsyncExitStack() as stack:
        if not where and isinstance(config.generator, AnimaticConfig):
            servers = None  # the embedded parts load no client
        else:
            from agent.http import http_client  # noqa: PLC0415 - httpx is loaded by those who ask a server
            from agent.serving.reaching import Servers  # noqa: PLC0415 - as above

            servers = Servers(stack, memory.folder, emit, http_client)
        generator, checks = None, config.request.guardrails
        if servers is not None and (serve := shared_by_turns(config)) is not None:
            await servers.share(where["reasoner"], serve, key_of(config.generator))
            # first: the reasoner's turn is then the one that goes on into the run, and a fault of either is said now
            generator = await stack.enter_async_context(
                build_generator(config.generator, emit, servers, guardrails=checks)
            )
        chats = {part: await servers.chat(part, endpoint) for part, endpoint in where.items()} if servers else {}
        if generator is None:
            generator = await stack.enter_async_context(
                build_generator(config.generator, emit, servers, guardrails=checks)
            )
        turns = servers.turns if servers else None
        reasoner = build_reasoner(config.reasoner, chats.get("reasoner"))
        critics = turns if where.get("critic") == where.get("reasoner") else None
        viewer = build_viewer(config.critic, chats.get("critic"))
        yield Parts(
            reasoner=reasoner if turns is None else ReasonerInTurn(reasoner, turns, REASONER),
            generator=generator,
            critic=build_critic(config.critic, chats.get("critic"), memory, critics, viewer),
            comparer=None if viewer is None else build_comparer(viewer, critics),
            measuring=build_critic(SignalsConfig()) if isinstance(config.critic, VLMConfig) else None,
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


def build_critic(
    config: CriticConfig,
    chat: "Chat | None" = None,
    memory: Memory | None = None,
    turns: Turns | None = None,
    viewer: "Viewer | None" = None,
) -> Critic:
    """The critic that a config names.

    Args:
        config: which.
        chat: the server it asks, if it asks one.
        memory: keeps the rubric that is written for a request.
        turns: those of the server it asks, where that one does not always run.
        viewer: the model, where a comparer asks it too.
    """
    match config:
        case SignalsConfig():
            from critic.signals import Signals  # noqa: PLC0415 - as above

            return Signals(config)
        case VLMConfig():
            return _asking(config, _there(chat), memory, turns, viewer)
        case HybridConfig():
            from critic.hybrid import Hybrid  # noqa: PLC0415 - as above
            from critic.signals import Signals  # noqa: PLC0415 - as above

            # measuring needs no server: only the questions wait for its turn
            asking = _asking(config, _there(chat), memory, turns, viewer)
            return Hybrid(config, Signals(SignalsConfig(concurrency=config.concurrency)), asking)


def build_viewer(config: CriticConfig, chat: "Chat | None" = None) -> "Viewer | None":
    """The model that a critic asks, to be shared with its comparer; None: it asks none."""
    if isinstance(config, SignalsConfig):
        return None
    from critic.vlm import Viewer  # noqa: PLC0415 - as above

    return Viewer(config, _there(chat))


def build_comparer(viewer: "Viewer", turns: Turns | None = None) -> Comparer:
    """Compares clips two by two, by the model that judges them. `turns`: as for `build_critic`."""
    from critic.vlm import Pairwise  # noqa: PLC0415 - as above

    comparer = Pairwise(viewer)
    return comparer if turns is None else ComparerInTurn(comparer, turns, REASONER)


def _asking(
    config: VLMConfig | HybridConfig,
    chat: "Chat",
    memory: Memory | None,
    turns: Turns | None,
    viewer: "Viewer | None",
) -> Critic:
    from critic.vlm import VLM  # noqa: PLC0415 - as above

    critic = VLM(config, chat, _rubrics(config, chat, memory), viewer)
    return critic if turns is None else CriticInTurn(critic, turns, REASONER)


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
