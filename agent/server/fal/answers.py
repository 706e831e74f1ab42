"""fal's words for a refusal, the state of a request, and what came of it."""

import base64
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.responses import JSONResponse, Response

from agent.server.answers import Faults, answers_for
from agent.server.fal.models import CUSTOM, PRESET
from agent.server.fal.outputs import COGVIDEOX, output
from agent.server.types import Job, LogLine, Problem

REQUEST_ID: Final = "x-fal-request-id"
ERROR_TYPE: Final = "x-fal-error-type"
TIMEOUT_TYPE: Final = "x-fal-request-timeout-type"
"""With 504: this was not the network, and asking again is of no use."""
NEEDS_RETRY: Final = "x-fal-needs-retry"
STATES: Final = {"queued": "IN_QUEUE", "running": "IN_PROGRESS"}
"""fal's words; whatever is over is COMPLETED, a failure and a cancellation too."""
CANCELLED: Final = Problem(status=499, type="client_cancelled", message="The request was cancelled.")
NOTHING: Final = Problem(status=422, type="no_media_generated", message="No video came of the request.")
MODEL_ERRORS: Final = frozenset(
    {
        "content_policy_violation",
        "no_media_generated",
        "image_too_small",
        "image_too_large",
        "image_load_error",
        "file_download_error",
        "file_too_large",
        "face_detection_error",
        "unsupported_image_format",
        "feature_not_supported",
        "internal_server_error",
        "generation_timeout",
        "downstream_service_error",
        "downstream_service_unavailable",
    }
)
"""Types of errors that a model has and not the queue: told as a list of details, whatever their code."""
NAMES: Final = {
    "image": "image_url",
    "size": "image_size",
    "max_iterations": "agentic_max_iterations",
    "samples_per_iteration": "agentic_samples_per_iteration",
    "early_stop": "agentic_early_stop",
    "format": "video_output_type",
    "quality": "video_quality",
}
"""Fields as everybody's request has them, and as fal's models do."""
PLACES: Final = frozenset({"body", "query", "header", "path"})
NO_OBJECT: Final = "must be a JSON object in UTF-8; send it with the header Content-Type: application/json"
MOST_FAULTS: Final = 32
LONGEST_INPUT: Final = 200
"""Characters of a wrong value that are given back."""


class Outcome(NamedTuple):
    """What a request that is over is answered with."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


@answers_for("/fal")
def put(problem: Problem, faults: Faults) -> Response:
    """A refusal as fal's clients read it."""
    status, body, headers = _told(problem, faults)
    return JSONResponse(body, status, headers)


def outcome(job: Job, base: str, folder: Path) -> Outcome:
    """What came of a request: the model's output, or the error that it failed with.

    Args:
        job: one that is over.
        base: scheme, host and root that its media are reached by.
        folder: the run's; read only for a video that is answered as a data URI.
    """
    known = {REQUEST_ID: job.id}
    problem = failure(job)
    if problem is None and job.result is not None and job.result.video is not None:
        video = job.result.video
        try:
            data = _data_uri(folder / video.file, video.content_type) if job.ephemeral else None
        except OSError:
            problem = Problem(status=404, type="not_found", message="The video was answered once and is not kept.")
        else:
            return Outcome(200, output(job, job.result, video, base, data), known)
    status, body, headers = _told(problem or NOTHING, [])
    return Outcome(status, body, {**headers, **known})


def failure(job: Job) -> Problem | None:
    """Why a request that is over gave nothing; None: it gave something."""
    if job.problem is not None:
        return renamed(job.problem, job.endpoint)
    if job.state == "cancelled":
        return CANCELLED
    return None if job.result is not None and job.result.video is not None else NOTHING


def renamed(problem: Problem, endpoint: str) -> Problem:
    """A problem with a field by the name that the endpoint's model has for it."""
    names = {**NAMES, "size": "video_size"} if endpoint.startswith(COGVIDEOX) else NAMES
    return problem.called(names)


