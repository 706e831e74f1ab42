"""The routes of `/v1/videos`."""

from typing import Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from agent.server.context import Context, base_url, caller_of, context_of
from agent.server.openai_videos import content, documents, models, remixing
from agent.server.openai_videos.finding import ENDPOINT, found, new_id, none_such
from agent.server.openai_videos.forms import fields_of
from agent.server.openai_videos.mapping import request_of
from agent.server.openai_videos.pace import HEADER, Pace
from agent.server.openai_videos.reference import NAME, media_of
from agent.server.openai_videos.video import answer, video_object
from agent.server.openai_videos.wish import NewVideo, Remix, checked
from agent.server.types import Caller, Job, NewJob, refused

router = APIRouter(tags=["OpenAI"])
router.include_router(content.router)
router.include_router(models.router)
MAX_LIMIT: Final = 100
"""Videos of one list."""
_pace = Pace()


@router.post(
    ENDPOINT,
    response_class=Response,
    responses=documents.answers(documents.VideoObject),
    openapi_extra=documents.body(NewVideo, reference=True),
)
async def create(request: Request) -> Response:
    """Ask for a video. Extra parameters drive the loop; one that is unknown is refused and the likely word told."""
    context, caller = context_of(request), caller_of(request, "run")
    fields = await fields_of(request, context.served.server.limits.max_body_bytes)
    reference = fields.pop(NAME, None)
    wish = checked(NewVideo, fields)
    media = await media_of(reference, caller, context)
    asked, wire = request_of(wish, context.served, with_image=bool(media))
    new = NewJob(
        dialect="openai",
        endpoint=ENDPOINT,
        request=asked.model_copy(update={"image_url": media.image_url}),
        base_url=base_url(request),
        wire=wire,
        inputs=media.inputs,
        idempotency_key=_key(request),
        id=new_id(),
    )
    return _answer(await context.desk.submit(new, caller), request, context, caller)


@router.get(ENDPOINT, response_class=Response, responses=documents.answers(documents.VideoList))
async def videos(
    request: Request,
    after: str | None = Query(None, max_length=200),
    limit: int = Query(20, ge=1, le=MAX_LIMIT),
    order: str = Query("desc", pattern="^(asc|desc)$"),
) -> Response:
    """The caller's videos, a page at a time; `agentic` without candidates and prompts."""
    context, caller = context_of(request), caller_of(request, "read")
    desk, base = context.desk, base_url(request)
    if after is not None and desk.find(after, caller, "openai") is None:
        raise refused(400, "invalid_value", "Invalid value for 'after': there is no such video.", loc=("after",))
    page = desk.list(caller, dialect="openai", after=after, limit=limit, ascending=order == "asc")
    retention = context.served.server.retention
    data = [video_object(job, base, retention, desk.progress(job), listed=True) for job in page.jobs]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return answer({"object": "list", "data": data, **ends, "has_more": page.more})


@router.get(ENDPOINT + "/{video_id}", response_class=Response, responses=documents.answers(documents.VideoObject))
async def retrieve(video_id: str, request: Request) -> Response:
    """A video: how far it is, and once it is done what the loop did for it."""
    context, caller = context_of(request), caller_of(request, "read")
    return _answer(found(video_id, context, caller), request, context, caller)


@router.delete(ENDPOINT + "/{video_id}", response_class=Response, responses=documents.answers(documents.Deleted))
async def delete(video_id: str, request: Request) -> Response:
    """Remove a video and all that is kept of it; one that is not done is cancelled first."""
    context, caller = context_of(request), caller_of(request, "run")
    found(video_id, context, caller)
    if await context.desk.delete(video_id, caller) == "unknown":
        raise none_such(video_id)
    return answer({"id": video_id, "object": "video.deleted", "deleted": True})


@router.post(
    ENDPOINT + "/{video_id}/remix",
    response_class=Response,
    responses=documents.answers(documents.VideoObject),
    openapi_extra=documents.body(Remix),
)
async def remix(video_id: str, request: Request) -> Response:
    """The same settings, first frame and seed with another prompt."""
    context, caller = context_of(request), caller_of(request, "run")
    source = found(video_id, context, caller)
    fields = await fields_of(request, context.served.server.limits.max_body_bytes)
    new = remixing.job_of(checked(Remix, fields), source, context, base_url(request), _key(request))
    return _answer(await context.desk.submit(new, caller), request, context, caller)


def _answer(job: Job, request: Request, context: Context, caller: Caller) -> Response:
    desk = context.desk
    progress = desk.progress(job)
    body = video_object(job, base_url(request), context.served.server.retention, progress)
    return answer(body, {HEADER: str(_pace.after_ms(job, progress, desk, caller))} if job.live else None)


def _key(request: Request) -> str | None:
    """The Idempotency-Key, where the caller sends one. The openai client sends none by itself, not even at a retry."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not (1 <= len(key) <= documents.LONGEST_KEY and key.isascii() and key.isprintable()):
        cure = f"Idempotency-Key: give 1 to {documents.LONGEST_KEY} printable ASCII characters"
        raise refused(400, "invalid_value", cure, loc=("header", "idempotency-key"))
    return key
