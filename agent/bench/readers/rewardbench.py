"""VideoGen-RewardBench: a CSV of pairs of clips with people's preference on four dimensions.

Source of the format: github.com/KwaiVGI/VideoAlign, eval_videogen_rewardbench.py, calc_accuracy.py and
datasets/train/README.md. Columns: path_A, A_model, path_B, B_model, prompt, VQ, MQ, TA, Overall, fps_A, num_frames_A,
fps_B, num_frames_B, perhaps behind one without a name that counts the rows. A preference is A, B or same (a tie);
`invalid` or an empty cell: people gave none, and the label is a bad row.

VQ (visual quality) -> quality, MQ (motion quality) -> motion, TA (text alignment) -> adherence, Overall -> overall.
The paths start from the CSV's folder. The authors' training CSVs, which have no Overall, are read likewise.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.bench.readers.making import made, quoted
from agent.bench.readers.sheet import Record, columns, head_columns, records
from agent.bench.types import BadRow, Row, RowAxis
from agent.errors import ConfigError

_REQUIRED: Final = ("path_a", "path_b", "prompt")
_AXES: Final[dict[str, RowAxis]] = {"VQ": "quality", "MQ": "motion", "TA": "adherence", "Overall": "overall"}
_LABELS: Final = {"a": 1.0, "b": 0.0, "same": 0.5}


def recognises(path: Path, head: bytes) -> bool:
    """A table with both paths and the prompt."""
    return bool(head) and not path.is_dir() and set(_REQUIRED) <= head_columns(head)


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows; the sample's id is the number of the line's record, from 1.

    Raises:
        ConfigError: a column is missing.
    """
    there = {name.strip().lower() for name in columns(path)}
    found = [column for column in _AXES if column.lower() in there]
    used = [column.lower() for column in found]
    for count, record in enumerate(records(path, required=_REQUIRED, used=used), start=1):
        if not found:
            raise ConfigError(f"{path}: has none of the columns {', '.join(_AXES)}, and so no label")
        if isinstance(record, BadRow):
            yield record
            continue
        empty = next((column for column in _REQUIRED if not record[column]), None)
        if empty is not None:
            yield BadRow(line=record.line, why=f"{empty.replace('_a', '_A').replace('_b', '_B')} is empty")
            continue
        for column in found:
            yield _row(record, str(count), column)


def _row(record: Record, sample_id: str, column: str) -> Row | BadRow:
    cell = record[column.lower()]
    label = _LABELS.get(cell.lower())
    if label is None:
        return BadRow(line=record.line, why=f"{column} must be A, B or same (got {quoted(cell)})")
    return made(
        record.line,
        sample_id=sample_id,
        axis=_AXES[column],
        label_type="pair",
        label=label,
        group=record["prompt"],
        video=record["path_a"],
        video_b=record["path_b"],
        prompt=record["prompt"],
    )
