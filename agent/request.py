"""A wish made exact: the size snapped, the frames on the grid, the seed drawn, the image taken in, all of it said."""

import asyncio
import json
import secrets
from pathlib import Path

from agent import intake
from agent.config import MAX_CAPTION, MAX_PROMPT, RequestConfig
from agent.errors import ConfigError
from agent.types import Request
from generator import sizes
from generator.types import RenderSpec


async def exact(wish: RequestConfig) -> tuple[Request, bytes | None]:
    """The request that a config asks for, and its first frame as PNG bytes (None: text-to-video).

    Raises:
        ConfigError: a key is wrong; names it and the cure.
        IntakeError: the image cannot be used.
    """
    prompt = _prompt(wish.prompt)
    notes: list[str] = []
    data = None if wish.image is None else await intake.take_image(wish.image, rules=wish.image_fetch)
    size = _size(wish.size, None if data is None else intake.image_size(data), notes)
    num_frames = _frames(wish.num_frames, size, notes)
    frame = None
    if data is not None:
        frame, cropped = await asyncio.to_thread(intake.to_first_frame, data, size.width, size.height)
        notes += cropped
    spec = RenderSpec(
        width=size.width,
        height=size.height,
        num_frames=num_frames,
        fps=wish.fps,
        num_inference_steps=wish.num_inference_steps,
        guidance_scale=wish.guidance_scale,
        negative_prompt=wish.negative_prompt,
    )
    seed = secrets.randbelow(2**31) if wish.seed is None else wish.seed
    return Request(prompt=prompt, spec=spec, seed=seed, expand=wish.enable_prompt_expansion, notes=tuple(notes)), frame


def resolved(wish: RequestConfig, request: Request, frame: Path | None) -> RequestConfig:
    """The config section that asks for exactly this request, whatever was drawn or snapped."""
    spec = request.spec
    return wish.model_copy(
        update={
            "image": None if frame is None else frame.name,
            "size": f"{spec.width}x{spec.height}",
            "num_frames": spec.num_frames,
            "seed": request.seed,
        }
    )


def _prompt(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("request.prompt: holds half a character (a lone surrogate); write it in UTF-8") from None
    if not any(c.isprintable() and not c.isspace() for c in text):
        raise ConfigError(
            "request.prompt: is empty; say what should happen in the video, in the config or with --prompt"
        )
    limit = MAX_CAPTION if _is_caption(text) else MAX_PROMPT
    if len(text) > limit:
        raise ConfigError(f"request.prompt: has {len(text):,} characters, and at most {limit:,} are taken; shorten it")
    return text


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


def _size(wish: str, image: tuple[int, int] | None, notes: list[str]) -> sizes.Size:
    if wish == "auto":
        if image is None:
            return sizes.snap(832, 480)
        return sizes.snap(*_scaled(image, 832 * 480))
    try:
        width, height = sizes.parse(wish)
    except ValueError as error:
        raise ConfigError(f"request.size: {error}, or auto") from None
    size = sizes.snap(width, height)
    if (width, height) != size[:2]:
        asked = wish if "x" in wish else f"{wish} ({width}x{height})"
        aspect = size.aspect.replace(",", ":")
        notes.append(
            f"Size {asked} was snapped to {size.width}x{size.height}, the nearest that Cosmos3 was trained on "
            f"({size.tier}p, {aspect})."
        )
    return size


def _scaled(image: tuple[int, int], area: int) -> tuple[int, int]:
    factor = (area / (image[0] * image[1])) ** 0.5
    return max(1, round(image[0] * factor)), max(1, round(image[1] * factor))


def _frames(wish: int, size: sizes.Size, notes: list[str]) -> int:
    most = sizes.MAX_FRAMES[size.tier]
    if wish > most:
        raise ConfigError(
            f"request.num_frames: {wish} is over the {most} frames that {size.width}x{size.height} ({size.tier}p) "
            f"allows; ask for at most {most}, or for a smaller request.size"
        )
    frames = sizes.grid(wish)
    if frames != wish:
        notes.append(f"{wish} frames were moved to {frames}: the model's frames come as 4k+1.")
    return frames
