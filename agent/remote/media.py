"""A first frame or video of this machine, brought to a server: in the request where it is small, else before it."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from agent.errors import IntakeError
from agent.intake import FetchRules, take_image
from agent.intake.formats import HEAD, recognise
from agent.reading import is_remote
from agent.remote.answers import read
from agent.remote.server import Link

INLINE: Final = 2 * 2**20
"""Bytes of a file that goes within the request, as a data URI."""
_PIECE: Final = 2**20
_TYPES: Final = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WebP": "image/webp", "AVIF": "image/avif", "GIF": "image/gif",
    "BMP": "image/bmp",
}  # fmt: skip


class _Uploaded(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str


async def image(link: Link, source: str, rules: FetchRules) -> str:
    """What a request names as its first frame.

    Args:
        link: to the server.
        source: a path; or a URL or data URI, which is sent as it is.
        rules: how large it may be.

    Raises:
        IntakeError: the file cannot be used.
        ServingError: the server cannot be reached.
    """
    if is_remote(source):
        return source.strip()
    data = await take_image(source, rules=rules)
    kind = _TYPES.get(recognise(data[:HEAD]), "application/octet-stream")
    if len(data) <= INLINE:
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return await _uploaded(link, Path(source).name, kind, data)


async def video(link: Link, source: str) -> str:
    """What a request names as its video, likewise.

    Raises:
        IntakeError: the file cannot be read, or is no video.
        ServingError: the server cannot be reached.
    """
    if is_remote(source):
        return source.strip()
    path = Path(source).expanduser()
    try:
        if not path.is_file():
            raise IntakeError(f"request.video: {source!r:.80} is no file; give the path of a video")
        with path.open("rb") as file:
            found = recognise(file.read(HEAD))
    except OSError as error:
        raise IntakeError(f"request.video: {source!r:.80} cannot be read ({error.strerror}); check the path") from error
    if found not in {"a video", "GIF"}:
        raise IntakeError(f"request.video: {source!r:.80} is {found}; give the path of a video")
    return await _uploaded(link, path.name, "application/octet-stream", path)


async def _uploaded(link: Link, name: str, kind: str, data: bytes | Path) -> str:
    size = len(data) if isinstance(data, bytes) else await asyncio.to_thread(os.path.getsize, data)
    answer = await link.ask(
        "POST",
        "/v1/uploads",
        params={"name": name},
        content=data if isinstance(data, bytes) else lambda: _pieces(data),
        headers={"content-type": kind, "content-length": str(size)},
    )
    return read(_Uploaded, answer.content, link.server.url).url


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
