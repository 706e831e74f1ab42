"""A dataset with human labels: where it lies, what it is, and its rows one after another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from agent.bench.types import BadRow, Row
from agent.errors import ConfigError
from agent.files import file_hash

Read = Callable[[Path], Iterator[Row | BadRow]]
"""Rows of a file (or folder) of one format, in the file's order. Lazy: nothing of it is kept."""


@dataclass(frozen=True)
class Dataset:
    """Labelled clips. Nothing is read before it is asked for, and `rows` may be asked for again."""

    path: Path
    """The file with the labels, or the folder."""
    format: str
    read: Read
    notes: tuple[str, ...] = ()
    """What was guessed of the file, in sentences for people."""
    digest: Callable[[Path], str] = field(default=file_hash)

    @property
    def name(self) -> str:
        """For people: the file's name without its ending, or the folder's."""
        path = self.path.resolve()
        return path.name if path.is_dir() else path.stem

    @property
    def folder(self) -> Path:
        """What relative paths of clips start from."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def sha256(self) -> str:
        """Of the labels' bytes, as hex; of run folders: of their marks."""
        return self.digest(self.path)

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row, the unusable ones as `BadRow`, in the file's order.

        Raises:
            ConfigError: the file cannot be read as its format, lacks a column, or (at its end) had no row of use.
        """
        first_bad: BadRow | None = None
        usable = False
        try:
            for row in self.read(self.path):
                if isinstance(row, Row):
                    usable = True
                else:
                    first_bad = first_bad or row
                yield row
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        if not usable:
            why = "it holds none" if first_bad is None else f"the first is line {first_bad.line}: {first_bad.why}"
            raise ConfigError(f"{self.path}: no row of it can be used; {why}")
