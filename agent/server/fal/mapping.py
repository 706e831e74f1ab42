"""A model's input as the one RunRequest that every dialect's becomes."""

from typing import Any, Final

from agent.server.fal.models import (
    OUTPUT_TYPES,
    CogVideoXImageToVideo,
    Cosmos3TextToVideo,
    ImageSize,
    Input,
    PredictTextToVideo,
)
from agent.server.types import RunRequest

SEEDS: Final = 2**31
"""The loop's seeds are below this."""
PREDICT_SIZE, PREDICT_FPS = "1280x704", 16
"""Cosmos Predict 2.5 makes no other."""
COGVIDEOX_FRAMES, COGVIDEOX_FPS = 49, 8
"""What CogVideoX-5B makes, and the rate that it was trained on; its page has no field for either."""


def run_request(asked: Input, model: str) -> RunRequest:
    """What is asked for.

    Args:
        asked: the input, valid.
        model: the name in `server.models`.
    """
    wish: dict[str, Any] = {"model": model, "prompt": asked.prompt, "agentic": asked.enable_agentic_generation}
    notes: list[str] = []
    if asked.seed is not None:
        wish["seed"] = asked.seed % SEEDS
        if asked.seed >= SEEDS:
            notes.append(f"Seed {asked.seed} was taken modulo {SEEDS}: {wish['seed']}.")
    if asked.enable_agentic_generation:
        wish |= {
            "max_iterations": asked.agentic_max_iterations,
            "samples_per_iteration": asked.agentic_samples_per_iteration,
            "early_stop": asked.agentic_early_stop,
        }
    match asked:
        case Cosmos3TextToVideo():
            wish |= _cosmos3(asked, notes)
        case PredictTextToVideo():
            wish |= _predict(asked)
        case CogVideoXImageToVideo():
            wish |= _cogvideox(asked)
    return RunRequest.model_validate({**wish, "notes": tuple(notes)})


def sync_mode(asked: Input) -> bool:
    """Whether the video is to come within the answer."""
    return isinstance(asked, Cosmos3TextToVideo | PredictTextToVideo) and asked.sync_mode


def _cosmos3(asked: Cosmos3TextToVideo, notes: list[str]) -> dict[str, Any]:
    given = asked.model_fields_set
    fps = asked.fps if "frames_per_second" not in given else asked.frames_per_second
    if {"fps", "frames_per_second"} <= given and asked.fps != asked.frames_per_second:
        notes.append(f"frames_per_second {fps} went before fps {asked.fps}: they are two names of one thing.")
    return {
        "negative_prompt": asked.negative_prompt,
        "enable_prompt_expansion": asked.enable_prompt_expansion,
        "size": _size(asked.image_size),
        "num_frames": asked.num_frames,
        "fps": fps,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "safety_checker": asked.enable_safety_checker,
    }


def _predict(asked: PredictTextToVideo) -> dict[str, Any]:
    return {
        "negative_prompt": asked.negative_prompt,
        "size": PREDICT_SIZE,
        "num_frames": asked.num_frames,
        "fps": PREDICT_FPS,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
        "format": OUTPUT_TYPES[asked.video_output_type],
        "quality": asked.video_quality,
    }


def _cogvideox(asked: CogVideoXImageToVideo) -> dict[str, Any]:
    wish: dict[str, Any] = {
        "negative_prompt": asked.negative_prompt,
        "size": _size(asked.video_size),
        "num_frames": COGVIDEOX_FRAMES,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
    }
    if not asked.use_rife:
        return {**wish, "fps": asked.export_fps}
    return {**wish, "fps": COGVIDEOX_FPS, "export_fps": asked.export_fps, "interpolation": "flow"}


def _size(size: str | ImageSize) -> str:
    return size if isinstance(size, str) else f"{size.width}x{size.height}"
