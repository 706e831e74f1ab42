"""What words and settings do to the pixels, measured and not taken from the renderer's own state."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from generator.animatic.actors import KINDS
from generator.animatic.film import film
from generator.animatic.scenario import Hour, Place, read
from generator.animatic.scene import paint_place
from generator.animatic.stage import Stage
from generator.animatic.world import World
from generator.encode import ClipWriter
from generator.types import RenderSpec

Array = npt.NDArray[Any]
Frames = Sequence[Array]


def spec(frames: int = 13, **more: Any) -> RenderSpec:
    return RenderSpec.model_validate({"width": 320, "height": 192, "num_frames": frames, "fps": 24} | more)


PINNED = "tripod-steady, everything sharp, clean, well exposed, constant light, natural colours"
"""Words for every trait that the seed decides otherwise."""


def render(prompt: str, seed: int = 3, frames: int = 13, **more: Any) -> Frames:
    return list(film(prompt, spec(frames, **more), seed))


def grey(frame: Array) -> Array:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)


def travel(frames: Frames) -> Array:
    """How far the picture moved right and down from first to last frame, in frame widths and heights."""
    pictures = [grey(frame) for frame in frames]
    window = cv2.createHanningWindow(pictures[0].shape[::-1], cv2.CV_32F)
    steps = [cv2.phaseCorrelate(a, b, window)[0] for a, b in pairwise(pictures)]
    return np.asarray(np.sum(steps, axis=0) / pictures[0].shape[::-1])


def zoom_and_roll(frames: Frames) -> tuple[float, float]:
    """Logarithm of the magnification and degrees clockwise of the picture, summed over the clip."""
    height, width = frames[0].shape[:2]
    reach, total = min(height, width) / 2, np.zeros(2)

    def polar(frame: Array) -> Array:
        y = grey(frame)
        y -= cv2.GaussianBlur(y, (0, 0), 12)
        centre = (width / 2, height / 2)
        return cv2.warpPolar(y, (128, 360), centre, reach, cv2.WARP_POLAR_LOG | cv2.INTER_LINEAR)

    window = cv2.createHanningWindow((128, 360), cv2.CV_32F)
    for a, b in pairwise([polar(frame) for frame in frames]):
        total += cv2.phaseCorrelate(a, b, window)[0]
    return float(total[0] * np.log(reach) / 128), float(total[1])


def noise(frame: Array) -> float:
    """Immerkaer's noise estimate in the smoothest third, in 8-bit levels."""
    y = grey(frame)
    soft = cv2.GaussianBlur(y, (0, 0), 2)
    slope = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(y, -1, kernel))[slope <= np.percentile(slope, 30)]
    return float(rough.mean() * np.sqrt(np.pi / 2) / 6)


