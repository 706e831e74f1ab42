"""Taking a request: its input becomes a job."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from agent.server.context import base_url, caller_of, context_of
from agent.server.fal.answers import app_of, renamed
from agent.server.fal.asking import terms
from agent.server.fal.mapping import run_request, sync_mode
from agent.server.fal.models import Input
from agent.server.inputs import media_input
from agent.server.types import Job, NewJob, Refused, refused

QUEUE: Final = "/fal/queue"
EPHEMERAL_SECONDS: Final = 3600.0
"""That a video with sync_mode waits to be fetched."""


def queue_base(request: Request) -> str:
    """Scheme, host and path of the queue, as the client reached it."""
    return base_url(request, QUEUE)


def media_base(request: Request) -> str:
    """Scheme, host and root that media are reached by: the public URL wherever one is set."""
    public = context_of(request).served.server.public_url
    return public.rstrip("/") if public else base_url(request)


async def taken(request: Request, asked: Input, endpoint: str, *, waits: bool = False) -> Job:
    """The job of a request.

    Args:
        request: it; headers and query say how it is to be treated.
        asked: its input.
        endpoint: what was called.
        waits: whether the client waits for the result, and needs no webhook.

    Raises:
        Refused: it is not taken.
    """
    caller = caller_of(request, "run")
    context = context_of(request)
    model = context.served.server.model_named(app_of(endpoint))
    if model is None:
        raise unknown(endpoint)
    told = terms(request)
    wish = run_request(asked, model)
    wish = wish.model_copy(update={"notes": wish.notes + told.notes})
    inputs = {}
    address = getattr(asked, "image_url", None)
    if address is not None:
        url, content = await media_input(address, "image", caller, context, field="image_url")
        wish = wish.model_copy(update={"image_url": url})
        if content is not None:
            inputs["image"] = content
    new = NewJob(
        dialect="fal",
        endpoint=endpoint,
        request=wish,
        base_url=media_base(request),
        inputs=inputs,
        priority=told.priority,
        start_within=told.start_within,
        keep_seconds=EPHEMERAL_SECONDS if sync_mode(asked) else told.keep_seconds,
        idempotency_key=told.idempotency_key,
        webhook=None if waits else told.webhook,
        ephemeral=sync_mode(asked),
    )
    try:
        return await context.desk.submit(new, caller)
    except Refused as error:
        raise Refused(renamed(error.problem, endpoint), error.retry_after) from error


def unknown(app: str, known: Sequence[str] = ()) -> Exception:
    """No such model here; `known` are there."""
    has = ", ".join(known)
    why = f"this server has {has}" if has else "this server has no such model"
    return refused(404, "not_found", f"Application {app[:200]!r} not found: {why}")
