"""What is sent to each dialect of a NIM, and what is refused before anything is sent."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from generator.nim import limits
from generator.nim.dialect import Dialect, Served
from generator.nim.forms import form
from generator.nim.media import Media, load
from generator.sizes import SIZES
from generator.types import Control, RenderError, RenderSpec
from tests.nim_forms import FORMS, Made, Maker

NOTHING = Media()
DIALECTS: tuple[Dialect, ...] = ("v1", "v2", "predict", "transfer")


def spec(**more: object) -> RenderSpec:
    return RenderSpec.model_validate({"width": 832, "height": 480, "num_frames": 121, "fps": 24, **more})


def asked(dialect: Dialect, of: RenderSpec, media: Media = NOTHING, prompt: str = "a boat") -> dict[str, Any]:
    limits.check(dialect, prompt, of, 42)
    body: dict[str, Any] = json.loads(json.dumps(form(Served(dialect=dialect), prompt, of, 42, media).body))
    return body


def film(path: Path, width: int = 320, height: int = 192, frames: int = 25, fps: int = 24) -> Path:
    path.write_bytes(Maker().clip(Made(width, height, frames, fps), path.name))
    return path


def test_v1_is_asked_as_its_page_says() -> None:
    body = asked("v1", spec(flow_shift=10, negative_prompt="blurry"))
    assert body == {
        "prompt": "a boat", "negative_prompt": "blurry", "seed": 42, "guidance_scale": 6.0, "steps": 35,
        "resolution": "480_16_9", "num_output_frames": 121, "fps": 24.0, "flow_shift": 10.0,
    }  # fmt: skip
    assert type(body["fps"]) is type(body["guidance_scale"]) is type(body["flow_shift"]) is float
    assert type(body["steps"]) is type(body["num_output_frames"]) is int


def test_v2_names_its_mode_and_uses_its_own_names() -> None:
    body = asked("v2", spec())
    assert body == {
        "model_mode": "text2video", "prompt": "a boat", "negative_prompt": "", "seed": 42, "guidance_scale": 6.0,
        "num_inference_steps": 35, "resolution": "480_16_9", "num_frames": 121, "fps": 24.0,
    }  # fmt: skip


def test_predict_is_asked_as_its_page_says_and_does_not_rewrite_the_prompt() -> None:
    body = asked("predict", spec(width=1280, height=704, guidance_scale=7.5))
    assert body == {
        "prompt": "a boat", "negative_prompt": "", "seed": 42, "guidance_scale": 7.5, "steps": 35,
        "prompt_upsampling": False,
        "video_params": {"height": 704, "width": 1280, "frames_count": 121, "frames_per_sec": 24},
    }  # fmt: skip


def test_transfer_is_asked_as_its_page_says(tmp_path: Path) -> None:
    source, edge = film(tmp_path / "in.mp4"), film(tmp_path / "edge.mp4")
    of = spec(width=320, height=192, num_frames=25, source_video=source,
              controls=(Control(kind="edge", path=edge), Control(kind="blur", path=edge, weight=0.5)))  # fmt: skip
    body = asked("transfer", of, load("transfer", of))
    assert body["resolution"] == "256"
    assert base64.b64decode(body["video"]) == source.read_bytes()
    assert body["edge"] == {"control": base64.b64encode(edge.read_bytes()).decode(), "control_weight": 1.0}
    assert body["vis"]["control_weight"] == 0.5
    assert set(body) == {"prompt", "negative_prompt", "seed", "guidance_scale", "steps", "resolution", "video", "edge",
                         "vis"}  # fmt: skip


@pytest.mark.parametrize(("dialect", "field"), [("v1", "image"), ("v2", "input_reference"), ("predict", "image")])
def test_the_first_frame_goes_as_base64_of_a_png(dialect: Dialect, field: str, tmp_path: Path) -> None:
    first = tmp_path / "first.jpg"
    Image.new("RGB", (832, 480), "red").save(first)
    of = spec(first_frame=first)
    body = asked(dialect, of, load(dialect, of))
    image = Image.open(io.BytesIO(base64.b64decode(body[field], validate=True)))
    assert (image.format, image.size) == ("PNG", (832, 480))
    assert body.get("model_mode", "image2video") == "image2video"


@pytest.mark.parametrize(("dialect", "field"), [("v2", "input_reference"), ("predict", "video")])
def test_a_source_video_goes_as_it_is(dialect: Dialect, field: str, tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", frames=9)
    of = spec(width=320, height=192, source_video=source)
    body = asked(dialect, of, load(dialect, of))
    assert base64.b64decode(body[field]) == source.read_bytes()
    assert body.get("model_mode", "video2video") == "video2video"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.width}x{size.height}")
def test_every_trained_size_has_its_key(size: Any) -> None:
    body = asked("v1", spec(width=size.width, height=size.height))
    made = FORMS["v1"].model_validate_json(json.dumps(body)).made
    assert (made.width, made.height) == (size.width, size.height)


def test_an_image_alone_is_enough_for_v1() -> None:
    assert "prompt" not in asked("v1", spec(first_frame="first.png"), Media(image="aaaa"), prompt=" ")


def test_fields_that_a_server_does_not_list_are_left_out_and_said() -> None:
    of = spec(negative_prompt="blurry", guardrails=False)
    served = Served(dialect="predict", fields=frozenset({"prompt", "seed", "guidance_scale", "steps", "video_params"}))
    body, notes = form(served, "a boat", of, 1, Media())
    assert "negative_prompt" not in body
    assert "prompt_upsampling" not in body
    assert notes == (
        "This NIM has no field for negative_prompt: it was not sent, and the server's own acts.",
        "Guardrails cannot be switched off by a request: the NIM's operator decides.",
    )


WRONG: list[tuple[Dialect, dict[str, object], str, int, str]] = [
    ("v1", {"num_frames": 21}, "x", 1, r"num_frames is 21; at 832x480 use 25 to 297, a multiple of 4 plus 1"),
    ("v1", {"num_frames": 122}, "x", 1, "num_frames is 122"),
    ("v2", {"num_frames": 301}, "x", 1, "num_frames is 301; .* 25 to 297"),
    ("v1", {"num_frames": 201, "width": 1280, "height": 720}, "x", 1, "25 to 197"),
    ("v1", {"num_frames": 401, "width": 320, "height": 192}, "x", 1, "25 to 397"),
    ("v1", {"num_inference_steps": 101}, "x", 1, "num_inference_steps is 101; use 1 to 100"),
    ("predict", {"num_inference_steps": 101}, "x", 1, "num_inference_steps is 101"),
    ("v2", {"guidance_scale": 7.5}, "x", 1, "guidance_scale is 7.5; use 1 to 7"),
    ("v1", {"guidance_scale": 0.5}, "x", 1, "guidance_scale is 0.5"),
    ("v1", {}, "x", -1, "seed is -1; use 0 or more"),
    ("predict", {}, "x", 2**32, "seed is 4294967296; use 0 to 4294967295"),
    ("v1", {"width": 848}, "x", 1, "size is 848x480; use one of: 320x192"),
    ("predict", {"width": 844}, "x", 1, "size is 844x480; both must be multiples of 8"),
    ("v1", {}, " \n", 1, "prompt is empty"),
    ("v2", {"first_frame": "a.png"}, "", 1, "prompt is empty"),
    ("v1", {}, "x" * 20_001, 1, "prompt has 20001 characters; use at most 20000"),
    ("v2", {"negative_prompt": "x" * 20_001}, "x", 1, "negative_prompt has 20001 characters"),
    ("v2", {"sound": True}, "x", 1, "sound cannot be made"),
    ("predict", {"flow_shift": 5}, "x", 1, "flow_shift cannot be set; leave it at null"),
    ("v1", {"source_video": "a.mp4"}, "x", 1, "video2video is no mode of this server; leave request.video out"),
    ("v2", {"source_video": "a.mp4", "first_frame": "a.png"}, "x", 1, "first_frame is not taken in video2video"),
    ("transfer", {}, "x", 1, "text2video is no mode"),
    ("transfer", {"controls": [{"kind": "edge", "path": "a.mp4"}]}, "x", 1, "source_video is missing"),
    ("transfer", {"source_video": "a", "controls": [{"kind": "edge", "path": "a"}] * 2}, "x", 1, "name a kind twice"),
    ("v1", {"controls": [{"kind": "edge", "path": "a.mp4"}]}, "x", 1, "transfer is no mode of this server; leave"),
    ("v2", {"controls": [{"kind": "edge", "path": "a.mp4"}]}, "x", 1, "transfer is no mode of this server; leave"),
    ("predict", {"controls": [{"kind": "edge", "path": "a.mp4"}]}, "x", 1, "transfer is no mode of this server"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "more", "prompt", "seed", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_what_a_dialect_does_not_take_is_refused(
    dialect: Dialect, more: dict[str, object], prompt: str, seed: int, said: str
) -> None:
    with pytest.raises(RenderError, match=said) as caught:
        limits.check(dialect, prompt, spec(**more), seed)
    assert f"NIM ({dialect}) was not asked to render" in str(caught.value)


@pytest.mark.parametrize(
    ("dialect", "frames", "size", "said"),
    [
        ("v2", 9, (256, 256), "source_video: in.mp4 is 256x256, the clip 320x192"),
        ("transfer", 25, (320, 192), "keeps the 25 frames at 24 fps of the video, 121 at 24 were asked for"),
    ],
)
def test_a_video_of_another_shape_is_refused(
    dialect: Dialect, frames: int, size: tuple[int, int], said: str, tmp_path: Path
) -> None:
    source = film(tmp_path / "in.mp4", *size, frames)
    with pytest.raises(RenderError, match=said):
        load(dialect, spec(width=320, height=192, source_video=source))


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"not a video")
    with pytest.raises(RenderError, match=r"source_video: .*in\.mp4 cannot be read as a video\. Give a readable MP4"):
        load("v2", spec(source_video=source))


def test_a_video_over_the_limit_is_refused(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    with source.open("r+b") as file:
        file.truncate(limits.LARGEST_VIDEO + 1)  # a sparse tail: the index at its end is lost to no reader
    with pytest.raises(RenderError, match=r"source_video: in\.mp4 has 75 MB, NIM takes 75 MB"):
        load("v2", spec(width=320, height=192, source_video=source))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("steps", ["35", 35.0, True])
def test_the_double_is_as_strict_with_types(dialect: Dialect, steps: object) -> None:
    name = "num_inference_steps" if dialect == "v2" else "steps"
    with pytest.raises(ValidationError, match="valid integer"):
        FORMS[dialect].model_validate_json(json.dumps({name: steps}))


PAGE: list[tuple[Dialect, dict[str, Any]]] = [
    ("v1", {"prompt": "a robot", "seed": 42, "guidance_scale": 6.0, "steps": 35, "resolution": "480_16_9",
            "num_output_frames": 121, "fps": 24.0}),
    ("predict", {"prompt": "a street", "negative_prompt": "blurry", "prompt_upsampling": True, "seed": 4,
                 "guidance_scale": 7.5, "steps": 50,
                 "video_params": {"height": 704, "width": 1280, "frames_count": 121, "frames_per_sec": 24}}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "example"), PAGE)
def test_the_double_takes_the_examples_of_nvidias_page(dialect: Dialect, example: dict[str, Any]) -> None:
    assert FORMS[dialect].model_validate_json(json.dumps(example)).made.frames == 121


def test_the_double_takes_the_transfer_example_of_nvidias_page(tmp_path: Path) -> None:
    video = base64.b64encode(film(tmp_path / "in.mp4").read_bytes()).decode()
    example: dict[str, Any] = {"prompt": "two arms", "video": video, "resolution": "480"}
    with pytest.raises(ValidationError, match="at least one control field"):
        FORMS["transfer"].model_validate_json(json.dumps(example))
    example["edge"] = {"control_weight": 1.0, "control": video}
    assert FORMS["transfer"].model_validate_json(json.dumps(example)).made == Made(320, 192, 25, 24)


@pytest.mark.parametrize(
    ("mode", "reference", "said"),
    [
        ("text2video", "aaaa", "input_reference is forbidden in text modes"),
        ("image2video", None, "required in others"),
        ("image2video", " ", "required in others"),
        ("image2video", "https://example.com/a.png", "URL inputs are disabled"),
        ("image2video", "aaaa", "image cannot be decoded"),
        ("video2video", "aaaa", "video cannot be decoded"),
        (None, None, "model_mode"),
    ],
)
def test_the_double_of_v2_holds_mode_and_reference_together(mode: str | None, reference: str | None, said: str) -> None:
    asked = {"prompt": "a boat", "model_mode": mode, "input_reference": reference}
    with pytest.raises(ValidationError, match=said):
        FORMS["v2"].model_validate_json(json.dumps({name: value for name, value in asked.items() if value is not None}))
