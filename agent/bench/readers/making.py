"""Rows from cells: a `Row`, or a sentence on what is wrong with which column."""

import hashlib
import math
from typing import Any

from pydantic import ValidationError

from agent.bench.types import BadRow, Row
from agent.intake.source import shorten


def made(line: int, **fields: Any) -> Row | BadRow:
    """A row, or the first thing that is wrong with it. What is None is left to its default."""
    try:
        return Row.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0]) if first["loc"] else ""
        words = first["msg"].removeprefix("Value error, ")
        return BadRow(line=line, why=f"{column}: {words}" if column else words)


def number(cell: str) -> float | None:
    """A finite number as people and programs write it; None: it is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def quoted(cell: str) -> str:
    """A cell for a message: short, with quotation marks, its line breaks escaped."""
    return shorten(cell, 60) if cell else "an empty cell"


class Seen:
    """Which samples have had a label on which axis. Keeps a number of each, and no text."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def again(self, row: Row) -> bool:
        """Whether there was one before this."""
        key = f"{row.sample_id}\0{row.axis}".encode("utf-8", "surrogateescape")
        digest = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        if digest in self._seen:
            return True
        self._seen.add(digest)
        return False
