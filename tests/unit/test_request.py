"""A wish made exact: sizes, frames, seeds, prompts, images."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from agent.config import RequestConfig
from agent.errors import ConfigError, IntakeError
from agent.request import exact, resolved


def wish(**keys: object) -> RequestConfig:
    return RequestConfig.model_validate({"prompt": "a boat", **keys})


def picture(folder: Path, width: int, height: int) -> str:
    path = folder / "a.png"
    Image.new("RGB", (width, height), (200, 30, 30)).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("size", "expected", "said"),
    [
        ("auto", (832, 480), False),
        ("832x480", (832, 480), False),
        ("320x192", (320, 192), False),
        ("landscape_16_9", (832, 480), True),
        ("portrait_4_3", (832, 1104), True),
        ("square_hd", (960, 960), True),
        ("1920x1080", (1280, 720), True),
        ("800X450", (832, 480), True),
    ],
)
async def test_size(size: str, expected: tuple[int, int], said: bool) -> None:
    request, frame = await exact(wish(size=size))
    assert (request.spec.width, request.spec.height) == expected
    assert any("snapped" in note for note in request.notes) == said
    assert frame is None


@pytest.mark.parametrize("size", ["huge", "0x100", "10x", "-5x5", "", "1x2x3"])
async def test_a_size_that_is_none(size: str) -> None:
    with pytest.raises(ConfigError, match=r"request\.size: .*landscape_16_9"):
        await exact(wish(size=size))


@pytest.mark.parametrize(
    ("image", "expected"), [((1600, 900), (832, 480)), ((900, 1600), (480, 832)), ((500, 500), (640, 640))]
)
async def test_auto_follows_the_image(tmp_path: Path, image: tuple[int, int], expected: tuple[int, int]) -> None:
    request, frame = await exact(wish(image=picture(tmp_path, *image)))
    assert (request.spec.width, request.spec.height) == expected
    assert frame is not None
    assert Image.open(io.BytesIO(frame)).size == expected


@pytest.mark.parametrize(("asked", "given"), [(189, 189), (60, 61), (62, 61), (64, 65), (5, 5), (6, 5), (297, 297)])
async def test_frames_are_moved_to_the_grid_and_said(asked: int, given: int) -> None:
    request, _ = await exact(wish(num_frames=asked))
    assert request.spec.num_frames == given
    assert bool(request.notes) == (asked != given)


@pytest.mark.parametrize(("size", "most"), [("320x192", 397), ("832x480", 297), ("1280x720", 197)])
async def test_more_frames_than_the_tier_has(size: str, most: int) -> None:
    await exact(wish(size=size, num_frames=most))
    with pytest.raises(ConfigError, match=rf"request\.num_frames: .*at most {most}"):
        await exact(wish(size=size, num_frames=most + 4))


@pytest.mark.parametrize("prompt", ["", "  \n "])
async def test_an_empty_prompt(prompt: str) -> None:
    with pytest.raises(ConfigError, match=r"request\.prompt: is empty"):
        await exact(wish(prompt=prompt))


async def test_a_prompt_that_is_too_long() -> None:
    await exact(wish(prompt="x" * 4096))
    with pytest.raises(ConfigError, match=r"request\.prompt: has 5,000 characters, and at most 4,096"):
        await exact(wish(prompt="x" * 5000))


async def test_a_finished_caption_may_be_longer() -> None:
    caption = json.dumps({"temporal_caption": "x" * 9000})
    request, _ = await exact(wish(prompt=caption))
    assert request.prompt == caption
    with pytest.raises(ConfigError, match="20,000"):
        await exact(wish(prompt=json.dumps({"temporal_caption": "x" * 20_000})))


async def test_a_seed_is_drawn_once_and_written_down() -> None:
    first, _ = await exact(wish())
    second, _ = await exact(wish())
    assert first.seed != second.seed
    assert resolved(wish(), first, None).seed == first.seed


async def test_a_missing_image() -> None:
    with pytest.raises(IntakeError, match=r"request\.image"):
        await exact(wish(image="/nowhere/at/all.png"))


async def test_an_empty_negative_prompt_disables_it() -> None:
    request, _ = await exact(wish(negative_prompt=""))
    assert request.spec.negative_prompt == ""
    request, _ = await exact(wish())
    assert request.spec.negative_prompt.startswith("The video captures")
