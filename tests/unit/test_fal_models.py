"""What each of fal's models is sent, what it is not, and what it costs."""

from pathlib import Path
from typing import Any

import pytest

from generator.config import FalConfig
from generator.fal.models import arguments, notes, price
from generator.types import RenderError, RenderSpec

COSMOS3 = "nvidia/cosmos-3-super/image-to-video"
T2V = "fal-ai/cosmos-predict-2.5/text-to-video"
I2V = "fal-ai/cosmos-predict-2.5/image-to-video"
COG = "fal-ai/cogvideox-5b/image-to-video"
FIRST = Path("first.png")
IMAGE = "data:image/png;base64,AAAA"


def config(model: str, **more: Any) -> FalConfig:
    return FalConfig.model_validate({"model": model, **more})


def spec(model: str, **more: Any) -> RenderSpec:
    """A good one of the model's."""
    every: dict[str, dict[str, Any]] = {
        COSMOS3: {"width": 832, "height": 480, "num_frames": 189, "fps": 24, "first_frame": FIRST},
        T2V: {"width": 1280, "height": 704, "num_frames": 93, "fps": 16},
        I2V: {"width": 1280, "height": 704, "num_frames": 93, "fps": 16, "first_frame": FIRST},
        COG: {"width": 720, "height": 480, "num_frames": 49, "fps": 8, "first_frame": FIRST},
    }
    return RenderSpec.model_validate({**every[model], **more})


def sent(model: str, **more: Any) -> dict[str, Any]:
    asked = spec(model, **more)
    return arguments(config(model), "A cat.", asked, 7, IMAGE if asked.first_frame else None)


def test_cosmos3_super_is_sent_every_parameter_and_its_own_loops_stay_off() -> None:
    asked = {"negative_prompt": "blur", "num_inference_steps": 28, "guidance_scale": 5.5}
    assert sent(COSMOS3, num_frames=121, fps=12, guardrails=False, **asked) == {
        "prompt": "A cat.",
        "image_url": IMAGE,
        "enable_prompt_expansion": False,
        "enable_agentic_generation": False,
        "agentic_max_iterations": 1,
        "agentic_samples_per_iteration": 1,
        "agentic_early_stop": True,
        "image_size": {"width": 832, "height": 480},
        "num_frames": 121,
        "fps": 12,
        "frames_per_second": 12,
        "seed": 7,
        "enable_safety_checker": False,
        "sync_mode": False,
        **asked,
    }


def test_an_empty_negative_prompt_is_sent_since_fal_would_fill_in_its_own() -> None:
    assert all(sent(model)["negative_prompt"] == "" for model in (COSMOS3, T2V, I2V, COG))


@pytest.mark.parametrize(("model", "image"), [(T2V, {}), (I2V, {"image_url": IMAGE})])
def test_predict_is_sent_every_parameter_of_its_page(model: str, image: dict[str, str]) -> None:
    assert sent(model, num_frames=9, guidance_scale=7) == {
        "prompt": "A cat.",
        "negative_prompt": "",
        "num_frames": 9,
        "num_inference_steps": 35,
        "guidance_scale": 7.0,
        "seed": 7,
        "sync_mode": False,
        "video_output_type": "X264 (.mp4)",
        "video_quality": "maximum",
        **image,
    }


def test_cogvideox_is_sent_its_size_and_rate_and_no_interpolation() -> None:
    assert sent(COG, num_inference_steps=50, guidance_scale=7) == {
        "prompt": "A cat.",
        "image_url": IMAGE,
        "video_size": {"width": 720, "height": 480},
        "negative_prompt": "",
        "num_inference_steps": 50,
        "guidance_scale": 7.0,
        "seed": 7,
        "use_rife": False,
        "export_fps": 8,
    }


