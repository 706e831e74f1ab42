"""What the loop did for a job, as every dialect tells it beside its own answer: the object `agentic`."""

from contextlib import suppress
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from agent import report
from agent.server.media import media_url
from agent.server.types import Job, Result, RunRequest, Safety, Shot
from generator.sizes import parse

ASKED: Final = (
    *("num_frames", "fps", "num_inference_steps", "guidance_scale"),
    *("format", "quality", "export_fps", "interpolation"),
)


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Candidate(_Told):
    """A candidate, or an attempt that failed: then url and score are null, and error says why."""

    iteration: int
    """Counted from 0."""
    seed: int
    tier: Literal["draft", "target"]
    """draft: cheaper than what was asked for, to compare captions by."""
    url: str | None
    """Of its clip."""
    score: float | None
    """In [0, 1]."""
    accepted: bool
    """Whether it reached the threshold with every floor held."""
    scores: dict[str, float]
    """By criterion."""
    feedback: str
    """What the critic said."""
    error: str | None


class Agentic(_Told):
    """What the loop did for a job. A job of which nothing came has the same keys with null or nothing in them."""

    score: float | None
    """The chosen clip's overall score in [0, 1]."""
    accepted: bool
    """Whether it reached the threshold with every floor held."""
    threshold: float | None
    calibrated: bool
    """Whether people's labels stand behind the threshold."""
    stop_reason: str | None
    """Such as accepted, iterations, renders, deadline."""
    stop_sentence: str
    """The same in words."""
    iterations: int
    renders: int
    """Failed ones included."""
    seed: int | None
    """Of the chosen clip."""
    prompt: str | None
    """The text that the chosen clip was rendered from."""
    prompts: list[str | None]
    """By iteration."""
    candidates: list[Candidate]
    """All of them, failed attempts included."""
    requested: dict[str, Any]
    """Size, frames, fps and the like, as asked for."""
    effective: dict[str, Any]
    """As the video has them."""
    notes: list[str]
    """What was not done quite as asked, in sentences."""
    seconds: dict[str, float]
    """By step."""
    gpu_seconds: float
    price_usd: float | None
    safety: Safety | None
    """What the safety checker did."""
    report_url: str | None
    """Answers without a key, as its clips do."""


def agentic(job: Job, base: str) -> dict[str, Any]:
    """The object `agentic` of a job: plain JSON, with the same keys in every dialect.

    Scores are in [0, 1]; `iteration` counts from 0, `iterations` is how many there were; `prompts` holds by iteration
    the text that its candidates were rendered from (null where nothing was). A job that is not over, or of which
    nothing came, has the same keys with null or nothing in them.

    Args:
        job: as the desk has it.
        base: scheme, host and root that its files are reached by, as `agent.server.context.base_url` gives it without a
            prefix.
    """
    result = job.result
    if result is None:
        return _nothing(job)
    return {
        "score": result.score,
        "accepted": result.accepted,
        "threshold": result.accept_at,
        "calibrated": result.calibrated,
        "stop_reason": result.stop_reason,
        "stop_sentence": result.stop_sentence,
        "iterations": result.iterations,
        "renders": result.renders,
        "seed": result.seed,
        "prompt": result.prompt,
        "prompts": _prompts(result),
        "candidates": [_candidate(shot, job, base) for shot in result.shots],
        "requested": result.requested | _requested(job.request) | job.wire.get("requested", {}),
        "effective": result.effective,
        "notes": list(dict.fromkeys([*job.request.notes, *result.notes])),
        "seconds": result.seconds,
        "gpu_seconds": result.gpu_seconds,
        "price_usd": result.price_usd,
        "safety": None if result.safety is None else result.safety.model_dump(mode="json"),
        "report_url": media_url(base, job, report.NAME),
    }


def _nothing(job: Job) -> dict[str, Any]:
    """The same keys of a job without a result."""
    return {
        "score": None,
        "accepted": False,
        "threshold": None,
        "calibrated": False,
        "stop_reason": None,
        "stop_sentence": "",
        "iterations": 0,
        "renders": 0,
        "seed": job.request.seed,
        "prompt": None,
        "prompts": [],
        "candidates": [],
        "requested": {},
        "effective": {},
        "notes": list(job.request.notes),
        "seconds": {},
        "gpu_seconds": 0.0,
        "price_usd": None,
        "safety": None,
        "report_url": None,
    }


def _requested(request: RunRequest) -> dict[str, Any]:
    """What was asked, before a size was snapped or frames were moved."""
    asked: dict[str, Any] = {name: value for name in ASKED if (value := getattr(request, name)) is not None}
    if request.size is not None:
        with suppress(ValueError):  # auto, or a tier in the shape of what is given
            asked["width"], asked["height"] = parse(request.size)
    return asked


def _prompts(result: Result) -> list[str | None]:
    """By iteration. A structured caption is long, and its candidates share it: it is told once."""
    by_iteration = {shot.iteration: shot.prompt for shot in result.shots if shot.prompt}
    count = max([result.iterations, *(index + 1 for index in by_iteration)])
    return [by_iteration.get(index) for index in range(count)]


def _candidate(shot: Shot, job: Job, base: str) -> dict[str, Any]:
    """A candidate, or an attempt that failed: `url` and `score` are null then, and `error` says why."""
    return {
        "iteration": shot.iteration,
        "seed": shot.seed,
        "tier": shot.tier,
        "url": None if shot.file is None else media_url(base, job, shot.file),
        "score": shot.score,
        "accepted": shot.accepted,
        "scores": shot.scores,
        "feedback": shot.feedback,
        "error": shot.error or None,
    }
