"""What `/v1/infer` answers: read with a limit, and the video taken out of it."""

import base64
import binascii
import json
from typing import NamedTuple

import httpx

from generator.nim.failures import words
from generator.types import RenderError

LARGEST_VIDEO = 256 * 2**20
"""Bytes of a clip: ten times what 397 frames of the largest size take at high quality."""
_AROUND = 2**20
"""Bytes of an answer beside the video."""
LARGEST_ERROR = 65_536


class Reply(NamedTuple):
    """A finished render."""

    video: bytes
    """MP4; VP9 or H.264."""
    notes: tuple[str, ...]


async def read(response: httpx.Response, largest: int) -> bytes:
    """The body of an answer.

    Args:
        response: streamed.
        largest: bytes of video that are taken. Of an error only the beginning is kept.

    Raises:
        RenderError: the answer is larger.
    """
    good = response.status_code == 200
    most = largest * 4 // 3 + _AROUND if good else LARGEST_ERROR
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > most:
            if not good:
                break
            raise RenderError(
                f"The NIM answered with more than {most} bytes, a clip was expected to have at most {largest}. "
                "Ask for fewer frames, or look into the server's log."
            )
    return bytes(content[:most])


def video(content: bytes, seed: int, key: str | None = None) -> Reply:
    """The video of an answer, and what else it says.

    Args:
        content: of the answer.
        seed: that was asked for.
        key: never to appear in a message.

    Raises:
        RenderError: there is none; names what came instead.
    """
    try:
        found = json.loads(content)
    except ValueError as error:
        start = " ".join(content[:LARGEST_ERROR].decode(errors="replace").split())
        start = (start.replace(key, "***") if key else start)[:80]
        raise _useless(f"{len(content)} bytes that are no JSON, beginning {start!r}") from error
    if not isinstance(found, dict):
        raise _useless(f"a JSON {type(found).__name__} instead of an object")
    text = found.get("b64_video")
    if not isinstance(text, str) or not text.strip():
        kind = "an empty text" if isinstance(text, str) else f"{type(text).__name__}"
        said = f", and says: {words(content, key)}" if "error" in found or "detail" in found else ""
        names = ", ".join(sorted(str(name) for name in found)[:10]) or "none"
        raise _useless(f"b64_video {kind if 'b64_video' in found else 'missing'} (fields: {names}){said}")
    try:
        data = base64.b64decode("".join(_bare(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _useless(f"a b64_video of {len(text)} characters that is no base64 ({error})") from error
    return Reply(data, tuple(_notes(found, seed)))


def _bare(text: str) -> str:
    head, comma, rest = text[:200].partition(",")
    return text[len(head) + 1 :] if comma and head.strip().startswith("data:") and rest else text


def _notes(found: dict[str, object], seed: int) -> list[str]:
    notes = []
    rewritten = found.get("upsampled_prompt")
    if isinstance(rewritten, str) and rewritten.strip():
        notes.append(f"The NIM rewrote the prompt and rendered this one: {rewritten}")
    said = found.get("seed")
    if said is not None and said != seed:
        notes.append(f"The NIM says that it rendered with seed {said}, not {seed}.")
    return notes


def _useless(came: str) -> RenderError:
    return RenderError(f"The NIM answered 200 without a video: {came}. Look into the server's log.")
