"""A render as vLLM-Omni is asked for it, and what is refused before it is asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator import first_frame
from generator.config import VLLMOmniConfig
from generator.probe import probe
from generator.sizes import SIZES, grid
from generator.types import Control, RenderError, RenderSpec
from generator.watchdog import work

MULTIPLE = 16
"""Of width and height. The server cuts other sizes down to it without a word."""
MOST_STEPS = 100
"""At flow_shift 10 the server fails from somewhere above 110 steps (an assertion in its scheduler)."""
SEEDS = 2**63
TRANSFER_CHUNK = 93
"""Frames that the server renders at once in a transfer, however few are asked for."""
MOST_CONTROL_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Upload:
    """A file part."""

    name: str
    file_name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Request:
    """Everything that is sent, and what we know of it."""

    fields: Mapping[str, str]
    uploads: tuple[Upload, ...]
    hash: str
    """Of model, fields and files."""
    cost: float
    """As the watchdog counts it."""
    notes: tuple[str, ...]
    """What will not be as asked."""


def check(prompt: str, spec: RenderSpec, seed: int, *, distilled: bool = False) -> None:
    """Refuse what the server would answer with an error or silently change.

    Args:
        prompt: as it would be sent.
        spec: what is asked for.
        seed: of the noise.
        distilled: the checkpoint is known to be a distilled one.

    Raises:
        RenderError: names the field, and the cure.
    """
    if not prompt.strip():
        raise RenderError("prompt: it is empty, which vLLM-Omni refuses. Say what the clip shows.")
    for name, value in (("width", spec.width), ("height", spec.height)):
        if value % MULTIPLE:
            near = max(MULTIPLE, round(value / MULTIPLE) * MULTIPLE)
            raise RenderError(
                f"{name}: {value} is no multiple of {MULTIPLE}; vLLM-Omni would cut it down without a word. "
                f"Ask for {near}, or for a trained size such as 832x480."
            )
    if spec.num_frames % 4 != 1:
        raise RenderError(
            f"num_frames: {spec.num_frames} is not on the grid 4k+1; vLLM-Omni would render more. "
            f"Ask for {grid(spec.num_frames)}."
        )
    if spec.num_inference_steps > MOST_STEPS:
        raise RenderError(
            f"num_inference_steps: {spec.num_inference_steps} is more than {MOST_STEPS}, and vLLM-Omni's scheduler "
            "fails soon above that. Ask for fewer; 35 is the model's own."
        )
    if not 0 <= seed < SEEDS:
        raise RenderError(f"seed: {seed} is not between 0 and 2^63 - 1. Choose another.")
    if spec.first_frame is not None and spec.source_video is not None:
        raise RenderError("first_frame, source_video: the model starts from one of them. Leave the other out.")
    if distilled and (spec.mode != "image2video" or spec.sound):
        raise RenderError(
            "first_frame: a distilled checkpoint only goes on from an image, without controls or sound. "
            "Give a first frame alone, or serve the full checkpoint."
        )
    if spec.controls:
        _check_transfer(spec)


def _check_transfer(spec: RenderSpec) -> None:
    if len(spec.controls) > 1:
        kinds = ", ".join(control.kind for control in spec.controls)
        raise RenderError(f"controls: {kinds} were given, and vLLM-Omni takes one file. Keep one of them.")
    if spec.first_frame is not None:
        raise RenderError("first_frame: a render with controls starts from no image. Leave one of them out.")
    if spec.sound:
        raise RenderError("sound: a render with controls makes none. Set sound to false.")
    if _tier(spec) is None:
        trained = ", ".join(f"{size.width}x{size.height}" for size in SIZES)
        raise RenderError(
            f"width, height: a render with controls has one of the trained sizes, and {spec.width}x{spec.height} "
            f"is none. Ask for one of {trained}."
        )


def _tier(spec: RenderSpec) -> int | None:
    return next((s.tier for s in SIZES if (s.width, s.height) == (spec.width, spec.height)), None)


def build(prompt: str, spec: RenderSpec, seed: int, config: VLLMOmniConfig, model: str) -> Request:
    """Read the files and put the request together. Blocks: it reads and hashes files.

    Raises:
        RenderError: a file is unreadable or of another size or length than the clip.
    """
    extra: dict[str, Any] = config.extra_params.model_dump(exclude_none=True, mode="json")
    if not spec.controls:
        extra.pop("control_guidance", None)  # without a control the server answers it with an error
    if spec.source_video is not None and not spec.controls:
        extra.setdefault("condition_video_keep", "last")  # the server's own choice would go on from the start
    extra["guardrails"] = spec.guardrails  # true as well: the server's own defaults for requests may say otherwise
    fields = {
        "prompt": prompt,
        "size": f"{spec.width}x{spec.height}",
        "num_frames": str(spec.num_frames),
        "fps": str(spec.fps),
        "num_inference_steps": str(spec.num_inference_steps),
        "guidance_scale": str(spec.guidance_scale),
        "negative_prompt": spec.negative_prompt,
        "seed": str(seed),
    }
    if spec.flow_shift is not None:
        fields["flow_shift"] = str(spec.flow_shift)
    if spec.sound:
        fields["generate_sound"] = "true"
    if config.rife:
        fields |= {"enable_frame_interpolation": "true", "frame_interpolation_exp": str(config.rife)}
    if config.lora is not None:
        fields["lora"] = json.dumps(config.lora.model_dump())
    if spec.controls:
        control = spec.controls[0]
        fields["control_type"] = control.kind
        # the server chooses the size itself, by the control's aspect, in the tier that is named here
        extra |= {"resolution": str(_tier(spec)), control.kind: {"control_weight": control.weight}}
    if extra:
        fields["extra_params"] = json.dumps(extra)
    uploads = _uploads(spec)
    frames = max(spec.num_frames, TRANSFER_CHUNK) if spec.controls else spec.num_frames
    cost = work(spec.width, spec.height, frames, spec.num_inference_steps, spec.guidance_scale)
    return Request(fields, uploads, _hash(model, fields, uploads), cost, _notes(spec))


def _notes(spec: RenderSpec) -> tuple[str, ...]:
    notes = []
    for control in spec.controls:
        if control.weight != 1:
            notes.append(
                f"vLLM-Omni scales the weights of controls to a sum of 1: {control.weight:g} of a single one acts as 1."
            )
        if spec.source_video is not None:
            notes.append("With a control, vLLM-Omni takes nothing from the source video: it was not sent.")
    return tuple(notes)


def _uploads(spec: RenderSpec) -> tuple[Upload, ...]:
    if spec.controls:
        return (_control(spec.controls[0], spec),)
    if spec.source_video is not None:
        return (_source(spec.source_video, spec),)
    if spec.first_frame is not None:
        first_frame.load(spec.first_frame, spec.width, spec.height)
        return (Upload("input_reference", "first_frame.png", _read(spec.first_frame), "image/png"),)
    return ()


def _control(control: Control, spec: RenderSpec) -> Upload:
    what = f"The {control.kind} control {control.path.name}"
    frames = _fitting(control.path, spec, what)
    if frames < spec.num_frames:
        raise RenderError(
            f"{what} has {frames} frames, the clip {spec.num_frames}: vLLM-Omni would render no more than it has. "
            "Give a longer one, or ask for fewer frames."
        )
    content = _read(control.path)
    if len(content) > MOST_CONTROL_BYTES:
        raise RenderError(f"{what} is larger than the 512 MiB that vLLM-Omni takes. Encode it smaller.")
    return Upload("control_reference", "control.mp4", content, "video/mp4")


def _source(path: Path, spec: RenderSpec) -> Upload:
    _fitting(path, spec, f"The source video {path.name}")
    return Upload("input_reference", "source.mp4", _read(path), "video/mp4")


def _fitting(path: Path, spec: RenderSpec, what: str) -> int:
    """Frames of a video of the clip's size."""
    found = probe(path)
    if (found.width, found.height) != (spec.width, spec.height):
        raise RenderError(
            f"{what} is {found.width}x{found.height}, the clip {spec.width}x{spec.height}. Resize it to that."
        )
    return found.num_frames


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RenderError(f"{path} cannot be read ({error.strerror}). Give a readable file.") from error


def _hash(model: str, fields: Mapping[str, str], uploads: tuple[Upload, ...]) -> str:
    files = [(upload.name, hashlib.sha256(upload.content).hexdigest()) for upload in uploads]
    return hashlib.sha256(json.dumps([model, sorted(fields.items()), files]).encode()).hexdigest()
