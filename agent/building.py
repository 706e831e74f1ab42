"""Which class stands behind each backend's name, and for how long it lives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from critic.config import CriticConfig, SignalsConfig
from critic.types import Critic
from generator.config import AnimaticConfig, GeneratorConfig
from generator.types import Generator
from reasoner.config import ReasonerConfig, RulesConfig
from reasoner.types import Reasoner


@asynccontextmanager
async def build_reasoner(config: ReasonerConfig) -> AsyncIterator[Reasoner]:
    """The reasoner that a config names, for as long as the context lasts."""
    match config:
        case RulesConfig():
            from reasoner.rules import Rules  # noqa: PLC0415 - a backend is loaded by those who use it

            yield Rules(config)


@asynccontextmanager
async def build_generator(config: GeneratorConfig) -> AsyncIterator[Generator]:
    """The generator that a config names, for as long as the context lasts."""
    match config:
        case AnimaticConfig():
            from generator.animatic import Animatic  # noqa: PLC0415 - as above

            yield Animatic(config)


@asynccontextmanager
async def build_critic(config: CriticConfig) -> AsyncIterator[Critic]:
    """The critic that a config names, for as long as the context lasts."""
    match config:
        case SignalsConfig():
            from critic.signals import Signals  # noqa: PLC0415 - as above

            yield Signals(config)
