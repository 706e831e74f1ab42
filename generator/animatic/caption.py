"""A prompt as groups of text: the fields of a structured caption, or one plain text that stands for all of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_STAMP = re.compile(r"(\d+):(\d\d)")


@dataclass(frozen=True)
class Stretch:
    """What the camera is said to do between two times in seconds."""

    start: float
    end: float
    camera: str


@dataclass(frozen=True)
class Caption:
    """The groups that a picture is made from. Each holds only the fields where its words belong."""

    subjects: str
    setting: str
    light: str
    look: str
    lens: str
    action: str
    camera: str
    story: str
    """Everything that tells of the scene: searched when the field where something belongs is silent."""
    stretches: tuple[Stretch, ...] = ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _join(*values: Any) -> str:
    return ". ".join(text for value in values for text in _texts(value) if text)


def _fields(items: Any, *names: str) -> list[Any]:
    rows = items if isinstance(items, list) else [items]
    return [row.get(name, "") if isinstance(row, dict) else row for row in rows for name in names]


def _stretches(segments: Any) -> Iterator[Stretch]:
    for segment in segments if isinstance(segments, list) else []:
        if isinstance(segment, dict):
            stamps = _STAMP.findall(str(segment.get("time_range", "")))
            if len(stamps) == 2:
                start, end = (60.0 * int(minutes) + int(seconds) for minutes, seconds in stamps)
                yield Stretch(start, end, _join(segment.get("camera", "")))


def read_caption(prompt: str) -> Caption:
    """Sort a prompt's text into groups.

    Takes a structured caption's JSON, plain words, or any other JSON, whose strings are then read as plain words.
    """
    try:
        data = json.loads(prompt)
    except ValueError:
        data = prompt
    if not isinstance(data, dict) or not {"background_setting", "subjects", "cinematography"} & data.keys():
        words = _join(data)
        return Caption(words, words, words, words, words, words, words, words)
    get = data.get
    subjects, lighting, cinematography = get("subjects", []), get("lighting", ""), get("cinematography", {})
    setting = _join(get("background_setting", ""))
    timeline = get("segments", [])
    return Caption(
        subjects=_join(_fields(subjects, "description")),
        setting=setting,
        light=_join(lighting, setting),
        look=_join(get("aesthetics", ""), get("style_medium", ""), get("artistic_style", ""), setting, lighting),
        lens=_join(_fields(cinematography, "depth_of_field", "focus"), get("aesthetics", "")),
        action=_join(
            get("actions", []),
            _fields(subjects, "action"),
            _fields(timeline, "description", "key_changes"),
            get("temporal_caption", ""),
        ),
        camera=_join(_fields(cinematography, "camera_motion")),
        story=_join(
            get("context", ""), get("temporal_caption", ""), _fields(subjects, "description", "location"), setting
        ),
        stretches=tuple(_stretches(timeline)),
    )
