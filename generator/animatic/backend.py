"""The embedded generator: renders in worker threads, one file at a time whole or not at all."""

import asyncio
import logging
import threading
import time
from pathlib import Path

import cv2

from generator.animatic.film import film
from generator.animatic.scenario import drawn, read
from generator.config import AnimaticConfig
from generator.delivery import STORAGE_ERRORS, deliver, held, written_aside
from generator.encode import ClipWriter
from generator.probe import verify
from generator.types import Clip, Progress, RenderError, RenderSpec, Tell, telling_of

ANIMATIC_VERSION = 1
"""Goes up with every change that changes pixels: finished renders are remembered under it."""

log = logging.getLogger("generator.animatic")


def _nobody(_progress: Progress) -> None:
    pass


class _CancelledError(Exception):
    """The caller no longer waits."""


class Animatic:
    """A deterministic, seeded previsualisation renderer: no GPU, no weights, no world model.

    The same prompt, spec and seed give the same bytes on the same machine and library versions.

    Args:
        config: how many are rendered at once.
        tell: hears when a render begins.
    """

    def __init__(self, config: AnimaticConfig, tell: Tell = _nobody) -> None:
        self._tell = tell
        self._slots = asyncio.Semaphore(config.concurrency)
        cv2.setNumThreads(1)  # clips are what runs side by side; OpenCV's own threads would only fight over the cores

    @property
    def id(self) -> str:
        """Backend and version."""
        return f"animatic/{ANIMATIC_VERSION}"

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """Render one clip into the file `to`, which appears only when it is finished.

        Raises:
            RenderError: the attempt gave no usable clip.
            OSError: the disk or folder failed.
        """
        tell = telling_of(to, self._tell)
        async with self._slots:
            tell(Progress(seed=seed, stage="rendering"))
            stop, began = threading.Event(), time.perf_counter()
            work = asyncio.create_task(asyncio.to_thread(self._render, prompt, spec, seed, to, stop))
            try:
                return await held(work, to, stop)
            except asyncio.CancelledError:
                spent = round(time.perf_counter() - began, 3)
                tell(Progress(seed=seed, stage="abandoned", seconds=spent, note="it was cancelled"))
                raise

    def _render(self, prompt: str, spec: RenderSpec, seed: int, to: Path, stop: threading.Event) -> Clip:
        started = time.perf_counter()
        log.info("render start seed=%d to=%s", seed, to)
        try:
            with written_aside(to) as part:
                _write(part, prompt, spec, seed, stop)
                clip = Clip(
                    path=to,
                    seed=seed,
                    spec=spec,
                    effective=verify(part, spec),
                    seconds=round(time.perf_counter() - started, 3),
                    generator=self.id,
                    notes=(drawn(read(prompt, spec), spec),),
                )
                deliver(part, clip, prompt)
        except (RenderError, _CancelledError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
                raise
            raise RenderError(_advice(spec, seed, error)) from error
        log.info("render done seed=%d to=%s %.2fs", seed, to, clip.seconds)
        return clip


def _write(path: Path, prompt: str, spec: RenderSpec, seed: int, stop: threading.Event) -> None:
    with ClipWriter(path, spec.width, spec.height, spec.fps) as writer:
        for frame in film(prompt, spec, seed):
            if stop.is_set():
                raise _CancelledError
            writer.write(frame)


def _advice(spec: RenderSpec, seed: int, error: Exception) -> str:
    return (
        f"The animatic could not render {spec.num_frames} frames of {spec.width}x{spec.height} with seed {seed} "
        f"({type(error).__name__}: {error}). Try another seed; if that fails too, report the prompt and this message."
    )
