"""A wish made exact: the size snapped, the frames on the grid, the seed drawn, the image taken in, all of it said."""

import asyncio
import hashlib
import json
import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agent import intake
from agent.config import MAX_PROMPT, ControlConfig, RequestConfig
from agent.errors import ConfigError
from agent.types import Request
from generator import sizes
from generator.capabilities import Capabilities, Range
from generator.types import Control, Mode, RenderSpec

if TYPE_CHECKING:
    from agent.intake import Film

FIRST_FRAME, SOURCE = "first_frame.png", "source.mp4"
"""Names of the files that a run keeps of what it was given."""


async def exact(wish: RequestConfig, able: Capabilities) -> tuple[Request, dict[str, bytes]]:
    """The request that a config asks of a backend, and the files it is made from, by the names that its spec has.

    Raises:
        ConfigError: a key is wrong; names it and the cure.
        IntakeError: an image or video cannot be used.
    """
    possible(wish, able)
    data = None if wish.image is None else await intake.take_image(wish.image, rules=wish.image_fetch)
    film = None if wish.video is None else await asyncio.to_thread(intake.film, wish.video)
    request = plain(wish, able, None if data is None else intake.image_size(data), film)
    spec, notes = request.spec, list(request.notes)
    files: dict[str, bytes] = {}
    if data is not None:
        files[FIRST_FRAME], said = await asyncio.to_thread(intake.to_first_frame, data, spec.width, spec.height)
        notes += said
    if wish.video is not None:
        files[SOURCE], said = await asyncio.to_thread(intake.to_source, wish.video, spec, bool(wish.controls))
        notes += said
    for control in wish.controls:
        files[_control(control)], said = await asyncio.to_thread(intake.to_control, control.path, control.kind, spec)
        notes += said
    named = spec.model_copy(
        update={
            "first_frame": Path(FIRST_FRAME) if data is not None else None,
            "source_video": Path(SOURCE) if wish.video is not None else None,
            "controls": tuple(
                Control(kind=control.kind, path=Path(_control(control)), weight=control.weight)
                for control in wish.controls
            ),
        }
    )
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return request.model_copy(update={"spec": named, "files": hashes, "notes": tuple(notes)}), files


def plain(
    wish: RequestConfig, able: Capabilities, image: tuple[int, int] | None = None, film: "Film | None" = None
) -> Request:
    """The request that a config asks of a backend, but for the files it is made from.

    Args:
        wish: the config section.
        able: what the backend can do.
        image: width and height of the first frame as given, for a size that goes by its shape.
        film: the video as given, for the same, and for the length and rate of a clip that restyles it.

    Raises:
        ConfigError: a key is wrong; names it and the cure.
    """
    notes: list[str] = []
    size = _size(wish.size, film[:2] if film is not None else image, able, notes)
    restyled = film if wish.controls else None
    fps = _within("fps", wish.fps, able.fps, _rate(restyled, able), able)
    spec = RenderSpec(
        width=size.width,
        height=size.height,
        num_frames=_frames(wish.num_frames, size, able, notes, None if restyled is None else restyled.seconds * fps),
        fps=fps,
        num_inference_steps=_within(
            "num_inference_steps", wish.num_inference_steps, able.steps, able.default_steps, able
        ),
        guidance_scale=_within("guidance_scale", wish.guidance_scale, able.guidance, able.default_guidance, able),
        negative_prompt=wish.negative_prompt,
        flow_shift=able.default_flow_shift if wish.flow_shift is None else wish.flow_shift,
        sound=wish.sound,
        guardrails=wish.guardrails,
    )
    seed = secrets.randbelow(2**31) if wish.seed is None else wish.seed
    prompt = _prompt(wish.prompt, able)
    prose = not able.json_caption
    return Request(
        prompt=prompt,
        spec=spec,
        seed=seed,
        prose=prose,
        prompt_limit=able.prompt_limit,
        expand=wish.enable_prompt_expansion,
        notes=tuple(notes),
    )


def placed(request: Request, folder: Path) -> Request:
    """The request with its files in a run's folder."""
    draft = request.draft
    return request.model_copy(
        update={
            "spec": request.spec.with_files(folder.joinpath),
            "draft": draft and draft.model_copy(update={"spec": draft.spec.with_files(folder.joinpath)}),
        }
    )


def resolved(wish: RequestConfig, request: Request) -> RequestConfig:
    """The config section that asks for exactly this request, whatever was drawn or snapped, of its run's own files."""
    spec = request.spec
    return wish.model_copy(
        update={
            "image": spec.first_frame.name if spec.first_frame else None,
            "video": spec.source_video.name if spec.source_video else None,
            "controls": tuple(
                ControlConfig(kind=control.kind, path=control.path.name, weight=control.weight)
                for control in spec.controls
            ),
            "size": f"{spec.width}x{spec.height}",
            "num_frames": spec.num_frames,
            "fps": spec.fps,
            "num_inference_steps": spec.num_inference_steps,
            "guidance_scale": spec.guidance_scale,
            "seed": request.seed,
        }
    )


def _control(control: ControlConfig) -> str:
    return f"control-{control.kind}.mp4"


