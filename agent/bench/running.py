"""A critic over a dataset: which rows are asked for, which are judged already, and the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Final

from agent.bench.dataset import Dataset
from agent.bench.judging import Judged, Judging, second_time
from agent.bench.lines import Lines, hold_against
from agent.bench.tally import NOT_ASKED, Tally
from agent.bench.types import BadRow, Row, RowAxis, Scored
from agent.bench.window import in_order
from agent.errors import ConfigError

SHOWN: Final = 10
"""Bad rows that are told one by one."""
AHEAD: Final = 4
"""Rows under way for each clip that is judged: while one is slow, the next are fetched and judged, not written."""


@dataclass
class Asked:
    """The rows of a dataset that are asked for."""

    dataset: Dataset
    axis: RowAxis | None = None
    """None: all."""
    limit: int | None = None
    """Most rows, the bad ones not counted. None: all."""
    total: int = field(default=0, init=False)
    """Rows, once surveyed."""
    bad_rows: int = field(default=0, init=False)
    bad: list[BadRow] = field(default_factory=list, init=False)
    """The first of them."""
    first: str = field(default="", init=False)
    """Sample of the first row."""

    def survey(self) -> None:
        """Read every row once, so that what is wrong is said before anything is judged.

        Raises:
            ConfigError: the dataset cannot be read, or holds no row that is asked for.
        """
        for row in self._read():
            if isinstance(row, Row):
                self.first = self.first or row.sample_id
                self.total += 1
            else:
                self.bad_rows += 1
                self.bad += [row] if self.bad_rows <= SHOWN else []
        if not self.total:
            raise ConfigError(f"{self.dataset.path}: has no row on axis {self.axis}; leave --axis out for all")

    def rows(self) -> Iterator[Row]:
        """The rows, in the dataset's order."""
        return (row for row in self._read() if isinstance(row, Row))

    def _read(self) -> Iterator[Row | BadRow]:
        count = 0
        for row in self.dataset.rows():
            if isinstance(row, Row):
                if self.axis is not None and row.axis != self.axis:
                    continue
                count += 1
            yield row
            if count == self.limit:
                return


@dataclass(frozen=True)
class Bench:
    """Judges the rows that are asked for and have no line yet."""

    asked: Asked
    lines: Lines
    judging: Judging
    tally: Tally
    tell: Callable[[], None]
    """Called after each row."""
    retest: float = 0.0
    """Share of the samples that are judged a second time."""
    concurrency: int = 2

    async def run(self) -> None:
        """Judge them. What an earlier session wrote stands; what it had judged and not written is remembered.

        Raises:
            ConfigError: the lines that are there are of other rows.
            ServingError, StorageError: the server is gone, or the disk failed; every line that is written stands.
        """
        rows, known = self.asked.rows(), self.lines.known()
        for number, line in enumerate(self.lines.kept(), start=1):
            row = next(rows, None)
            if row is None:
                raise ConfigError(
                    f"{self.lines.path}: holds more rows than the {number - 1} that are asked for; raise --limit, or "
                    "choose another --out"
                )
            hold_against(row, line, number, self.lines.path)
            next(known, None)
            self.tally.add(line, recalled=True)
        self.tell()
        with self.lines.appending() as append:

            def write(judged: Judged) -> None:
                append(judged.scored)
                self.tally.add(judged.scored, recalled=judged.recalled)
                self.tell()

            pairs = zip(rows, chain(known, repeat(None)), strict=False)
            await in_order(pairs, self._one, AHEAD * self.concurrency, write)
        self.lines.finish()

    async def _one(self, item: tuple[Row, Scored | None]) -> Judged:
        row, line = item
        if line is not None:
            hold_against(row, line, self.tally.done + 1, self.lines.before)
            if line.score is not None or line.failure.startswith(NOT_ASKED):
                return Judged(line, recalled=True)
        twice = self.retest > 0 and (row.sample_id == self.asked.first or second_time(row.sample_id, self.retest))
        return await self.judging.row(row, again=twice)
