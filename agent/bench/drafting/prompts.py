"""The prompts whose captions are compared: a user's, or a dozen of several kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from agent.bench.readers.lines import not_text
from agent.bench.readers.sheet import records
from agent.bench.types import BadRow
from agent.errors import ConfigError
from agent.reading import is_remote

BUILT_IN: Final = Path(__file__).with_name("prompts.txt")
TABLES: Final = {".csv", ".tsv", ".jsonl", ".ndjson"}
MAX_BYTES: Final = 1 << 20
"""Of a file of lines."""
MOST: Final = 1000
"""Prompts: a thousand with four captions are sixteen thousand renders."""


class Asked(NamedTuple):
    """What captions are written for."""

    prompt: str
    first_frame: str | None = None
    """A path or URL. None: the config's, or text-to-video."""


def read_prompts(path: Path | None, limit: int | None = None) -> list[Asked]:
    """Each prompt once, in the file's order.

    Args:
        path: lines of text, or a CSV or JSONL with a column `prompt` and maybe `first_frame` (from the file's folder).
            None: the built-in ones.
        limit: the first so many alone.

    Raises:
        ConfigError: it cannot be read, names none, or a line of it cannot be used.
    """
    path, found = path or BUILT_IN, dict[Asked, None]()
    try:
        for asked in _table(path) if path.suffix.lower() in TABLES else _lines(path):
            found[asked] = None
            if len(found) == limit:
                break
            if len(found) > MOST:
                raise ConfigError(f"--prompts {path}: names over {MOST:,} prompts; give --limit")
    except OSError as error:
        raise ConfigError(f"--prompts {path}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise ConfigError(f"--prompts {path}: names no prompt; write one a line")
    return list(found)


def _lines(path: Path) -> Iterator[Asked]:
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"--prompts {path}: is over {MAX_BYTES:,} bytes, and so no list of prompts")
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    for number, line in enumerate(text.splitlines(), 1):
        if why := not_text(line):
            raise ConfigError(f"--prompts {path}: line {number}: {why}")
        if line.strip():
            yield Asked(line.strip())


def _table(path: Path) -> Iterator[Asked]:
    for record in records(path, required=("prompt",), used=("prompt", "first_frame")):
        if isinstance(record, BadRow):
            raise ConfigError(f"--prompts {path}: line {record.line}: {record.why}")
        if not record["prompt"]:
            raise ConfigError(f"--prompts {path}: line {record.line}: prompt is empty")
        frame = record["first_frame"] or None
        yield Asked(record["prompt"], frame if frame is None or is_remote(frame) else str(path.parent / frame))
