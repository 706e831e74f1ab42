"""The user's words on light, lens, focus, medium and camera stand in the first caption, unchallenged."""

from collections.abc import Sequence

import pytest

from reasoner.caption import StructuredCaption
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.rules.editing import value
from reasoner.rules.steps import Case
from reasoner.rules.upsample import upsample
from reasoner.rules.wishes import wishes
from reasoner.types import CaptionRequest, Revision

RULES = Rules(RulesConfig())


def request(prompt: str) -> CaptionRequest:
    return CaptionRequest(prompt=prompt, first_frame=None, width=320, height=192, num_frames=61, fps=24)


@pytest.mark.parametrize(
    ("prompt", "field", "words"),
    [
        ("A dark cellar, flickering light", "lighting.conditions", "flickering light"),
        ("A cave lit by a torch", "lighting.conditions", "Lit by a torch"),
        ("A man reads by candlelight", "lighting.conditions", "candlelight"),
        ("Faces in firelight", "lighting.conditions", "Firelight"),
        ("An alley under a neon sign", "lighting.conditions", "Neon sign"),
        ("A lamp-lit field", "lighting.conditions", "Lamp-lit"),
        ("A wide-angle shot of a room", "cinematography.lens_focal_length", "Wide-angle"),
        ("A bird, telephoto, 85mm", "cinematography.lens_focal_length", "Telephoto, 85mm"),
        ("A fisheye view of a skater", "cinematography.lens_focal_length", "Fisheye"),
        ("A rose, macro", "cinematography.lens_focal_length", "Macro"),
        ("A cat, no macro", "cinematography.lens_focal_length", "Standard"),
        ("A rose, out of focus", "cinematography.focus", "Out of focus"),
        ("A portrait in soft focus", "cinematography.focus", "Soft focus"),
        ("A portrait with bokeh", "cinematography.depth_of_field", "Bokeh"),
        ("A portrait, shallow depth of field", "cinematography.depth_of_field", "Shallow depth of field"),
        ("A street, deep focus", "cinematography.depth_of_field", "Deep focus"),
        ("Grainy 8mm footage of a wedding", "style_medium", "Grainy 8mm footage"),
        ("A VHS tape of a birthday", "artistic_style", "VHS tape"),
        ("A dog on 16mm film", "style_medium", "16mm film"),
        ("A dog, old film", "style_medium", "Old film"),
        ("An anime cat, VHS", "artistic_style", "Anime"),
    ],
)
def test_the_users_words_fill_the_field(prompt: str, field: str, words: str) -> None:
    said = value(upsample(request(prompt)), field)
    assert words in said
    assert "Daylight" not in said


@pytest.mark.parametrize(
    ("prompt", "field", "denied"),
    [
        ("A calm sea with no waves", "background_setting", "waves"),
        ("A calm sea with no waves", "audio_description", "waves"),
        ("A calm sea with no waves", "subjects.0.action", "waves"),
        ("A storm at sea, without sky", "lighting.direction", "sky"),
        ("An empty room, no furniture", "background_setting", "furniture"),
        ("A man on a wall, no shadows", "lighting.shadows", "defined"),
        ("A silent street", "audio_description", "ambience"),
    ],
)
def test_no_default_names_what_is_denied(prompt: str, field: str, denied: str) -> None:
    assert denied not in value(upsample(request(prompt)), field).lower()


@pytest.mark.parametrize(
    ("prompt", "criterion", "forbidden"),
    [
        ("A dark cellar, flickering light", "flicker", ("constant", "fixed")),
        ("A cave lit by a torch", "flicker", ("constant", "fixed")),
        ("Faces in firelight", "flicker", ("constant", "fixed")),
        ("Telephoto shot of a bird", "blur", ("deep focus",)),
        ("A crowd, focus on the child", "blur", ("deep focus",)),
        ("Grainy 8mm footage of a wedding", "noise", ("clean", "pristine")),
        ("A home movie of a dog", "noise", ("clean", "pristine")),
    ],
)
async def test_no_edit_speaks_against_the_look(prompt: str, criterion: str, forbidden: Sequence[str]) -> None:
    asked = request(prompt)
    first = await RULES.upsample(asked)
    revision = Revision(caption=first, score=0.2, criteria={criterion: 0.2}, feedback="", parent=None, gain=None)
    edits = (await RULES.rewrite(asked, [revision], 0)).edits
    added = " ".join(edit.after for edit in edits).lower()
    assert not [word for word in forbidden if word in added]


@pytest.mark.parametrize("prompt", ["Slowly moving closer to the lighthouse.", "Bird's-eye view moving north."])
async def test_a_move_without_a_camera_is_passed_on(prompt: str) -> None:
    caption = await RULES.upsample(request(prompt))
    assert isinstance(caption.structured, StructuredCaption)
    assert caption.structured.cinematography.camera_motion == prompt
    assert any(prompt in note for note in caption.notes)
    assert not Case.of(request(prompt), "").camera_free


def test_punctuation_is_not_doubled() -> None:
    motion = upsample(request("Do not zoom; slow pan right.")).cinematography.camera_motion
    assert motion == "Do not zoom. slow pan right."


@pytest.mark.parametrize(
    ("prompt", "subjects"),
    [
        ("Telephoto, a bird sits", ["A bird"]),
        ("Bokeh, city lights", ["City lights"]),
        ("A shirtless man runs", ["A shirtless man"]),
        ("A cave lit by a torch", ["A cave"]),
    ],
)
def test_the_look_is_no_subject(prompt: str, subjects: list[str]) -> None:
    assert [subject.description for subject in upsample(request(prompt)).subjects] == subjects


@pytest.mark.parametrize("prompt", ["A woman in a blue dress dances", "A cave lit by a torch"])
def test_clothes_and_lamps_are_no_place(prompt: str) -> None:
    setting = upsample(request(prompt)).background_setting
    assert "dress" not in setting
    assert "torch" not in setting


def test_a_screw_of_20_mm_asks_for_no_grain() -> None:
    assert "grain" not in wishes("A 20mm screw")
