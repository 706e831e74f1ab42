"""Datasets with human labels, one module a format: each has `read` and `recognises`.

A reader's `read(path)` yields a `Row` for each label and a `BadRow` for each line that cannot be used, and keeps
nothing of them; it raises ConfigError where the file as a whole is none of its format. `recognises(path, head)` says
whether a file (`head`: its first bytes) or a folder (`head` is empty) is of its format, and never raises. A reader
whose labels are not the bytes of one file has `digest(path)` as well: their SHA-256 as hex.
"""

import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from agent.bench.dataset import Dataset
from agent.bench.readers.making import quoted
from agent.bench.readers.sheet import head_columns
from agent.bench.types import BadRow, Row
from agent.errors import ConfigError
from agent.files import file_hash

FORMATS: Final = {
    "videophy2": "CSV with the columns caption, sa and pc",
    "rewardbench": "CSV with the columns path_A, path_B and prompt",
    "uve": "JSON with video_a, video_b, aspect and preference",
    "t2vqa": "text of lines `name|prompt|mean opinion score`",
    "videofeedback": "parquet with `video link` and the five graded columns",
    "vbench": "JSON with prompt_en, videos and human_anno",
    "runs": "a run's folder, or a folder of such, with marks.jsonl",
    "plain": "CSV or JSONL with video, prompt and label",
}
"""What each format is recognised by, in words. They are tried in this order."""
HEAD: Final = 64 << 10
"""Bytes of a file that a format is recognised by."""


class Reader(Protocol):
    """A format's module."""

    def read(self, path: Path) -> Iterator[Row | BadRow]:
        """Its rows."""
        ...

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether `path` is of its format."""
        ...


def open_dataset(path: Path, format: str | None = None, *, scale: tuple[float, float] | None = None) -> Dataset:  # noqa: A002  the option's name
    """The dataset at `path`, its rows not yet read.

    Args:
        path: a file with labels, or a folder of runs that were marked.
        format: a key of `FORMATS`. None: what recognises it.
        scale: plain alone: the worst and the best label there are, where the file has no column for it.

    Raises:
        ConfigError: there is no such file or format, or no format recognises it.
    """
    if not path.exists():
        raise ConfigError(f"{path}: does not exist; give a file with labels or a folder of marked runs")
    name = format or _recognised(path)
    if name not in FORMATS:
        raise ConfigError(f"--format {name!r}: there is no such format; known are {', '.join(FORMATS)}")
    if name == "plain":
        from agent.bench.readers import plain  # noqa: PLC0415  as the others: when it is needed

        return plain.dataset(path, scale=scale)
    if scale is not None:
        raise ConfigError(f"a scale may be given for plain files alone; {path} is {name}, which has its own")
    reader = _reader(name)
    return Dataset(path=path, format=name, read=reader.read, digest=getattr(reader, "digest", file_hash))


def _reader(name: str) -> Reader:
    return cast("Reader", import_module(f"agent.bench.readers.{name}"))


def _recognised(path: Path) -> str:
    """The first format that recognises it."""
    head = b""
    if not path.is_dir():
        try:
            with path.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    for name in FORMATS:
        if _reader(name).recognises(path, head):
            return name
    known = "".join(f"\n  {name}: {words}" for name, words in FORMATS.items())
    why = f"is of no known format{_unknown(path, head)}"
    raise ConfigError(f"{path}: {why}. Say which with --format, or give one of these:{known}")


def _unknown(path: Path, head: bytes) -> str:
    """Why no format recognises it, as far as that can be seen."""
    if path.is_dir():
        if any(path.glob("run.json")) or any(path.glob("*/run.json")):
            return f": nobody has marked a clip of its runs; `retake mark {shlex.quote(str(path))}` is for that"
        return ": it is a folder that holds no marked run; give the file with the labels"
    if not head.strip():
        return ": it is empty"
    found = head_columns(head)
    if {"score", "label"} <= found:
        return ": it looks like a table of scores, which `retake bench report --scores` reads"
    if len(found) > 1 and head.isascii() and b"\0" not in head:
        return f"; its columns are {', '.join(map(quoted, sorted(found)[:12]))}"
    return ""
