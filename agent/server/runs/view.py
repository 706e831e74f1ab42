"""A job as our own API tells it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request

from agent.server.agentic import agentic
from agent.server.context import base_url, context_of
from agent.server.media import media_url
from agent.server.readiness import Lack
from agent.server.runs.parts import parts_of
from agent.server.runs.progress import Standing
from agent.server.types import Job

RUNS = "/v1/runs"


def view(job: Job, standing: Standing, position: int, base: str, lacks: Sequence[Lack] = ()) -> dict[str, Any]:
    """The job as `RunView` documents it, as plain JSON: polled too often to be validated.

    Args:
        job: as the desk has it.
        standing: its progress and cost.
        position: how many jobs start before it.
        base: scheme, host and root that the client reached us by.
        lacks: what its model misses.
    """
    progress, cost = standing
    its = f"{base}{RUNS}/{job.id}"
    return {
        "id": job.id,
        "object": "run",
        "state": job.state,
        "cancelling": job.cancelling,
        "position": position if job.state == "queued" else None,
        "waits_for": _waits(lacks) if job.state == "queued" else None,
        "dialect": job.dialect,
        "endpoint": job.endpoint,
        "model": job.request.model,
        "request": job.request.model_dump(mode="json"),
        "priority": job.priority,
        "progress": progress,
        "result": None if job.result is None else _result(job, base),
        "problem": None if job.problem is None else job.problem.model_dump(mode="json"),
        "cost": cost,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at and job.started_at.isoformat(),
        "ended_at": job.ended_at and job.ended_at.isoformat(),
        "keep_until": job.keep_until and job.keep_until.isoformat(),
        "urls": {
            "self": its,
            "events": f"{its}/events",
            "run": f"{its}/run",
            "files": f"{its}/files",
            "report": f"{its}/report",
            "cancel": f"{its}/cancel",
        },
    }


def viewed(job: Job, request: Request) -> dict[str, Any]:
    """The job as it stands, its addresses those that this request came by."""
    context = context_of(request)
    standing = parts_of(request).standings.of(job, context.desk)
    position = context.desk.position(job) if job.state == "queued" else 0
    lacks = context.readiness.known().get(job.request.model, ())
    return view(job, standing, position, base_url(request), lacks)


def texted(job: Job, request: Request) -> str:
    """`viewed` as JSON, for lists."""
    return parts_of(request).texts.of(job, base_url(request), partial(viewed, job, request))


def _waits(lacks: Sequence[Lack]) -> str | None:
    """What has to come back before it is begun, without addresses."""
    return "; ".join(f"the {lack.part} {lack.what}" for lack in lacks) or None


def _result(job: Job, base: str) -> dict[str, Any]:
    """What came of a job that has a result."""
    video = None if job.result is None else job.result.video
    told = None
    if video is not None:
        facts = video.model_dump(mode="json")
        told = {"url": media_url(base, job, facts.pop("file")), **facts}
    return {"video": told, **agentic(job, base)}