def _prompt(text: str, able: Capabilities) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("request.prompt: holds half a character (a lone surrogate); write it in UTF-8") from None
    if not says_something(text):
        raise ConfigError(
            "request.prompt: is empty; say what should happen in the video, in the config or with --prompt"
        )
    # a caption that is too long for the backend reaches it in sentences; words reach it as they are
    limit = MAX_PROMPT if _is_caption(text) or able.prompt_limit is None else able.prompt_limit
    if len(text) > limit:
        raise ConfigError(f"request.prompt: has {len(text):,} characters, and at most {limit:,} are taken; shorten it")
    return text


def says_something(text: str) -> bool:
    """Whether a prompt has anything to be seen in it."""
    return any(c.isprintable() and not c.isspace() for c in text)


def _is_caption(text: str) -> bool:
    if not text.lstrip().startswith(("{", "```")):
        return False
    try:
        return isinstance(
            json.loads(text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")), dict
        )
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"request.prompt: begins like a JSON caption and is no JSON: {error}; mend it, or begin with words"
        ) from None
    except (ValueError, RecursionError):
        raise ConfigError("request.prompt: is a JSON caption with a number too long, or nested too deep") from None


def _size(wish: str, image: tuple[int, int] | None, able: Capabilities, notes: list[str]) -> sizes.Size:
    if wish == "auto" or wish in sizes.NAMED_TIERS:
        least = able.default_size if wish == "auto" else sizes.TIERS[sizes.NAMED_TIERS[wish]]["16,9"]
        return sizes.snap(*(least if image is None else _scaled(image, least[0] * least[1])), able.sizes)
    try:
        width, height = sizes.parse(wish)
    except ValueError as error:
        tiers = ", ".join(sizes.NAMED_TIERS)
        raise ConfigError(f"request.size: {error}, auto, {tiers}") from None
    size = sizes.snap(width, height, able.sizes)
    if (width, height) != size[:2]:
        asked = wish if "x" in wish else f"{wish} ({width}x{height})"
        aspect = size.aspect.replace(",", ":")
        what = (
            f"the nearest that Cosmos3 was trained on ({size.tier}p, {aspect})"
            if able.sizes == sizes.SIZES
            else f"the nearest that {able.name} renders"
        )
        notes.append(f"Size {asked} was snapped to {size.width}x{size.height}, {what}.")
    return size


def _scaled(image: tuple[int, int], area: int) -> tuple[int, int]:
    factor = (area / (image[0] * image[1])) ** 0.5
    return max(1, round(image[0] * factor)), max(1, round(image[1] * factor))


def _rate(restyled: "Film | None", able: Capabilities) -> int:
    if restyled is None:
        return able.default_fps
    return round(min(max(restyled.fps, able.fps.least), able.fps.most))


def _frames(
    wish: int | None, size: sizes.Size, able: Capabilities, notes: list[str], there: float | None = None
) -> int:
    """`there`: frames that a video to restyle has at the clip's rate."""
    most = able.longest(size)
    if wish is None and there is not None:
        whole = math.floor(there + 1e-6)
        return max(int(able.frames.least), min(most, whole - (whole - 1) % able.frame_step))
    if wish is None:
        return min(able.default_frames, most)
    if wish > most:
        raise ConfigError(
            f"request.num_frames: {wish} is over the {most} frames that {size.width}x{size.height} ({size.tier}p) "
            f"allows; ask for at most {most}, or for a smaller request.size"
            if able.longest(min(able.sizes, key=lambda s: s.width * s.height)) > most
            else f"request.num_frames: {wish} is over the {most} frames that {able.name} makes; ask for at most {most}"
        )
    least = int(able.frames.least)
    frames = sizes.grid(wish, able.frame_step, least)
    if frames != wish:
        why = f"{able.name} makes no fewer" if wish < least else f"the model's frames come as {able.frame_step}k+1"
        notes.append(f"{wish} frames were moved to {frames}: {why}.")
    return frames


Figure = TypeVar("Figure", int, float)


def _within(key: str, wish: Figure | None, allowed: Range, otherwise: Figure, able: Capabilities) -> Figure:
    if wish is None:
        return otherwise
    if not allowed.least <= wish <= allowed.most:
        cure = (
            f"{allowed.least:g} to {allowed.most:g}" if allowed.least < allowed.most else f"{allowed.least:g} or null"
        )
        raise ConfigError(f"request.{key}: {wish:g} is not what {able.name} takes; give {cure}")
    return wish


def possible(wish: RequestConfig, able: Capabilities) -> None:
    """Hold what the wish is made from against what the backend can do.

    Raises:
        ConfigError: the backend cannot do that.
    """
    if wish.video is not None and wish.image is not None:
        raise ConfigError("request.video, request.image: a clip goes on from one of them; take the other out")
    kinds = [control.kind for control in wish.controls]
    if len(set(kinds)) != len(kinds):
        raise ConfigError("request.controls: at most one of a kind; take the others out")
    mode: Mode = "text2video"
    if wish.controls:
        mode, key = "transfer", "controls"
    elif wish.video is not None:
        mode, key = "video2video", "video"
    elif wish.image is not None:
        mode, key = "image2video", "image"
    else:
        key = "image" if "image2video" in able.modes else "controls"
    if mode not in able.modes:
        can = ", ".join(able.modes)
        what = "needs one" if mode == "text2video" else "cannot use it"
        raise ConfigError(f"request.{key}: {able.name} {what}; it does {can}")
    if wish.flow_shift is not None and not able.flow_shift:
        raise ConfigError(f"request.flow_shift: {able.name} takes none; leave it null")
    if wish.sound and not able.sound:
        raise ConfigError(f"request.sound: {able.name} makes no sound; set it to false")
