"""The operations of /v1/runs."""

import asyncio
import json
import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Header, Path, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from agent import report
from agent.run import clip_name
from agent.server.context import base_url, caller_of, context_of
from agent.server.media import media_url
from agent.server.receivers import webhook_of
from agent.server.runs import media, stream
from agent.server.runs.body import EXAMPLE, RunBody
from agent.server.runs.files import listed, sent, with_urls
from agent.server.runs.nouns import Deleted, Files, Runs, RunView
from agent.server.runs.parts import parts_of
from agent.server.runs.problems import known_alone, refusals
from agent.server.runs.view import RUNS, texted, viewed
from agent.server.types import Caller, Dialect, Job, NewJob, Scope, State, refused

router = APIRouter(prefix=RUNS, tags=["runs"])
_KEY: Final = re.compile(r"[!-~]{1,255}")
_READ: Final = refusals(400, 401, 403, 404, 422, 429)
_LISTED: Final = ("states", "dialect", "after", "limit", "order")
_Id = Annotated[str, Path(description="The run's id.", max_length=200)]
_Iteration = Annotated[int, Path(description="Counted from 0.", ge=0, le=10_000)]
_Seed = Annotated[int, Path(description="Of the candidate.", ge=0, le=2**40)]
_Name = Annotated[str, Path(description="As the list of files names it.", max_length=300)]


def _json(facts: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return _sent_json(json.dumps(facts), status, headers)


def _sent_json(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(text, status, {"cache-control": "no-store", **(headers or {})}, "application/json")


def _found(request: Request, id: str, scope: Scope) -> tuple[Job, Caller]:  # noqa: A002 - the path's own word
    caller = caller_of(request, scope)
    job = context_of(request).desk.find(id, caller)
    if job is None:
        raise _unknown()
    return job, caller


def _unknown() -> Exception:
    return refused(404, "not_found", "there is no run of this id: it was removed, or it is another key's", loc=("id",))


@router.post(
    "",
    operation_id="create_run",
    summary="Hand in a run",
    status_code=201,
    response_model=RunView,
    responses=refusals(400, 401, 403, 413, 422, 429, 503),
    response_description="It is on disk: its id answers after any restart. `Location` is its address.",
)
async def create(
    request: Request,
    body: Annotated[RunBody, Body(openapi_examples={"small": {"summary": "A small run", "value": EXAMPLE}})],
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Up to 255 visible ASCII characters. The same key of the same caller gives the same run again, "
            "so that a request whose answer was lost can be sent twice."
        ),
    ] = None,
) -> Response:
    """Take a run: the loop writes a prompt, renders candidates, judges them, rewrites, and chooses."""
    caller = caller_of(request, "run")
    context = context_of(request)
    rules = context.served.server
    wished = body.request(rules)
    if body.priority > 0 and "admin" not in caller.scopes:
        raise refused(403, "forbidden", "priority: above 0 needs a key with the scope admin", loc=("priority",))
    if idempotency_key is not None and _KEY.fullmatch(idempotency_key) is None:
        raise refused(
            422, "value_error", "Idempotency-Key: 1 to 255 visible ASCII characters", loc=("header", "idempotency-key")
        )
    wished, inline = await media.brought(body, wished, caller, context)
    job = await context.desk.submit(
        NewJob(
            dialect="runs",
            endpoint=RUNS,
            request=wished,
            base_url=base_url(request),
            inputs=inline,
            priority=body.priority,
            start_within=body.start_within_seconds,
            keep_seconds=body.keep_seconds,
            idempotency_key=idempotency_key,
            webhook=None if body.webhook is None else webhook_of(body.webhook, rules.webhooks, field="webhook"),
        ),
        caller,
    )
    facts = viewed(job, request)
    return _json(facts, 201, {"location": facts["urls"]["self"]})


@router.get(
    "", operation_id="list_runs", summary="List runs", response_model=Runs, responses=refusals(400, 401, 403, 422, 429)
)
async def list_runs(
    request: Request,
    states: Annotated[list[State] | None, Query(description="Only runs in one of these. Left out: all.")] = None,
    dialect: Annotated[Dialect | None, Query(description="Only runs that came in these words. Left out: all.")] = None,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Runs in one part.")] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="By time of submission.")] = "desc",
) -> Response:
    """The caller's runs, of all dialects, newest first; an admin's list has everybody's."""
    caller = caller_of(request, "read")
    known_alone(request, _LISTED)
    desk = context_of(request).desk
    page = desk.list(caller, dialect=dialect, states=states or (), after=after, limit=limit, ascending=order == "asc")
    data = ", ".join(texted(job, request) for job in page.jobs)
    following = page.jobs[-1].id if page.jobs and page.more else None
    rest = json.dumps({"has_more": page.more, "next": following})
    return _sent_json(f'{{"object": "list", "data": [{data}], {rest[1:]}')


@router.get("/{id}", operation_id="get_run", summary="Look at a run", response_model=RunView, responses=_READ)
async def get(id: _Id, request: Request) -> Response:  # noqa: A002 - the path's own word
    """A run as it stands: state, place in the queue, progress, and once it is over what came of it."""
    job, _ = _found(request, id, "read")
    return _json(viewed(job, request))


