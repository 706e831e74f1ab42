"""What media take on the disk, each file once, from however many places it is linked."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

Weights = Mapping[object, int]
"""Bytes, by which file they are of."""


def weighed(media: Mapping[str, bytes | Path]) -> Weights:
    """Bytes of files, and of what will be one. A file that is gone weighs nothing."""
    found: dict[object, int] = {}
    for given in media.values():
        if isinstance(given, bytes):
            found[object()] = len(given)
        else:
            with suppress(OSError):
                about = given.stat()
                found[about.st_dev, about.st_ino] = about.st_size
    return found
