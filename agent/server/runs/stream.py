"""A run's events as server-sent events (WHATWG HTML, 9.2), numbered by their lines in events.jsonl."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from starlette.requests import Request

from agent.server.context import context_of
from agent.server.runs.parts import parts_of
from agent.server.runs.view import viewed
from agent.server.runs.wording import message
from agent.server.types import Caller, Job, refused

KEEP_ALIVE: Final = 15.0
"""Seconds without a word after which a comment is sent, so that nobody on the way takes the stream for dead."""
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Of a stream: proxies must neither keep it nor hold it back."""
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def resumed_after(request: Request, after: int) -> int:
    """The number of the last event that a client has: its Last-Event-ID, else `after`.

    Raises:
        Refused: it is no number.
    """
    told = request.headers.get("last-event-id", "").strip()
    if not told:
        return after
    if _NUMBER.fullmatch(told) is None:
        raise refused(422, "value_error", "Last-Event-ID: must be the number of an event", loc=("last-event-id",))
    return int(told)


async def stream(request: Request, job: Job, caller: Caller, after: int) -> AsyncGenerator[bytes, None]:
    """The events of a job from number `after` + 1 on, and `end` with the view of the run once it is over.

    Where the server stops before that, the stream ends without `end`, and the client asks again.

    Args:
        request: that it answers.
        job: whose.
        caller: whose view the last event is.
        after: number of the last event that the client has.
    """
    desk, wording = context_of(request).desk, parts_of(request).wording
    yield message("state", viewed(job, request))
    events = desk.events(job, after=after)
    upcoming: asyncio.Future[tuple[int, str]] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([upcoming], timeout=KEEP_ALIVE)
            if not done:
                now = desk.find(job.id, caller)
                waits = now is not None and now.state == "queued"
                yield message("state", viewed(now, request)) if now and waits else b": still here\n\n"
                continue
            try:
                number, text = upcoming.result()
            except StopAsyncIteration:
                break
            upcoming = None
            if (told := wording.event(number, text)) is not None:
                yield told
    finally:
        if upcoming is not None:
            upcoming.cancel()
            with suppress(BaseException):
                await upcoming
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
    last = desk.find(job.id, caller)
    if last is not None and not last.live:
        yield message("end", viewed(last, request))
