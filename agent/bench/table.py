"""Scores beside labels, from a benchmark's folder or from any table: `sample_id, score, label, group`."""

import logging
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic import ValidationError

from agent.bench import table_cells as cells
from agent.bench.folder import SCORED
from agent.bench.table_records import did_you_mean, records
from agent.bench.types import AXES, BadRow, LabelType, Scored
from agent.errors import ConfigError

_log = logging.getLogger(__name__)


class _Read(NamedTuple):
    """A row whose label still waits for the others of its axis to say what kind of label they are."""

    line: int
    sample_id: str
    axis: str
    cells: Mapping[str, str]


def read(path: Path) -> tuple[list[Scored], list[BadRow]]:
    """Scores beside labels, of a benchmark's folder or of a table.

    Raises:
        ConfigError: nothing can be read from it.
    """
    return (from_folder(path), []) if path.is_dir() else from_csv(path)


def from_folder(folder: Path) -> list[Scored]:
    """What a benchmark has judged so far, in the order of its first judgement.

    A line that a kill cut off is skipped and told. Of a row that was judged again, the last judgement counts.

    Raises:
        ConfigError: the folder holds no judgement.
    """
    path = folder / SCORED
    found: dict[tuple[str, str], Scored] = {}
    for line, text in _lines(path):
        try:
            row = Scored.model_validate_json(text)
        except ValidationError:
            _log.warning("%s: line %s is no whole row (cut off by a kill?) and is skipped", path, line)
            continue
        found[row.sample_id, row.axis] = row
    if not found:
        raise ConfigError(f"{path}: holds no judgement; `retake bench run` makes them")
    return list(found.values())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); `retake bench run` makes it") from error


def from_csv(path: Path) -> tuple[list[Scored], list[BadRow]]:
    """The rows of a table in UTF-8, parted by commas, semicolons (then 0,5 is a half) or tabs, and what is bad in it.

    What kind of labels an axis has, all of its rows say together, unless `label_type` does: A, B and tie (and numbers
    beside `score_b`) pair; true, pass, yes, false, fail, no and a column of 0 and 1 without `scale` binary; other
    numbers likert where `scale` is given and all are whole steps, else mos. Without `sample_id` rows have their number;
    without `group` the prompt is the group, without both the sample.

    Raises:
        ConfigError: it is no such table, lacks a column, or has no row that can be used.
    """
    read, bad = _read(path)
    kinds = {axis: _kind([r.cells for r in read if r.axis == axis]) for axis in {r.axis for r in read}}
    rows: list[Scored] = []
    for row in read:
        try:
            rows.append(_scored(row, kinds[row.axis]))
        except ValidationError as error:
            bad.append(BadRow(line=row.line, why=_fault(error)))
        except ValueError as error:
            bad.append(BadRow(line=row.line, why=str(error)))
    bad.sort(key=lambda b: b.line)
    if not rows:
        why = (
            f"the first of {len(bad):,} bad ones, line {bad[0].line}: {bad[0].why}"
            if bad
            else "there is a header alone"
        )
        raise ConfigError(f"{path}: holds no row that can be used ({why})")
    return rows, bad


def _read(path: Path) -> tuple[list[_Read], list[BadRow]]:
    """Rows that have their cells, an axis that there is and a sample of their own, and those that have not."""
    read: list[_Read] = []
    bad: list[BadRow] = []
    seen: set[tuple[str, str]] = set()
    for number, (line, row) in enumerate(records(path), start=1):
        if isinstance(row, str):
            bad.append(BadRow(line=line, why=row))
            continue
        axis = row.get("axis", "").lower() or "overall"
        sample = row.get("sample_id", str(number))
        if axis not in AXES:
            near = get_close_matches(axis, AXES, n=1)
            bad.append(BadRow(line=line, why=f"axis: {cells.shown(axis)} is none of ours{did_you_mean(near)}"))
        elif not sample:
            bad.append(BadRow(line=line, why="sample_id: is empty"))
        elif (sample, axis) in seen:
            bad.append(BadRow(line=line, why=f"sample_id: {cells.shown(sample)} was there before on the axis {axis}"))
        else:
            seen.add((sample, axis))
            read.append(_Read(line, sample, axis, row))
    return read, bad


def _kind(rows: list[Mapping[str, str]]) -> LabelType:
    """What the labels of an axis are where they are numbers and nothing says it."""
    numbers = [cells.number(row.get("label", "")) for row in rows]
    known = {n for n in numbers if n is not None}
    if known <= {0.0, 0.5, 1.0} and any(row.get("score_b") for row in rows):
        return "pair"
    scaled = any(row.get("scale") for row in rows)
    if known <= {0.0, 1.0} and not scaled:
        return "binary"
    return "likert" if scaled and all(n == int(n) for n in known) else "mos"


def _scored(row: _Read, kind: LabelType) -> Scored:
    """A row, whole.

    Raises:
        ValueError: what is wrong with it.
    """
    said = row.cells
    text = said.get("label", "")
    word = cells.WORDS.get(text.lower())
    label = cells.VALUES[word] if word else cells.number(text)
    if label is None:
        raise ValueError(f"label: {cells.shown(text)} is neither a number nor pass, fail, A, B or tie")
    stated = said.get("label_type", "").lower()
    if stated not in {"", *get_args(LabelType)}:
        raise ValueError(f"label_type: {cells.shown(stated)} is none of {', '.join(get_args(LabelType))}")
    found = stated or (kind if word is None else "binary" if word in {"pass", "fail"} else "pair")
    score, failure = cells.score(said.get("score", ""))
    score_b = None
    if found == "pair":
        if "score_b" not in said:
            raise ValueError("score_b: is missing, the score of a pair's second clip")
        score_b, failure_b = cells.score(said["score_b"])
        failure = failure or failure_b
    scale = cells.scale(said["scale"]) if said.get("scale") and found in {"likert", "mos"} else None
    if found == "likert" and scale is None and not stated:
        found = "mos"
    raters = cells.count("n_raters", said.get("n_raters", ""))
    facts = {
        "sample_id": row.sample_id,
        "axis": row.axis,
        "label_type": found,
        "label": label,
        "scale": scale,
        "n_raters": 1 if raters is None else raters,
        "group": said.get("group") or said.get("prompt") or row.sample_id,
        "score": None if failure else score,
        "failure": failure,
        "score_b": None if failure else score_b,
        "floors_hold": cells.holds("floors_hold", said.get("floors_hold", "")),
        "words": cells.count("words", said.get("words", "")),
    }
    return Scored.model_validate(facts)


def _fault(error: ValidationError) -> str:
    told = ((".".join(map(str, f["loc"])), f["msg"].removeprefix("Value error, ")) for f in error.errors())
    return "; ".join(f"{where}: {what}" if where else what for where, what in told)
