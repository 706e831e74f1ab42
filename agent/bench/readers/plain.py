"""Our own format: a CSV (comma, semicolon or tab) or JSONL with a row a label. docs/bench-data.md describes it."""

import difflib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, cast, get_args

from agent.bench.dataset import Dataset
from agent.bench.readers import guess
from agent.bench.readers.making import Seen, made, number, quoted
from agent.bench.readers.sheet import Record, columns, head_columns, records
from agent.bench.types import AXES, BadRow, LabelType, Row, RowAxis
from agent.errors import ConfigError

REQUIRED: Final = ("video", "prompt", "label")
OPTIONAL: Final = ("sample_id", "first_frame", "axis", "label_type", "scale", "n_raters", "group", "video_b")
COLUMNS: Final = REQUIRED + OPTIONAL
_TYPES: Final = get_args(LabelType)
_SCALE: Final = re.compile(r"(-?[0-9.]+)\s*(?:-|–|to)\s*(-?[0-9.]+)")  # noqa: RUF001  what word processors make of it

Scale = tuple[float, float]


def recognises(path: Path, head: bytes) -> bool:
    """A table with at least two of the three columns that it must have: what lacks one is told so."""
    return bool(head) and not path.is_dir() and len(head_columns(head) & set(REQUIRED)) >= 2


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows, their kind guessed."""
    return dataset(path).read(path)


def dataset(path: Path, *, scale: Scale | None = None) -> Dataset:
    """The file as a dataset. It is read once, to guess the kind of its labels where it does not say it.

    Raises:
        ConfigError: a column is missing, or it is no text.
    """
    try:
        kind, notes = _guessed(path, scale)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    return Dataset(path=path, format="plain", read=partial(_rows, scale=scale, kind=kind), notes=notes)


def parse_scale(text: str) -> Scale | None:
    """The worst and the best label that `text` names, as 1-5; None: it does not."""
    found = _SCALE.fullmatch(text.strip())
    ends = (number(found[1]), number(found[2])) if found else (None, None)
    return cast("Scale", ends) if None not in ends else None


def _guessed(path: Path, scale: Scale | None) -> tuple[LabelType, tuple[str, ...]]:
    """The kind of the labels whose row does not say it, and what was guessed, in sentences."""
    notes = []
    for name in columns(path):
        near = difflib.get_close_matches(name.strip().lower(), OPTIONAL, n=1, cutoff=0.75)
        if near and name.strip().lower() not in COLUMNS:
            notes.append(f"The column {quoted(name)} is not read; is {near[0]!r} meant?")
    rows = (
        guess.Told(
            row.line, row["label"], scale is not None or parse_scale(row["scale"]) is not None, bool(row["video_b"])
        )
        for row in records(path, required=REQUIRED, used=COLUMNS)
        if isinstance(row, Record) and not row["label_type"]
    )
    kind, why = guess.label_type(rows)
    return kind, (*notes, why) if why else tuple(notes)


def _rows(path: Path, *, scale: Scale | None, kind: LabelType) -> Iterator[Row | BadRow]:
    named = "sample_id" in {name.strip().lower() for name in columns(path)}
    seen = Seen()
    for count, record in enumerate(records(path, required=REQUIRED, used=COLUMNS), start=1):
        row = record if isinstance(record, BadRow) else _row(record, str(count), scale, kind)
        if named and isinstance(row, Row) and seen.again(row):
            why = f"sample_id {quoted(row.sample_id)} has a label on the axis {row.axis} already; give each row its own"
            row = BadRow(line=cast("Record", record).line, why=why)
        yield row


def _row(record: Record, number_of_row: str, scale: Scale | None, kind: LabelType) -> Row | BadRow:
    for column in REQUIRED:
        if not record[column]:
            return BadRow(line=record.line, why=f"{column} is empty")
    kind = cast("LabelType", record["label_type"].lower()) or kind
    axis = record["axis"].lower() or "overall"
    raters = number(record["n_raters"] or "1")
    own = parse_scale(record["scale"])
    if wrong := _wrong(record, kind, axis, raters):
        return BadRow(line=record.line, why=wrong)
    label = _label(record["label"], kind)
    if label is None:
        allowed = {
            "binary": "pass, fail, 1 or 0",
            "pair": "A, B or tie",
            "likert": "a whole number",
            "mos": "a number" if record["label_type"] else "pass or fail, a number, or A, B or tie",
        }[kind]
        return BadRow(line=record.line, why=f"label must be {allowed} (got {quoted(record['label'])})")
    return made(
        record.line,
        sample_id=record["sample_id"] or number_of_row,
        axis=cast("RowAxis", axis),
        label_type=kind,
        label=label,
        scale=None if kind in {"binary", "pair"} else own or scale,
        n_raters=int(raters or 1),
        group=record["group"] or record["prompt"],
        video=record["video"],
        prompt=record["prompt"],
        first_frame=record["first_frame"] or None,
        video_b=record["video_b"] or None,
    )


def _wrong(record: Record, kind: str, axis: str, raters: float | None) -> str:
    """What a cell says that nothing can be made of, with the nearest thing that could; "" if nothing does."""
    if kind not in _TYPES:
        return f"label_type must be one of {', '.join(_TYPES)} (got {quoted(kind)})"
    if axis not in AXES:
        near = difflib.get_close_matches(axis, AXES, n=1)
        hint = f"; is {near[0]!r} meant?" if near else ""
        return f"axis must be one of {', '.join(AXES)} (got {quoted(axis)}){hint}"
    if raters is None or raters != int(raters) or raters < 1:
        return f"n_raters must be a whole number from 1 on (got {quoted(record['n_raters'])})"
    if record["scale"] and parse_scale(record["scale"]) is None:
        return f"scale must be the worst and the best label, as 1-5 (got {quoted(record['scale'])})"
    if kind == "pair" and not record["video_b"]:
        return "video_b is empty, and the label is about two clips"
    return ""


def _label(cell: str, kind: LabelType) -> float | None:
    match kind:
        case "binary":
            return guess.BINARY.get(guess.plain(cell))
        case "pair":
            return guess.PAIR.get(guess.plain(cell))
        case "likert":
            return number(cell) if guess.whole(cell) else None
        case "mos":
            return number(cell)
