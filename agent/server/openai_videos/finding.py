"""Ids of videos, and a caller's video by its id."""

import secrets
from typing import Final

from agent.server.context import Context
from agent.server.types import Caller, Job, Refused, refused

ENDPOINT: Final = "/v1/videos"


def found(video_id: str, context: Context, caller: Caller) -> Job:
    """A video of the caller's that was asked for in this dialect.

    Raises:
        Refused: 404.
    """
    job = context.desk.find(video_id, caller, "openai")
    if job is None:
        raise none_such(video_id)
    return job


def none_such(video_id: str) -> Refused:
    """The refusal of an id that the caller has no video of."""
    return refused(
        404, "not_found", f"There is no video {video_id[:200]!r} here; it may have expired.", loc=("video_id",)
    )


def new_id() -> str:
    """An id as the clients know them."""
    return f"video_{secrets.token_hex(16)}"