@pytest.mark.parametrize(
    ("model", "wish", "said"),
    [
        (COSMOS3, {"first_frame": None}, r"first_frame: .* goes on from an image\. Give"),
        (T2V, {"first_frame": FIRST}, r"first_frame: .* takes none\. Leave it out"),
        (COSMOS3, {"source_video": Path("a.mp4")}, r"source_video: .* takes none, only image2video"),
        (COSMOS3, {"controls": [{"kind": "edge", "path": "a.mp4"}]}, r"controls: .* takes none"),
        (COSMOS3, {"sound": True}, r"sound: .* makes none\. Set request\.sound"),
        (COSMOS3, {"flow_shift": 5.0}, r"flow_shift: .* takes none\. Leave request\.flow_shift"),
        (COSMOS3, {"width": 833}, r"width, height: .* 833x480\. Ask for .*832x480"),
        (COSMOS3, {"num_frames": 193}, r"num_frames is 193: .* takes 5 to 189"),
        (COSMOS3, {"num_frames": 120}, r"num_frames is 120: .* multiples of 4 plus 1"),
        (COSMOS3, {"fps": 3}, r"fps is 3: .* takes 4 to 60"),
        (COSMOS3, {"num_inference_steps": 51}, r"num_inference_steps is 51: .* takes 1 to 50"),
        (COSMOS3, {"negative_prompt": "x" * 2049}, r"negative_prompt: .* 2048 characters, this has 2049"),
        (T2V, {"width": 1280, "height": 720}, r"does not render 1280x720\. Ask for 1280x704"),
        (T2V, {"num_frames": 5}, r"num_frames is 5: .* takes 9 to 93"),
        (T2V, {"num_frames": 97}, r"num_frames is 97: .* takes 9 to 93"),
        (T2V, {"fps": 24}, r"fps is 24: .* takes 16\. Set request\.fps"),
        (T2V, {"guidance_scale": 0.5}, r"guidance_scale is 0\.5: .* takes 1 to 20"),
        (COG, {"num_frames": 45}, r"num_frames is 45: .* takes 49\."),
        (COG, {"width": 480, "height": 720}, r"Ask for 720x480"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_field(model: str, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(RenderError, match=said):
        sent(model, **wish)


@pytest.mark.parametrize(("prompt", "said"), [(" \n", "prompt: .* no empty one"), ("x" * 4097, "4096 characters")])
def test_a_prompt_has_its_limits(prompt: str, said: str) -> None:
    with pytest.raises(RenderError, match=said):
        arguments(config(COSMOS3), prompt, spec(COSMOS3), 1, IMAGE)


def test_prompts_of_the_other_models_have_no_published_limit() -> None:
    assert arguments(config(T2V), "x" * 5000, spec(T2V), 1, None)["prompt"] == "x" * 5000


@pytest.mark.parametrize(
    ("model", "wish", "more", "cost"),
    [
        (COSMOS3, {}, {}, 0.40),
        (COSMOS3, {"num_frames": 121, "fps": 24}, {}, 0.30),
        (COSMOS3, {"num_frames": 5, "fps": 60}, {}, 0.05),
        (COSMOS3, {"num_frames": 45, "fps": 15}, {}, 0.15),
        (T2V, {"num_frames": 9}, {}, 0.20),
        (I2V, {}, {}, 0.20),
        (COG, {}, {}, None),
        (COG, {}, {"price_usd": 0.15}, 0.15),
        (COSMOS3, {}, {"price_usd": 0.0}, 0.0),
    ],
)
def test_prices(model: str, wish: dict[str, Any], more: dict[str, Any], cost: float | None) -> None:
    assert price(config(model, **more), spec(model, **wish)) == cost


def test_what_is_not_done_as_asked_is_said() -> None:
    assert all(notes(config(model), spec(model)) == () for model in (COSMOS3, T2V, I2V, COG))
    (granted,) = notes(config(COSMOS3), spec(COSMOS3, guardrails=False))
    assert "some accounts only" in granted
    (switch,) = notes(config(T2V), spec(T2V, guardrails=False))
    assert "no switch" in switch
    (fast,) = notes(config(COG), spec(COG, fps=16))
    assert fast.endswith("at 16 it plays 2 times as fast.")
