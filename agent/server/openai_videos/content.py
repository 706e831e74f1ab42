"""`GET /v1/videos/{id}/content`: the file, its thumbnail, its spritesheet; and what this dialect does not do."""

import asyncio
from pathlib import Path
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from agent.sending import file_response
from agent.server.context import caller_of, context_of
from agent.server.media import FILE_HEADERS, media_file
from agent.server.openai_videos import documents
from agent.server.openai_videos.finding import ENDPOINT, found
from agent.server.openai_videos.stills import Sheet, Variant, layout, still
from agent.server.types import Job, Video, refused
from critic.types import JudgeError

router = APIRouter()
_AT_ONCE: Final = 2
"""Stills made at the same time: each decodes a video."""
_making = asyncio.Semaphore(_AT_ONCE)
_locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
"""By run folder: who asks meanwhile waits for the same still, and takes none of the places."""
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("video/mp4", "video/webm", "video/quicktime", "image/gif", "image/webp", "image/jpeg")
        },
    },
    206: {"description": "A part of it."},
    304: {"description": "It is as the client has it."},
    416: {"description": "It has no such part."},
    **documents.refusals(),
}
_SUFFIXES: Final = {"video/mp4": "mp4", "video/webm": "webm", "video/quicktime": "mov", "image/gif": "gif"}


def ready(job: Job) -> Video:
    """The video of a job that is done.

    Raises:
        Refused: it is not done yet, or there is none.
    """
    if job.live:
        raise refused(
            400,
            "video_not_ready",
            f"The video is {'queued' if job.state == 'queued' else 'in progress'}; ask GET {ENDPOINT}/{job.id} "
            "until its status is completed.",
            loc=("video_id",),
        )
    video = job.result.video if job.result is not None else None
    if job.state != "completed" or video is None:
        why = job.problem.message if job.problem is not None else "it was cancelled"
        raise refused(400, "video_failed", f"There is no video: {why}", loc=("video_id",))
    return video


@router.get(ENDPOINT + "/{video_id}/content", response_class=Response, responses=_ANSWERS)
@router.head(ENDPOINT + "/{video_id}/content", response_class=Response, include_in_schema=False)
async def content(
    video_id: str, request: Request, variant: Literal["video", "thumbnail", "spritesheet"] = Query("video")
) -> Response:
    """The file of a video (ranges are answered with 206), its middle frame (WebP), or frames of it on a sheet (JPEG).

    A sheet's headers tell its layout: row by row, from left to right, in the order of time.
    """
    context, caller = context_of(request), caller_of(request, "read")
    job = found(video_id, context, caller)
    video = ready(job)
    path = media_file(context, job.media_key, video.file)
    headers, suffix = dict(FILE_HEADERS), _SUFFIXES.get(video.content_type, "bin")
    if path is not None and variant != "video":
        sheet = layout(video.num_frames, video.width, video.height)
        path = await _still(path, context.desk.folder(job), variant, sheet)
        suffix = "webp" if variant == "thumbnail" else "jpg"
        if variant == "spritesheet":
            headers |= {f"x-spritesheet-{name}": str(value) for name, value in sheet._asdict().items()}
    name = job.id if variant == "video" else f"{job.id}-{variant}"
    headers["content-disposition"] = f'inline; filename="{name}.{suffix}"'
    response = None if path is None else file_response(path, headers)
    if response is None:
        raise refused(404, "video_expired", "The video's file is not kept any more.", loc=("video_id",))
    return response


async def _still(video: Path, folder: Path, variant: Variant, sheet: Sheet) -> Path | None:
    lock = _locks.setdefault(folder, asyncio.Lock())
    async with lock, _making:
        try:
            return await asyncio.to_thread(still, video, folder, variant, sheet)
        except FileNotFoundError:
            return None  # removed meanwhile
        except JudgeError as error:
            raise refused(
                500, "internal_server_error", f"no {variant} could be made: the video does not decode"
            ) from error


@router.post(ENDPOINT + "/characters", response_class=Response, include_in_schema=False)
@router.get(ENDPOINT + "/characters/{character_id}", response_class=Response, include_in_schema=False)
@router.post(ENDPOINT + "/edits", response_class=Response, include_in_schema=False)
@router.post(ENDPOINT + "/extensions", response_class=Response, include_in_schema=False)
async def not_here(request: Request) -> Response:
    """What OpenAI's API has, and the models behind this server cannot do."""
    caller_of(request, "read")
    what = request.url.path.removeprefix(ENDPOINT + "/").partition("/")[0]
    raise refused(
        501,
        "not_implemented",
        f"{what} are not offered here. To go on from a video, send it as input_reference of POST {ENDPOINT}; to change "
        "its prompt, POST it to /remix.",
    )
