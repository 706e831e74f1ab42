"""The lines of `scored.jsonl` while they are written: what earlier sessions wrote, and what comes behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.bench.folder import SCORED, scored
from agent.bench.types import Labelled, Row, Scored
from agent.errors import ConfigError, storage_error

BEFORE: Final = ".scored-before.jsonl"
"""All lines as they were before the failed ones were to be tried again; there until each has its new line."""


class Lines:
    """The lines of a benchmark's folder, in the order of the dataset. The folder's lock must be held."""

    def __init__(self, folder: Path) -> None:
        self.path, self.before = folder / SCORED, folder / BEFORE

    def mend(self) -> None:
        """Take off a last line that a kill cut off: it is written again.

        Raises:
            OSError: the disk failed.
        """
        if not self.path.exists():
            return
        with self.path.open("r+b") as file:
            end = file.seek(0, 2)
            while end > 0:
                start = max(0, end - 4096)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    end = start + newline + 1
                    break
                end = start
            file.truncate(end)

    def fit(self, rows: int) -> None:
        """Check that no row has a line that is not asked for: a retry would leave its line out.

        Raises:
            ConfigError: there are more lines than `rows`.
            OSError: the disk failed.
        """
        for path in (self.path, self.before):
            if sum(1 for _ in scored(path)) > rows:
                raise ConfigError(
                    f"{self.path}: holds more rows than the {rows:,} that are asked for; raise --limit, or choose "
                    "another --out"
                )

    def retry(self) -> None:
        """Have every row looked at again: those that have a score keep it, and the failed ones are tried again."""
        lines = scored(self.path)
        count = 0
        aside = self.before.with_name(f"{self.before.name}.tmp")
        with aside.open("wb") as file:
            for line in lines:
                file.write(line.model_dump_json().encode() + b"\n")
                count += 1
            for number, line in enumerate(scored(self.before)):
                if number >= count:
                    file.write(line.model_dump_json().encode() + b"\n")
        aside.replace(self.before)
        self.path.unlink(missing_ok=True)

    def kept(self) -> Iterator[Scored]:
        """What is written already, from the first row on."""
        return scored(self.path)

    def known(self) -> Iterator[Scored]:
        """What was written before a retry, from the first row on."""
        return scored(self.before)

    def finish(self) -> None:
        """Every row has its line."""
        self.before.unlink(missing_ok=True)

    @contextmanager
    def appending(self) -> Iterator[Callable[[Scored], None]]:
        """What adds a line at the end.

        Raises:
            StorageError: the disk failed.
        """
        with self.path.open("ab") as file:

            def append(line: Scored) -> None:
                try:
                    file.write(line.model_dump_json().encode() + b"\n")
                    file.flush()  # from here on it outlives this process
                except OSError as error:
                    raise storage_error(f"writing {self.path}", error) from error

            yield append


def hold_against(row: Row, line: Scored, number: int, path: Path) -> None:
    """Check that a line is of the row that stands in its place.

    Raises:
        ConfigError: it is not.
    """
    there, here = ({name: getattr(each, name) for name in Labelled.model_fields} for each in (line, row))
    if there != here:
        raise ConfigError(
            f"{path}: line {number} is of sample {line.sample_id!r} ({line.axis}), where the dataset has "
            f"{row.sample_id!r} ({row.axis}); choose another --out"
        )
