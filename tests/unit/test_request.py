"""A wish made exact: sizes, frames, seeds, prompts, images."""

import io
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from agent.config import RequestConfig
from agent.errors import ConfigError, IntakeError
from agent.intake.video import Film
from agent.request import FIRST_FRAME, SOURCE, placed, plain, resolved
from agent.request import exact as made_exact
from agent.types import Request
from generator.capabilities import capabilities
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, GeneratorConfig, NIMConfig, VLLMOmniConfig
from generator.encode import ClipWriter
from generator.probe import probe

ANIMATIC, OMNI = AnimaticConfig(), VLLMOmniConfig()


def wish(**keys: object) -> RequestConfig:
    return RequestConfig.model_validate({"prompt": "a boat", **keys})


async def exact(wish: RequestConfig, config: GeneratorConfig = ANIMATIC) -> tuple[Request, dict[str, bytes]]:
    return await made_exact(wish, capabilities(config))


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
    request, files = await exact(wish(size=size))
    assert (request.spec.width, request.spec.height) == expected
    assert any("snapped" in note for note in request.notes) == said
    assert files == {}


@pytest.mark.parametrize("size", ["huge", "0x100", "10x", "-5x5", "", "1x2x3"])
async def test_a_size_that_is_none(size: str) -> None:
    with pytest.raises(ConfigError, match=r"request\.size: .*landscape_16_9"):
        await exact(wish(size=size))


@pytest.mark.parametrize(
    ("image", "expected"), [((1600, 900), (832, 480)), ((900, 1600), (480, 832)), ((500, 500), (640, 640))]
)
async def test_auto_follows_the_image(tmp_path: Path, image: tuple[int, int], expected: tuple[int, int]) -> None:
    request, files = await exact(wish(image=picture(tmp_path, *image)))
    assert (request.spec.width, request.spec.height) == expected
    assert Image.open(io.BytesIO(files[FIRST_FRAME])).size == expected
    assert placed(request, tmp_path).spec.first_frame == tmp_path / FIRST_FRAME


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
    await exact(wish(prompt="x" * 20_000))
    with pytest.raises(ConfigError, match=r"request\.prompt: has 20,001 characters, and at most 20,000"):
        await exact(wish(prompt="x" * 20_001))


async def test_a_prompt_that_is_too_long_for_a_hosted_endpoint() -> None:
    hosted = capabilities(FalConfig(model="nvidia/cosmos-3-super/image-to-video"))
    plain(wish(prompt="x" * 4096), hosted)
    with pytest.raises(ConfigError, match=r"request\.prompt: has 4,097 characters, and at most 4,096"):
        plain(wish(prompt="x" * 4097), hosted)
    plain(wish(prompt=json.dumps({"temporal_caption": "x" * 5000})), hosted)  # goes there in sentences


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
    assert resolved(wish(), first).seed == first.seed


async def test_a_missing_image() -> None:
    with pytest.raises(IntakeError, match=r"request\.image"):
        await exact(wish(image="/nowhere/at/all.png"))


async def test_an_empty_negative_prompt_disables_it() -> None:
    request, _ = await exact(wish(negative_prompt=""))
    assert request.spec.negative_prompt == ""
    request, _ = await exact(wish())
    assert request.spec.negative_prompt.startswith("The video captures")


