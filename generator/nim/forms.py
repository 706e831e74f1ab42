"""The request forms of `/v1/infer`, by dialect."""

from typing import Any, NamedTuple

from generator.nim.dialect import Dialect, Served
from generator.nim.limits import size
from generator.nim.media import Media
from generator.types import RenderSpec


class Form(NamedTuple):
    """A request, and in sentences what it does not ask."""

    body: dict[str, Any]
    notes: tuple[str, ...] = ()


_OPTIONAL: dict[Dialect, tuple[str, ...]] = {
    "predict": ("negative_prompt", "prompt_upsampling"),
    "transfer": ("negative_prompt", "seed", "guidance_scale", "steps"),
}
"""Left out where a server's own schema has no such field: the documentation of these dialects is not exact."""
_SILENT = frozenset({"prompt_upsampling"})
"""Left out without a note: it is only sent to switch off what a server without the field does not do."""


def form(served: Served, prompt: str, spec: RenderSpec, seed: int, media: Media) -> Form:
    """The body of `POST /v1/infer` for a spec that `limits.check` has passed.

    The negative prompt is always sent: left out, NIM uses its own; "" means none. JSON types are strict: whole numbers
    stay whole, rates and scales have a point.
    """
    match served.dialect:
        case "v1":
            body = _v1(prompt, spec, seed, media)
        case "v2":
            body = _v2(prompt, spec, seed, media)
        case "predict":
            body = _predict(prompt, spec, seed, media)
        case "transfer":
            body = _transfer(prompt, spec, seed, media)
    known = served.fields
    left_out = [name for name in _OPTIONAL.get(served.dialect, ()) if known is not None and name not in known]
    notes = [
        f"This NIM has no field for {name}: it was not sent, and the server's own acts."
        for name in left_out
        if body.pop(name, "") != "" and name not in _SILENT
    ]
    if not spec.guardrails:
        notes.append("Guardrails cannot be switched off by a request: the NIM's operator decides.")
    return Form(body, tuple(notes))


def resolution(dialect: Dialect, spec: RenderSpec) -> str:
    """Tier and aspect as NIM writes them, such as 480_16_9."""
    known = size(dialect, spec)
    return f"{known.tier}_{known.aspect.replace(',', '_')}"


def _shared(prompt: str, spec: RenderSpec, seed: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "negative_prompt": spec.negative_prompt,
        "seed": seed,
        "guidance_scale": float(spec.guidance_scale),
    }
    return {"prompt": prompt, **body} if prompt.strip() else body


def _cosmos3(dialect: Dialect, prompt: str, spec: RenderSpec, seed: int) -> dict[str, Any]:
    body = _shared(prompt, spec, seed)
    body |= {"resolution": resolution(dialect, spec), "fps": float(spec.fps)}
    return body if spec.flow_shift is None else body | {"flow_shift": float(spec.flow_shift)}


def _v1(prompt: str, spec: RenderSpec, seed: int, media: Media) -> dict[str, Any]:
    body = _cosmos3("v1", prompt, spec, seed)
    body |= {"num_output_frames": spec.num_frames, "steps": spec.num_inference_steps}
    return body if media.image is None else body | {"image": media.image}


def _v2(prompt: str, spec: RenderSpec, seed: int, media: Media) -> dict[str, Any]:
    body = {"model_mode": spec.mode, **_cosmos3("v2", prompt, spec, seed)}
    body |= {"num_frames": spec.num_frames, "num_inference_steps": spec.num_inference_steps}
    reference = media.video or media.image
    return body if reference is None else body | {"input_reference": reference}


def _predict(prompt: str, spec: RenderSpec, seed: int, media: Media) -> dict[str, Any]:
    body = _shared(prompt, spec, seed)
    # the caption is written already, and this server would rewrite it by default
    body |= {"prompt_upsampling": False, "steps": spec.num_inference_steps}
    body["video_params"] = {
        "height": spec.height,
        "width": spec.width,
        "frames_count": spec.num_frames,
        "frames_per_sec": spec.fps,
    }
    if media.video is not None:
        return body | {"video": media.video}
    return body if media.image is None else body | {"image": media.image}


def _transfer(prompt: str, spec: RenderSpec, seed: int, media: Media) -> dict[str, Any]:
    body = _shared(prompt, spec, seed)
    # the tier alone: the aspect is the video's
    body |= {"steps": spec.num_inference_steps, "resolution": str(size("transfer", spec).tier), "video": media.video}
    return body | {name: {"control": video, "control_weight": weight} for name, video, weight in media.controls}
