"""Pipelines without torch, for the in-process backend: real frames, scripted steps, and what can go wrong."""

import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, overload

import numpy as np

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.diffusers.pipeline import Film, Frame, LoadPipeline, Offload, OnStep
from generator.types import RenderSpec, Tell


class Watched(Sequence[Frame]):
    """Frames that hold the encoder up at the first one until `go` is set."""

    def __init__(self, frames: Sequence[Frame], reached: threading.Event, go: threading.Event) -> None:
        self.frames, self.reached, self.go = frames, reached, go
        self.taken = 0

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        return self.frames[index]

    def __iter__(self) -> Iterator[Frame]:
        self.reached.set()
        assert self.go.wait(60), "nobody let the encoder go on"
        for frame in self.frames:
            self.taken += 1
            yield frame


@dataclass
class Script:
    """What pipelines do, and a record of what was asked of them. Shared by all devices of a backend."""

    step_seconds: float = 0.0
    load_gate: threading.Event | None = None
    """A load waits until it is set."""
    fits_with: Offload = "none"
    """The weakest offload under which a render fits into memory."""
    offload_failure: Exception | None = None
    fixed_steps: int | None = None
    makes_sound: bool = False
    guardrails: Literal["on", "off", "none"] | None = None
    """What the pipeline says; None: as asked."""
    frames_short: int = 0
    failure: Exception | None = None
    gates: dict[int, threading.Event] = field(default_factory=dict)
    """By seed: the render waits before each step until the event is set."""
    encoder_reached: threading.Event = field(default_factory=threading.Event)
    encoder_gates: dict[int, threading.Event] = field(default_factory=dict)
    """By seed: the encoder waits at the first frame."""
    decoder_gates: dict[int, threading.Event] = field(default_factory=dict)
    """By seed: the render waits after its last step."""
    watched: list[Watched] = field(default_factory=list)
    """Frames that an encoder waits at."""
    loaded: list[str | None] = field(default_factory=list)
    """Devices that a load began for."""
    loads_ended: threading.Event = field(default_factory=threading.Event)
    """A load ended, however."""
    renders: list[tuple[str | None, int, str]] = field(default_factory=list)
    """Device, seed and thread of each render that began."""
    steps: dict[int, int] = field(default_factory=dict)
    """By seed: steps made."""
    offloads: list[Offload] = field(default_factory=list)
    frees: int = 0
    closed: list[str | None] = field(default_factory=list)
    guarded: list[str | None] = field(default_factory=list)

    def load(self, config: DiffusersConfig, _family: Family, device: str | None) -> "Scripted":
        """A `LoadPipeline`."""
        self.loaded.append(device)
        try:
            while self.load_gate is not None and not self.load_gate.is_set():
                time.sleep(0.002)
        finally:
            self.loads_ended.set()
        return Scripted(self, device, config.offload)


class Scripted:
    """Implements `generator.diffusers.pipeline.Pipeline`."""

    version = "diffusers 0.0 (scripted), torch 0.0"

    def __init__(self, script: Script, device: str | None, offload: Offload) -> None:
        self.script, self.device, self.offloaded = script, device, offload

    @property
    def fixed_steps(self) -> int | None:
        return self.script.fixed_steps

    @property
    def makes_sound(self) -> bool:
        return self.script.makes_sound

    def guard(self) -> None:
        self.script.guarded.append(self.device)

    def render(self, prompt: str, spec: RenderSpec, seed: int, on_step: OnStep) -> Film:
        script = self.script
        script.renders.append((self.device, seed, threading.current_thread().name))
        order: list[Offload] = ["none", "model", "sequential"]
        if order.index(self.offloaded) < order.index(script.fits_with):
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        for step in range(spec.num_inference_steps):
            if seed in script.gates:
                assert script.gates[seed].wait(60), "nobody let the render go on"
            time.sleep(script.step_seconds)
            script.steps[seed] = step + 1
            if script.fixed_steps is None:
                on_step(step + 1, spec.num_inference_steps)
        if seed in script.decoder_gates:
            assert script.decoder_gates[seed].wait(60), "nobody let the decoder go on"
        if script.failure is not None:
            raise script.failure
        frames: Sequence[Frame] = noise(prompt, spec, seed)[: spec.num_frames - script.frames_short]
        if seed in script.encoder_gates:
            frames = Watched(frames, script.encoder_reached, script.encoder_gates[seed])
            script.watched.append(frames)
        sound = np.zeros((2, 48_000), np.float32) if spec.sound else None
        guardrails = script.guardrails or ("on" if spec.guardrails else "off")
        return Film(frames, spec.num_inference_steps, guardrails, sound)

    def offload(self, how: Offload) -> None:
        if self.script.offload_failure is not None:
            raise self.script.offload_failure
        self.offloaded = how
        self.script.offloads.append(how)

    def free(self) -> None:
        self.script.frees += 1

    def close(self) -> None:
        self.script.closed.append(self.device)


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def noise(prompt: str, spec: RenderSpec, seed: int) -> list[Frame]:
    """Frames that differ with the prompt and seed, and that do not compress to nothing."""
    dice = np.random.default_rng([seed, *prompt.encode()])
    shape = (spec.height // 8, spec.width // 8, 3)
    return [dice.integers(0, 256, shape, np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(spec.num_frames)]


def _silent(_told: object) -> None:
    pass


@asynccontextmanager
async def running(
    script: Script | None = None,
    tell: Tell = _silent,
    config: DiffusersConfig | None = None,
) -> AsyncIterator[Diffusers]:
    """A backend over scripted pipelines, closed at the end."""
    load: LoadPipeline = (script or Script()).load
    backend = Diffusers(config or DiffusersConfig(), tell, load_pipeline=load)
    try:
        yield backend
    finally:
        await backend.close()


@asynccontextmanager
async def generator(tell: Tell = _silent) -> AsyncIterator[Diffusers]:
    """For the contract suite. Slow enough, with many steps, to be cancelled."""
    async with running(Script(step_seconds=0.001), tell) as backend:
        await backend.load()
        yield backend
