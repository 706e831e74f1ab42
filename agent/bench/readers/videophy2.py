"""VideoPhy-2: a CSV of clips with two grades of 1 to 5 by people, on the caption and on physics.

Source of the format: the dataset card of huggingface.co/datasets/videophysics/videophy2_test (and `_train`), and the
CSVs in github.com/Hritikbansal/videophy under VIDEOPHY2/examples. Columns: caption, video_url, sa, pc, joint,
physics_rules_followed, physics_rules_unfollowed, physics_rules_cannot_be_determined, human_violated_rules, action,
category, is_hard, metadata_rules, upsampled_caption, model_name. The authors' own CSVs name a local file `videopath`.

A line gives up to three rows: sa -> adherence, pc -> physics (likert 1-5, a mean of grades: mos), and
joint -> overall (binary), which is sa >= 4 and pc >= 4, as the card has it. The prompt is `caption`, also for models
that were given `upsampled_caption`: it is what people held the clip against, and what all clips of a group share.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent.bench.readers.making import made, number, quoted
from agent.bench.readers.sheet import Record, columns, head_columns, records, require
from agent.bench.types import BadRow, Row, RowAxis

_REQUIRED: Final = ("caption", "sa", "pc")
_USED: Final = ("video_url", "videopath", "joint")
_PASSES: Final = 4
"""Least grade of either that a clip passes jointly with."""


def recognises(path: Path, head: bytes) -> bool:
    """A table with both grades and the caption."""
    return bool(head) and not path.is_dir() and set(_REQUIRED) <= head_columns(head)


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows; the sample's id is the number of the line's record, from 1."""
    names = [name.strip().lower() for name in columns(path)]
    if "videopath" not in names:
        require(path, names, ("video_url",))
    for count, record in enumerate(records(path, required=_REQUIRED, used=_USED), start=1):
        if isinstance(record, BadRow):
            yield record
        else:
            yield from _rows(record, str(count))


def _rows(record: Record, sample_id: str) -> Iterator[Row | BadRow]:
    video = record["videopath"] or record["video_url"]
    if not record["caption"] or not video:
        yield BadRow(line=record.line, why=f"{'video_url' if record['caption'] else 'caption'} is empty")
        return
    about: dict[str, Any] = {
        "sample_id": sample_id,
        "video": video,
        "prompt": record["caption"],
        "group": record["caption"],
    }
    grades: list[float] = []
    axes: dict[str, RowAxis] = {"sa": "adherence", "pc": "physics"}
    for column, axis in axes.items():
        grade = number(record[column])
        if grade is None or not 1 <= grade <= 5:
            yield BadRow(line=record.line, why=f"{column} must be a grade from 1 to 5 (got {quoted(record[column])})")
            continue
        grades.append(grade)
        kind = "likert" if grade == int(grade) else "mos"
        yield made(record.line, **about, axis=axis, label_type=kind, label=grade, scale=(1, 5))
    if len(grades) == len(axes):
        yield _joint(record, about, float(min(grades) >= _PASSES))


def _joint(record: Record, about: dict[str, Any], label: float) -> Row | BadRow:
    """Whether the clip passes both. The column must say the same where it is filled in."""
    if record["joint"] and number(record["joint"]) != label:
        why = f"joint is {quoted(record['joint'])}, and sa and pc make it {label:g}"
        return BadRow(line=record.line, why=why)
    return made(record.line, **about, axis="overall", label_type="binary", label=label)