def likeness(a: Array, b: Array) -> float:
    """SSIM of two frames in grey, 11-pixel Gaussian window."""
    x, y = grey(a), grey(b)

    def mean(picture: Array) -> Array:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    top, bottom = (2 * mx * my + 6.5025) * (2 * cov + 58.5225), (mx * mx + my * my + 6.5025) * (vx + vy + 58.5225)
    return float((top / bottom).mean())


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture with detail everywhere."""
    path = tmp_path_factory.mktemp("photo") / "first.png"
    Image.fromarray(render(f"a city skyline by day, {PINNED}", seed=8, frames=5)[0]).save(path)
    return path


@pytest.mark.parametrize(
    ("words", "axis", "sign"),
    [
        ("the camera pans right", 0, -1),
        ("the camera pans left", 0, 1),
        ("the camera tilts up", 1, 1),
        ("the camera tilts down", 1, -1),
        ("the camera orbits to the right", 0, -1),
        ("the camera orbits to the left", 0, 1),
    ],
)
@pytest.mark.parametrize("from_photograph", [False, True])
def test_a_move_moves_the_picture_the_other_way(
    words: str, axis: int, sign: int, from_photograph: bool, photograph: Path
) -> None:
    moved = travel(render(f"mountains, {words}, {PINNED}", first_frame=photograph if from_photograph else None))
    assert moved[axis] * sign > 0.03
    if "orbit" not in words:
        assert abs(moved[1 - axis]) < 0.02


@pytest.mark.parametrize("from_photograph", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_pushing_in_magnifies_and_pulling_out_shrinks(from_photograph: bool, photograph: Path) -> None:
    first = photograph if from_photograph else None
    closer, farther = (
        zoom_and_roll(render(f"mountains, the camera {words}, {PINNED}", first_frame=first))[0]
        for words in ("pushes in", "pulls out")
    )
    assert closer > 0.06
    assert farther < -0.06


@pytest.mark.thorough
def test_a_clockwise_roll_turns_the_picture_counter_clockwise() -> None:
    assert zoom_and_roll(render(f"mountains, the camera rolls clockwise, {PINNED}"))[1] < -2
    assert zoom_and_roll(render(f"mountains, the camera rolls counter-clockwise, {PINNED}"))[1] > 2


def test_a_static_camera_does_not_move() -> None:
    frames = render(f"mountains, static tripod shot without panning or zooming in, {PINNED}")
    assert np.abs(travel(frames)).max() < 0.004
    assert abs(zoom_and_roll(frames)[0]) < 0.03


def test_handheld_shakes() -> None:
    def shake(prompt: str) -> float:
        steps = [travel(pair) for pair in pairwise(render(prompt, frames=25))]
        return float(np.linalg.norm(np.diff(steps, axis=0), axis=1).mean())

    assert shake("mountains, handheld shot") > 5 * shake(f"mountains, static shot, {PINNED}")


def test_moves_in_turn_come_one_after_the_other() -> None:
    frames = render(f"mountains, the camera pans right, then tilts up. {PINNED}", frames=25)
    first, second = travel(frames[:13]), travel(frames[12:])
    assert -first[0] > 5 * abs(first[1])
    assert second[1] > 5 * abs(second[0])


@pytest.mark.thorough
def test_weak_and_strong_words_order_the_amplitude() -> None:
    weak, plain, strong = (
        -travel(render(f"mountains, {words}pan right, {PINNED}"))[0] for words in ("slight ", "", "strong sweeping ")
    )
    assert 0.03 < weak < 0.8 * plain
    assert plain < 0.8 * strong


@pytest.mark.thorough
def test_a_vague_prompt_moves_vaguely() -> None:
    moved = np.abs(travel(render(f"mountains, {PINNED}"))).max()
    assert moved < 0.5 * abs(travel(render(f"mountains, the camera pans right, {PINNED}"))[0])


def test_guidance_scales_what_words_ask_for() -> None:
    low, usual = (abs(travel(render(f"mountains, pan right, {PINNED}", guidance_scale=g))[0]) for g in (1, 6))
    assert low < 0.7 * usual


def test_too_much_guidance_overcooks_the_colours() -> None:
    usual, much = (
        cv2.cvtColor(render("mountains", frames=5, guidance_scale=g)[-1], cv2.COLOR_RGB2HSV)[..., 1].mean()
        for g in (6, 14)
    )
    assert much > 1.3 * usual


def test_more_steps_mean_less_noise_flicker_and_warping() -> None:
    clips = [render(f"mountains, static tripod shot, {PINNED}", num_inference_steps=steps) for steps in (4, 12, 35)]
    grain = [np.mean([noise(frame) for frame in clip]) for clip in clips]
    flicker = [np.std([grey(frame).mean() for frame in clip]) for clip in clips]
    change = [np.mean([np.abs(grey(a) - grey(b)).mean() for a, b in pairwise(clip)]) for clip in clips]
    for falls in (grain, flicker, change):
        assert falls[0] > 1.2 * falls[1] > 1.2 * 1.2 * falls[2]
    assert grain[2] < 1.2
    assert flicker[2] < 0.2


def luma(prompt: str, seed: int = 3) -> float:
    return float(grey(render(prompt, seed, frames=5)[2]).mean())


@pytest.mark.thorough
def test_light_words_set_the_exposure() -> None:
    dim, plain, bright = (
        np.mean([luma(f"a meadow, {words}", seed) for seed in range(6)])
        for words in ("dim light", "", "bright, well exposed")
    )
    assert dim < 0.85 * plain < 0.95 * bright
    assert luma("a meadow at night") < 0.6 * luma("a meadow at night, bright, well lit") * 1.3


@pytest.mark.thorough
def test_what_words_leave_open_the_seed_decides() -> None:
    def spread(words: str) -> float:
        return float(np.std([luma(f"a meadow, {words}", seed) for seed in range(8)]))

    assert spread("tripod-steady") > 2 * spread("well exposed")


def test_a_word_for_one_trait_leaves_the_others_to_the_seed() -> None:
    before, after = (noise(render(f"a meadow, static, {words}", frames=5)[2]) for words in ("", "well exposed"))
    assert after == pytest.approx(before, rel=0.15)


def test_denied_words_change_nothing() -> None:
    plain = render("a meadow", frames=5)
    denied = render("a meadow, no film grain, without flickering, not dim, no camera shake, never blurry", frames=5)
    assert all(np.array_equal(a, b) for a, b in zip(plain, denied, strict=True))


def test_focus_and_grain_words_are_seen() -> None:
    def detail(prompt: str) -> float:
        return float(cv2.Laplacian(grey(render(prompt, frames=5)[2]), cv2.CV_32F).var())

    assert detail("a city skyline, clean, soft focus, dreamy") < 0.6 * detail(
        "a city skyline, clean, deep focus, crisp"
    )
    clean, grain = (noise(render(f"a meadow, {words}", frames=5)[2]) for words in ("clean", "film grain"))
    assert grain > 1.8 * clean


def test_activity_words_set_how_much_the_world_moves() -> None:
    def motion(words: str) -> float:
        clip = render(f"a sailboat on the sea, static tripod shot, {words}", frames=13)
        return float(np.abs(grey(clip[0]) - grey(clip[-1])).mean())

    assert motion("waves moving vigorously in constant motion") > 1.2 * motion("calm, motionless")


def test_rewriting_the_camera_keeps_the_composition() -> None:
    stage = Stage(320, 192)
    before, after = (
        paint_place(World.of(stage, read(f"a red sailboat on the sea at sunset. {words}", spec()), 5)).layers
        for words in ("", "The camera clearly pans left, tripod-steady, no shake.")
    )
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(before, after, strict=True))


def test_seeds_compose_differently() -> None:
    one, two = (next(film("mountains, static", spec(), seed)) for seed in (1, 2))
    assert likeness(one, two) < 0.8


@pytest.mark.thorough
def test_a_draft_shows_the_composition_of_its_final() -> None:
    draft = next(film("mountains, static", spec(), 3))
    final = next(film("mountains, static", spec(width=832, height=480), 3))
    small = cv2.resize(final, (320, 192), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(grey(draft).ravel(), grey(small).ravel())[0, 1] > 0.93


@pytest.mark.parametrize("steps", [4, 35])
def test_the_first_frame_is_the_image(photograph: Path, tmp_path: Path, steps: int) -> None:
    words = "push in, handheld, dim flickering light, film grain, heavy rain, soft focus"
    asked = spec(first_frame=photograph, num_inference_steps=steps, guidance_scale=14)
    path = tmp_path / "clip.mp4"
    with ClipWriter(path, 320, 192, 24) as writer:
        for frame in film(words, asked, 3):
            writer.write(frame)
    capture = cv2.VideoCapture(str(path))
    decoded = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    capture.release()
    assert likeness(np.asarray(Image.open(photograph)), decoded) > 0.98


@pytest.mark.parametrize("words", ["strong pan right all the way", "strong pull out", "the camera rolls clockwise"])
def test_no_empty_border_comes_into_a_photograph(photograph: Path, words: str) -> None:
    last = render(words, first_frame=photograph)[-1]
    edges = (last[:6], last[-6:], last[:, :6], last[:, -6:])
    assert all(edge.reshape(-1, 3).std(axis=0).max() > 4 for edge in edges)
    assert all(edge.mean() > 30 for edge in edges)


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96)])
@pytest.mark.parametrize(
    "hour",
    [pytest.param(hour, marks=[pytest.mark.thorough] if n else []) for n, hour in enumerate(get_args(Hour))],
)
def test_every_place_has_a_picture_at_every_hour(hour: str, width: int, height: int) -> None:
    words = {"hall": "warehouse", "room": "living room"}
    for place in get_args(Place) if width > height or hour == "day" else ("sea", "street"):
        prompt = f"{words.get(place, place)}, {hour}, static"
        scenario = read(prompt, spec())
        assert (scenario.place, scenario.hour) == (place, hour)
        frame = next(film(prompt, spec(5, width=width, height=height), 3))
        assert frame.shape == (height, width, 3)
        assert frame.std() > 8


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if "behind" not in kind))
def test_every_subject_is_seen_and_not_cut_off(kind: str) -> None:
    noun = {"arm": "robot arm", "rover": "mobile robot", "humanoid": "humanoid robot"}.get(kind, kind)
    still = "a meadow, static, clean, calm, motionless"
    prompt = f"a {noun} in {still}"
    assert read(prompt, spec()).subjects == (kind,)
    empty, full = (next(film(text, spec(), 3)).astype(int) for text in (still, prompt))
    changed = np.abs(full - empty).max(axis=2) > 24
    assert 0.002 < changed.mean() < 0.3
    assert not changed[:3].any()


@pytest.mark.parametrize("kind", ["rain", "snowfall", "fog", "dust"])
def test_weather_is_seen_and_moves(kind: str) -> None:
    clear, weather = (render(f"a meadow, day, static, {PINNED}{words}", frames=9) for words in ("", f", {kind}"))
    veils = [b.astype(int) - a for a, b in zip(clear, weather, strict=True)]
    assert np.abs(veils[4]).max() > 40
    assert np.abs(veils[8] - veils[0]).mean() > 0.3


def test_every_number_of_steps_has_its_picture() -> None:
    for steps in (*range(1, 11), 15, 20, 35, 36, 50, 60, 100, 199, 200):
        asked = spec(5, width=96, height=64, num_inference_steps=steps)
        assert next(film("mountains", asked, 3)).shape == (64, 96, 3)


def test_words_of_light_leave_the_light_of_an_image(photograph: Path) -> None:
    clip = render("bright, high-key, vivid. The camera pushes in", frames=13, first_frame=photograph)
    assert abs(float(grey(clip[-1]).mean()) - float(grey(clip[0]).mean())) < 4
