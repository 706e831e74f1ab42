"""`input_reference`: the first frame, or a video to go on from, however it was sent."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

from agent.intake.formats import FORMATS, HEAD, recognise
from agent.server import uploads
from agent.server.context import Context
from agent.server.inputs import media_input
from agent.server.openai_videos.forms import Attached
from agent.server.openai_videos.wish import Reference, checked
from agent.server.types import Caller, refused

NAME: Final = "input_reference"
_PICTURES: Final = frozenset(FORMATS.replace(" or ", ", ").split(", "))


@dataclass(frozen=True)
class Media:
    """What a video is made from."""

    image_url: str | None = None
    """Still to be fetched."""
    inputs: dict[str, bytes | Path] = field(default_factory=dict)
    """At hand: image or video."""

    def __bool__(self) -> bool:
        return self.image_url is not None or bool(self.inputs)


async def media_of(value: Any, request: Request, caller: Caller, context: Context) -> Media:
    """The media that a value of `input_reference` stands for: a file's bytes, an address, or {image_url | file_id}.

    Raises:
        Refused: it is nothing of these, no picture or video, too large, or an upload that this caller has not.
    """
    if value is None or value == "":
        return Media()
    if isinstance(value, Attached):
        return Media(inputs={_kind(value.data): value.data})
    where = f"{NAME}.image_url"
    if isinstance(value, dict) and not any(isinstance(part, Attached) for part in value.values()):
        reference = checked(Reference, value, within=(NAME,))
        if reference.file_id is not None:
            return await _uploaded(reference.file_id, request, caller)
        value = reference.image_url
    elif isinstance(value, str):
        where = NAME
    if not isinstance(value, str):
        raise refused(
            400,
            "invalid_type",
            f"Invalid value for {NAME!r}: must be a file, or an object with image_url or file_id.",
            loc=(NAME,),
        )
    url, data = await media_input(value, "image", caller, context, field=where)
    return Media(image_url=url) if data is None else Media(inputs={"image": data})


async def _uploaded(file_id: str, request: Request, caller: Caller) -> Media:
    """An upload of the caller's by its id, or by its address."""
    address = file_id if "/" in file_id else f"/uploads/{file_id}/file"
    found = uploads.resolve(address, caller, request)
    if found is None:
        raise refused(
            400,
            "file_not_found",
            f"Invalid value for '{NAME}.file_id': no file of yours has this id here; it may have expired.",
            loc=(NAME, "file_id"),
        )
    with found.open("rb") as file:
        return Media(inputs={_kind(file.read(HEAD)): found})


def _kind(head: bytes) -> str:
    """What a file is, by its own bytes: clients declare application/octet-stream.

    Raises:
        Refused: neither a picture nor a video.
    """
    if not head:
        raise refused(400, "empty_file", f"Invalid value for {NAME!r}: the file is empty.", loc=(NAME,))
    found = recognise(head[:HEAD])
    if found in _PICTURES:
        return "image"
    if found == "a video":
        return "video"
    raise refused(
        400,
        "unsupported_image_format",
        f"Invalid value for {NAME!r}: the file is {found}; give a {FORMATS} file, or a video to go on from.",
        loc=(NAME,),
    )
