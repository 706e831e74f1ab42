"""The camera's measured path against the moves that were asked."""

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
import pytest

from agent.bench.degrade import scenes
from agent.bench.degrade.picture import noisy
from agent.bench.degrade.video import footage
from benchmarks.studies import ASKED, Bench, asked_move
from critic.signals.camera import CLEAR, UNKNOWN, camera
from critic.signals.reading import Reading
from reasoner.camera import Move

BENCH = Bench(encoded=False, frames=17)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """As the critic does: on a busy machine OpenCV's own threads are three times slower."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@cache
def reading(place: scenes.Place, path: scenes.Path) -> Reading:
    return Reading(footage(scenes.clip(place, frames=17, path=path)))


@pytest.mark.parametrize("place", scenes.PLACES)
@pytest.mark.parametrize("move", ASKED)
def test_each_move_is_seen_and_told_from_all_others(place: scenes.Place, move: Move) -> None:
    made = reading(place, ASKED[move](1.5))
    values = {asked: camera(made, [[asked]]).value for asked in (*ASKED, "static")}
    assert values.pop(move) >= 0.9
    assert max(values.values()) <= 0.35


@pytest.mark.parametrize("place", scenes.PLACES)
def test_a_still_camera_is_static_and_nothing_else(place: scenes.Place) -> None:
    still = reading(place, scenes.Path())
    assert camera(still, [["static"]]).value >= 0.9
    assert max(camera(still, [[move]]).value for move in ASKED) <= 0.2


@pytest.mark.parametrize("place", scenes.PLACES)
def test_the_path_is_measured_right(place: scenes.Place) -> None:
    video = scenes.clip(place, frames=33, path=scenes.Path(pan=0.15, tilt=-0.1, zoom=1.2, roll=5))
    path = Reading(footage(video)).camera_path()
    # panning is counted in widths of the current view, so a zoom stretches it a little
    assert path.pan[-1] == pytest.approx(0.15, abs=0.025)
    assert path.tilt[-1] == pytest.approx(-0.1, abs=0.025)
    assert np.exp(path.zoom[-1]) == pytest.approx(1.2, abs=0.03)
    assert path.roll[-1] == pytest.approx(5, abs=0.5)


@pytest.mark.thorough
def test_the_score_grows_with_the_move() -> None:
    values = [asked_move(BENCH, "street", "pan_left", amount).value for amount in (-1, 0, 0.3, 0.6, 1, 1.5)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] >= 0.97


def test_phases_are_measured_over_their_part() -> None:
    first = scenes.clip("room", frames=17, path=scenes.Path(pan=-0.15))
    second = scenes.clip("room", frames=17, path=scenes.Path(zoom=1.25))
    # the second half takes up where the first left off only roughly, so the seam is a small jump, not a cut
    made = Reading(footage(np.concatenate([first, second])))
    right = camera(made, [["pan_left"], ["push_in"]])
    swapped = camera(made, [["push_in"], ["pan_left"]])
    half = camera(made, [["pan_left"], ["pull_out"]])
    assert right.value >= 0.85
    assert swapped.value <= 0.3
    assert swapped.value < half.value < right.value
    assert [round(span.start, 1) for span in half.spans] == [round(made.duration / 2, 1)]


def test_moves_asked_together_all_count() -> None:
    both = reading("street", scenes.Path(pan=0.15, zoom=1.25))
    only = reading("street", scenes.Path(pan=0.15))
    assert camera(both, [["pan_right", "push_in"]]).value >= 0.9
    assert 0.3 < camera(only, [["pan_right", "push_in"]]).value < 0.7


def test_a_strong_move_that_nobody_asked_for_lowers_the_score() -> None:
    clean = camera(reading("street", scenes.Path(pan=0.15)), [["pan_right"]])
    stray = camera(reading("street", scenes.Path(pan=0.15, tilt=0.2)), [["pan_right"]])
    assert stray.value < clean.value - 0.2
    assert "the view turned up by 20% of the height" in stray.words


@pytest.mark.parametrize(
    ("move", "made", "words"),
    [
        ("push_in", scenes.Path(zoom=1.1), "the picture grew 1.09 times; a clear push in is 1.15 or more"),
        ("pull_out", scenes.Path(zoom=1 / 1.1), "the picture shrank 1.10 times; a clear pull out is 1.15 or more"),
        (
            "pan_left",
            scenes.Path(pan=-0.05),
            "the view turned left by 5% of the width; a clear pan left is 10% or more",
        ),
        ("tilt_up", scenes.Path(tilt=0.05), "the view turned up by 5% of the height; a clear tilt up is 10% or more"),
        (
            "roll_right",
            scenes.Path(roll=3),
            "the camera rolled right by 3.2 degrees; a clear roll right is 6.0 degrees",
        ),
        ("orbit_left", scenes.Path(pan=0.05), "the view turned right by 5% of the width; a clear orbit left is 10%"),
        ("handheld", scenes.Path(pan=0.05), "of the diagonal; a clear handheld sway is 0.25% or more"),
        ("static", scenes.Path(pan=0.05), "the view turned right by 5% of the width; a static camera stays under 3%"),
    ],
)
def test_the_words_give_the_figure_and_the_target(move: Move, made: scenes.Path, words: str) -> None:
    assert words in camera(reading("street", made), [[move]]).words


def test_an_orbit_is_accepted_either_way() -> None:
    made = reading("street", scenes.Path(pan=0.15))
    assert camera(made, [["orbit_left"]]).value == camera(made, [["orbit_right"]]).value >= 0.9


def swaying(reach: float) -> Reading:
    base = scenes.clip("room", frames=33, path=scenes.Path())
    offsets = reach * np.sin(2 * np.pi * 1.6 * np.arange(33) / 24)
    shifted = [np.roll(f, (round(o), round(o * 0.7)), (0, 1)) for f, o in zip(base, offsets, strict=True)]
    return Reading(footage(np.stack(shifted)))


def test_handheld_asks_for_sway() -> None:
    assert camera(swaying(4), [["handheld"]]).value >= 0.9
    assert camera(swaying(0), [["handheld"]]).value <= 0.2


def test_a_path_without_agreement_is_unknown_and_neutral() -> None:
    snow = noisy(np.full((17, 192, 320, 3), 128, np.uint8), 5)
    found = camera(Reading(footage(snow)), [["pan_right"]])
    assert found.value == UNKNOWN
    assert "cannot be measured" in found.words


def test_clear_amounts_are_what_the_docs_say() -> None:
    assert {name: round(value, 3) for name, value in CLEAR.items()} == {
        "pan": 0.1,
        "tilt": 0.1,
        "zoom": 0.14,
        "roll": 6.0,
        "sway": 0.25,
    }


def test_falling_snow_is_not_taken_for_a_tilt() -> None:
    video = scenes.clip("hills", frames=61, path=scenes.Path(), pace=0).copy()
    dice = np.random.default_rng(3)
    flakes = dice.uniform(0, [320, 192], (260, 2))
    for i, picture in enumerate(video):
        for x, y in flakes.astype(int):
            row, column = (y + int(1.5 * i)) % 190, x % 318
            picture[row : row + 2, column : column + 2] = 245
    made = Reading(footage(video))
    assert camera(made, [["static"]]).value < 0.5
    assert camera(made, [["static"]], frozenset({"falling"})).value >= 0.85
