"""The structured caption: its schema, times and one-line form."""

import json

import pytest
from pydantic import ValidationError

from reasoner.caption import StructuredCaption, clock
from reasoner.rules.upsample import upsample
from reasoner.types import CaptionRequest


@pytest.fixture
def caption() -> StructuredCaption:
    return upsample(CaptionRequest(prompt="Ein Café, 夜, then pan left", width=832, height=480, num_frames=189, fps=24))


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (6.9, "0:06"), (59.99, "0:59"), (60, "1:00"), (75, "1:15")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_text_is_one_ascii_line_with_default_separators(caption: StructuredCaption) -> None:
    text = caption.text()
    assert text.isascii()
    assert "\n" not in text
    assert json.dumps(json.loads(text)) == text


def test_text_round_trip(caption: StructuredCaption) -> None:
    assert StructuredCaption.parse(caption.text()) == caption


def test_last_keys_are_the_parameters(caption: StructuredCaption) -> None:
    assert list(json.loads(caption.text()))[-4:] == ["resolution", "aspect_ratio", "duration", "fps"]


@pytest.mark.parametrize(
    "field", ["cinematography.camera_motion", "segments.0.camera", "actions.0.description", "temporal_caption"]
)
def test_replace_changes_one_field(caption: StructuredCaption, field: str) -> None:
    changed = caption.replace(field, "changed")
    assert changed != caption
    assert changed.text().count('"changed"') == 1


def test_replace_refuses_an_unknown_field(caption: StructuredCaption) -> None:
    with pytest.raises(KeyError):
        caption.replace("cinematography.zoom", "in")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("segments.0.time_range", "0:00-0:08"),
        ("actions.0.time", "0:05-0:04"),
        ("actions.0.time", "5s"),
        ("duration", "7.9s"),
        ("fps", 0),
        ("aspect_ratio", "16:9"),
        ("segments", []),
        ("style_medium", None),
    ],
)
def test_replace_validates(caption: StructuredCaption, field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        caption.replace(field, value)


def test_unknown_fields_are_refused(caption: StructuredCaption) -> None:
    with pytest.raises(ValidationError):
        StructuredCaption.model_validate(caption.model_dump() | {"scene_imagination": "notes"})


def test_prose_says_what_happens_first_and_keeps_to_its_words(caption: StructuredCaption) -> None:
    text = caption.prose()
    assert text.startswith(caption.temporal_caption.rstrip(".")[:40])
    assert caption.subjects[0].description.rstrip(".") in text
    assert "{" not in text
    short = caption.prose(words=5)
    assert len(short.split()) <= 5
    assert short.endswith(".")
