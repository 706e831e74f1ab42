"""Images and videos that requests name: addresses, data URIs, base64, and files that this server has already."""

import asyncio
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from agent.errors import IntakeError
from agent.intake import image_size
from agent.intake.formats import HEAD, check_format, recognise
from agent.intake.rules import IMAGE, VIDEO
from agent.intake.source import base64_bytes, data_uri_bytes, too_large
from agent.server.context import Context
from agent.server.fetching import TYPES, VIDEOS, Kind, problem_of
from agent.server.hosts import SERVICES
from agent.server.media import PREFIX, media_file
from agent.server.types import Caller, Refused, refused
from agent.server.uploads import looks_like_upload, resolved

MAX_URL: Final = 8192
"""Characters of an address."""
_SCHEME: Final = re.compile(r"(?:(https?)://|(data):|([a-z][a-z0-9+.-]{1,20}):)", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{16,}+={0,2}+\s*+", re.ASCII)
"""Possessive: what does not fit is known after one look, however long it is."""


async def media_input(
    text: str, kind: Kind, caller: Caller, context: Context, *, field: str, raw: bool = False
) -> tuple[str | None, bytes | Path | None]:
    """What a client gave as an image or video: (its address, still to be fetched, None), or (None, the thing itself).

    Of an image the header is read, and held to the limits of `agent.intake.image`; no pixel is decoded here. A file of
    this server's own, an upload of the caller's or a job's result, is a path.

    Args:
        text: http(s) address, data URI or, `raw`, base64 alone.
        kind: what it must be.
        caller: whose uploads it may name.
        context: the server's parts.
        field: as the client calls it, for what is told.
        raw: whether base64 without "data:" is taken (NIM).

    Raises:
        Refused: 422, in words that name the field and the cure.
    """
    given = text.strip()
    found = _SCHEME.match(given)
    try:
        if found is not None and found[1]:
            _plain(given, field)
            path = _own(given, caller, context, field)
            if path is None:
                return given, None
            await asyncio.to_thread(_check_file, path, kind, context)
            return None, path
        if found is not None and found[2]:
            return None, await asyncio.to_thread(_of_data_uri, given, kind, context)
        if found is None and raw and _BASE64.fullmatch(given):
            return None, await asyncio.to_thread(_of_base64, given, kind, context)
    except IntakeError as error:
        raise Refused(problem_of(error, kind, field)) from error
    what = f"{found[3].lower()}: addresses are not read" if found and found[3] else "this is no address"
    ways = "an http(s) URL, a data URI" + (" or base64" if raw else "") + ", or the URL of a file uploaded here"
    raise _refused(kind, field, f"{what}; give {ways}" if given else f"it is empty; give {ways}")


def _own(url: str, caller: Caller, context: Context, field: str) -> Path | None:
    """The file behind an address of ours; None: it is somebody else's."""
    parts = urlsplit(url)
    path = resolved(url, caller, context.uploads)
    at = parts.path.find(PREFIX + "/")
    if path is None and at >= 0:
        key, _, name = unquote(parts.path[at + len(PREFIX) + 1 :]).partition("/")
        path = media_file(context, key, name)
    if path is None and looks_like_upload(url) and _is_here(parts.hostname, context):
        raise refused(
            422,
            "file_download_error",
            f"{field}: this upload is not here, or not whole: it has expired, or is another key's; upload it again",
            loc=(field,),
        )
    return path


def _is_here(host: str | None, context: Context) -> bool:
    server = context.served.server
    public = urlsplit(server.public_url or "").hostname
    return host in {"localhost", "127.0.0.1", "::1", public, *server.hosts, *SERVICES} - {None}


def _plain(url: str, field: str) -> None:
    """Refuse an address that cannot be fetched, as far as it alone can tell."""
    if len(url) > MAX_URL:
        why = f"the URL has over {MAX_URL} characters; give a shorter one, or upload the file here"
        raise refused(422, "file_download_error", f"{field}: {why}", loc=(field,))
    try:
        parts = urlsplit(url)
        wrong = "" if parts.hostname and parts.port != 0 else "the URL names no host; write it as https://host/path"
    except ValueError:
        wrong = "the URL is malformed; write it as https://host/path"
    else:
        if parts.username is not None or parts.password is not None:
            wrong = "the URL carries a user name or password, which are not sent; give a public link, or upload it here"
    if any(char.isspace() or not char.isprintable() for char in url):
        wrong = "the URL holds a space or a control character; encode it, such as with %20"
    if wrong:
        raise refused(422, "file_download_error", f"{field}: {wrong}", loc=(field,))


def _of_data_uri(text: str, kind: Kind, context: Context) -> bytes:
    data = data_uri_bytes(text, _most(kind, context), IMAGE if kind == "image" else VIDEO)
    _check(data, kind, "the data URI")
    return data


def _of_base64(text: str, kind: Kind, context: Context) -> bytes:
    wanted, most = IMAGE if kind == "image" else VIDEO, _most(kind, context)
    if len(text) > 2 * most:  # line breaks and all; what is left is measured below
        raise too_large("the base64", most, wanted)
    data = base64_bytes(text.encode(), "the text", wanted)
    if len(data) > most:
        raise too_large("the base64", most, wanted)
    _check(data, kind, "what was sent")
    return data


def _check_file(path: Path, kind: Kind, context: Context) -> None:
    most = _most(kind, context)
    try:
        with path.open("rb") as file:
            data = file.read(most + 1 if kind == "image" else HEAD)
        size = path.stat().st_size
    except OSError as error:
        raise IntakeError(f"request.image: the file was removed here ({error.strerror}); upload it again") from error
    if size > most:
        raise too_large("the file", most, IMAGE if kind == "image" else VIDEO)
    _check(data, kind, "the file")


def _check(data: bytes, kind: Kind, name: str) -> None:
    """What the first bytes and an image's header tell."""
    if kind == "image":
        check_format(data[:HEAD], name)
        image_size(data)
        return
    found = recognise(data[:HEAD]) if data else "empty"
    if found not in VIDEOS:
        raise IntakeError(f"video: {name} is {found}; give an MP4, MOV, WebM or GIF", "format")


def _most(kind: Kind, context: Context) -> int:
    if kind == "image":
        return context.served.base.request.image_fetch.max_bytes
    return context.served.server.limits.max_upload_bytes


def _refused(kind: Kind, field: str, words: str) -> Refused:
    return refused(422, TYPES["unusable"][kind], f"{field}: {words}", loc=(field,))
