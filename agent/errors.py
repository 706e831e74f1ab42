"""The error tree, and the boundary that names each failure once.

RetakeError
├── ConfigError        a config key or command line value is wrong
├── IntakeError        the first-frame image cannot be used
├── RunFolderError     the run folder cannot be used: taken, locked, not a run
├── StorageError       the disk failed: full, read-only, gone
├── ServingError       a server that the run needs cannot be started or reached
├── ReasonerError      a caption could not be written
├── GeneratorError     a render gave no usable clip
├── CriticError        a clip could not be judged
├── GivenUpError       a render was given up: a sibling had been accepted (never leaves the loop)
└── NoCandidateError   the run ended without one judged clip

A message says what was being done, to what, and what to do about it; `__cause__` keeps what happened below.
"""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal


class RetakeError(Exception):
    """Everything that Retake raises on purpose."""


class ConfigError(RetakeError):
    """A config key or command line value is wrong."""


IntakeFault = Literal["unreachable", "bytes", "format", "small", "large", "unusable"]
"""What is wrong with an image or video: it cannot be fetched, has too many bytes, is of another format, has too few or
too many pixels; unusable: anything else."""


class IntakeError(RetakeError):
    """The first-frame image cannot be used."""

    def __init__(self, message: str, fault: IntakeFault = "unusable") -> None:
        super().__init__(message)
        self.fault = fault


class RunFolderError(RetakeError):
    """The run folder cannot be used: taken, locked, not a run."""


class StorageError(RetakeError):
    """The disk failed: full, read-only, gone. Ends a run; what was done is kept."""


class ServingError(RetakeError):
    """A server that the run needs cannot be started or reached. What was done is kept in `folder`, if there is one."""

    folder: Path | None = None


class ReasonerError(RetakeError):
    """A caption could not be written."""


class GeneratorError(RetakeError):
    """A render gave no usable clip."""


class CriticError(RetakeError):
    """A clip could not be judged. Never a score of zero."""


class GivenUpError(RetakeError):
    """A render was given up, since a sibling had been accepted. No failure: it never leaves the loop."""

    def __init__(self, stage: Literal["queued", "rendering"], seconds: float = 0.0) -> None:
        super().__init__(f"given up while {stage}")
        self.stage = stage
        self.seconds = seconds
        """Of the generator's time that are lost."""


class NoCandidateError(RetakeError):
    """The run ended without one judged clip. `folder` holds what was tried."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


STORAGE = {
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EFBIG",
        "EROFS",
        "EACCES",
        "EPERM",
        "EIO",
        "EMFILE",
        "ENFILE",
    )
    if hasattr(errno, name)
}
"""OSError numbers that say something of the machine and nothing of the one attempt. A missing file is not among them:
it may be a part's own, and if it is the run folder that is gone, the journal finds out."""


def storage_error(doing: str, error: OSError) -> StorageError:
    """A StorageError that says what failed on which file, and the cure."""
    cure = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some of the quota",
        errno.EFBIG: "raise the file size limit",
        errno.EACCES: "make it writable",
        errno.EPERM: "make it writable",
        errno.EROFS: "choose a folder on a writable disk",
        errno.EMFILE: "raise the limit of open files",
        errno.ENFILE: "raise the limit of open files",
    }.get(error.errno or 0, "check the disk")
    where = f" ({error.filename})" if error.filename else ""
    return StorageError(f"{doing}: {error.strerror or error}{where}; {cure}")


@contextmanager
def boundary(kind: type[RetakeError], doing: str) -> Iterator[None]:
    """Name what crosses this boundary: our own errors stay, a failed disk is a StorageError, all else is a `kind`."""
    try:
        yield
    except RetakeError:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise kind(f"{doing}: it cancelled itself") from error  # nobody asked: this is the part's own failure
    except OSError as error:
        if error.errno in STORAGE:
            raise storage_error(doing, error) from error
        raise kind(f"{doing}: {error}") from error
    except Exception as error:
        raise kind(f"{doing}: {str(error) or type(error).__name__}") from error
