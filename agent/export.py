"""The chosen clip handed over: exported once the run has ended, again when another is chosen or asked for."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import get_args

from agent.errors import ConfigError, GeneratorError, StorageError, boundary
from agent.events import Emit, ExportFailed, ExportStarted, VideoExported, after
from agent.files import file_hash
from agent.run import Run
from agent.types import Export
from generator.export.types import MOST_FASTER, Container, ExportError, OutputForm

VIDEO = "video"
"""The export's file in a run's folder, without its suffix."""


class _CancelledError(Exception):
    """The caller no longer waits."""


def check(form: OutputForm, fps: int) -> None:
    """Hold the form asked for against the rate of the clips to come.

    Raises:
        ConfigError: no export can give that.
    """
    if form.export_fps is not None and form.export_fps > MOST_FASTER * fps:
        raise ConfigError(
            f"output.export_fps: {form.export_fps} would make over {MOST_FASTER} frames of each of the clip's {fps} a "
            f"second; ask for at most {MOST_FASTER * fps}"
        )


def current(run: Run, form: OutputForm) -> bool:
    """Whether the run's chosen clip lies exported as asked, all files in their place."""
    export = run.export
    if export is None or run.best is None or not run.exported or export.form != form:
        return False
    try:
        return (
            export.path.stat().st_size == export.size_bytes
            and export.poster.exists()
            and export.thumbnail.exists()
            and export.clip_sha256 == file_hash(export.clip)
        )
    except OSError:
        return False


async def exported(run: Run, form: OutputForm, emit: Emit) -> Run:
    """Export the chosen clip of a run into its folder, unless it lies there.

    An export that fails costs the run nothing: the clip stays the video, and a note says why.

    Raises:
        StorageError: the outcome could not be written down.
        asyncio.CancelledError: the caller cancelled; nothing half done is left.
    """
    if run.best is None or current(run, form):
        return run
    event: VideoExported | ExportFailed
    emit(ExportStarted(form=form))
    try:
        with boundary(GeneratorError, f"exporting the chosen clip as {form.format}"):
            made = await _in_a_thread(run, form)
    except (GeneratorError, StorageError) as error:
        message = str(error)
        event = ExportFailed(message=message if message.endswith(".") else f"{message}.")
    else:
        for other in get_args(Container):
            if other != form.format:
                (run.folder / f"{VIDEO}.{other}").unlink(missing_ok=True)
        event = VideoExported(export=made)
    emit(event)
    return after(run, event)


async def _in_a_thread(run: Run, form: OutputForm) -> Export:
    stop = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(_export, run, form, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        while not work.done():  # the thread holds the file: whoever cancels again waits for it too
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        work.exception()  # nobody else asks for it
        raise


def _export(run: Run, form: OutputForm, stop: threading.Event) -> Export:
    from generator.export.exporter import export  # noqa: PLC0415 - decoders are for those who export

    def go_on() -> None:
        if stop.is_set():
            raise _CancelledError

    best, iteration = run.best, run.best_iteration
    if best is None or iteration is None:
        raise ExportError("The run has no chosen clip.")
    _clear(run.folder)
    digest = file_hash(best.clip.path)
    made = export(best.clip.path, run.folder / f"{VIDEO}.{form.format}", form, go_on)
    facts = dict(made)
    return Export(**facts, clip=best.clip.path, clip_sha256=digest, iteration=iteration, seed=best.seed)


def _clear(folder: Path) -> None:
    """Remove what a killed export left."""
    for part in (
        *folder.glob(f".{VIDEO}.*.part"),
        *folder.glob(".poster.jpg.part"),
        *folder.glob(".thumbnail.jpg.part"),
    ):
        part.unlink(missing_ok=True)
