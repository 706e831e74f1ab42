"""Frames between frames: better than blending where something moves, and none across a cut."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from generator.interpolate import Between, psnr, squared_error

Picture = NDArray[np.uint8]


def world(seed: int, height: int = 128, width: int = 320) -> NDArray[np.float32]:
    """A smooth random texture, (height, width, 3)."""
    dice = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(40):
        fx, fy = dice.uniform(-0.5, 0.5, 2)
        wave = np.sin(fx * x + fy * y + dice.uniform(0, 6))
        picture += wave[..., None] * dice.uniform(0.3, 1, 3)
    return np.asarray(128 + 100 * picture / np.abs(picture).max(), np.float32)


def view(paint: NDArray[np.float32], at: int) -> Picture:
    """96x64 of a texture, `at` pixels from its left: moving it is a pan."""
    return np.ascontiguousarray(paint[16:80, at : at + 96]).astype(np.uint8)


@pytest.mark.parametrize("step", [4, 8])
@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
def test_a_pan_is_carried_and_not_blended(step: int, t: float) -> None:
    paint = world(1)
    between = Between(view(paint, 20), view(paint, 20 + step))
    real = view(paint, 20 + round(t * step))
    flow, blend = (psnr([squared_error(p, real)]) for p in (between.at(t), between.blend(t)))
    assert not between.cut
    assert flow > blend + 3
    assert flow > 33


@pytest.mark.parametrize("seed", range(4))
def test_no_picture_is_made_across_a_cut(seed: int) -> None:
    before, after = view(world(seed), 20), view(world(seed + 10), 20)
    between = Between(before, after)
    assert between.cut
    assert np.array_equal(between.at(0.25), before)
    assert np.array_equal(between.at(0.75), after)


def filled(*colour: int) -> Picture:
    return np.full((64, 96, 3), colour, np.uint8)


def titled() -> Picture:
    card = filled(10, 10, 40)
    card[24:40:4, 20:76] = (240, 230, 210)
    return card


FLAT = {
    "black": filled(0, 0, 0),
    "white": filled(255, 255, 255),
    "grey": filled(90, 90, 90),
    "navy": filled(20, 20, 120),
}
STILLS = {**FLAT, "card": titled(), "scene": view(world(6), 20)}


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in STILLS for b in STILLS if a != b])
def test_a_cut_to_or_from_a_flat_picture_is_one(first: str, second: str) -> None:
    # what a codec leaves in a flat picture is no structure
    left = np.random.default_rng(2).integers(0, 2, (64, 96, 1), dtype=np.uint8)
    before, after = STILLS[first], STILLS[second]
    for between in (Between(before, after), Between(before - left * (before > 0), after + left * (after < 255))):
        assert between.cut
        assert between.at(0.25) is between.before
        assert between.at(0.75) is between.after


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("what", ["scene", "navy", "card"])
def test_a_fade_is_carried_to_its_end(what: str, level: int) -> None:
    share = np.arange(13)[:, None, None, None] / 12
    frames = np.rint(STILLS[what] * (1 - share) + level * share).astype(np.uint8)
    for before, after in pairwise(frames):
        for between in (Between(before, after), Between(after, before)):
            assert not between.cut
            if not between.still:
                assert np.abs(between.at(0.5).astype(float) - (before / 2 + after / 2)).mean() < 2


def test_flat_grain_is_no_cut() -> None:
    dice = np.random.default_rng(8)
    before, after = (np.clip(dice.normal(90, 4, (64, 96, 3)), 0, 255).astype(np.uint8) for _ in range(2))
    assert not Between(before, after).cut


def test_a_change_of_light_is_no_cut() -> None:
    before = view(world(3), 20)
    between = Between(before, (before * 0.5).astype(np.uint8))
    assert not between.cut
    middle = between.at(0.5).astype(float)
    assert np.abs(middle - before * 0.75).mean() < 4


def test_what_stands_still_is_left_as_it_is() -> None:
    before = view(world(4), 20)
    after = before.copy()
    after[:, ::2] += 1  # what a codec leaves
    between = Between(before, after)
    assert between.still
    assert np.array_equal(between.at(0.5), before)


def test_grain_of_a_still_background_is_not_carried_along() -> None:
    dice = np.random.default_rng(5)
    still = dice.integers(0, 255, (64, 96, 3), dtype=np.uint8)
    before, after = still.copy(), still.copy()
    before[24:40, 10:26] = after[24:40, 16:32] = (250, 200, 40)
    middle = Between(before, after).at(0.5)
    assert np.array_equal(middle[:, 60:], still[:, 60:])
    assert np.abs(middle[26:38, 15:27].astype(int) - (250, 200, 40)).mean() < 4  # half way


def test_the_ends_are_the_frames_themselves() -> None:
    before, after = view(world(1), 20), view(world(1), 26)
    between = Between(before, after)
    assert between.at(0.0) is before
    assert between.at(1.0) is after


def test_psnr_is_of_the_mean_error_and_has_a_ceiling() -> None:
    assert psnr([255.0**2]) == 0
    assert psnr([6.5025]) == pytest.approx(40)
    assert psnr([6.5025, 6.5025 * 199]) == pytest.approx(20)
    assert psnr([0.0]) == 60