@router.post(
    "/{id}/cancel", operation_id="cancel_run", summary="Cancel a run", response_model=RunView,
    responses={**_READ, 202: {"model": RunView, "description": "It runs, and was asked to stop."}},
)  # fmt: skip
async def cancel(id: _Id, request: Request) -> Response:  # noqa: A002
    """Take a run back. One that waits is cancelled at once; one that runs ends as soon as its backend lets it, and what
    was done is kept; one that is over stays as it is."""  # noqa: D205, D209
    job, caller = _found(request, id, "run")
    desk = context_of(request).desk
    became = await desk.cancel(id, caller)
    if became == "unknown":
        raise _unknown()
    now = desk.find(id, caller) or job
    return _json(viewed(now, request), 202 if became == "requested" else 200)


@router.delete(
    "/{id}", operation_id="delete_run", summary="Remove a run", response_model=Deleted,
    responses={**_READ, 202: {"model": Deleted, "description": "It runs: it was asked to stop, and is removed then."}},
)  # fmt: skip
async def delete(id: _Id, request: Request) -> Response:  # noqa: A002
    """Take a run back and remove all that is kept of it: its files, addresses and entry."""
    _, caller = _found(request, id, "run")
    became = await context_of(request).desk.delete(id, caller)
    if became == "unknown":
        raise _unknown()
    gone = became != "requested"
    return _json({"id": id, "object": "run.deleted", "deleted": gone}, 200 if gone else 202)


_STREAM: Final = {
    "description": "Server-sent events: `state` with the run's view at first; then what the run announces, each with "
    "its type as `event`, its number as `id` and its JSON as `data`; at last `end` with the run's view.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "description": "One event.",
                "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
                "required": ["event", "data"],
            },
            "example": 'id: 3\nevent: caption_started\ndata: {"at":"2026-11-21T12:00:00Z","type":"caption_started",'
            '"iteration":0}\n\n',
        }
    },
}


@router.get(
    "/{id}/events", operation_id="follow_run", summary="Follow a run", response_class=StreamingResponse,
    responses={**_READ, 200: _STREAM},
)  # fmt: skip
async def events(
    id: _Id,  # noqa: A002
    request: Request,
    after: Annotated[int, Query(ge=0, le=10**15, description="Number of the last event that you have.")] = 0,
    last_event_id: Annotated[
        str | None, Header(description="The same, as browsers send it when they connect again; it goes first.")
    ] = None,
) -> Response:
    """What a run announces, as it happens. A client that was cut off gives the last number it has and misses nothing,
    also where the server was started anew; a comment is sent every 15 s."""  # noqa: D205, D209
    del last_event_id
    job, caller = _found(request, id, "read")
    start = stream.resumed_after(request, after)
    told = context_of(request).streams.opened(caller, stream.stream(request, job, caller, start))
    return StreamingResponse(told, media_type="text/event-stream", headers=stream.HEADERS)


@router.get(
    "/{id}/run", operation_id="get_run_json", summary="All of a run",
    responses={**_READ, 200: {"content": {"application/json": {"schema": {"type": "object"}}},
                              "description": "The whole Run as its run.json has it, without backends' addresses."}},
)  # fmt: skip
async def whole(id: _Id, request: Request) -> Response:  # noqa: A002
    """Every caption, candidate, score, critique and figure of a run."""
    return await _sent(id, "run.json", request)


@router.get(
    "/{id}/files", operation_id="list_run_files", summary="Files of a run", response_model=Files, responses=_READ
)
async def files(id: _Id, request: Request) -> Response:  # noqa: A002
    """The files that a client may have, with their sizes and SHA-256: clips, video, report, first frame, run.json."""
    job, _ = _found(request, id, "read")
    folder = context_of(request).desk.folder(job).resolve()
    found = await asyncio.to_thread(listed, folder, parts_of(request).veil)
    return _json({"object": "list", "data": with_urls(found, f"{base_url(request)}{RUNS}/{job.id}")})


_FILE: Final = {
    **_READ,
    **refusals(416),
    200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The whole file."},
    206: {"description": "The range of it that was asked for."},
}


@router.get("/{id}/files/{path:path}", operation_id="get_run_file", summary="A file of a run", responses=_FILE)
@router.head("/{id}/files/{path:path}", include_in_schema=False)
async def file(id: _Id, path: _Name, request: Request) -> Response:  # noqa: A002
    """A file as the list names it; ranges of it by `Range`."""
    return await _sent(id, path, request)


@router.get(
    "/{id}/clips/{iteration}/{seed}", operation_id="get_run_clip", summary="A candidate's clip", responses=_FILE
)
@router.head("/{id}/clips/{iteration}/{seed}", include_in_schema=False)
async def clip(id: _Id, iteration: _Iteration, seed: _Seed, request: Request) -> Response:  # noqa: A002
    """The clip of a seed, by its iteration counted from 0; ranges of it by `Range`."""
    return await _sent(id, f"clips/{clip_name(iteration, seed)}", request)


async def _sent(id: str, name: str, request: Request) -> Response:  # noqa: A002
    job, _ = _found(request, id, "read")
    return await sent(context_of(request).desk.folder(job), name, parts_of(request).veil)


@router.get(
    "/{id}/report", operation_id="get_run_report", summary="The report of a run", status_code=307,
    response_class=RedirectResponse, responses=_READ,
    response_description="Where the page lies, with its clips: an address that needs no key, for a browser.",
)  # fmt: skip
async def page(id: _Id, request: Request) -> Response:  # noqa: A002
    """The page that shows a run: its clips, scores, prompts and what it cost."""
    job, _ = _found(request, id, "read")
    if not (context_of(request).desk.folder(job) / report.NAME).is_file():
        raise refused(404, "not_found", "this run has no report yet")
    return RedirectResponse(media_url(base_url(request), job, report.NAME), 307)
