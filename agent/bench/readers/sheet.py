"""Tables of text, CSV or JSONL, as records of named cells, one after another."""

import csv
import difflib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from agent.bench.readers.lines import LineError, Lines, not_text, open_lines
from agent.bench.types import BadRow
from agent.errors import ConfigError

MAX_CELL: Final = 20_000
"""Characters of a cell that is used: those of the longest prompt that a backend takes."""
_DELIMITERS: Final = ",;\t"
_FIRST: Final = 100
"""JSON objects whose keys are taken for the columns."""


@dataclass(frozen=True)
class Record:
    """A line of a table."""

    line: int
    """Of the file, its first one where it has several."""
    cells: dict[str, str]
    """By column, in lower case, without white space around. Empty cells are left out."""

    def __getitem__(self, column: str) -> str:
        """A cell; "" where it is empty or not there."""
        return self.cells.get(column, "")


def columns(path: Path) -> list[str]:
    """The columns of a CSV file as they are written; of a JSONL file the keys of its first objects.

    Raises:
        ConfigError: it has none, or is no text.
        OSError: it cannot be read.
    """
    with open_lines(path) as lines:
        return _json_keys(lines, path) if is_jsonl(path) else _header(lines, path)[0]


def head_columns(head: bytes) -> set[str]:
    """The columns that a file's first bytes name as a CSV header or as keys of a JSON object, in lower case.

    Never raises: of anything else it is the empty set.
    """
    text = head.decode("utf-8-sig", errors="replace")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            return set()
        return {key.strip().lower() for key in found}
    return {cell.strip().lower() for cell in _split(first)[0]}


def is_jsonl(path: Path) -> bool:
    """Whether each line is a JSON object, told by the file's name."""
    return path.suffix.lower() in {".jsonl", ".ndjson"}


def records(path: Path, *, required: Collection[str], used: Collection[str]) -> Iterator[Record | BadRow]:
    """The lines of a table. Nothing of them is kept.

    Args:
        path: a CSV (comma, semicolon or tab), or a `.jsonl`.
        required: columns without which nothing can be done, in lower case.
        used: columns that are read, in lower case; the others may hold anything.

    Raises:
        ConfigError: a required column is missing, or the file is no text.
        OSError: it cannot be read.
    """
    names = columns(path)
    require(path, names, required)
    wanted = set(used) | set(required)
    with open_lines(path) as lines:
        for found in _objects(lines) if is_jsonl(path) else _cells(lines, path):
            yield found if isinstance(found, BadRow) else _checked(found, wanted)


def require(path: Path, names: Collection[str], required: Collection[str]) -> None:
    """See that a table has the columns it must have.

    Raises:
        ConfigError: one is missing; the message names the nearest one there.
    """
    there = {name.strip().lower(): name for name in names}
    for column in required:
        if column not in there:
            near = difflib.get_close_matches(column, there, n=1, cutoff=0.5)
            hint = f"is {there[near[0]]!r} meant? rename it" if near else f"there are {', '.join(map(repr, names))}"
            raise ConfigError(f"{path}: the column {column!r} is missing; {hint[:300]}")


def _split(first: str) -> tuple[list[str], str]:
    """A header's cells and what parts them: whatever gives the most cells."""
    rows = []
    for delimiter in _DELIMITERS:
        try:
            rows.append((next(csv.reader([first], delimiter=delimiter), []), delimiter))
        except csv.Error:
            continue
    return max(rows, key=lambda row: len(row[0]), default=([], ","))


def _header(lines: Lines, path: Path) -> tuple[list[str], str]:
    """The header's cells and what parts them; `lines` stands behind it."""
    try:
        first = next((line for line in lines if line.strip()), "")
    except LineError as error:
        raise ConfigError(f"{path}: {error}") from error
    names, delimiter = _split(first)
    if not any(name.strip() for name in names):
        raise ConfigError(f"{path}: is empty; its first line must name its columns")
    lowered = [name.strip().lower() for name in names]
    for name in lowered:
        if name and lowered.count(name) > 1:
            raise ConfigError(f"{path}: has the column {name!r} twice; rename one")
    return names, delimiter


def _json_keys(lines: Lines, path: Path) -> list[str]:
    """The keys of the first objects: a key may be left out where it has no value."""
    objects = (found for found in _objects(lines) if not isinstance(found, BadRow))
    names = dict.fromkeys(key for found in islice(objects, _FIRST) for key in found.cells)
    if not names:
        raise ConfigError(f"{path}: no line of it is a JSON object")
    return list(names)


def _cells(lines: Lines, path: Path) -> Iterator[Record | BadRow]:
    names, delimiter = _header(lines, path)
    lowered = [name.strip().lower() for name in names]
    reader = csv.reader(lines, delimiter=delimiter, strict=False)
    while True:
        line, quotes = lines.begin(), lines.quotes
        try:
            row = next(reader)
        except StopIteration:
            return
        except LineError as error:
            yield BadRow(line=lines.number, why=str(error))
            continue
        except csv.Error as error:
            up_to = "" if lines.again() else _up_to(line, lines)
            yield BadRow(line=line, why=f"cannot be read as CSV{up_to} ({error}); is a quotation mark not closed?")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if lines.number > line and len(row) < len(names) and (lines.quotes - quotes) % 2:
            why = f"is one row{_up_to(line, lines)}; is a quotation mark not closed?"
            yield BadRow(line=line, why="opens a quotation mark that is not closed" if lines.again() else why)
            continue
        if len(row) > len(names):
            why = (
                f"has {len(row)} cells, the header {len(names)}; put quotation marks around a cell with a {delimiter!r}"
            )
            yield BadRow(line=line, why=why)
            continue
        pairs = zip(lowered, (cell.strip() for cell in row), strict=False)
        yield Record(line, {name: cell for name, cell in pairs if name and cell})


def _up_to(line: int, lines: Lines) -> str:
    """Where what begins at a line ends, if it is another one."""
    return f" up to line {lines.number}" if lines.number > line else ""


def _objects(lines: Lines) -> Iterator[Record | BadRow]:
    while True:
        try:
            text = next(lines)
        except StopIteration:
            return
        except LineError as error:
            yield BadRow(line=lines.number, why=str(error))
            continue
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            why = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield BadRow(line=lines.number, why=f"is no JSON: {why}")
            continue
        if not isinstance(found, dict):
            yield BadRow(line=lines.number, why='is no JSON object: write it as {"video": …, "prompt": …, "label": …}')
            continue
        cells = {key.strip().lower(): _text(value) for key, value in found.items()}
        yield Record(lines.number, {key: cell for key, cell in cells.items() if key and cell})


def _text(value: object) -> str:
    """A JSON value as the cell that it would be in CSV; a list or object stays JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value)


def _checked(record: Record, used: Collection[str]) -> Record | BadRow:
    for column in used:
        cell = record[column]
        if len(cell) > MAX_CELL:
            return BadRow(line=record.line, why=f"{column} has {len(cell):,} characters, at most {MAX_CELL:,} are read")
        if wrong := not_text(cell):
            return BadRow(line=record.line, why=f"{column} {wrong}")
    return record
