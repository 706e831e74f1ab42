"""One device: a pipeline, the one thread that works it, and what becomes of a render that does not fit."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.diffusers.arguments import check_checkpoint
from generator.diffusers.failures import is_out_of_memory, not_loaded, of_render, out_of_memory
from generator.diffusers.film import StoppedError
from generator.diffusers.pipeline import Film, LoadPipeline, Offload, Pipeline
from generator.types import BackendError, Progress, RenderSpec, Tell

STRONGER: dict[Offload, Offload] = {"none": "model", "model": "sequential"}
TELL_SECONDS = 1.0
"""Between two words on the steps of one render."""

T = TypeVar("T")


class Listener:
    """The line between a render's caller, in the event loop, and the thread that works for it."""

    def __init__(self, seed: int, tell: Tell) -> None:
        self.seed = seed
        self.stop = threading.Event()
        self.started: float | None = None
        """When the thread began, on `time.perf_counter`'s clock."""
        self.interruptible = True
        """Whether the thread will ask `stop` again before the pictures are done."""
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._told = 0.0

    @property
    def seconds(self) -> float:
        """Since the thread began."""
        return 0.0 if self.started is None else round(time.perf_counter() - self.started, 3)

    def say(self, progress: Progress) -> None:
        """Tell from any thread. A loop that is gone listens no more."""
        try:
            self._loop.call_soon_threadsafe(self._tell, progress)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def begin(self) -> None:
        """The thread turns to this render.

        Raises:
            StoppedError: nobody waits for it any more.
        """
        self.started = self._told = time.perf_counter()
        self._ask()
        self.say(Progress(seed=self.seed, stage="rendering"))

    def step(self, done: int, total: int) -> None:
        """A denoising step is done.

        Raises:
            StoppedError: nobody waits for it any more.
        """
        self._ask()
        self.interruptible = done < total
        now = time.perf_counter()
        if done == total or now - self._told >= TELL_SECONDS:
            self._told = now
            self.say(Progress(seed=self.seed, stage="rendering", seconds=self.seconds, step=done, steps=total))

    def _ask(self) -> None:
        if self.stop.is_set():
            raise StoppedError


@dataclass(frozen=True)
class Rendered:
    """What came of a render on a device, and what it took."""

    film: Film
    version: str
    seconds: float
    attempts: int = 1
    lost_seconds: float = 0.0
    notes: tuple[str, ...] = ()


class Device:
    """A pipeline on one device."""

    def __init__(self, name: str | None, config: DiffusersConfig, family: Family, load: LoadPipeline) -> None:
        self._name, self._config, self._family, self._load = name, config, family, load
        self._offload: Offload = config.offload
        self._pipeline: Pipeline | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"diffusers-{name or 'device'}")

    async def load(self) -> None:
        """Load the checkpoint.

        Raises:
            BackendError: it cannot be loaded; names the cure.
        """
        await self._run(self._loaded)

    async def guard(self) -> None:
        """Load the safety checks.

        Raises:
            BackendError: they cannot be loaded; names the cure.
        """
        await self._run(lambda: self._loaded().guard())

    def submit(self, prompt: str, spec: RenderSpec, listener: Listener) -> "Future[Rendered]":
        """Hand a render to the thread."""
        return self._thread.submit(self._render, prompt, spec, listener)

    async def close(self) -> None:
        """Wait for the thread, drop the pipeline and give its memory back."""
        try:
            await self._run(self._drop)
        finally:
            await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    def _loaded(self) -> Pipeline:
        if self._pipeline is None:
            try:
                self._pipeline = self._load(self._config, self._family, self._name)
            except BackendError:
                raise
            except Exception as error:
                raise not_loaded(self._config, error) from error
        return self._pipeline

    def _drop(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def _render(self, prompt: str, spec: RenderSpec, listener: Listener) -> Rendered:
        listener.begin()
        pipeline = self._loaded()
        check_checkpoint(spec, self._config.model, pipeline.fixed_steps, makes_sound=pipeline.makes_sound)
        # a distilled pipeline calls nobody between its steps
        listener.interruptible = pipeline.fixed_steps is None
        lost, attempts = 0.0, 1
        notes: tuple[str, ...] = ()
        made = self._attempt(pipeline, prompt, spec, listener)
        if isinstance(made, str):
            stronger = STRONGER.get(self._offload)
            pipeline.free()
            if not self._config.offload_on_oom or stronger is None:
                raise out_of_memory(spec, self._offload, made)
            lost, attempts = listener.seconds, 2
            pipeline.offload(stronger)
            self._offload = stronger
            notes = (f"Out of memory: rendered with offload {stronger}, which is kept from now on.",)
            listener.say(Progress(seed=listener.seed, stage="resubmitted", seconds=lost, note=notes[0]))
            made = self._attempt(pipeline, prompt, spec, listener)
            if isinstance(made, str):
                pipeline.free()
                raise out_of_memory(spec, stronger, made)
        seconds = round(listener.seconds - lost, 3)
        return Rendered(made, pipeline.version, seconds, attempts, lost, notes)

    def _attempt(self, pipeline: Pipeline, prompt: str, spec: RenderSpec, listener: Listener) -> Film | str:
        """The film, or what was said where memory ran out. As a value: the error's traceback holds the tensors."""
        try:
            return pipeline.render(prompt, spec, listener.seed, listener.step)
        except StoppedError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                return str(error) or type(error).__name__
            raise of_render(spec, listener.seed, error) from error
