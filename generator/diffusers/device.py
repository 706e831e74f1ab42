"""One device: a pipeline, the one thread that works it, and what becomes of a render that does not fit."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.diffusers.arguments import check_checkpoint
from generator.diffusers.failures import Shortage, not_loaded, of_render, out_of_memory, shortage
from generator.diffusers.film import StoppedError
from generator.diffusers.pipeline import Film, LoadPipeline, Offload, Pipeline
from generator.diffusers.worker import HaltedError, Worker
from generator.types import BackendError, Progress, RenderSpec, Tell

CLOSED = "The Diffusers backend is closed. Make a new one to render again."
TELL_SECONDS = 1.0
"""Between two words on the steps of one render."""

T = TypeVar("T")

log = logging.getLogger("generator.diffusers")


class Listener:
    """The line between a render's caller, in the event loop, and the thread that works for it."""

    def __init__(self, seed: int, tell: Tell) -> None:
        self.seed = seed
        self.stop = threading.Event()
        self.started: float | None = None
        """When the thread began, on `time.perf_counter`'s clock."""
        self.interruptible = True
        """Whether the thread will ask `stop` again before the pictures are done."""
        self.tell = tell
        """In the event loop's thread; `say` from any."""
        self._loop = asyncio.get_running_loop()
        self._told = 0.0

    @property
    def seconds(self) -> float:
        """Since the thread began."""
        return 0.0 if self.started is None else round(time.perf_counter() - self.started, 3)

    def say(self, progress: Progress) -> None:
        """Tell from any thread. A loop that is gone listens no more."""
        try:
            self._loop.call_soon_threadsafe(self.tell, progress)
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
        self._thread = Worker(f"diffusers-{name or 'device'}")
        self._lock = threading.Lock()
        self._is_loading = self._is_dropped = False

    async def load(self) -> None:
        """Load the checkpoint. Whoever is cancelled here waits no longer; the thread goes on until `close`.

        Raises:
            BackendError: it cannot be loaded; names the cure.
        """
        await asyncio.wrap_future(self._submit(self._loaded))

    async def guard(self) -> None:
        """Load the safety checks. Cancelled as `load` is.

        Raises:
            BackendError: they cannot be loaded; names the cure.
        """
        await asyncio.wrap_future(self._submit(lambda: self._guarded(self._loaded())))

    def submit(self, prompt: str, spec: RenderSpec, listener: Listener) -> "Future[Rendered]":
        """Hand a render to the thread."""
        return self._submit(lambda: self._render(prompt, spec, listener))

    async def close(self) -> None:
        """Wait for a render, drop the pipeline and give its memory back.

        A load is not waited for, which may be a long download or stuck: the thread drops what comes of it. Nor is a
        render, once the waiting for it is cancelled.
        """
        with self._lock:
            self._is_dropped = True
            is_loading = self._is_loading
        dropped = self._thread.submit(self._drop)
        if is_loading:
            log.info("closed while %s loads: that goes on, and is dropped when it ends", self._config.model)
            self._thread.leave()
            return
        try:
            await asyncio.wrap_future(dropped)
        except asyncio.CancelledError:
            self._thread.leave()
            raise
        self._thread.end()

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        if self._is_dropped:
            raise BackendError(CLOSED)

        def made() -> T:
            try:
                return work()
            except HaltedError:
                pass  # and not raised from here: its traceback holds what was half loaded
            raise BackendError(CLOSED)

        return self._thread.submit(made)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Around what `close` does not wait for.

        Raises:
            BackendError: the device is closed.
        """
        with self._lock:
            if self._is_dropped:
                raise BackendError(CLOSED)
            self._is_loading = True
        try:
            yield
        finally:
            with self._lock:
                self._is_loading = False

    def _loaded(self) -> Pipeline:
        if self._pipeline is None:
            with self._loading():
                try:
                    self._pipeline = self._load(self._config, self._family, self._name)
                except BackendError:
                    raise
                except Exception as error:
                    raise not_loaded(self._config, error) from error
                self._offload = self._config.offload
        return self._pipeline

    def _guarded(self, pipeline: Pipeline) -> None:
        with self._loading():
            pipeline.guard()

    def _drop(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def _render(self, prompt: str, spec: RenderSpec, listener: Listener) -> Rendered:
        listener.begin()
        pipeline = self._loaded()
        check_checkpoint(spec, self._config.model, pipeline.fixed_steps, makes_sound=pipeline.makes_sound)
        if spec.guardrails:
            self._guarded(pipeline)
        # a distilled pipeline calls nobody between its steps
        listener.interruptible = pipeline.fixed_steps is None
        lost, attempts = 0.0, 1
        notes: tuple[str, ...] = ()
        made = self._attempt(pipeline, prompt, spec, listener)
        if isinstance(made, Shortage):
            stronger = made.stronger(self._offload)
            pipeline.free()
            if not self._config.offload_on_oom or stronger is None:
                raise out_of_memory(spec, self._offload, made)
            self._strengthen(pipeline, stronger, spec, made)
            lost, attempts = listener.seconds, 2
            notes = (f"Out of memory: rendered with offload {stronger}, which is kept from now on.",)
            listener.say(Progress(seed=listener.seed, stage="resubmitted", seconds=lost, note=notes[0]))
            made = self._attempt(pipeline, prompt, spec, listener)
            if isinstance(made, Shortage):
                pipeline.free()
                raise out_of_memory(spec, stronger, made)
        seconds = round(listener.seconds - lost, 3)
        return Rendered(made, pipeline.version, seconds, attempts, lost, notes)

    def _strengthen(self, pipeline: Pipeline, stronger: Offload, spec: RenderSpec, short: Shortage) -> None:
        try:
            pipeline.offload(stronger)
        except Exception as error:
            self._drop()  # its models may lie half here and half there: the next render loads it anew
            raise out_of_memory(spec, self._offload, short, error) from error
        self._offload = stronger

    def _attempt(self, pipeline: Pipeline, prompt: str, spec: RenderSpec, listener: Listener) -> Film | Shortage:
        """The film, or what ran out."""
        try:
            return pipeline.render(prompt, spec, listener.seed, listener.step)
        except StoppedError:
            raise
        except Exception as error:
            short = shortage(error)
            if short is None:
                raise of_render(spec, listener.seed, error) from error
            return short
