"""What a pipeline of each family is called with, and what it cannot be asked: plain values, no torch."""

import json
from collections.abc import Mapping
from typing import Any

from generator.capabilities import Capabilities, Family
from generator.sizes import SIZES, snap
from generator.types import RenderError, RenderSpec

PIXELS = {"cosmos3": 16, "cosmos3_distilled": 16, "predict2.5": 16, "cogvideox": 8}
"""What width and height are multiples of."""
CONDITIONING_FRAMES = 5
"""Of a source video, from its end: two latent frames, as many as the pipelines take by default."""


def check(able: Capabilities, family: Family, spec: RenderSpec) -> None:
    """Refuse what a pipeline would refuse, or silently change, after minutes of loading.

    Raises:
        RenderError: names the field and the cure.
    """
    if spec.mode not in able.modes:
        if spec.mode == "transfer":
            raise RenderError("controls: no Diffusers pipeline here takes control videos. Use the backend vllm_omni.")
        cure = "Give a first_frame." if able.modes == ("image2video",) else f"It does {', '.join(able.modes)}."
        raise RenderError(f"{able.name} does no {spec.mode}. {cure}")
    if spec.source_video is not None and spec.first_frame is not None:
        raise RenderError("first_frame, source_video: a clip starts from one of the two. Leave the other out.")
    step = PIXELS[family]
    for name, pixels in (("width", spec.width), ("height", spec.height)):
        if pixels % step:
            raise RenderError(
                f"{name}: {able.name} needs a multiple of {step}, not {pixels}. Ask for {_near(pixels, step)}."
            )
    if (spec.num_frames - 1) % able.frame_step:
        near = _near(spec.num_frames - 1, able.frame_step) + 1
        raise RenderError(
            f"num_frames: {able.name} makes a multiple of {able.frame_step} plus 1, not {spec.num_frames}. "
            f"Ask for {near}."
        )
    if spec.flow_shift is not None and not able.flow_shift:
        raise RenderError(f"flow_shift: {able.name} takes none. Leave it out.")
    if spec.sound and not able.sound:
        raise RenderError(f"sound: {able.name} makes none. Set it to false.")


def check_checkpoint(spec: RenderSpec, model: str, fixed_steps: int | None, *, makes_sound: bool) -> None:
    """Refuse what this checkpoint cannot do, which is known once it is loaded.

    Raises:
        RenderError: names the field and the cure.
    """
    if spec.sound and not makes_sound:
        raise RenderError(f"sound: {model} has no sound modules. Set it to false, or use a checkpoint that has them.")
    if fixed_steps is None:
        return
    if spec.num_inference_steps != fixed_steps:
        raise RenderError(
            f"num_inference_steps: {model} is distilled to {fixed_steps} steps, {spec.num_inference_steps} were asked "
            f"for. Set it to {fixed_steps}."
        )
    if spec.guidance_scale != 1:
        raise RenderError(
            f"guidance_scale: guidance is built into the distilled weights of {model}, {spec.guidance_scale:g} was "
            "asked for. Set it to 1."
        )


def call(family: Family, prompt: str, spec: RenderSpec) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keyword arguments of a pipeline's call, but for those made of torch or pictures; and notes."""
    given: dict[str, Any] = {
        "prompt": prompt,
        "num_frames": spec.num_frames,
        "height": spec.height,
        "width": spec.width,
        "num_inference_steps": spec.num_inference_steps,
        "guidance_scale": spec.guidance_scale,
    }
    notes: list[str] = []
    if spec.source_video is not None:
        notes.append(f"The clip starts with the last {CONDITIONING_FRAMES} frames of {spec.source_video.name}.")
    if family in {"cosmos3", "cosmos3_distilled"}:
        caption = stamped(prompt, spec)
        # beside a JSON caption the pipeline's English sentences on size and duration would stand behind its last brace
        templates = caption is None
        given |= {
            "prompt": caption or prompt,
            "fps": float(spec.fps),
            "add_resolution_template": templates,
            "add_duration_template": templates,
        }
    match family:
        case "cosmos3":
            given |= {
                "negative_prompt": spec.negative_prompt,
                "enable_sound": spec.sound,
                "enable_safety_check": spec.guardrails,
            }
        case "cosmos3_distilled":
            given["output"] = "videos"
            if spec.negative_prompt:
                notes.append("A distilled checkpoint takes no negative prompt: it was left out.")
        case "predict2.5":
            # the pipeline puts its own negative prompt where it is given None
            given |= {"negative_prompt": spec.negative_prompt, "num_latent_conditional_frames": 2}
        case "cogvideox":
            given["negative_prompt"] = spec.negative_prompt
    return given, tuple(notes)


def stamped(prompt: str, spec: RenderSpec) -> str | None:
    """A JSON caption with what is really rendered in it, as Cosmos3 was trained; None if the prompt is no JSON object.

    vLLM-Omni writes the same four keys itself; the Diffusers pipeline leaves them to its caller.
    """
    try:
        caption = json.loads(prompt)
    except ValueError:
        return None
    if not isinstance(caption, dict):
        return None
    same = [size.aspect for size in SIZES if (size.width, size.height) == (spec.width, spec.height)]
    caption |= {
        "resolution": {"H": spec.height, "W": spec.width},
        "aspect_ratio": same[0] if same else snap(spec.width, spec.height).aspect,
        "duration": f"{spec.num_frames // spec.fps}s",
        "fps": float(spec.fps),
    }
    return json.dumps(caption)  # with its defaults, as the training captions were written


def shifted(scheduler: Mapping[str, Any], flow_shift: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What to change in a scheduler's configuration for a shift to act, and notes.

    Raises:
        RenderError: the scheduler has no shift.
    """
    if "flow_shift" not in scheduler:
        raise RenderError(
            f"flow_shift: the checkpoint's scheduler {scheduler.get('_class_name', '')} has none. Leave it out."
        )
    changes: dict[str, Any] = {"flow_shift": flow_shift}
    if not scheduler.get("use_karras_sigmas"):
        return changes, ()
    note = (
        f"The checkpoint's scheduler uses Karras sigmas, under which a shift changes nothing: they were turned off for "
        f"flow_shift {flow_shift:g}."
    )
    return changes | {"use_karras_sigmas": False}, (note,)


def _near(value: int, step: int) -> int:
    return max(step, round(value / step) * step)
