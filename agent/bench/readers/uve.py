"""UVE-Bench: JSON of pairs of clips with people's preference on an aspect.

Source of the format: github.com/bytedance/UVE, README.md, eval_uve_bench.py and annotations/annotations.json (also
huggingface.co/datasets/lyx97/UVE-Bench). One object: by id, as `movie_gen_video_bench-dynamic_degree-00000-0`, an
object with video_a, video_b, prompt (null but for text alignment), preference ("A is better", "B is better", "same
good", "same bad"), aspect, subaspects (those of the 15 that the preference holds for) and dataset. A clip lies in
`uve_bench_videos/<dataset>/<video>`; this folder is looked for beside the file and beside its folder (as in the
authors' repository), and without it `<dataset>/<video>` starts from the file's folder.

Both ties are 0.5. An entry gives a row for each axis that its subaspects fall on (`AXES`); `light_change`, how much the
light changes, is none of ours, and an entry about it alone is a bad row. The file is read whole (0.8 MB as published).
Entries about clips of the same prompt share its number in the clips' names, which is their group.
"""

import re
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
    "tv_alignment": "adherence",
    "tv_alignment_appearance": "adherence",
    "tv_alignment_motion": "adherence",
    "static_visual_quality": "quality",
    "aesthetic_quality": "quality",
    "technical_quality": "quality",
    "structural_correctness": "quality",
    "temporal_visual_quality": "consistency",
    "appearance_consistency": "consistency",
    "flickering": "consistency",
    "motion_naturalness": "physics",
    "dynamic_degree": "motion",
    "subject_motion_degree": "motion",
    "camera_motion_degree": "motion",
}
"""UVE's aspects to ours. Its dynamic aspects ask how much moves, and physics is its "natural and adheres to physical
laws"."""
_LABELS: Final = {"A is better": 1.0, "B is better": 0.0, "same good": 0.5, "same bad": 0.5}
_VIDEOS: Final = "uve_bench_videos"
_TEXTS: Final = ("video_a", "video_b", "preference", "dataset")
_NUMBER: Final = re.compile(r"_(\d+)\.\w+$")


def recognises(path: Path, head: bytes) -> bool:
    """JSON whose beginning names both clips, the aspect and the preference."""
    return (
        not path.is_dir()
        and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and all(f'"{key}"'.encode() in head for key in ("video_a", "video_b", "aspect", "preference"))
    )


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows; a bad row's line is the number of its entry, from 1.

    Raises:
        ConfigError: it is no such JSON.
    """
    found, twice = load(path)
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: must be one JSON object with an entry for each id, as UVE-Bench's annotations.json is"
        )
    folder = _folder(path)
    for count, (sample_id, entry) in enumerate(found.items(), start=1):
        if not isinstance(entry, dict):
            yield BadRow(line=count, why=f"the entry {quoted(sample_id)} is no JSON object")
        elif sample_id in twice:
            yield BadRow(line=count, why=f"the id {quoted(sample_id)} stands in the file more than once")
        elif wrong := _wrong(sample_id, entry):
            yield BadRow(line=count, why=wrong)
        else:
            yield from _rows(entry, count, sample_id, folder)


def _folder(path: Path) -> str:
    """Where the clips lie, seen from the file's folder, with its slash."""
    for above in ("", "../"):
        if (path.parent / f"{above}{_VIDEOS}").is_dir():
            return f"{above}{_VIDEOS}/"
    return ""


def _wrong(sample_id: str, entry: Mapping[str, Any]) -> str:
    """What is wrong with an entry, in words; "" if nothing is."""
    texts = {"the id": sample_id, **{key: entry.get(key) for key in _TEXTS}, "prompt": entry.get("prompt") or "-"}
    found = next((wrong for key, value in texts.items() if (wrong := _no_text(key, value))), "")
    if not found and entry["preference"] not in _LABELS:
        found = f"preference must be one of {', '.join(_LABELS)} (got {quoted(entry['preference'])})"
    return found or _no_aspect(entry.get("subaspects"))


def _no_text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        return f"{key} is missing, empty or no text"
    if len(value) > MAX_CELL:
        return f"{key} has {len(value):,} characters, at most {MAX_CELL:,} are read"
    wrong = not_text(value)
    return f"{key} {wrong}" if wrong else ""


def _no_aspect(aspects: object) -> str:
    if not isinstance(aspects, list) or not aspects or not all(isinstance(aspect, str) for aspect in aspects):
        return "subaspects must be a list of aspects"
    if not any(aspect in AXES for aspect in aspects):
        return f"subaspects: none of our axes is about {quoted(', '.join(aspects))}"
    return ""


def _rows(entry: Mapping[str, Any], line: int, sample_id: str, folder: str) -> Iterator[Row | BadRow]:
    number = _NUMBER.search(entry["video_a"])
    axes = dict.fromkeys(AXES[aspect] for aspect in entry["subaspects"] if aspect in AXES)
    for axis in axes:
        yield made(
            line,
            sample_id=sample_id,
            axis=axis,
            label_type="pair",
            label=_LABELS[entry["preference"]],
            group=f"{entry['dataset']}-{number[1]}" if number else entry["prompt"] or sample_id,
            video=f"{folder}{entry['dataset']}/{entry['video_a']}",
            video_b=f"{folder}{entry['dataset']}/{entry['video_b']}",
            prompt=entry["prompt"] or "",
        )
