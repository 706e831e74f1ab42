"""What each dialect of NIM takes: checked here, so that a wrong request is named before it is sent."""

from generator.nim.dialect import Dialect
from generator.sizes import MAX_FRAMES, SIZES, Size
from generator.types import RenderError, RenderSpec

LONGEST_PROMPT = 20_000
"""Characters of a prompt, and of a negative one."""
LONGEST_IMAGE = 20_000_000
"""Characters of an image in base64."""
LARGEST_VIDEO = 75_000_000
"""Bytes of a source or control video, decoded."""
LEAST_FRAMES = 25
STEPS = (1, 100)
GUIDANCE = (1.0, 7.0)
OLDER_SEEDS = 2**32
"""The dialects before Cosmos3 take seeds below this."""
OLDER_GRID = 8
"""Width and height of the dialects before Cosmos3 are multiples of this."""

_MODES = {
    "v1": {"text2video", "image2video"},
    "v2": {"text2video", "image2video", "video2video"},
    "predict": {"text2video", "image2video", "video2video"},
    "transfer": {"transfer"},
}
_CURES = {
    "text2video": "give request.image, request.video or request.controls as this model needs it",
    "image2video": "leave request.image out",
    "video2video": "leave request.video out, or use a NIM of the v2 or predict dialect",
    "transfer": "leave request.controls out, or use the Cosmos Transfer NIM or vLLM-Omni",
}


def check(dialect: Dialect, prompt: str, spec: RenderSpec, seed: int) -> None:
    """Hold a render against what the dialect takes.

    Raises:
        RenderError: something does not fit; names the field and the cure.
    """
    _mode(dialect, spec)
    _texts(dialect, prompt, spec)
    if spec.sound:
        raise _wrong(dialect, "sound", "cannot be made", "leave it off, or use vLLM-Omni with a model that has sound")
    _within(dialect, "num_inference_steps", spec.num_inference_steps, *STEPS)
    if dialect in {"v1", "v2"}:
        _within(dialect, "guidance_scale", spec.guidance_scale, *GUIDANCE)
        _frames(dialect, spec)
        if seed < 0:
            raise _wrong(dialect, "seed", f"is {seed}", "use 0 or more")
    else:
        _older(dialect, spec, seed)


def _older(dialect: Dialect, spec: RenderSpec, seed: int) -> None:
    if spec.flow_shift is not None:
        raise _wrong(dialect, "flow_shift", "cannot be set", "leave it at null")
    if not 0 <= seed < OLDER_SEEDS:
        raise _wrong(dialect, "seed", f"is {seed}", f"use 0 to {OLDER_SEEDS - 1}")
    if dialect == "transfer":
        size(dialect, spec)
    elif spec.width % OLDER_GRID or spec.height % OLDER_GRID:
        cure = f"both must be multiples of {OLDER_GRID}, such as 1280x704"
        raise _wrong(dialect, "size", f"is {spec.width}x{spec.height}", cure)


def _texts(dialect: Dialect, prompt: str, spec: RenderSpec) -> None:
    if not prompt.strip() and (dialect != "v1" or spec.mode == "text2video"):
        raise _wrong(dialect, "prompt", "is empty", "say what the video shall show")
    for name, text in (("prompt", prompt), ("negative_prompt", spec.negative_prompt)):
        if len(text) > LONGEST_PROMPT:
            raise _wrong(dialect, name, f"has {len(text)} characters", f"use at most {LONGEST_PROMPT}")


def size(dialect: Dialect, spec: RenderSpec) -> Size:
    """The trained size of a spec.

    Raises:
        RenderError: it is none.
    """
    for known in SIZES:
        if (known.width, known.height) == (spec.width, spec.height):
            return known
    sizes = ", ".join(f"{known.width}x{known.height}" for known in SIZES)
    raise _wrong(dialect, "size", f"is {spec.width}x{spec.height}", f"use one of: {sizes}")


def _mode(dialect: Dialect, spec: RenderSpec) -> None:
    if spec.mode not in _MODES[dialect]:
        raise _wrong(dialect, spec.mode, "is no mode of this server", _CURES[spec.mode])
    if spec.first_frame is not None and spec.mode in {"video2video", "transfer"}:
        raise _wrong(dialect, "first_frame", f"is not taken in {spec.mode}", "give an image or a video, not both")
    kinds = [control.kind for control in spec.controls]
    if len(set(kinds)) != len(kinds):
        raise _wrong(dialect, "controls", "name a kind twice", "give at most one of each kind")
    if spec.mode == "transfer" and spec.source_video is None:
        raise _wrong(dialect, "source_video", "is missing", "give the video that the controls were made from")


def _frames(dialect: Dialect, spec: RenderSpec) -> None:
    found = size(dialect, spec)
    frames, most = spec.num_frames, MAX_FRAMES[found.tier]
    if frames % 4 != 1 or not LEAST_FRAMES <= frames <= most:
        cure = f"at {found.width}x{found.height} use {LEAST_FRAMES} to {most}, a multiple of 4 plus 1"
        raise _wrong(dialect, "num_frames", f"is {frames}", cure)


def _within(dialect: Dialect, name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise _wrong(dialect, name, f"is {value:g}", f"use {least:g} to {most:g}")


def _wrong(dialect: Dialect, name: str, what: str, cure: str) -> RenderError:
    return RenderError(f"NIM ({dialect}) was not asked to render: {name} {what}; {cure}.")
