"""The critic of a config alone, with the server that it asks: what judges clips where none are made."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.building.parts import build_comparer, build_critic, build_viewer
from agent.config import RunConfig
from agent.events import Emit
from agent.memory import Memory
from agent.serving.endpoints import critics_endpoint
from critic.types import Comparer, Critic


@dataclass(frozen=True)
class Judges:
    """Who judges clips, and who compares them two by two."""

    critic: Critic
    comparer: Comparer | None = None
    """The critic's model; None: it asks none."""


@asynccontextmanager
async def build_judges(config: RunConfig, memory: Memory, emit: Emit, logs: Path) -> AsyncIterator[Judges]:
    """The critic that a config names, for as long as the context lasts. No generator is built, reached or started.

    Its server starts where the config has `serve`, also where a run would let it take turns with the generator's: there
    is none beside it.

    Args:
        config: its critic, and its reasoner where the critic asks that one's server.
        memory: keeps the rubrics that are written for each prompt.
        emit: told of the server.
        logs: folder for the log of a server that is started.

    Raises:
        ConfigError: a key is wrong.
        ServingError: the server cannot be reached or started.
    """
    asked = critics_endpoint(config)
    async with AsyncExitStack() as stack:
        chat = None
        if asked is not None:
            from agent.http import http_client  # noqa: PLC0415 - httpx is loaded by those who ask a server
            from agent.serving.reaching import Servers  # noqa: PLC0415 - as above

            chat = await Servers(stack, logs, emit, http_client).chat(*asked)
        viewer = build_viewer(config.critic, chat)
        critic = build_critic(config.critic, chat, memory, viewer=viewer)
        yield Judges(critic, None if viewer is None else build_comparer(viewer))
