"""VBench's human preference labels: JSON of prompts, each with clips of several models, every two of them compared.

Source of the format: github.com/Vchitect/VBench, sampled_videos/README.md, "Human Preference Labels" (also
huggingface.co/datasets/Vchitect/VBench_human_annotation). One file a dimension: a list of objects with prompt_en,
question_en, what the dimension is about (style_en, color_en, object_en, ...), videos (clip by model) and human_anno:
`human_anno[a][b]` is 1 where people took the clip of model a for the better one, 0 where that of b, 0.5 for a tie. Each
pair stands there in both directions and is one row, under the direction that comes first; where the two contradict one
another it is a bad row.

The file does not name its dimension. It is taken from the file's name (`AXES`); under any other name the rows are
overall. Clips start from the file's folder, unless they are URLs.
"""

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agent.bench.readers.lines import not_text
from agent.bench.readers.making import made, quoted
from agent.bench.readers.sheet import MAX_CELL
from agent.bench.readers.whole_json import load
from agent.bench.types import BadRow, Row, RowAxis
from agent.errors import ConfigError

AXES: Final[dict[str, RowAxis]] = {
    "subject_consistency": "consistency",
    "background_consistency": "consistency",
    "temporal_flickering": "consistency",
    "motion_smoothness": "motion",
    "dynamic_degree": "motion",
    "dynamics_degree": "motion",
    "aesthetic_quality": "quality",
    "imaging_quality": "quality",
    "technical_quality": "quality",
    "object_class": "adherence",
    "multiple_objects": "adherence",
    "human_action": "adherence",
    "spatial_relationship": "adherence",
    "temporal_style": "adherence",
    "appearance_style": "adherence",
    "overall_consistency": "adherence",
    "color": "adherence",
    "scene": "adherence",
}
"""VBench's dimensions to ours. overall_consistency is that of the clip with its text."""


def recognises(path: Path, head: bytes) -> bool:
    """A JSON list whose beginning names a prompt, clips and comparisons."""
    return (
        not path.is_dir()
        and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
        and all(f'"{key}"'.encode() in head for key in ("prompt_en", "videos", "human_anno"))
    )


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows; a bad row's line is the number of its object, from 1.

    Raises:
        ConfigError: it is no such JSON.
        OSError: it cannot be read.
    """
    found, _ = load(path)
    if not isinstance(found, list):
        raise ConfigError(f"{path}: must be one JSON list with an object for each prompt, as VBench's labels are")
    axis = _axis(path)
    for line, entry in enumerate(found, start=1):
        if not isinstance(entry, dict):
            yield BadRow(line=line, why="is no JSON object")
        elif wrong := _wrong(entry):
            yield BadRow(line=line, why=wrong)
        else:
            yield from _rows(line, entry, axis)


def _axis(path: Path) -> RowAxis:
    name = path.stem.lower().replace("-", "_").replace(" ", "_")
    return next((axis for dimension, axis in AXES.items() if dimension in name), "overall")


def _wrong(entry: Mapping[str, Any]) -> str:
    """What is wrong with an object as a whole, in words; "" if nothing is."""
    if wrong := _no_text("prompt_en", entry.get("prompt_en")):
        return wrong
    for key in ("videos", "human_anno"):
        if not isinstance(entry.get(key), dict) or not entry[key]:
            return f"{key} must be an object by model"
    bare = next((model for model, others in entry["human_anno"].items() if not isinstance(others, dict)), None)
    return "" if bare is None else f"human_anno: {quoted(bare)} must be an object by model"


def _no_text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return f"{key} is missing, empty or no text"
    if len(value) > MAX_CELL:
        return f"{key} has {len(value):,} characters, at most {MAX_CELL:,} are read"
    wrong = not_text(value)
    return f"{key} {wrong}" if wrong else ""


def _rows(line: int, entry: Mapping[str, Any], axis: RowAxis) -> Iterator[Row | BadRow]:
    labels: dict[str, dict[str, Any]] = entry["human_anno"]
    seen: set[tuple[str, str]] = set()
    for a, others in labels.items():
        for b, label in others.items():
            if a == b or (b, a) in seen:
                continue
            seen.add((a, b))
            wrong = _no_pair(entry, a, b)
            if wrong:
                yield BadRow(line=line, why=wrong)
                continue
            yield made(
                line,
                sample_id=f"{line}/{a}/{b}",
                axis=axis,
                label_type="pair",
                label=float(label),
                group=entry["prompt_en"].strip(),
                video=entry["videos"][a],
                video_b=entry["videos"][b],
                prompt=entry["prompt_en"].strip(),
            )


def _no_pair(entry: Mapping[str, Any], a: str, b: str) -> str:
    """What is wrong with a comparison, in words; "" if nothing is."""
    for model in (a, b):
        if wrong := not_text(model):
            return f"human_anno: a model's name {wrong}"
        if wrong := _no_text(f"videos: {quoted(model)}", entry["videos"].get(model)):
            return wrong
    labels = entry["human_anno"]
    label = labels[a][b]
    if isinstance(label, bool) or label not in (0, 0.5, 1):
        return f"human_anno: {quoted(a)} beside {quoted(b)} must be 0, 0.5 or 1 (got {reprlib.repr(label)})"
    back = labels[b].get(a) if isinstance(labels.get(b), dict) else None
    if back is not None and (isinstance(back, bool) or not isinstance(back, int | float) or back != 1 - label):
        return (
            f"human_anno: {quoted(a)} beside {quoted(b)} is {label:g}, and the other way round {reprlib.repr(back)}: "
            f"{1 - label:g} would agree"
        )
    return ""