def status(job: Job, position: int, lines: list[LogLine], queue: str) -> dict[str, Any]:
    """The state of a request, with every key that a client looks for.

    Args:
        job: it.
        position: in the queue, from 0.
        lines: of its log, as far as they were asked for.
        queue: scheme, host and path of the queue, as the client reached it.
    """
    told: dict[str, Any] = {"status": STATES.get(job.state, "COMPLETED"), **addresses(job, queue)}
    if job.state == "queued":
        return {**told, "queue_position": position}
    told["logs"] = [
        {"message": line.message, "level": line.level, "source": "USER", "timestamp": line.timestamp} for line in lines
    ]
    if not job.live:
        told["metrics"] = _metrics(job)
        if (problem := failure(job)) is not None:
            told |= {"error": problem.message, "error_type": problem.type}
    return told


def addresses(job: Job, queue: str) -> dict[str, str]:
    """Where a request is asked after: by owner and alias alone, as the clients themselves build it."""
    here = f"{queue}/{app_of(job.endpoint)}/requests/{job.id}"
    return {
        "request_id": job.id,
        "gateway_request_id": job.id,
        "response_url": here,
        "status_url": f"{here}/status",
        "cancel_url": f"{here}/cancel",
    }


def app_of(endpoint: str) -> str:
    """Owner and alias of an endpoint."""
    return "/".join(endpoint.split("/")[:2])


def _metrics(job: Job) -> dict[str, float]:
    if job.started_at is None or job.ended_at is None:
        return {}
    return {"inference_time": round((job.ended_at - job.started_at).total_seconds(), 3)}


def _data_uri(path: Path, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _told(problem: Problem, faults: Faults) -> Outcome:
    """Code, body and headers. `message` is for the JavaScript client, which shows nothing else of the body."""
    kind = problem.type
    headers = {ERROR_TYPE: kind}
    if problem.status == 401:
        return Outcome(
            401, {"detail": "Authentication failed: invalid key credentials", "message": problem.message}, headers
        )
    if problem.status == 504:
        headers[TIMEOUT_TYPE] = "user"
    if problem.status == 429:
        headers[NEEDS_RETRY] = "1"
    if problem.status == 422 or kind in MODEL_ERRORS:
        details = [_detail(fault) for fault in faults[:MOST_FAULTS]] or [_one(problem)]
        message = "; ".join(map(_sentence, details)) if faults else problem.message
        headers[ERROR_TYPE] = details[0]["type"]
        return Outcome(problem.status, {"detail": details, "message": message}, headers)
    message = problem.message
    if faults and faults[0].get("type") == "json_invalid":
        message = f"The body is no JSON: it cannot be read from character {message.partition(':')[0]}"
    return Outcome(problem.status, {"detail": message, "error_type": kind, "message": message}, headers)


def _one(problem: Problem) -> dict[str, Any]:
    loc = problem.loc if problem.loc and problem.loc[0] in PLACES else ("body", *problem.loc)
    told = {"loc": list(loc), "msg": problem.message, "type": problem.type}
    return {**told, "ctx": problem.context} if problem.context else told


def _detail(fault: dict[str, object]) -> dict[str, Any]:
    """One fault as pydantic found it. What came is given back only where it is short and can be written as JSON."""
    loc = fault.get("loc")
    places = [part for part in loc if part not in {PRESET, CUSTOM}] if isinstance(loc, tuple) else ["body"]
    message = fault.get("msg") if len(places) > 1 else NO_OBJECT
    told: dict[str, Any] = {"loc": places, "msg": message, "type": fault.get("type")}
    context = fault.get("ctx")
    if isinstance(context, dict):
        told["ctx"] = {str(key): _plain(value) for key, value in context.items()}
    given = fault.get("input")
    if given is None or isinstance(given, bool | int | float | str):
        told["input"] = _plain(given)
    return told


def _sentence(detail: dict[str, Any]) -> str:
    return f"{'.'.join(map(str, detail['loc'][1:])) or 'body'}: {detail['msg']}"


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 2**64:  # neither NaN nor infinite, nor too large for JavaScript
        return value
    return str(value).encode(errors="replace").decode()[:LONGEST_INPUT]
