"""Secrets that the server makes for itself and keeps in its own folder."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What a file holds that only this user may read; made at the first time, whole or not at all.

    Raises:
        OSError: it cannot be read or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # whoever came first: the others take that one
                os.link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    return path.read_bytes()
