"""What a model gives back: theirs as their pages have it, and beside it what the loop did."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agent.server.media import media_url
from agent.server.types import Job, Result, Safety, Video

REPORT = "report.html"


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
    """One candidate, or a render of which none came."""

    url: str | None
    """None: there is no clip, or it is not kept (sync_mode)."""
    iteration: int
    """Counted from 0."""
    seed: int
    tier: Literal["draft", "target"]
    score: float | None
    """In [0, 1]; None: it was not judged."""
    accepted: bool
    scores: dict[str, float]
    """By criterion."""
    feedback: str
    """The critic's, in words."""
    prompt: str
    """That it was rendered from."""
    error: str
    """Why there is no clip or no score; empty otherwise."""


class Agentic(_Output):
    """What the loop did. fal's clients pass it through."""

    run_id: str
    report_url: str | None
    """The whole run as a page."""
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
    prompt: str
    """That the video was rendered from."""
    candidates: list[Candidate]
    notes: list[str]
    """What was not done quite as asked, in sentences."""
    requested: dict[str, Any]
    """Size, frames and the like, as asked for ..."""
    effective: dict[str, Any]
    """... and as the video has them."""
    safety: Safety | None
    """What the safety checker did."""
    seconds: dict[str, float]
    """By step."""
    gpu_seconds: float
    price_usd: float | None


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

    def address(file: str) -> str:
        return media_url(base, job, file)

    told: dict[str, Any] = {
        "video": VideoFile(
            url=data or address(video.file),
            content_type=video.content_type,
            file_name=video.file.rpartition("/")[2],
            file_size=video.bytes,
            width=video.width,
            height=video.height,
            fps=video.fps,
            duration=video.duration,
            num_frames=video.num_frames,
        ),
        "seed": result.seed,
        "agentic": Agentic(
            run_id=job.id,
            report_url=None if data else address(REPORT),
            score=result.score,
            accepted=result.accepted,
            threshold=result.accept_at,
            calibrated=result.calibrated,
            stop_reason=result.stop_reason,
            stop_sentence=result.stop_sentence,
            iterations=result.iterations,
            renders=result.renders,
            prompt=result.prompt,
            candidates=[
                Candidate(
                    url=None if data or shot.file is None else address(shot.file),
                    **shot.model_dump(exclude={"file"}),
                )
                for shot in result.shots
            ],
            notes=list(dict.fromkeys([*job.request.notes, *result.notes])),
            requested=result.requested,
            effective=result.effective,
            safety=result.safety,
            seconds=result.seconds,
            gpu_seconds=result.gpu_seconds,
            price_usd=result.price_usd,
        ),
    }
    if job.endpoint.startswith("fal-ai/cogvideox-5b/"):
        return CogVideoXOutput(**told, prompt=job.request.prompt).model_dump(mode="json")
    return VideoOutput(**told).model_dump(mode="json")
