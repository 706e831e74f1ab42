import json
from typing import Any

import pytest

from generator.animatic.scenario import Scenario, drawn, read
from generator.types import RenderSpec

SPEC = RenderSpec(width=320, height=192, num_frames=61, fps=24)


def structured(**fields: Any) -> str:
    """A caption of the trained form with only the fields a test is about filled."""
    empty = {
        "subjects": [{"description": "a red sailboat", "action": "sails", "location": "center"}],
        "background_setting": "open sea",
        "lighting": {"conditions": "daylight", "direction": "", "shadows": "", "illumination_effect": ""},
        "aesthetics": {"composition": "", "color_scheme": "", "mood_atmosphere": "", "patterns": ""},
        "cinematography": {"camera_motion": "pan left", "depth_of_field": "", "focus": ""},
        "style_medium": "live action",
        "artistic_style": "",
        "context": "",
        "actions": [],
        "segments": [{"time_range": "0:00-0:02", "description": "", "key_changes": "", "camera": "pan left"}],
        "temporal_caption": "",
    }
    return json.dumps(empty | fields)


def scenario(prompt: str) -> Scenario:
    return read(prompt, SPEC)


@pytest.mark.parametrize(
    ("prompt", "place", "hour", "subjects"),
    [
        ("a red sailboat on the sea at sunset", "sea", "sunset", ("sailboat",)),
        ("a hot-air balloon over the mountains at dawn", "mountains", "dawn", ("balloon",)),
        ("a robot arm in a warehouse", "hall", "day", ("arm",)),
        ("a robotic arm picks boxes from a conveyor", "hall", "day", ("arm",)),
        ("a mobile robot drives through a factory at night", "hall", "night", ("rover",)),
        ("neon street at night in the rain", "street", "night", ()),
        ("city skyline at golden hour", "city", "sunset", ()),
        ("a car in the city", "street", "day", ("car",)),
        ("a dog runs across a meadow", "field", "day", ("dog",)),
        ("a train crosses snowy plains", "field", "day", ("train",)),
        ("a truck on a desert highway at dusk", "desert", "sunset", ("truck",)),
        ("a ball bounces", "room", "day", ("ball",)),
        ("misty pine forest", "forest", "overcast", ()),
        ("a lighthouse in a storm", "sea", "storm", ("lighthouse",)),
        ("something unnameable", "mountains", "day", ()),
        ("", "mountains", "day", ()),
    ],
)
def test_plain_words_name_the_scene(prompt: str, place: str, hour: str, subjects: tuple[str, ...]) -> None:
    read = scenario(prompt)
    assert (read.place, read.hour, read.subjects) == (place, hour, subjects)


def test_fields_say_what_belongs_to_them() -> None:
    read = scenario(
        structured(
            background_setting="a forest clearing",
            context="a postcard from the city, at night, in a desert",
            lighting={"conditions": "golden hour sunlight"},
            style_medium="like a street photograph",
        )
    )
    assert (read.place, read.hour, read.subjects) == ("forest", "sunset", ("sailboat",))


def test_weather_and_snow() -> None:
    assert scenario("heavy rain over the sea").weather == ("rain",)
    assert scenario("a rainforest by day").weather == ()
    assert scenario("a snowy forest").snowy
    assert scenario("snow is falling on the mountains, snowfall").weather == ("snow",)
    assert scenario("a street in the fog without rain").weather == ("fog",)
    assert scenario("a warehouse, dust in the air, rain outside").weather == ("dust",)


def test_the_subjects_colour_is_taken_from_its_words() -> None:
    red, none = scenario("a red car on a road").tone, scenario("a car on a road").tone
    assert red is not None
    assert red[0] > 2 * max(red[1:])
    assert none is None


@pytest.mark.parametrize(
    ("trait", "more", "less"),
    [
        ("exposure", "bright, well exposed daylight", "dim, underexposed light"),
        ("flicker", "flickering neon light", "constant, even light, no flickering"),
        ("saturation", "vivid colours", "muted, natural colours"),
        ("grain", "film grain", "clean, noise-free image, no film grain"),
        ("shake", "handheld camera", "tripod-steady, stabilized camera"),
        ("softness", "soft focus, dreamy", "deep focus, everything sharp"),
        ("shallow", "shallow depth of field", "deep focus, crisp"),
        ("activity", "waves move briskly, in constant visible motion", "perfectly still, motionless water"),
    ],
)
def test_words_move_each_trait_both_ways(trait: str, more: str, less: str) -> None:
    plain = getattr(scenario("a boat on the sea").look, trait)
    high, low = (getattr(scenario(f"a boat on the sea, {words}").look, trait) for words in (more, less))
    assert low <= plain <= high
    assert low < high


@pytest.mark.parametrize(
    ("trait", "field", "words"),
    [
        ("exposure", {"lighting": {"conditions": "bright daylight"}}, True),
        ("grain", {"style_medium": "16 mm film, film grain"}, True),
        ("textured", {"aesthetics": {"patterns": "fine texture and cloud detail in the sky"}}, True),
        ("shake", {"cinematography": {"camera_motion": "handheld pan left"}}, True),
        ("activity", {"temporal_caption": "The waves move vigorously."}, True),
        ("exposure", {"subjects": [{"description": "a bright red sailboat"}]}, False),
        ("flicker", {"subjects": [{"description": "a boat with a neon stripe"}]}, False),
    ],
)
def test_a_trait_is_read_from_its_own_fields(trait: str, field: dict[str, Any], words: bool) -> None:
    plain, changed = (getattr(scenario(text).look, trait) for text in (structured(), structured(**field)))
    assert (changed > plain) is words


def test_textured_skies_are_asked_for_by_words() -> None:
    assert scenario("a sea with cloud detail and fine texture").look.textured
    assert not scenario("a sea under a sky without texture").look.textured


@pytest.mark.parametrize(
    ("prompt", "place", "subjects", "ashore"),
    [
        ("A small sailing boat crosses a calm bay", "sea", ("sailboat",), False),
        ("A fishing boat on a lake", "lake", ("ship",), False),
        ("A red car drives along a coastal road", "road", ("car",), False),
        ("A dog runs along the beach", "sea", ("dog",), True),
        ("A woman stands at the edge of a lake", "lake", ("person",), True),
        ("A lighthouse above a stormy sea", "sea", ("lighthouse",), False),
    ],
)
def test_nobody_walks_or_drives_on_water(prompt: str, place: str, subjects: tuple[str, ...], ashore: bool) -> None:
    scenario = read(prompt, RenderSpec(width=320, height=192, num_frames=9, fps=24))
    assert (scenario.place, scenario.subjects, scenario.ashore) == (place, subjects, ashore)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Two robots in a warehouse at night", "an industrial hall, night; humanoid robot"),
        ("A plain beach", "sea, day; no subject that it knows"),
        ("Ein Roboterarm greift eine Tasse", "knows no place or subject of these words"),
    ],
)
def test_what_is_drawn_is_said(prompt: str, words: str) -> None:
    assert words in drawn(read(prompt, SPEC), SPEC)


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("A large indoor hall with a concrete floor, shelving and machinery", "hall"),
        ("A loading dock", "hall"),
        ("A living room", "room"),
        ("A narrow street in the city", "street"),
    ],
)
def test_settings_as_captions_write_them(setting: str, place: str) -> None:
    assert read(structured(background_setting=setting, subjects=[]), SPEC).place == place
