"""What a caption is given and nobody writes: the stamps of the render, and prompts that already are captions."""

import json
import re
from typing import Any

from pydantic import ValidationError

from reasoner.caption import AspectRatio, Resolution, StructuredCaption, clock
from reasoner.types import CaptionRequest

_FENCE = re.compile(r"^```(?:json\s*|\s*(?=\{))", re.IGNORECASE)
_RANGE = re.compile(r"^(\d{1,4}):([0-5]\d)-(\d{1,4}):([0-5]\d)$")

_ASPECTS: tuple[AspectRatio, ...] = ("16,9", "4,3", "1,1", "3,4", "9,16")


def duration(request: CaptionRequest) -> int:
    """Whole seconds of the clip, rounded down, as the model's captions count them: 189 frames at 24 fps are 7."""
    return request.num_frames // request.fps


def aspect(width: int, height: int) -> AspectRatio:
    """The family nearest in shape: 320x192 is "16,9" although it is 5:3."""

    def off(name: str) -> float:
        across, down = (int(part) for part in name.split(","))
        ratio = width * down / (height * across)
        return max(ratio, 1 / ratio)

    return min(_ASPECTS, key=off)


def stamped(request: CaptionRequest) -> dict[str, object]:
    """The fields that always state what is really rendered."""
    return {
        "resolution": Resolution(H=request.height, W=request.width),
        "aspect_ratio": aspect(request.width, request.height),
        "duration": f"{duration(request)}s",
        "fps": request.fps,
    }


def given_object(prompt: str) -> dict[str, Any] | None:
    """The JSON object that the prompt is, or None: NVIDIA's test for a prompt that is already upsampled.

    It starts with a ```json fence (or a bare fence and "{"), or is a JSON object. A fence around something that does
    not parse gives an empty object: it still is not raw.
    """
    text = prompt.strip()
    fence = _FENCE.match(text)
    if not fence and not text.startswith("{"):
        return None
    body = text[fence.end() :].split("```", 1)[0] if fence else text
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {} if fence else None
    return data if isinstance(data, dict) else {} if fence else None


def _fitted(text: Any, seconds: int) -> Any:
    match = _RANGE.match(text) if isinstance(text, str) else None
    if not match:
        return text
    minutes, second, end_minutes, end_second = map(int, match.groups())
    return "-".join(clock(min(time, seconds)) for time in (60 * minutes + second, 60 * end_minutes + end_second))


def given_caption(data: dict[str, Any], request: CaptionRequest) -> StructuredCaption | None:
    """The prompt's own caption, stamped with what is really rendered, within its duration; None for another schema."""
    seconds = duration(request)
    caption = {key: value for key, value in data.items() if key != "scene_imagination"} | stamped(request)
    for key, field in (("actions", "time"), ("segments", "time_range")):
        if isinstance(rows := caption.get(key), list):
            caption[key] = [
                row | {field: _fitted(row.get(field), seconds)} if isinstance(row, dict) else row for row in rows
            ]
    try:
        return StructuredCaption.model_validate(caption)
    except ValidationError:
        return None
