"""`input_reference`: the first frame, or a video to go on from, however it was sent."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent.errors import IntakeError
from agent.intake import image_size
from agent.intake.formats import FORMATS, HEAD, recognise
from agent.intake.source import too_large
from agent.server.context import Context
from agent.server.fetching import problem_of
from agent.server.inputs import media_input
from agent.server.openai_videos.forms import Attached
from agent.server.openai_videos.wish import Reference, checked
from agent.server.types import Caller, Refused, refused
from agent.server.uploads import resolved

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


async def media_of(value: Any, caller: Caller, context: Context) -> Media:
    """The media that a value of `input_reference` stands for: a file's bytes, an address, or {image_url | file_id}.

    Raises:
        Refused: it is nothing of these, no picture or video, too large, or an upload that this caller has not.
    """
    if value is None or value == "":
        return Media()
    if isinstance(value, Attached):
        return await asyncio.to_thread(_at_hand, value.data, context)
    where = NAME
    if isinstance(value, dict) and not any(isinstance(part, Attached) for part in value.values()):
        reference = checked(Reference, value, within=(NAME,))
        if reference.file_id is not None:
            return await _uploaded(reference.file_id, caller, context)
        value, where = reference.image_url, f"{NAME}.image_url"
    if not isinstance(value, str):
        raise refused(
            400,
            "invalid_type",
            f"Invalid value for {NAME!r}: must be a file, or an object with image_url or file_id.",
            loc=(NAME,),
        )
    url, data = await media_input(value, "image", caller, context, field=where)
    return Media(image_url=url) if data is None else Media(inputs={"image": data})


async def _uploaded(file_id: str, caller: Caller, context: Context) -> Media:
    """An upload of the caller's by its id, or by its address."""
    found = resolved(file_id if "/" in file_id else f"/uploads/{file_id}/file", caller, context.uploads)
    if found is None:
        raise refused(
            400,
            "file_not_found",
            f"Invalid value for '{NAME}.file_id': no file of yours has this id here; it may have expired.",
            loc=(NAME, "file_id"),
        )
    return await asyncio.to_thread(_at_hand, found, context)


def _at_hand(given: bytes | Path, context: Context) -> Media:
    """A file as what its own bytes say that it is: clients declare application/octet-stream.

    Of a picture the header is read, and held to the limits; no pixel is decoded here.

    Raises:
        Refused: neither a picture nor a video, or outside the limits.
    """
    most = context.served.base.request.image_fetch.max_bytes
    data = given if isinstance(given, bytes) else _read(given, most + 1)
    if not data:
        raise refused(400, "empty_file", f"Invalid value for {NAME!r}: the file is empty.", loc=(NAME,))
    found = recognise(data[:HEAD])
    if found == "a video":
        return Media(inputs={"video": given})
    if found not in _PICTURES:
        raise refused(
            400,
            "unsupported_image_format",
            f"Invalid value for {NAME!r}: the file is {found}; give a {FORMATS} file, or a video to go on from.",
            loc=(NAME,),
        )
    try:
        if len(data) > most:
            raise too_large("the file", most)
        image_size(data)
    except IntakeError as error:
        raise Refused(problem_of(error, "image", NAME)) from error
    return Media(inputs={"image": given})


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        why = f"Invalid value for '{NAME}.file_id': the file was removed here; upload it again."
        raise refused(400, "file_not_found", why, loc=(NAME, "file_id")) from error
