"""VideoFeedback: parquet of clips with people's grades of 1 to 4 on five aspects.

Source of the format: the dataset card of huggingface.co/datasets/TIGER-Lab/VideoFeedback (dataset_info) and
github.com/TIGER-AI-Lab/VideoScore. Columns: id, images (the names of the clip's frames), text prompt, video link,
visual quality, temporal consistency, dynamic degree, text-to-video alignment, factual consistency (int64) and
conversations (the same for the training of a language model). The grades are 1 (the worst) to 4 (the best).

A line gives a row for each aspect that there is a column of: visual quality -> quality, temporal consistency ->
consistency, dynamic degree (how much moves) -> motion, text-to-video alignment -> adherence, factual consistency ->
physics. The clip is the one at `video link`: one that comes as frames alone is a bad row, since their speed is not
known. The authors' derived sets hold clips with an empty prompt, whose alignment is 0: this grade alone is a bad row.

The file is read in batches, and of it only the columns that are used.
"""

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agent.bench.extra import need
from agent.bench.readers.lines import not_text
from agent.bench.readers.making import made, quoted
from agent.bench.readers.sheet import MAX_CELL, require
from agent.bench.types import BadRow, Row, RowAxis
from agent.errors import ConfigError

AXES: Final[dict[str, RowAxis]] = {
    "visual quality": "quality",
    "temporal consistency": "consistency",
    "dynamic degree": "motion",
    "text-to-video alignment": "adherence",
    "factual consistency": "physics",
}
_TEXTS: Final = ("id", "text prompt", "video link")
_SCALE: Final = (1.0, 4.0)
_BATCH: Final = 512
MAX_ROW_GROUP: Final = 256 << 20
"""Bytes that the used columns of a row group may unpack to: pyarrow holds a row group at once."""


def recognises(path: Path, head: bytes) -> bool:
    """Parquet: no other of the formats is, and `read` says which columns it lacks."""
    return not path.is_dir() and head.startswith(b"PAR1")


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows; a bad row's line is the number of its row, from 1.

    Raises:
        ConfigError: it is no parquet, lacks a column or is too large to be read, or pyarrow is not installed.
        OSError: it cannot be read.
    """
    need("pyarrow.parquet")
    import pyarrow as pa  # noqa: PLC0415  of the extra `bench`
    import pyarrow.parquet as pq  # noqa: PLC0415

    with path.open("rb") as file:
        try:
            table = pq.ParquetFile(file)
            used = _used(path, table.schema_arrow.names)
            _bounded(path, table.metadata, used)
            line = 0
            for batch in table.iter_batches(batch_size=_BATCH, columns=used):
                for cells in batch.to_pylist():
                    line += 1
                    yield from _rows(line, cells)
        except pa.ArrowException as error:
            raise ConfigError(f"{path}: cannot be read as parquet ({quoted(str(error))})") from error


def _used(path: Path, names: list[str]) -> list[str]:
    """The columns that are read.

    Raises:
        ConfigError: one that every row needs is missing, or all aspects are.
    """
    require(path, names, _TEXTS)
    aspects = [name for name in AXES if name in names]
    if not aspects:
        raise ConfigError(f"{path}: has none of the columns {', '.join(AXES)}, and so no label")
    return [*_TEXTS, *aspects]


def _bounded(path: Path, about: Any, used: list[str]) -> None:
    """See that no row group is larger than may be held in memory.

    Raises:
        ConfigError: one is.
    """
    for index in range(about.num_row_groups):
        group = about.row_group(index)
        columns = (group.column(n) for n in range(group.num_columns))
        size = sum(c.total_uncompressed_size for c in columns if c.path_in_schema in used)
        if size > MAX_ROW_GROUP:
            raise ConfigError(
                f"{path}: its row group {index + 1} unpacks to {size / 2**20:,.0f} MiB, at most {MAX_ROW_GROUP >> 20} "
                "are read; write it again with smaller row groups"
            )


def _rows(line: int, cells: Mapping[str, Any]) -> Iterator[Row | BadRow]:
    if wrong := next((wrong for column in _TEXTS if (wrong := _no_text(column, cells[column]))), ""):
        yield BadRow(line=line, why=wrong)
        return
    sample_id, prompt, video = (cells[column].strip() for column in _TEXTS)
    for column, axis in AXES.items():
        if column not in cells:
            continue
        grade = cells[column]
        if isinstance(grade, bool) or not isinstance(grade, int | float) or grade not in {1, 2, 3, 4}:
            got = "nothing" if grade is None else reprlib.repr(grade)
            yield BadRow(line=line, why=f"{column} must be 1, 2, 3 or 4 (got {got})")
            continue
        yield made(
            line,
            sample_id=sample_id,
            axis=axis,
            label_type="likert",
            label=float(grade),
            scale=_SCALE,
            group=prompt or sample_id,
            video=video,
            prompt=prompt,
        )


def _no_text(column: str, value: object) -> str:
    """What is wrong with a cell, in words; "" if nothing is. A prompt may be empty."""
    if not isinstance(value, str) or (not value.strip() and column != "text prompt"):
        frames = "; frames alone (images) are not judged" if column == "video link" else ""
        return f"{column} is empty or no text{frames}"
    if len(value) > MAX_CELL:
        return f"{column} has {len(value):,} characters, at most {MAX_CELL:,} are read"
    wrong = not_text(value)
    return f"{column} {wrong}" if wrong else ""
