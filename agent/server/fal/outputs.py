"""What a model gives back: theirs as their pages have it, and beside it what the loop did."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from agent.server.agentic import agentic
from agent.server.media import media_url
from agent.server.types import Job, Result, Safety, Video

COGVIDEOX: Final = "fal-ai/cogvideox-5b/"


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class VideoFile(_Output):
    """A video."""

    url: str
    """Where it can be downloaded from; a data URI with sync_mode."""
    content_type: str
    """The MIME type of the file."""
    file_name: str
    file_size: int
    """Bytes."""
    width: int
    height: int
    fps: float
    duration: float
    """Seconds."""
    num_frames: int


class Candidate(_Output):
    """One candidate, or an attempt that failed."""

    iteration: int
    """Counted from 0."""
    seed: int
    tier: Literal["draft", "target"]
    url: str | None
    """null: there is no clip, or it is not kept (sync_mode)."""
    score: float | None
    """In [0, 1]; null: it was not judged."""
    accepted: bool
    scores: dict[str, float]
    """By criterion."""
    feedback: str
    """The critic's, in words."""
    error: str | None
    """Why there is no clip or no score."""


class Agentic(_Output):
    """What the loop did. fal's clients pass it through."""

    run_id: str
    report_url: str | None
    """The whole run as a page; null with sync_mode, where nothing is kept."""
    score: float | None
    """Of the video, in [0, 1]."""
    accepted: bool
    """Whether the score reached the threshold."""
    threshold: float | None
    """Score from which a candidate is accepted."""
    calibrated: bool
    """Whether the threshold was measured on people's marks."""
    stop_reason: str | None
    stop_sentence: str
    iterations: int
    renders: int
    seed: int | None
    prompt: str | None
    """That the video was rendered from."""
    prompts: list[str | None]
    """By iteration, what its candidates were rendered from."""
    candidates: list[Candidate]
    requested: dict[str, Any]
    """Size, frames and the like, as asked for ..."""
    effective: dict[str, Any]
    """... and as the video has them."""
    notes: list[str]
    """What was not done quite as asked, in sentences."""
    seconds: dict[str, float]
    """By step."""
    gpu_seconds: float
    price_usd: float | None
    safety: Safety | None
    """What the safety checker did."""


class VideoOutput(_Output):
    """Cosmos3's and Cosmos Predict's output."""

    video: VideoFile
    """The generated video."""
    seed: int
    """The seed used for generation."""
    agentic: Agentic


class CogVideoXOutput(VideoOutput):
    """CogVideoX's output."""

    prompt: str
    """The prompt used for generating the video."""


class Submitted(_Output):
    """A request that was taken."""

    status: Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    request_id: str
    gateway_request_id: str
    queue_position: int
    """Requests that will start before it."""
    response_url: str
    status_url: str
    cancel_url: str


def output(job: Job, result: Result, video: Video, base: str, data: str | None) -> dict[str, Any]:
    """The output of a request that gave a video.

    Args:
        job: the request.
        result: what came of it.
        video: of the result.
        base: scheme, host and root that its media are reached by.
        data: the video as a data URI, where it is to be in the answer and nowhere else.
    """
    told = agentic(job, base)
    if data is not None:
        told["report_url"] = None
        told["candidates"] = [{**candidate, "url": None} for candidate in told["candidates"]]
    body: dict[str, Any] = {
        "video": {
            "url": media_url(base, job, video.file) if data is None else data,
            "content_type": video.content_type,
            "file_name": video.file.rpartition("/")[2],
            "file_size": video.bytes,
            "width": video.width,
            "height": video.height,
            "fps": video.fps,
            "duration": video.duration,
            "num_frames": video.num_frames,
        },
        "seed": result.seed,
        "agentic": {"run_id": job.id, **told},
    }
    if job.endpoint.startswith(COGVIDEOX):
        body["prompt"] = job.request.prompt
    return body
