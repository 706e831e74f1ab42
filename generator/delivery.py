"""How a finished render is handed over, so that not even a kill in that moment costs it."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from generator.types import BackendError, Clip, RenderError, Rendering, RenderSpec

STORAGE_ERRORS = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT),
        *(errno.ENOTDIR, errno.EISDIR, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ESTALE),
    )
)
"""What says that the disk or folder failed, and not this attempt."""


@contextmanager
def written_aside(to: Path) -> Iterator[Path]:
    """The hidden file beside `to` that a clip is written to until it is delivered; gone afterwards, however it ends.

    Raises:
        OSError: the disk or folder failed; names `to`. Any other error passes as it is.
    """
    part = to.with_name(f".{to.name}.part")
    try:
        yield part
    except OSError as error:
        if error.errno in STORAGE_ERRORS:
            raise OSError(error.errno, error.strerror, str(to)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def after_rendering(rendering: Rendering) -> Iterator[None]:
    """What fails in here fails after the backend's work: its time is spent and its price is due all the same."""
    try:
        yield
    except (RenderError, BackendError) as error:
        error.rendering = rendering
        raise


async def held(work: "asyncio.Future[Clip]", to: Path, stop: threading.Event | None = None) -> Clip:
    """The clip of a thread that holds its file: whoever cancels tells it to stop, waits for it, and leaves no clip."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        while not work.done():  # whoever cancels again waits for it too
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if not work.cancelled() and work.exception() is None:
            taken_back(to)  # it finished in the moment it was cancelled
        raise


def taken_back(to: Path) -> None:
    """Remove a clip that was delivered to nobody: its caller was cancelled in that moment."""
    to.unlink(missing_ok=True)
    slip_path(to).unlink(missing_ok=True)


class _Slip(BaseModel):
    """What lies beside a delivered file until its receiver has written it down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    clip: Clip


def slip_path(to: Path) -> Path:
    """Where the slip of a file lies."""
    return to.with_name(f"{to.name}.slip")


def deliver(part: Path, clip: Clip, prompt: str) -> Clip:
    """Move a finished file from `part` to `clip.path`, its slip first: a file in its place always has one."""
    slip = slip_path(clip.path)
    aside = slip.with_name(f"{slip.name}.part")
    with aside.open("w", encoding="utf-8") as file:
        file.write(_Slip(prompt=prompt, clip=clip).model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    aside.replace(slip)
    part.replace(clip.path)
    return clip


def delivered(to: Path, prompt: str, spec: RenderSpec, seed: int, generator: str) -> Clip | None:
    """The clip that a killed session finished and did not write down; None if there is none of exactly this request."""
    try:
        slip = _Slip.model_validate_json(slip_path(to).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, ValidationError):
        return None
    clip = slip.clip
    asked = (slip.prompt, clip.spec, clip.seed, clip.generator) == (prompt, spec, seed, generator)
    return clip.model_copy(update={"path": to}) if asked and to.exists() else None
