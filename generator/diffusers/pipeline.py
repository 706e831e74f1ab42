"""The seam between the backend and Diffusers: one loaded pipeline, what it is asked and what it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.types import RenderSpec

Offload = Literal["none", "model", "sequential"]
"""What waits in main memory: nothing, whole models, single layers."""
Frame = npt.NDArray[np.uint8]
OnStep = Callable[[int, int], None]
"""Called after every denoising step with the steps done and their total. Raises to end the render there."""


@dataclass(frozen=True)
class Film:
    """What a pipeline made, in main memory."""

    frames: Sequence[Frame]
    """Height x width x 3 each, RGB, 0-255."""
    steps: int
    """Denoising steps really made."""
    guardrails: Literal["on", "off", "none"]
    """Whether the safety checks acted."""
    sound: npt.NDArray[np.float32] | None = None
    """Channels x samples, -1 to 1. None: silent."""
    sound_rate: int = 48_000
    """Samples a second."""
    notes: tuple[str, ...] = ()
    """What was not done as asked, in sentences."""


class Pipeline(Protocol):
    """A loaded pipeline on one device. Only ever called from one thread."""

    @property
    def version(self) -> str:
        """Of the libraries, such as "diffusers 0.40.0, torch 2.13.0"."""
        ...

    @property
    def fixed_steps(self) -> int | None:
        """Denoising steps of a distilled checkpoint, which runs no other number; None: any."""
        ...

    @property
    def makes_sound(self) -> bool:
        """Whether the checkpoint has the modules for sound."""
        ...

    def guard(self) -> None:
        """Load the safety checks, where they are not yet there.

        Raises:
            BackendError: they cannot be loaded.
        """
        ...

    def render(self, prompt: str, spec: RenderSpec, seed: int, on_step: OnStep) -> Film:
        """Render. Whatever `on_step` raises passes, and the pipeline can be used again.

        Raises:
            BlockedError: a safety check refused the prompt or the clip.
            Exception: whatever Diffusers and torch raise.
        """
        ...

    def offload(self, how: Offload) -> None:
        """Keep more in main memory from now on."""
        ...

    def free(self) -> None:
        """Give unused memory back."""
        ...

    def close(self) -> None:
        """Drop the models and give their memory back."""
        ...


LoadPipeline = Callable[[DiffusersConfig, Family, str | None], Pipeline]
"""Loads a checkpoint of a family onto a device such as "cuda:0"; None: the first GPU, or the CPU.

Raises:
    BackendError: it cannot be loaded; names the cure.
"""
