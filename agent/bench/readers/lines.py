"""Lines of a text file that is not trusted, one after another and none of them too long."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Self

from agent.errors import ConfigError

MAX_LINE: Final = 1 << 20
"""Characters of a line. What comes after is passed over, so that no file is read into memory by one."""
_MOST_AGAIN: Final = 1000
"""Records of which lines are read again: in a hostile file every line may open a quotation mark."""
_WIDE: Final = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK": "a ZIP archive or a spreadsheet",
    b"\x1f\x8b": "gzip",
}

_NO_TEXT: Final = re.compile(r"[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Lone surrogates, which stand for bytes that are not UTF-8, and control characters, which a terminal would obey."""


class LineError(ValueError):
    """A line that cannot be read; the next one can."""


class Lines(Iterator[str]):
    """The lines of an open file, with their ends.

    Bytes that are not UTF-8 are kept as lone surrogates, which `not_text` finds.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.number = 0
        """Of the line that was given last, from 1."""
        self.quotes = 0
        """Quotation marks in all lines that were given."""
        self._record: list[str] | None = None
        """Lines of the record that is being read; None: nobody said that one begins."""
        self._ahead: list[str] = []
        """Lines that were put back, the next one last."""
        self._put_back = 0

    def begin(self) -> int:
        """A record begins with the next line, whose number it is."""
        self._record = []
        return self.number + 1

    def again(self) -> bool:
        """Put back the record's lines but its first, which opens a quotation mark that is closed nowhere or too late.

        Returns:
            Whether there was any: they are read as records of their own.
        """
        _, *swallowed = self._record or [""]
        if not swallowed or self._put_back >= _MOST_AGAIN:
            return False
        self._put_back += 1
        self._ahead += reversed(swallowed)
        self.number -= len(swallowed)
        self.quotes -= sum(line.count('"') for line in swallowed)
        return True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            LineError: it is too long.
        """
        line = self._ahead.pop() if self._ahead else self._file.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) <= MAX_LINE or line.endswith("\n"):
            self.quotes += line.count('"')
            if self._record is not None:
                self._record.append(line)
            return line
        self._record = None  # it cannot be put back, nor what stands before it
        while line and not line.endswith(("\n", "\r")):
            line = self._file.readline(MAX_LINE)
        raise LineError(f"the line is longer than {MAX_LINE:,} characters; split the file at its line ends")


def check_text(path: Path) -> None:
    """See that a file does not begin as one of another kind does.

    Raises:
        ConfigError: it does.
        OSError: it cannot be read.
    """
    with path.open("rb") as raw:
        head = raw.read(4)
    for mark, what in _WIDE.items():
        if head.startswith(mark):
            raise ConfigError(f"{path}: is {what}; save it as text in UTF-8")


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """The lines of a UTF-8 file, with or without a byte order mark.

    Raises:
        ConfigError: it is no text in UTF-8.
        OSError: it cannot be read.
    """
    check_text(path)
    # newline="": the csv module wants line ends as they are, since a quoted cell may hold some
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield Lines(file)


def not_text(value: str) -> str:
    """What is wrong with a cell's characters, in words; "" if nothing is."""
    found = _NO_TEXT.search(value)
    if found is None:
        return ""
    if "\ud800" <= found[0] <= "\udfff":
        return "is not UTF-8; save the file in UTF-8"
    return f"holds the control character {found[0]!r}; take it out"
