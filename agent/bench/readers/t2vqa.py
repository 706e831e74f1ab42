"""T2VQA-DB: text of lines `name|prompt|mean opinion score`.

Source of the format: github.com/QMME/T2VQA, T2VQA/dataset/dataset.py and t2vqa.yml. No header; a line is a clip's file
name, its prompt and its score, parted by `|`. The authors' own file, by its name, has the scores of its 27 people
brought to a mean of 50 and a deviation of 16.6, so that 0-100 is three deviations to either side, and is taken for the
scale. The score is of the clip as a whole: overall. The names start from the file's folder.

A prompt may hold a `|`: the name is what stands before the first, the score what stands behind the last.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.bench.readers.lines import LineError, not_text, open_lines
from agent.bench.readers.making import Seen, made, number, quoted
from agent.bench.readers.sheet import MAX_CELL
from agent.bench.types import BadRow, Row

_SCALE: Final = (0.0, 100.0)
_RATERS: Final = 27


def recognises(path: Path, head: bytes) -> bool:
    """Text whose first line is three cells, the last of them a number."""
    if path.is_dir():
        return False
    text = head.decode("utf-8-sig", errors="replace")
    first = next((line for line in text.splitlines() if line.strip()), "")
    cells = _cells(first)
    return cells is not None and number(cells[2]) is not None


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows.

    Raises:
        ConfigError: it is no text in UTF-8.
        OSError: it cannot be read.
    """
    seen = Seen()
    with open_lines(path) as lines:
        while True:
            try:
                line = next(lines)
            except StopIteration:
                return
            except LineError as error:
                yield BadRow(line=lines.number, why=str(error))
                continue
            if not line.strip():
                continue
            row = _row(lines.number, line)
            if isinstance(row, Row) and seen.again(row):
                row = BadRow(line=lines.number, why=f"name: there was {quoted(row.sample_id)} before")
            yield row


def _cells(line: str) -> tuple[str, str, str] | None:
    """Name, prompt and score; None: it has not so many."""
    name, first, rest = line.partition("|")
    prompt, last, score = rest.rpartition("|")
    return (name.strip(), prompt.strip(), score.strip()) if first and last else None


def _row(line: int, text: str) -> Row | BadRow:
    cells = _cells(text)
    if cells is None:
        return BadRow(line=line, why=f"must be name|prompt|score (got {quoted(text.strip())})")
    named = zip(("name", "prompt", "score"), cells, strict=True)
    if wrong := next((wrong for column, cell in named if (wrong := _wrong(column, cell))), ""):
        return BadRow(line=line, why=wrong)
    name, prompt, score = cells
    label = number(score)
    if label is None or not _SCALE[0] <= label <= _SCALE[1]:
        return BadRow(line=line, why=f"score must be a number from 0 to 100 (got {quoted(score)})")
    return made(
        line,
        sample_id=name,
        label_type="mos",
        label=label,
        scale=_SCALE,
        n_raters=_RATERS,
        group=prompt,
        video=name,
        prompt=prompt,
    )


def _wrong(column: str, cell: str) -> str:
    """What is wrong with a cell, in words; "" if nothing is."""
    if not cell:
        return f"{column} is empty"
    if len(cell) > MAX_CELL:
        return f"{column} has {len(cell):,} characters, at most {MAX_CELL:,} are read"
    wrong = not_text(cell)
    return f"{column} {wrong}" if wrong else ""
