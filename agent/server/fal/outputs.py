"""What a model gives back: theirs as their pages have it, and beside it what the loop did."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from agent.server.agentic import Agentic, agentic
from agent.server.media import media_url
from agent.server.types import Job, Result, Video

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


class Told(Agentic):
    """What the loop did. fal's clients pass it through. With sync_mode nothing is kept, and no clip has an address."""

    run_id: str


class VideoOutput(_Output):
    """Cosmos3's and Cosmos Predict's output."""

    video: VideoFile
    """The generated video."""
    seed: int
    """The seed used for generation."""
    agentic: Told


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
