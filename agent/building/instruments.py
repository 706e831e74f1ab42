"""What can be said of a critic before its server is asked: what a threshold file is held against first."""

from pathlib import Path

from agent.building.parts import build_critic
from agent.errors import ConfigError, boundary
from critic.config import CriticConfig, HybridConfig, SignalsConfig
from critic.instrument import Instrument


def foretold(config: CriticConfig) -> tuple[Instrument, frozenset[str]]:
    """A critic's account of itself without its server, and the names of what only that server tells.

    Raises:
        ConfigError: the rubric cannot be used.
    """
    if isinstance(config, SignalsConfig):
        return Instrument.of(build_critic(config)), frozenset()
    from critic.vlm import FromFile, instrument  # noqa: PLC0415 - a backend is loaded by those who use it

    unknown, rubric = frozenset({"model", "rubric"}), ""
    if config.rubric is not None:
        with boundary(ConfigError, "critic.rubric"):
            unknown, rubric = frozenset({"model"}), FromFile(Path(config.rubric)).id
    asked = instrument(config, "", rubric)
    if not isinstance(config, HybridConfig):
        return asked, unknown
    from critic.hybrid import joined  # noqa: PLC0415 - as above

    return joined(Instrument.of(build_critic(SignalsConfig())), asked, config.signals_share), unknown
