"""Addresses of a run's files: who has one may see it, as players and pages send no key.

What is sent: the video with its poster and thumbnail, the candidates' clips, the first frame, images that a job made,
and the report without its config and its backends' addresses. What is not: run.json and events.jsonl (they name
endpoints, the server's jobs and its folders; `/v1/runs` tells what of them is a client's), config.yaml, memory, slips
and locks. Everything that is not sent looks alike, whether it is there or not.
"""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from agent import report
from agent.files import inside
from agent.report.shared import without_config
from agent.sending import REPORT_HEADERS, file_response, matches
from agent.server.config import Served
from agent.server.context import Context, context_of
from agent.server.scrub import Scrub
from agent.server.types import Job, refused

PREFIX: Final = "/media"
SENT: Final = re.compile(
    r"(?:video|image|poster|thumbnail)(?:-[0-9]{1,3})?\.[a-z0-9]{2,5}|first_frame\.png|report\.html"
    r"|(?:clips|posters|images)/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(?:mp4|webm|mov|mkv|gif|png|jpe?g|webp)",
    re.ASCII,
)
"""Names within a run's folder. No name that begins with a dot, climbs or is absolute is one of them."""
FILE_HEADERS: Final = {
    # a tab that a file is opened in is a page of the browser's own around it: it may load the file, and run nothing
    "content-security-policy": (
        "sandbox allow-same-origin; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "private, no-cache",
}
"""A page elsewhere may show it, and a browser asks each time whether it is still the same."""

router = APIRouter(tags=["media"])


def media_url(base: str, job: Job, file: str) -> str:
    """Where clients find a file of a job's folder.

    Args:
        base: scheme, host and root as `agent.server.context.base_url` has it, without a dialect's prefix.
        job: whose file it is.
        file: its path within the run's folder, such as clips/01-seed-7.mp4.
    """
    return f"{base.rstrip('/')}{PREFIX}/{job.media_key}/{quote(file)}"


def media_file(context: Context, key: str, name: str) -> Path | None:
    """The file behind a media address; None: there is none, or it may not be seen."""
    job = context.desk.find_by_media_key(key)
    if job is None or SENT.fullmatch(name) is None:
        return None
    folder = context.desk.folder(job).resolve()
    found = inside(folder / name, folder)
    return found if found == folder / name else None  # a link would lead to another file of the run


@router.get(PREFIX + "/{media_key}/{path:path}", response_class=Response)
@router.head(PREFIX + "/{media_key}/{path:path}", response_class=Response, include_in_schema=False)
async def media(media_key: str, path: str, request: Request) -> Response:
    """A file of a job: its video, a candidate's clip, its report. Ranges are answered with 206."""
    context = context_of(request)
    found = media_file(context, media_key, path)
    if found is not None and path == report.NAME:
        return await _report(found, context.served, request)
    response = None if found is None else file_response(found, FILE_HEADERS)
    if response is None:
        raise refused(404, "not_found", "there is no such file: it was removed, or the address is not whole")
    return response


async def _report(path: Path, served: Served, request: Request) -> Response:
    """A run's page, for the eyes of its client."""
    page = await asyncio.to_thread(_page, path, served)
    etag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'
    headers = {**FILE_HEADERS, **REPORT_HEADERS, "etag": etag}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(page, media_type="text/html", headers=headers)


def _page(path: Path, served: Served) -> bytes:
    try:
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refused(404, "not_found", "there is no report, or it cannot be read") from error
    return Scrub(served.models.values(), [served.folder])(without_config(page)).encode()
