"""A file as an answer over HTTP: its type, ranges of it, and headers that keep it harmless."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

MEDIA: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
"""What is sent as itself. Anything else is bytes, which no browser runs."""
BYTES: Final = "application/octet-stream"
REPORT_HEADERS: Final = {
    "content-security-policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "cross-origin",
}
"""A report came with its run and may hold anything: it is shown in an origin of its own, where it can load pictures and
clips and nothing else, and is nobody to this server. Its own parts are then another origin's."""


def file_response(path: Path, headers: Mapping[str, str] | None = None, kind: str | None = None) -> Response | None:
    """A file, whole or the ranges that are asked for; None if it cannot be read.

    Args:
        path: checked before; see `agent.files.inside`.
        headers: beside those of the file itself.
        kind: its type; None: by its name.
    """
    try:
        path.open("rb").close()
        told = path.stat()
    except OSError:
        return None
    kind = kind or MEDIA.get(path.suffix.lower(), BYTES)
    return _File(path, headers=dict(headers or {}), media_type=kind, stat_result=told)


class _File(FileResponse):
    """Also says "not modified", which saves players and pages that come back a download.

    A range beyond the file's end is the application's to tell, in its own words.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        asked = headers.get("if-none-match", "")
        if scope["method"] in {"GET", "HEAD"} and matches(asked, self.headers["etag"]):
            kept = {name: value for name, value in self.headers.items() if name not in _OF_A_BODY}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        if not _understood(headers.get("range", "")):  # RFC 9110, 14.2: passed over
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _BEYOND:
                size = Headers(raw=message["headers"])["content-range"]
                raise HTTPException(_BEYOND, "the file has no such range", {"content-range": size})
            await send(message)

        await super().__call__(scope, receive, sent)


_BEYOND: Final = 416
_RANGE: Final = re.compile(r"\s*(?:([0-9]{1,18})-([0-9]{0,18})|-[0-9]{1,18})\s*")


def _understood(asked: str) -> bool:
    """Whether a Range header asks for bytes, in ranges that do not end before they begin."""
    unit, _, ranges = asked.strip().partition("=")
    found = [_RANGE.fullmatch(one) for one in ranges.split(",")]
    return unit.strip().lower() == "bytes" and all(
        one is not None and (not one[2] or int(one[1]) <= int(one[2])) for one in found
    )


_OF_A_BODY: Final = {"content-length", "content-type", "accept-ranges"}


def matches(asked: str, etag: str) -> bool:
    """Whether an If-None-Match names what there is: compared weakly, as RFC 9110, 13.1.2, has it."""
    return any(one.strip().removeprefix("W/") in {etag, "*"} for one in asked.split(",") if one.strip())
