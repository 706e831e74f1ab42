"""The in-process generator: devices that render one clip each, and threads that encode while the next one renders."""

import asyncio
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generator import first_frame
from generator.capabilities import Capabilities, Family, capabilities, family
from generator.config import DiffusersConfig
from generator.delivery import STORAGE_ERRORS, after_rendering, deliver, held, written_aside
from generator.diffusers import film, loading, source
from generator.diffusers.arguments import check
from generator.diffusers.device import CLOSED, Device, Listener, Rendered
from generator.diffusers.film import StoppedError
from generator.diffusers.pipeline import LoadPipeline
from generator.probe import verify
from generator.types import BackendError, Clip, Progress, RenderError, Rendering, RenderSpec, Tell, telling_of

DIFFUSERS_VERSION = 1
"""Goes up with every change that changes pixels: finished renders are remembered under it."""

log = logging.getLogger("generator.diffusers")


def _silent(_told: Progress) -> None:
    pass


class Diffusers:
    """Renders with a Diffusers pipeline in this process: a thread a device, and one that encodes.

    Renders wait in the order they came and go to the first free device. A clip is encoded while the device renders
    the next one; at most twice as many clips as devices are in memory. A render that is cancelled ends between two
    denoising steps; what cannot be stopped (a distilled checkpoint, the decoding of the video) runs to its end with
    nobody waiting for it, and the device takes its next render after that.

    Seeds are those of a generator on the CPU, whatever the device, so that the noise of a seed is everywhere the same.
    The same prompt, spec and seed give the same bytes on the same machine and versions.
    """

    def __init__(
        self, config: DiffusersConfig, tell: Tell = _silent, *, load_pipeline: LoadPipeline = loading.load
    ) -> None:
        """Take the settings; nothing is loaded yet.

        Args:
            config: which checkpoint, on which devices.
            tell: told of each render's progress.
            load_pipeline: how a checkpoint becomes a pipeline; for tests without torch.
        """
        self._config, self._tell, self._load_pipeline = config, tell, load_pipeline
        self._family = family(config)
        self._able: Capabilities = capabilities(config)
        self._loading: asyncio.Task[None] | None = None
        self._devices: list[Device] = []
        self._is_closed = False
        self._free: asyncio.Queue[Device] = asyncio.Queue()
        width = max(1, len(config.devices))
        self._in_memory = asyncio.Semaphore(2 * width)
        self._encoders = ThreadPoolExecutor(width, thread_name_prefix="diffusers-encoder")

    @property
    def id(self) -> str:
        """Backend and version, checkpoint, family, and what else of the settings decides pixels."""
        compiled = "/compiled" if self._config.compile else ""
        return f"diffusers/{DIFFUSERS_VERSION}/{self._config.model}/{self._family}/{self._config.dtype}{compiled}"

    async def load(self, *, guardrails: bool = False) -> None:
        """Load the checkpoint onto every device, once. A render loads it as well, where this was not called.

        Whoever is cancelled here waits no longer; the load goes on for the others and the next, until `close`.

        Args:
            guardrails: load the safety checks too, so that missing ones are found out now.

        Raises:
            BackendError: Diffusers, torch, the checkpoint or the checks are missing; names the cure.
        """
        if self._is_closed:
            raise BackendError(CLOSED)
        if self._loading is None:
            self._loading = asyncio.create_task(self._load_devices())
            self._loading.add_done_callback(self._load_ended)
        try:
            await asyncio.shield(self._loading)
            if guardrails and self._able.guardrails != "none":
                for device in self._devices:
                    await device.guard()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_closed and not (task and task.cancelling()):  # the load was cancelled, by `close`
                raise BackendError(CLOSED) from None
            log.info("cancelled: %s goes on loading, for the next render or until it is dropped", self._config.model)
            raise

    async def close(self) -> None:
        """Wait for what cannot be stopped, drop the models and give their memory back. Renders no more.

        A load is not waited for: it goes on, and what comes of it is dropped in its thread.
        """
        self._is_closed = True
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.wait([self._loading])
        devices, self._devices = self._devices, []
        await _closed(devices)
        await asyncio.to_thread(self._encoders.shutdown)

    async def _load_devices(self) -> None:
        devices: list[Device] = []
        try:
            for name in self._config.devices or (None,):
                devices.append(Device(name, self._config, self._family, self._load_pipeline))
                await devices[-1].load()  # one after the other: loading patches torch for the whole process
        except BaseException:
            await _closed(devices)
            raise
        self._devices = devices
        for device in devices:
            self._free.put_nowait(device)

    def _load_ended(self, loading: "asyncio.Task[None]") -> None:
        if loading.cancelled() or loading.exception() is not None:  # nobody may be left to ask it
            self._loading = None  # the next one tries again

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished.

        Raises:
            BlockedError: a safety check refused the prompt or the clip.
            RenderError: the attempt gave no usable clip, or the spec asks for what the pipeline cannot do.
            BackendError: out of memory, or the pipeline cannot be loaded; names the cure.
            OSError: the disk or folder failed.
        """
        started = time.perf_counter()
        log.info("render start seed=%d to=%s", seed, to)
        tell = telling_of(to, self._tell)
        await asyncio.to_thread(_check, self._able, self._family, spec)
        with written_aside(to) as part:
            part.touch()  # a folder that is missing or read-only is found out before a render is spent on it
            if not self._devices:
                tell(Progress(seed=seed, stage="queued", note="the checkpoint is being loaded"))
            try:
                await self.load()
            except asyncio.CancelledError:
                if not self._is_closed:
                    note = "cancelled; the checkpoint goes on loading, which cannot be stopped"
                    tell(Progress(seed=seed, stage="queued", note=note))
                raise
            listener = Listener(seed, tell)
            asked = time.perf_counter()
            if self._in_memory.locked() or self._free.empty():
                tell(Progress(seed=seed, stage="queued"))
            async with self._in_memory:
                rendered, queued = await self._on_a_device(prompt, spec, listener, asked)
                tell(Progress(seed=seed, stage="delivering"))
                rendering = Rendering(
                    model=self._config.model,
                    version=rendered.version,
                    guardrails=rendered.film.guardrails,
                    num_inference_steps=rendered.film.steps,
                    queue_seconds=queued,
                    render_seconds=rendered.seconds,
                    attempts=rendered.attempts,
                    lost_seconds=rendered.lost_seconds,
                )
                try:
                    with after_rendering(rendering):
                        clip = await self._delivered(
                            part, prompt, spec, rendered, rendering, seed=seed, to=to, started=started
                        )
                except asyncio.CancelledError:
                    note = "it was rendered, and cancelled before it was written out"
                    tell(Progress(seed=seed, stage="abandoned", seconds=rendered.seconds, note=note))
                    raise
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip

    async def _on_a_device(
        self, prompt: str, spec: RenderSpec, listener: Listener, asked: float
    ) -> tuple[Rendered, float]:
        """The film, and the seconds it waited for a device."""
        device = await self._free.get()
        if self._is_closed:
            self._free.put_nowait(device)
            raise BackendError(CLOSED)
        queued = round(time.perf_counter() - asked, 3)
        work = asyncio.wrap_future(device.submit(prompt, spec, listener))

        def free(done: "asyncio.Future[Rendered]") -> None:
            self._free.put_nowait(device)
            if not done.cancelled():
                done.exception()  # of a render that nobody waits for, nobody asks it

        work.add_done_callback(free)
        try:
            return await asyncio.shield(work), queued
        except asyncio.CancelledError:
            listener.stop.set()
            if listener.started is not None:
                note = (
                    "it was cancelled, and ends with the step it is at"
                    if listener.interruptible
                    else "it cannot be stopped here and goes on to its end; the device is free after that"
                )
                listener.tell(Progress(seed=listener.seed, stage="abandoned", seconds=listener.seconds, note=note))
            raise

    async def _delivered(
        self,
        part: Path,
        prompt: str,
        spec: RenderSpec,
        rendered: Rendered,
        rendering: Rendering,
        *,
        seed: int,
        to: Path,
        started: float,
    ) -> Clip:
        stop = threading.Event()

        def finish() -> Clip:
            film.write(rendered.film, spec, part, stop)
            clip = Clip(
                path=to,
                seed=seed,
                spec=spec,
                effective=verify(part, spec),
                seconds=round(time.perf_counter() - started, 3),
                generator=self.id,
                rendering=rendering,
                notes=rendered.notes + rendered.film.notes,
            )
            return deliver(part, clip, prompt)

        work = asyncio.get_running_loop().run_in_executor(self._encoders, functools.partial(_encoded, finish, spec))
        return await held(work, to, stop)


def _check(able: Capabilities, kind: Family, spec: RenderSpec) -> None:
    check(able, kind, spec)
    if spec.first_frame is not None:
        first_frame.load(spec.first_frame, spec.width, spec.height)
    if spec.source_video is not None:
        source.load(spec.source_video, spec.width, spec.height)


def _encoded(finish: Callable[[], Clip], spec: RenderSpec) -> Clip:
    try:
        return finish()
    except (RenderError, StoppedError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            raise
        raise RenderError(
            f"The rendered frames could not be encoded as {spec.width}x{spec.height} at {spec.fps} fps "
            f"({type(error).__name__}: {error}). Try another size; if that fails too, report this message."
        ) from error


async def _closed(devices: Sequence[Device]) -> None:
    await asyncio.gather(*(device.close() for device in devices))
