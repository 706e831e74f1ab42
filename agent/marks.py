"""What people said of a run's candidates: `marks.jsonl` in its folder, one JSON object a mark."""

import errno
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.files import sync_folder
from agent.types import Entrant

NAME: Final = "marks.jsonl"
"""The file in a run's folder. Only appended to."""


class Mark(BaseModel):
    """One person's word on a candidate, or on two of them. A later one of the same kind on the same takes its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rating", "verdict", "pair"]
    """rating: 1 to 5. verdict: pass or fail. pair: which of two is better."""
    first: Entrant
    clip_sha256: str
    """Of the first clip's bytes: another clip in its place has no mark."""
    second: Entrant | None = None
    """pair: the other one."""
    second_sha256: str | None = None
    label: float | None
    """rating: 1 to 5. verdict: 1 pass, 0 fail. pair: 1 the first is better, 0 the second, .5 a tie. None: undone."""
    rater: str = Field(default="", max_length=80)
    """Who, in their own words, so that several people's marks are told apart."""
    at: datetime

    @model_validator(mode="after")
    def _whole(self) -> Self:
        pair = self.kind == "pair"
        if pair != (self.second is not None) or pair != (self.second_sha256 is not None):
            raise ValueError("second and second_sha256 must be given for a pair, and for nothing else")
        allowed = {"rating": (1, 2, 3, 4, 5), "verdict": (0, 1), "pair": (0, 0.5, 1)}[self.kind]
        if self.label is not None and self.label not in allowed:
            raise ValueError(f"label must be one of {', '.join(map(str, allowed))}")
        return self

    @property
    def about(self) -> tuple[object, ...]:
        """What a later mark must share to take this one's place."""
        return self.kind, self.first, self.second, self.rater


def append(folder: Path, mark: Mark) -> None:
    """Write a mark down, on a line of its own: when this returns, it is on the disk.

    One write at the file's end: those of several processes do not mix.

    Raises:
        OSError: the disk failed, or the file is a link to somewhere else.
    """
    path = folder / NAME
    line = mark.model_dump_json().encode() + b"\n"
    # a run's folder may come from somebody else: a link in it must not lead our writing out of it
    with open(path, "a+b", opener=_unlinked) as file:
        size = file.seek(0, os.SEEK_END)
        if size and not _ends_a_line(file):
            line = b"\n" + line  # what was cut off must not swallow this one
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        sync_folder(folder)


def _unlinked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def lines(folder: Path) -> Iterator[tuple[int, Mark | str]]:
    """Every line of the file with its number: a mark, or why it is none.

    Raises:
        OSError: the file cannot be read.
    """
    path = folder / NAME
    if path.is_fifo():  # it would be waited for
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    try:
        file = path.open(encoding="utf-8", errors="replace", newline="\n")
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, Mark.model_validate_json(line)
            except ValidationError as error:
                yield number, told(error)


def told(error: ValidationError) -> str:
    """What is wrong with it, in a line."""
    return "; ".join(": ".join(filter(None, (".".join(map(str, f["loc"])), f["msg"]))) for f in error.errors())


def standing(folder: Path) -> tuple[Mark, ...]:
    """The marks that stand: the last of each kind, clip and person, without those taken back.

    Raises:
        OSError: the file cannot be read.
    """
    last = {mark.about: mark for _, mark in lines(folder) if isinstance(mark, Mark)}
    return tuple(mark for mark in last.values() if mark.label is not None)
