"""The records of a table of scores: a line and its cells, within what a hostile file may cost."""

import csv
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TextIO

from agent.bench.readers.lines import LineError, Lines, check_text
from agent.bench.table_cells import with_point
from agent.errors import ConfigError

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 256
COLUMNS: Final = (
    *("sample_id", "score", "label", "group", "axis", "label_type", "scale", "n_raters", "floors_hold"),
    *("prompt", "score_b", "words"),
)
"""What a table may say; `score` and `label` it must. Others are not looked at."""
_DELIMITERS: Final = (",", ";", "\t")
_NUMBERS: Final = {"score", "score_b", "label"}


def records(path: Path) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each record's first line with its cells by column, or with what is wrong with it.

    Raises:
        ConfigError: it is no table of scores, or too large for one.
    """
    try:
        if not path.is_file():
            what = (
                "is neither a benchmark's folder nor a table of scores"
                if path.exists()
                else "does not exist: give a benchmark's folder or a table"
            )
            raise ConfigError(f"{path}: {what}")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: has over {MAX_BYTES // 1024**2} MiB; split it")
        check_text(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _under(path, file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text in UTF-8 ({error.reason}); save it as CSV UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def _under(path: Path, file: TextIO) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    first = file.readline(MAX_COLUMNS * 256)
    delimiter = max(_DELIMITERS, key=lambda d: len(set(_names(first, d)) & set(COLUMNS)))
    names = _header(path, _names(first, delimiter))
    lines = Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for _ in range(MAX_ROWS + 1):
        line = lines.begin() + 1  # the header is a line
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, LineError) as error:
            last = lines.number + 1
            up_to = "" if lines.again() or last <= line else f" up to line {last}"
            yield line, f"the line cannot be read{up_to}: {error}"
            continue
        if len(row) > len(names):
            yield line, f"has {len(row)} cells under {len(names)} columns; put quotes around text with {delimiter!r}"
        elif any(cell.strip() for cell in row):
            found = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name in COLUMNS}
            if delimiter == ";":
                found.update({name: with_point(found[name]) for name in _NUMBERS & found.keys()})
            yield line, found
    raise ConfigError(f"{path}: has over {MAX_ROWS:,} rows; split it")


def _names(line: str, delimiter: str) -> list[str]:
    try:
        found = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in found]


def _header(path: Path, names: list[str]) -> list[str]:
    told = ", ".join(names)[:200] or "nothing"
    if len(names) > MAX_COLUMNS:
        raise ConfigError(f"{path}: has over {MAX_COLUMNS} columns")
    for needed in ("score", "label"):
        if needed not in names:
            near = get_close_matches(needed, names, n=1, cutoff=0.5)
            raise ConfigError(f"{path}: has no column {needed}{did_you_mean(near)}; its first line says: {told!r}")
    if twice := sorted({name for name in names if name in COLUMNS and names.count(name) > 1}):
        raise ConfigError(f"{path}: has the column {twice[0]} twice")
    return names


def did_you_mean(near: list[str]) -> str:
    """What ends a message about a name that there is not."""
    return f"; did you mean {near[0]!r}?" if near else ""
