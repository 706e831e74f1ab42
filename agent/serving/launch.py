"""What the supervisor has to know of a server that it starts, whichever of the two it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.serving import command
from generator.config import ServeOmniConfig
from reasoner.chat.config import ServeConfig


@dataclass(frozen=True)
class Launch:
    """A server to start on this machine, or to find there."""

    kind: Literal["chat", "omni"]
    """chat: vLLM; omni: vLLM-Omni."""
    what: str
    """What is started, for people."""
    key: str
    """Its section of the config, for messages."""
    elsewhere: str
    """What to set in the config instead, for a server that is not started here."""
    model: str
    """The checkpoint. A server that lists it, as a name or a root, is this one."""
    served_model_name: str | None
    """The name to ask for. None: the checkpoint's."""
    port: int
    executable: str
    """The command, or its path."""
    gpus: tuple[int, ...] | None
    """CUDA_VISIBLE_DEVICES. None: as they are."""
    ready_seconds: float
    """How long it may load."""
    command: Callable[[Path, str], Sequence[str]]
    """The words that start it, from the executable's path and vLLM's version ("": not known)."""
    guardrails: Literal["on", "off", "unknown", "none"] = "none"
    """Whether it is started with its safety checks; none: it has none."""


def launch(config: ServeConfig | ServeOmniConfig) -> Launch:
    """How the server of a config is started."""
    match config:
        case ServeConfig():
            return Launch(
                kind="chat",
                what=f"vllm serve {config.model}",
                key="reasoner.serve",
                elsewhere="name it by base_url (instead of serve)",
                model=config.model,
                served_model_name=config.served_model_name,
                port=config.port,
                executable=config.executable,
                gpus=config.gpus,
                ready_seconds=config.ready_seconds,
                command=lambda executable, version: command.arguments(config, executable, version),
            )
        case ServeOmniConfig():
            return Launch(
                kind="omni",
                what=f"vllm serve {config.model} --omni",
                key="generator.serve",
                elsewhere="name it in generator.endpoints (instead of generator.serve)",
                model=config.model,
                served_model_name=config.served_model_name,
                port=config.port,
                executable=config.executable,
                gpus=config.gpus,
                ready_seconds=config.ready_seconds,
                command=lambda executable, _version: command.omni_arguments(config, executable),
                guardrails=command.omni_guardrails(config),
            )
