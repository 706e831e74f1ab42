"""The image and videos that a request of our own API brings or names."""

import re
from pathlib import Path
from typing import Final

from agent.server.context import Context
from agent.server.fetching import Kind
from agent.server.inputs import media_input
from agent.server.runs.body import RunBody
from agent.server.types import Caller, ControlWish, RunRequest
from agent.server.uploads import resolved

_UPLOAD: Final = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


async def brought(
    body: RunBody, request: RunRequest, caller: Caller, context: Context
) -> tuple[RunRequest, dict[str, bytes | Path]]:
    """The request with the addresses that are still to be fetched, and the media at hand, by what they are.

    Raises:
        Refused: 422, one of them cannot be used.
    """
    at_hand: dict[str, bytes | Path] = {}

    async def take(text: str, kind: Kind, name: str, field: str) -> str | None:
        url, data = await media_input(_address(text, caller, context), kind, caller, context, field=field)
        if data is not None:
            at_hand[name] = data
        return url

    urls: dict[str, object] = {}
    if body.image is not None:
        urls["image_url"] = await take(body.image, "image", "image", "image")
    if body.video is not None:
        urls["video_url"] = await take(body.video, "video", "video", "video")
    controls = [
        ControlWish(
            kind=control.kind,
            weight=control.weight,
            url=await take(control.video, "video", f"control-{control.kind}", f"controls.{index}.video"),
        )
        for index, control in enumerate(body.controls)
    ]
    return request.model_copy(update={**urls, "controls": tuple(controls)}), at_hand


def _address(text: str, caller: Caller, context: Context) -> str:
    """The id of an upload as its address; anything else as it is."""
    if _UPLOAD.fullmatch(text) is None:
        return text
    address = f"/uploads/{text}/file"
    return f"http://localhost{address}" if resolved(address, caller, context.uploads) is not None else text
