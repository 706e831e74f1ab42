"""Asking after a request of the queue: its state, its log as it grows, its result, and taking it back.

A hundred clients poll ten times a second: these handlers read from memory and answer bytes.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent.server.answers import answer
from agent.server.context import caller_of, context_of
from agent.server.desk import Cancelled, Desk
from agent.server.fal.answers import ERROR_TYPE, REQUEST_ID, app_of, outcome, status
from agent.server.fal.taking import media_base, queue_base
from agent.server.types import Caller, Job, Problem, Scope

router = APIRouter(tags=["fal"])

APP: Final = "/fal/queue/{owner}/{alias}/requests/{request_id}"
ENDPOINT: Final = "/fal/queue/{owner}/{alias}/{path}/requests/{request_id}"
"""fal's clients leave out what follows the alias; people do not."""
QUIET_SECONDS: Final = 5.0
"""A stream says at least so often that it is still there, and where in the queue its request stands."""
AGAIN_SECONDS: Final = 60.0
"""After its answer that a video with sync_mode can be fetched once more: the connection may have broken."""
_REMOVING: Final[set[asyncio.Future[Cancelled]]] = set()
CANCELS: Final[dict[Cancelled, tuple[int, str]]] = {
    "removed": (200, "OK"),
    "requested": (202, "CANCELLATION_REQUESTED"),
    "over": (400, "ALREADY_COMPLETED"),
    "unknown": (404, "NOT_FOUND"),
}
EARLY: Final = Problem(status=400, type="bad_request", message="Request is still in progress")
UNKNOWN: Final = "Request not found"
NOT_FOUND: Final = {"status": "NOT_FOUND", "detail": UNKNOWN, "error_type": "not_found", "message": UNKNOWN}
_PATH: Final = [
    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name in ("owner", "alias", "request_id")
]
_LOGS: Final = {
    "name": "logs",
    "in": "query",
    "schema": {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"},
    "description": "Whether the log is wanted.",
}
_ASKED: Final[dict[str, Any]] = {"parameters": _PATH}
_ASKED_LOGS: Final[dict[str, Any]] = {"parameters": [*_PATH, _LOGS]}


@router.get(APP + "/status", summary="State of a request", openapi_extra=_ASKED_LOGS)
@router.get(ENDPOINT + "/status", include_in_schema=False)
async def state(request: Request) -> Response:
    """202 as long as it waits or runs, 200 once it is over. There is no failed state: `error` says it."""
    job = _asked_for(request, "read")
    if job is None:
        return _not_found()
    desk = context_of(request).desk
    told = status(job, desk.position(job), desk.logs(job) if _wants_logs(request) else [], queue_base(request))
    return Response(json.dumps(told), 202 if job.live else 200, {REQUEST_ID: job.id}, media_type="application/json")


@router.get(APP + "/status/stream", summary="State of a request, as it changes", openapi_extra=_ASKED_LOGS)
@router.get(ENDPOINT + "/status/stream", include_in_schema=False)
async def stream(request: Request) -> Response:
    """Server-sent events with the state; each has the log lines that are new. It ends when the request is over."""
    job = _asked_for(request, "read")
    if job is None:
        return _not_found()
    context = context_of(request)
    changes = _changes(context.desk, job, queue_base(request), with_logs=_wants_logs(request))
    return StreamingResponse(
        context.streams.opened(caller_of(request, "read"), changes),
        headers={REQUEST_ID: job.id, "cache-control": "no-store", "x-accel-buffering": "no"},
        media_type="text/event-stream",
    )


@router.get(APP, summary="Result of a request", openapi_extra=_ASKED)
@router.get(APP + "/response", include_in_schema=False)
@router.get(ENDPOINT, include_in_schema=False)
@router.get(ENDPOINT + "/response", include_in_schema=False)
async def result(request: Request) -> Response:
    """The model's output, or the error that the request failed with. Before its end: 400."""
    job = _asked_for(request, "read")
    if job is None:
        return _not_found()
    if job.live:
        response = answer(request.scope, EARLY)
        response.headers[REQUEST_ID] = job.id
        return response
    return await answered(request, job)


@router.put(APP + "/cancel", summary="Cancel a request", openapi_extra=_ASKED)
@router.put(ENDPOINT + "/cancel", include_in_schema=False)
async def cancel(request: Request) -> Response:
    """200: it was taken out of the queue. 202: it runs, and was asked to stop. 400: it was over. 404: there is none."""
    job = _asked_for(request, "run")
    how: Cancelled = "unknown"
    headers: dict[str, str] = {}
    if job is not None:
        how, headers = await context_of(request).desk.cancel(job.id, caller_of(request, "run")), {REQUEST_ID: job.id}
    code, word = CANCELS[how]
    return JSONResponse({"status": word}, code, headers)


async def answered(request: Request, job: Job) -> Response:
    """The answer to a request that is over. One with sync_mode is removed soon after."""
    desk = context_of(request).desk
    code, body, headers = await asyncio.to_thread(outcome, job, media_base(request), desk.folder(job))
    if job.ephemeral:
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, _remove, desk, job)
    return JSONResponse(body, code, headers)


def _remove(desk: Desk, job: Job) -> None:
    task = asyncio.ensure_future(desk.delete(job.id, Caller(owner=job.owner)))
    _REMOVING.add(task)
    task.add_done_callback(_REMOVING.discard)


def _not_found() -> Response:
    return JSONResponse(NOT_FOUND, 404, {ERROR_TYPE: NOT_FOUND["error_type"]})


def _asked_for(request: Request, scope: Scope) -> Job | None:
    """The request that the path names, of the app that it names."""
    caller = caller_of(request, scope)
    at = request.path_params
    job = context_of(request).desk.find(at["request_id"], caller, "fal")
    if job is None:
        return None
    app = f"{at['owner']}/{at['alias']}"
    whole = f"{app}/{at['path']}" if "path" in at else None
    return job if app == app_of(job.endpoint) and whole in {None, job.endpoint} else None


def _wants_logs(request: Request) -> bool:
    """Python says true and false, JavaScript 1 and 0."""
    return request.query_params.get("logs", "0").lower() in {"1", "true"}


async def _changes(desk: Desk, job: Job, queue: str, *, with_logs: bool) -> AsyncGenerator[str, None]:
    lines = 0
    before: object = None
    while True:
        position = desk.position(job)
        new = desk.logs(job, lines) if with_logs else []
        lines += len(new)
        if (job.state, position) != before or new:
            before = (job.state, position)
            yield f"data: {json.dumps(status(job, position, new, queue))}\n\n"
        else:
            yield ": still there\n\n"
        if not job.live or desk.parting:
            return
        # a log that nobody wants wakes nobody
        job = await desk.changed(job, lines=lines if with_logs else sys.maxsize, timeout=QUIET_SECONDS)
