"""The structured caption that Cosmos3 was trained on (NVIDIA/cosmos-framework, video templates), and its text form."""

import json
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

AspectRatio = Literal["16,9", "4,3", "1,1", "3,4", "9,16"]
RANGE = r"^\d+:[0-5]\d-\d+:[0-5]\d$"


def clock(seconds: float) -> str:
    """Whole seconds as the captions write them: 6.9 -> '0:06', 75 -> '1:15'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _seconds(text: str) -> int:
    minutes, _, rest = text.partition(":")
    return int(minutes) * 60 + int(rest)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Part):
    """One subject, or a group of alike subjects. Human-only fields are "" for everything else."""

    description: str
    appearance_details: str
    relationship: str
    location: str
    """Place in the frame, e.g. "center foreground"."""
    relative_size: str
    """"Small within frame", "Medium within frame" or "Large within frame"."""
    orientation: str
    pose: str
    action: str
    state_changes: str
    clothing: str = ""
    expression: str = ""
    gender: str = ""
    age: str = ""
    skin_tone_and_texture: str = ""
    facial_features: str = ""
    number_of_subjects: int = Field(default=1, ge=0)
    number_of_arms: int = Field(default=0, ge=0)
    number_of_legs: int = Field(default=0, ge=0)


class Lighting(_Part):
    """Where the light comes from and what it does."""

    conditions: str
    direction: str
    shadows: str
    illumination_effect: str


class Aesthetics(_Part):
    """How the picture is composed."""

    composition: str
    color_scheme: str
    mood_atmosphere: str
    patterns: str = ""


class Cinematography(_Part):
    """What the camera is and does."""

    camera_motion: str
    framing: str
    camera_angle: str
    depth_of_field: str
    focus: str
    lens_focal_length: str


class Action(_Part):
    """Something that happens, within `time`."""

    time: str = Field(pattern=RANGE)
    """"M:SS-M:SS"."""
    description: str


class SignText(_Part):
    """Readable text in the scene."""

    text: str
    category: str
    appearance: str
    spatial_temporal: str
    context: str


class Segment(_Part):
    """A stretch of the timeline."""

    segment_index: int = Field(ge=0)
    time_range: str = Field(pattern=RANGE)
    """"M:SS-M:SS"."""
    description: str
    key_changes: str
    camera: str


class Resolution(_Part):
    """Output size in pixels."""

    H: int = Field(gt=0)
    W: int = Field(gt=0)


class StructuredCaption(_Part):
    """The whole scene. Every field is mandatory in training data; the permitted empties are "", 0 and []."""

    subjects: tuple[Subject, ...]
    background_setting: str
    lighting: Lighting
    aesthetics: Aesthetics
    cinematography: Cinematography
    style_medium: str
    artistic_style: str
    context: str
    actions: tuple[Action, ...]
    text_and_signage_elements: tuple[SignText, ...] = ()
    segments: tuple[Segment, ...] = Field(min_length=1)
    transitions: tuple[str, ...] = ()
    temporal_caption: str
    audio_description: str
    resolution: Resolution
    aspect_ratio: AspectRatio
    duration: str = Field(pattern=r"^\d+s$")
    """Whole seconds, rounded down: 189 frames at 24 fps are "7s"."""
    fps: int = Field(ge=1, le=60)

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        limit = int(self.duration[:-1])
        times = [("segments", s.time_range) for s in self.segments] + [("actions", a.time) for a in self.actions]
        for where, text in times:
            start, end = (_seconds(part) for part in text.split("-"))
            if not start <= end <= limit:
                raise ValueError(f"{where}: time {text!r} does not fit into {self.duration}")
        return self

    def text(self) -> str:
        """The form the model was trained on: one ASCII line, `json.dumps` at its defaults."""
        return json.dumps(self.model_dump(mode="json"))

    def prose(self, words: int = 160) -> str:
        """Plain sentences for models that were not trained on JSON: what happens first, then how it looks.

        Args:
            words: at most this many, whole parts only but for the first; 160 fit CogVideoX's 226 T5 tokens.
        """
        look = self.cinematography
        parts = [
            self.temporal_caption,
            *(subject.description for subject in self.subjects),
            self.background_setting,
            f"Camera: {look.camera_motion}" if look.camera_motion else "",
            self.lighting.conditions,
            self.style_medium,
        ]
        return _sentences(parts, words)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `text()` back."""
        return cls.model_validate_json(text)

    def replace(self, field: str, value: Any) -> Self:
        """A copy with one dotted field changed, e.g. `replace("cinematography.camera_motion", "...")`, validated again.

        List items are named by index: `segments.0.camera`.
        """
        data = self.model_dump(mode="json")
        *path, last = field.split(".")
        place: Any = data
        for key in path:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if isinstance(place, list):
            place[int(last)] = value
        elif last in place:
            place[last] = value
        else:
            raise KeyError(field)
        return type(self).model_validate(data)


class MotionCaption(_Part):
    """The short caption of the post-trained Cosmos3-Super-Image2Video: what happens; the image says how it looks."""

    temporal_caption: str
    """One paragraph of five to eight sentences."""
    duration: str = Field(pattern=r"^\d+s$")
    fps: int = Field(ge=1, le=60)
    resolution: Resolution
    aspect_ratio: AspectRatio

    def text(self) -> str:
        """One ASCII line, as `StructuredCaption.text`."""
        return json.dumps(self.model_dump(mode="json"))

    def prose(self, words: int = 160) -> str:
        """The paragraph itself, at most so many words."""
        return _sentences([self.temporal_caption], words)


def _sentences(parts: Sequence[str], words: int) -> str:
    """The parts as sentences, each once, as long as there is room. The first is cut where it is too long."""
    chosen: list[str] = []
    left = words
    for part in dict.fromkeys(" ".join(p.split()) for p in parts):
        text = part.split()
        if not text or (chosen and len(text) > left):
            continue
        kept = " ".join(text[:left])
        chosen.append(kept if kept.endswith((".", "!", "?")) else f"{kept}.")
        left -= min(len(text), left)
    return " ".join(chosen)
