"""What each of fal's models takes: the request's input, its ranges, its price."""

from typing import Any, NamedTuple

from generator.capabilities import Capabilities, Range, capabilities
from generator.config import FalConfig
from generator.types import RenderError, RenderSpec

COSMOS3 = "nvidia/cosmos-3-super/image-to-video"
COGVIDEOX = "fal-ai/cogvideox-5b/image-to-video"
COGVIDEOX_FPS = 8
"""The rate of the clips that CogVideoX-5B was trained on."""
_COSMOS3_SECOND_USD = 0.05
_PREDICT_CLIP_USD = 0.20
_COSMOS3_TEXT = {"prompt": 4096, "negative_prompt": 2048}
"""Characters. From fal's OpenAPI of the model (2026-10); its page states none, and none of the other models' does."""


def price(config: FalConfig, spec: RenderSpec) -> float | None:
    """What one render costs in US dollars: as configured, else as fal's pages publish it. None: not known."""
    if config.price_usd is not None:
        return config.price_usd
    match config.model:
        case "nvidia/cosmos-3-super/image-to-video":
            begun_seconds = -(-spec.num_frames // spec.fps)
            return round(begun_seconds * _COSMOS3_SECOND_USD, 2)
        case "fal-ai/cogvideox-5b/image-to-video":
            return None
        case _:
            return _PREDICT_CLIP_USD


def arguments(config: FalConfig, prompt: str, spec: RenderSpec, seed: int, image: str | None) -> dict[str, Any]:
    """The input of a request, every parameter of the model's page in it.

    fal fills what is left out with its own defaults and ignores unknown names without a word, so nothing is left out.

    Args:
        config: names the model.
        prompt: 1 or more characters.
        spec: within the ranges of the model.
        seed: 0 or more.
        image: the first frame as a data URI; None for text-to-video.

    Raises:
        RenderError: the model cannot do this. Names the field and the cure.
    """
    _check(config, prompt, spec)
    asked: dict[str, Any] = {
        "prompt": prompt,
        "negative_prompt": spec.negative_prompt,
        "num_inference_steps": spec.num_inference_steps,
        "guidance_scale": spec.guidance_scale,
        "seed": seed,
    }
    if image is not None:
        asked["image_url"] = image
    match config.model:
        case "nvidia/cosmos-3-super/image-to-video":
            return asked | _cosmos3(spec)
        case "fal-ai/cogvideox-5b/image-to-video":
            return asked | _cogvideox(spec)
        case _:
            return asked | _predict(spec)


def _cosmos3(spec: RenderSpec) -> dict[str, Any]:
    """Own fields of Cosmos3-Super.

    Prompt expansion and the agentic loop are off: they are what Retake itself does, and fal bills every one of its
    candidates. The rate goes under both names: the page calls it `fps`, the OpenAPI `frames_per_second`.
    """
    return {
        "image_size": {"width": spec.width, "height": spec.height},
        "num_frames": spec.num_frames,
        "fps": spec.fps,
        "frames_per_second": spec.fps,
        "enable_prompt_expansion": False,
        "enable_agentic_generation": False,
        "agentic_max_iterations": 1,
        "agentic_samples_per_iteration": 1,
        "agentic_early_stop": True,
        "enable_safety_checker": spec.guardrails,
        "sync_mode": False,
    }


def _predict(spec: RenderSpec) -> dict[str, Any]:
    """Own fields of Cosmos Predict 2.5, whose size and rate are fixed: 1280x704 at 16 frames per second.

    The page offers `num_frames` of 9 to 93, and says where it states the price that clips are always of 93. Only 93 is
    thus certain; a clip of another length than asked for is an error, and billed.
    """
    return {
        "num_frames": spec.num_frames,
        "video_output_type": "X264 (.mp4)",
        "video_quality": "maximum",
        "sync_mode": False,
    }


def _cogvideox(spec: RenderSpec) -> dict[str, Any]:
    """Own fields of CogVideoX-5B.

    The page has no field for the number of frames and does not say how many come. Without interpolation (`use_rife`)
    they should be the model's own 49, played at `export_fps`; what really comes is counted in the file, and another
    number than asked for is an error.
    """
    return {
        "video_size": {"width": spec.width, "height": spec.height},
        "use_rife": False,
        "export_fps": spec.fps,
    }


def notes(config: FalConfig, spec: RenderSpec) -> tuple[str, ...]:
    """What is known beforehand not to be done quite as asked, in sentences."""
    said = []
    if not spec.guardrails and config.model == COSMOS3:
        said.append(
            "The safety checks were asked to be off; fal grants that to some accounts only, and does not say whether "
            "it did."
        )
    elif not spec.guardrails:
        said.append(f"{config.model} has no switch for its safety checks: whether it has any, fal does not say.")
    if config.model == COGVIDEOX and spec.fps != COGVIDEOX_FPS:
        said.append(
            f"The model makes motion for {COGVIDEOX_FPS} frames per second: at {spec.fps} it plays "
            f"{spec.fps / COGVIDEOX_FPS:g} times as fast."
        )
    return tuple(said)


class _Bounded(NamedTuple):
    field: str
    value: float
    range: Range


def _check(config: FalConfig, prompt: str, spec: RenderSpec) -> None:
    able = capabilities(config)
    if spec.mode not in able.modes:
        raise RenderError(_wrong_mode(config.model, spec, able))
    if spec.sound:
        raise RenderError(f"sound: {config.model} makes none. Set request.sound to false.")
    if spec.flow_shift is not None:
        raise RenderError(f"flow_shift: {config.model} takes none. Leave request.flow_shift null.")
    sizes = [f"{size.width}x{size.height}" for size in able.sizes]
    if f"{spec.width}x{spec.height}" not in sizes:
        raise RenderError(
            f"width, height: {config.model} does not render {spec.width}x{spec.height}. Ask for {' or '.join(sizes)}."
        )
    for field, value, (least, most) in (
        _Bounded("num_frames", spec.num_frames, able.frames),
        _Bounded("fps", spec.fps, able.fps),
        _Bounded("num_inference_steps", spec.num_inference_steps, able.steps),
        _Bounded("guidance_scale", spec.guidance_scale, able.guidance),
    ):
        if not least <= value <= most:
            allowed = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            raise RenderError(f"{field} is {value:g}: {config.model} takes {allowed}. Set request.{field} to that.")
    if (spec.num_frames - 1) % able.frame_step:
        raise RenderError(
            f"num_frames is {spec.num_frames}: {config.model} takes multiples of {able.frame_step} plus 1. "
            "Set request.num_frames to the nearest of them."
        )
    _check_text(config.model, {"prompt": prompt, "negative_prompt": spec.negative_prompt})


def _wrong_mode(model: str, spec: RenderSpec, able: Capabilities) -> str:
    if spec.mode == "text2video":
        return f"first_frame: {model} goes on from an image. Give a first frame, or choose a text-to-video model."
    if spec.mode == "image2video":
        return f"first_frame: {model} takes none. Leave it out, or set generator.model to an image-to-video model."
    what = "controls" if spec.mode == "transfer" else "source_video"
    return f"{what}: {model} takes none, only {', '.join(able.modes)}. Leave it out, or choose another generator."


def _check_text(model: str, texts: dict[str, str]) -> None:
    if not texts["prompt"].strip():
        raise RenderError(f"prompt: {model} takes no empty one. Say what the clip shall show.")
    if model != COSMOS3:
        return
    for field, most in _COSMOS3_TEXT.items():
        if (length := len(texts[field])) > most:
            raise RenderError(
                f"{field}: {model} takes {most} characters, this has {length}. Give a shorter one: a structured "
                "caption is often longer, prose hardly ever."
            )
