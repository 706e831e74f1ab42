"""Requests that wait for their result: held open for as long as the client is there."""

import asyncio

from starlette.requests import Request

from agent.server.desk import Desk
from agent.server.types import Caller, Job, refused

GONE: int = 499
"""What is answered to a client that is gone: nobody reads it, the access log does."""


async def ended(request: Request, desk: Desk, job: Job, caller: Caller, seconds: float, *, cancel: bool = True) -> Job:
    """The job once it is over.

    Args:
        request: whose body has been read: from now on it only tells that its client is gone.
        desk: where the job was handed in.
        job: it.
        caller: who asked.
        seconds: how long to wait at most.
        cancel: take the job back once nobody waits for it. False: it goes on, and asking for it again finds it.

    Raises:
        Refused: 499 where the client is gone, 504 where the time is up.
    """
    gone = asyncio.create_task(_gone(request))
    over = asyncio.create_task(desk.ended(job))
    try:
        done, _ = await asyncio.wait({gone, over}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if over in done:
            return over.result()
    finally:
        gone.cancel()
        over.cancel()
    # not reached where this server is stopping and cancels its requests: the job goes on at the next start
    if cancel:
        await desk.cancel(job.id, caller)
    if gone in done:
        raise refused(GONE, "client_disconnected", "the client did not wait for the result")
    what = "was cancelled" if cancel else "goes on"
    raise refused(
        504,
        "request_timeout",
        f"the run {job.id} was not done in {seconds:g} s, the longest that this server holds a request open; it {what}",
    )


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def let_go(request: Request) -> None:
    """Hold a request's body no longer: tens of megabytes of each that waits for an hour would fill the memory."""
    for name in ("_body", "_json", "_form"):
        request.__dict__.pop(name, None)