def film(folder: Path, width: int, height: int, frames: int, fps: int = 24) -> str:
    """Frame by frame from dark to bright."""
    path = folder / "film.mp4"
    with ClipWriter(path, width, height, fps) as writer:
        for number in range(frames):
            writer.write(np.full((height, width, 3), 40 + number * 200 // frames, np.uint8))
    return str(path)


def brightness(data: bytes, tmp_path: Path) -> list[float]:
    (tmp_path / "made.mp4").write_bytes(data)
    with av.open(str(tmp_path / "made.mp4")) as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


async def test_a_source_video_is_cropped_and_brought_to_the_clips_rate(tmp_path: Path) -> None:
    request, files = await exact(
        wish(video=film(tmp_path, 128, 128, 48, fps=48), size="320x192", num_frames=9, fps=24), OMNI
    )
    assert any("of 128x128 was scaled" in note for note in request.notes)
    path = tmp_path / SOURCE
    path.write_bytes(files[SOURCE])
    found = probe(path)
    assert (found.width, found.height, found.num_frames, found.fps) == (320, 192, 24, 24)
    levels = brightness(files[SOURCE], tmp_path)
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 150
    assert placed(request, tmp_path).spec.mode == "video2video"


async def test_a_control_goes_frame_by_frame_with_the_clip(tmp_path: Path) -> None:
    control = {"kind": "edge", "path": film(tmp_path, 320, 192, 12, fps=12), "weight": 0.5}
    request, files = await exact(wish(controls=[control], size="320x192", num_frames=17, fps=24), OMNI)
    assert len(brightness(files["control-edge.mp4"], tmp_path)) == 17
    assert request.spec.mode == "transfer"
    assert request.spec.controls[0].weight == 0.5
    with pytest.raises(IntakeError, match=r"request\.controls \(edge\): .*has 24 frames at 24 fps.*at most 24"):
        await exact(wish(controls=[control], size="320x192", num_frames=25, fps=24), OMNI)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.mp4", "does not exist"),
        (".", "is no file"),
        ("text.mp4", "cannot be read as a video"),
        ("list.mp4", "cannot be read as a video"),
        ("http://example.com/a.mp4", "is not read from there"),
    ],
)
async def test_a_video_that_is_none(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile '/etc/hostname'\n")
    where = name if "://" in name else str(tmp_path / name)
    with pytest.raises(IntakeError, match=rf"request\.video: .*{said}"):
        await exact(wish(video=where), OMNI)


async def test_the_shift_that_acts_is_written_down() -> None:
    assert [(await exact(wish(flow_shift=asked), OMNI))[0].spec.flow_shift for asked in (None, 5.0)] == [10.0, 5.0]
    assert (await exact(wish(), NIMConfig()))[0].spec.flow_shift is None  # its profiles differ: the NIM's own


@pytest.mark.parametrize(
    ("config", "keys", "said"),
    [
        (ANIMATIC, {"video": "a.mp4"}, r"request\.video: animatic cannot use it"),
        (ANIMATIC, {"controls": [{"kind": "edge", "path": "a.mp4"}]}, r"request\.controls: animatic cannot use it"),
        (ANIMATIC, {"sound": True}, r"request\.sound: animatic makes no sound"),
        (ANIMATIC, {"flow_shift": 5.0}, r"request\.flow_shift: animatic takes none"),
        (OMNI, {"video": "a.mp4", "image": "a.png"}, r"request\.video, request\.image: .*one of them"),
        (OMNI, {"controls": [{"kind": "edge", "path": "a"}, {"kind": "edge", "path": "b"}]}, "at most one of a kind"),
        (OMNI, {"num_inference_steps": 101}, r"num_inference_steps: 101 is not what vllm_omni takes; give 1 to 100"),
        (NIMConfig(), {"guidance_scale": 7.5}, r"guidance_scale: 7.5 is not what nim takes; give 1 to 7"),
        (FalConfig(), {}, r"request\.image: fal .*needs one; it does image2video"),
        (
            FalConfig(model="fal-ai/cosmos-predict-2.5/text-to-video"),
            {"fps": 24},
            r"request\.fps: 24 .*give 16 or null",
        ),
        (DiffusersConfig(model="THUDM/CogVideoX-5b-I2V"), {}, r"request\.image: .*cogvideox.* needs one"),
    ],
)
async def test_what_a_backend_cannot_do_is_said_before_anything_is_read(
    config: GeneratorConfig, keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        await exact(wish(**keys), config)


async def test_what_is_not_asked_for_is_the_models_own(tmp_path: Path) -> None:
    request, _ = await exact(wish(), DiffusersConfig(model="nvidia/Cosmos-Predict2.5-2B"))
    spec = request.spec
    assert (spec.width, spec.height, spec.num_frames, spec.fps) == (1280, 704, 93, 16)
    assert (spec.num_inference_steps, spec.guidance_scale) == (36, 7.0)
    request, _ = await exact(wish(image=picture(tmp_path, 640, 640)), DiffusersConfig(model="THUDM/CogVideoX-5b-I2V"))
    assert (request.spec.width, request.spec.height, request.spec.num_frames) == (720, 480, 49)
    request, _ = await exact(wish(size="1280x720"), NIMConfig())
    assert request.spec.num_frames == 189
    request, _ = await exact(wish(num_frames=9), NIMConfig())
    assert request.spec.num_frames == 25
    assert request.notes == ("9 frames were moved to 25: nim makes no fewer.",)


def filmed(folder: Path, width: int, height: int, frames: int, fps: int) -> str:
    path = folder / f"{width}x{height}.mp4"
    with ClipWriter(path, width, height, fps) as writer:
        for n in range(frames):
            writer.write(np.full((height, width, 3), 8 * n % 256, np.uint8))
    return str(path)


@pytest.mark.parametrize(
    ("size", "shape", "expected"),
    [
        ("480p", None, (832, 480)),
        ("256p", (64, 64), (256, 256)),
        ("720p", (90, 160), (720, 1280)),
        ("auto", (90, 160), (480, 832)),
    ],
)
async def test_a_tier_in_the_shape_of_what_is_given(
    tmp_path: Path, size: str, shape: tuple[int, int] | None, expected: tuple[int, int]
) -> None:
    given = {} if shape is None else {"image": picture(tmp_path, *shape)}
    request, _ = await exact(wish(size=size, **given))
    assert (request.spec.width, request.spec.height) == expected
    assert request.notes == () or shape is not None
    if size == "256p" and shape is not None:
        request, _ = await exact(wish(size=size, video=filmed(tmp_path, *shape, 9, 24)), OMNI)
        assert (request.spec.width, request.spec.height) == expected


@pytest.mark.parametrize(
    ("frames", "fps", "keys", "expected"),
    [(14, 15, {}, (13, 15)), (14, 15, {"fps": 30}, (25, 30)), (14, 15, {"num_frames": 9}, (9, 15))],
)
async def test_a_restyled_video_keeps_its_length_and_rate(
    tmp_path: Path, frames: int, fps: int, keys: dict[str, int], expected: tuple[int, int]
) -> None:
    video = filmed(tmp_path, 64, 64, frames, fps)
    asked = wish(size="256p", video=video, controls=[{"kind": "edge", "path": video}], **keys)
    request, files = await exact(asked, OMNI)
    assert (request.spec.num_frames, request.spec.fps) == expected
    (tmp_path / "sent.mp4").write_bytes(files[SOURCE])
    assert probe(tmp_path / "sent.mp4").num_frames == expected[0]


def test_a_video_longer_than_the_tier_allows_is_restyled_as_far_as_that() -> None:
    asked = wish(size="720p", video="a.mp4", controls=[{"kind": "edge", "path": "a.mp4"}])
    request = plain(asked, capabilities(OMNI), None, Film(width=64, height=64, fps=29.97, seconds=7.0))
    spec = request.spec
    assert (spec.width, spec.height, spec.num_frames, spec.fps) == (960, 960, 197, 30)
