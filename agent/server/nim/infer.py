"""POST /v1/infer: a request that waits for its video."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agent.server import waiting
from agent.server.answers import answer
from agent.server.context import base_url, caller_of, context_of
from agent.server.nim.errors import Envelope, names_of, read
from agent.server.nim.forms import FORMS
from agent.server.nim.reply import answered, said
from agent.server.nim.wish import new_job
from agent.server.openapi import headers, idempotency_key
from agent.server.types import Job, Problem, Refused, refused

router = APIRouter(tags=["NIM"])
LARGE: Final = 2**18
"""Bytes of a body from which it is read in a thread."""
LONGEST_KEY: Final = 200


class Inferred(BaseModel):
    """A rendered video."""

    b64_video: str
    """MP4 in raw base64."""
    action: None = None
    """Of the newer form; always null."""
    upsampled_prompt: str | None = None
    """Where `prompt_upsampling` was asked for."""
    seed: int | None = None
    """Of the older forms."""


def _body() -> dict[str, Any]:
    """The four forms as one schema, with nothing to refer to: FastAPI knows only of bodies that it reads itself."""
    _, found = models_json_schema([(form, "validation") for form in FORMS.values()], ref_template="{model}")
    parts = found["$defs"]

    def whole(schema: Any) -> Any:
        if isinstance(schema, list):
            return [whole(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return whole({**parts[schema["$ref"]], **{name: its for name, its in schema.items() if name != "$ref"}})
        return {name: whole(its) for name, its in schema.items()}

    schema = {"title": "Infer", "anyOf": [whole(parts[form.__name__]) for form in FORMS.values()]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Envelope, "description": words}
    for status, words in {
        400: "The body is no JSON.",
        401: "A key is needed.",
        403: "The key may not do that.",
        413: "The body is too large.",
        422: "A field is wrong, its media cannot be used, or the safety checker refused it.",
        429: "The queue is full.",
        500: "It could not be rendered.",
        503: "The server is stopping, or a backend is away.",
        504: "It took longer than this server holds a request open.",
    }.items()
}
_HEADERS: Final = headers(
    X_Retake_Run_Id="Of the run, also at /v1/runs.",
    X_Retake_Seed="That the video was rendered with.",
    X_Retake_Notes="A JSON list of what was not done quite as asked; left out where there is nothing to say.",
)


@router.post(
    "/v1/infer",
    summary="Render a video and wait for it",
    response_model=Inferred,
    responses={200: _HEADERS, **_ERRORS},
    openapi_extra={**_body(), **idempotency_key(LONGEST_KEY)},
)
async def infer(request: Request) -> Response:
    """Render a video as NVIDIA's NIM does, in either form of the Cosmos3 NIM or those of the older ones.

    Nothing is heard until it is done. A client that goes away takes its run back, unless it gave an
    `Idempotency-Key`: the same key then finds the same run. The header `X-Retake-Run-Id` names the run.
    """
    caller, context = caller_of(request, "run"), context_of(request)
    key = _key(request)
    try:
        body = await request.body()
    except ClientDisconnect:
        return Response(status_code=waiting.GONE)
    form = await asyncio.to_thread(read, body) if len(body) > LARGE else read(body)
    del body
    new = await new_job(form, caller, context, base_url=base_url(request), key=key)
    names = names_of(form)
    del form
    waiting.let_go(request)
    try:
        job = await context.desk.submit(new, caller)
    except Refused as refusal:
        raise Refused(refusal.problem.called(names), refusal.retry_after) from None
    del new
    try:
        seconds = context.served.server.limits.sync_seconds
        job = await waiting.ended(request, context.desk, job, caller, seconds, cancel=key is None)
        if job.state != "completed":
            return _failed(request, job, names)
        return await answered(job, context.desk.folder(job))
    except Refused as refusal:
        response = answer(request.scope, refusal.problem, refusal.retry_after)
        response.headers.update(said(job))
        return response


def _failed(request: Request, job: Job, names: Mapping[str, str]) -> Response:
    otherwise = Problem(status=500, type="internal_server_error", message="the run failed; see the server's log")
    response = answer(request.scope, (job.problem or otherwise).called(names))
    response.headers.update(said(job))
    return response


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise refused(422, "value_error", f"Idempotency-Key: must have 1 to {LONGEST_KEY} characters")
    return key
