"""A job as OpenAI's Video object, with what the loop did beside it."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from agent.server.agentic import agentic
from agent.server.config import RetentionConfig
from agent.server.openai_videos.errors import PARAMS, code_of, param_of, type_of
from agent.server.openai_videos.mapping import text
from agent.server.types import Job, State

_STATUS: Final[dict[State, str]] = {
    "queued": "queued",
    "running": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",  # the clients' poll goes on or returns by these four words alone
}
_LONG: Final = ("candidates", "prompts", "prompt")
"""Of `agentic`, what a list leaves out."""


def video_object(
    job: Job, base: str, retention: RetentionConfig, progress: float, *, listed: bool = False
) -> dict[str, Any]:
    """A job as a Video object.

    `seconds` is text: as asked for, where the video is that long to within half a second, else as long as it is. `size`
    is what the video has, or will have. Both stand beside what was asked for in `agentic.requested`.

    Args:
        job: of this dialect.
        base: scheme, host and root of its files' addresses.
        retention: how long files are kept.
        progress: share of the budget's work that is done, in [0, 1].
        listed: one of many: without candidates and prompts.
    """
    video = job.result.video if job.result is not None else None
    wire = job.wire
    told = agentic(job, base)
    told["requested"] = {**told["requested"], **wire.get("requested", {})}  # also while there is no result
    if listed:
        told = {key: value for key, value in told.items() if key not in _LONG}
    return {
        "id": job.id,
        "object": "video",
        "model": job.request.model,
        "status": _STATUS[job.state],
        "progress": 100 if job.state == "completed" else min(99, max(0, int(100 * progress))),
        "created_at": _unix(job.created_at),
        "completed_at": None if job.live else _unix(job.ended_at),
        "expires_at": _unix(_expiry(job, retention)),
        "size": wire.get("size", "auto") if video is None else f"{video.width}x{video.height}",
        "seconds": _seconds(wire, None if video is None else video.duration),
        "prompt": job.request.prompt,
        "remixed_from_video_id": wire.get("remixed_from_video_id"),
        "error": _error(job),
        "agentic": told,
    }


def answer(data: object, headers: dict[str, str] | None = None) -> Response:
    """An answer made of plain data, with no validation on the way: status is asked for a thousand times a second."""
    return Response(json.dumps(data, allow_nan=False), media_type="application/json", headers=headers)


def _seconds(wire: dict[str, Any], duration: float | None) -> str:
    expected = str(wire.get("seconds", "0"))
    if duration is None or abs(float(expected) - duration) < 0.5:
        return expected
    return text(duration)


def _error(job: Job) -> dict[str, str | None] | None:
    if job.state == "cancelled":
        return _told("cancelled", "The video was cancelled before it was done.")
    if job.state != "failed":
        return None
    if job.problem is None:
        return _told("internal_server_error", "The run failed; see the server's log.", 500)
    problem = job.problem.called(PARAMS)
    return _told(code_of(problem.type), problem.message, problem.status, param_of(problem.loc))


def _told(code: str, message: str, status: int = 400, param: str | None = None) -> dict[str, str | None]:
    return {"code": code, "message": message, "param": param, "type": type_of(status)}


def _unix(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _expiry(job: Job, retention: RetentionConfig) -> datetime | None:
    if job.keep_until is not None or job.ended_at is None or retention.days is None:
        return job.keep_until
    return job.ended_at + timedelta(days=retention.days)
