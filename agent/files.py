"""Files that are replaced as a whole, and told apart by their content."""

import hashlib
import os
from pathlib import Path
from stat import S_ISREG


def write_atomically(path: Path, data: str | bytes) -> None:
    """Replace a file as a whole, or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """A new file's name is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(path: Path, folder: Path) -> Path | None:
    """A plain file of a folder, its real path; None for any other.

    A path may come from somebody else: what it or a link names outside the folder is not shown.
    """
    try:
        real = path.resolve()
        plain = S_ISREG(real.stat().st_mode)
    except (OSError, ValueError, RuntimeError):  # gone, a NUL character, links in a ring
        return None
    return real if plain and real.is_relative_to(folder.resolve()) else None
