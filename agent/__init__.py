"""Retake: the open, self-hosted agentic loop for NVIDIA Cosmos3 video generation.

from agent import refine_and_generate
run = refine_and_generate("A sailing boat at dawn. The camera pushes in.")
print(run.video, run.score, run.stop_reason)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.api import refine_and_generate, refine_and_generate_async, resume, resume_async
    from agent.config import RunConfig
    from agent.controller import Controller
    from agent.errors import (
        ConfigError,
        CriticError,
        GeneratorError,
        IntakeError,
        NoCandidateError,
        ReasonerError,
        RetakeError,
        RunFolderError,
        StorageError,
    )
    from agent.reading import load_config
    from agent.run import Run
    from agent.types import Candidate, Failure, Iteration, Request

_MODULES = (
    "agent.errors",
    "agent.types",
    "agent.run",
    "agent.config",
    "agent.reading",
    "agent.controller",
    "agent.api",
)
"""Where the public names live, the quickest to import first."""

__all__ = [
    "Candidate",
    "ConfigError",
    "Controller",
    "CriticError",
    "Failure",
    "GeneratorError",
    "IntakeError",
    "Iteration",
    "NoCandidateError",
    "ReasonerError",
    "Request",
    "RetakeError",
    "Run",
    "RunConfig",
    "RunFolderError",
    "StorageError",
    "load_config",
    "refine_and_generate",
    "refine_and_generate_async",
    "resume",
    "resume_async",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: `python -m agent` must get as far as explaining a broken environment."""
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
