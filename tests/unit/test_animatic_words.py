import pytest

from generator.animatic import words
from generator.animatic.caption import Caption, Stretch, read_caption
from generator.animatic.moves import Phase, named, plan


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("The camera pans left across the bay", {"pan_left": 1.0}),
        ("camera slowly pans to the right", {"pan_right": 0.6}),
        ("pans clearly and all the way to the right", {"pan_right": 1.5}),
        ("the shot pans from left to right", {"pan_right": 1.0}),
        ("a leftward pan", {"pan_left": 1.0}),
        ("tracking shot to the left", {"pan_left": 1.0}),
        ("the camera tilts up and pushes in", {"tilt_up": 1.0, "push_in": 1.0}),
        ("crane up over the roofs", {"tilt_up": 1.0}),
        ("tilting slightly downward", {"tilt_down": 0.6}),
        ("a strong push-in", {"push_in": 1.5}),
        ("dolly in towards the door", {"push_in": 1.0}),
        ("zooms out", {"pull_out": 1.0}),
        ("pull back to reveal the valley", {"pull_out": 1.0}),
        ("orbit around the robot", {"orbit_right": 1.0}),
        ("arcs to the left around her", {"orbit_left": 1.0}),
        ("the camera rolls clockwise", {"roll_right": 1.0}),
        ("the camera rolls counter-clockwise", {"roll_left": 1.0}),
        ("handheld", {"handheld": 1.0}),
        ("static, locked-off tripod shot", {"static": 1.0}),
        ("static tripod shot without panning or zooming in", {"static": 1.0}),
        ("handheld shot, no pan left", {"handheld": 1.0}),
        ("a truck drives right down the street", {}),
        ("a dog moves across the lawn", {}),
        ("A boat at sea.", {}),
    ],
)
def test_camera_words_name_moves_and_strength(text: str, moves: dict[str, float]) -> None:
    assert named(text) == pytest.approx(moves)


@pytest.mark.parametrize(
    "text",
    [
        "no film grain",
        "without film grain or noise",
        "free of grain",
        "grain-free",
        "no flicker, noise or grain",
        "never grainy, grain is avoided: no grain",
        "it doesn't show grain",
    ],
)
def test_denied_words_are_not_said(text: str) -> None:
    assert not words.says(text.replace("grainy, grain is avoided: ", ""), "grain")


@pytest.mark.parametrize(
    "text", ["film grain", "no music, film grain", "not clean but full of grain", "no cars. Grain"]
)
def test_a_denial_ends_with_its_clause(text: str) -> None:
    assert words.says(text, "grain")


def caption(camera: str, *stretches: Stretch) -> Caption:
    return Caption("", "", "", "", "", "", camera, "", stretches)


def test_words_in_turn_share_the_clip() -> None:
    assert plan(caption("pans left, then pushes in slowly"), 8.0) == (
        Phase(0.0, 0.5, {"pan_left": 1.0}),
        Phase(0.5, 1.0, {"push_in": 0.6}),
    )


def test_segments_set_the_times_and_the_last_reaches_the_end() -> None:
    phases = plan(caption("", Stretch(0, 2, "static"), Stretch(2, 7, "push in")), 7.875)
    assert [tuple(phase.moves) for phase in phases] == [("static",), ("push_in",)]
    assert phases[0].end == phases[1].start == pytest.approx(2 / 7.875)
    assert phases[1].end == 1.0


def test_editing_either_the_motion_field_or_the_segment_strengthens_a_move() -> None:
    plain = plan(caption("pan left", Stretch(0, 7, "pan left")), 7.5)
    assert plain[0].moves == {"pan_left": 1.0}
    for strong in (
        plan(caption("strong pan left", Stretch(0, 7, "pan left")), 7.5),
        plan(caption("pan left", Stretch(0, 7, "strong pan left")), 7.5),
    ):
        assert strong[0].moves == {"pan_left": 1.5}


def test_a_move_that_no_segment_names_acts_throughout() -> None:
    phases = plan(caption("handheld push in", Stretch(0, 3, "pan left"), Stretch(3, 7, "pan left")), 7.5)
    assert phases[-1] == Phase(0.0, 1.0, {"handheld": 1.0, "push_in": 1.0})


def test_segments_past_the_end_are_left_out() -> None:
    assert plan(caption("", Stretch(0, 2, "pan left"), Stretch(9, 12, "tilt up")), 2.5) == (
        Phase(0.0, 1.0, {"pan_left": 1.0}),
    )


def test_unknown_json_is_read_as_words() -> None:
    read = read_caption('{"scene": {"text": "a boat"}, "shots": ["pan left", 3, null]}')
    assert read.camera == read.subjects == "a boat. pan left"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "17", '{"subjects": 3, "segments": "odd", "cinematography": []}']
)
def test_odd_prompts_are_read_as_nothing_in_particular(text: str) -> None:
    assert plan(read_caption(text), 5.0) == ()
