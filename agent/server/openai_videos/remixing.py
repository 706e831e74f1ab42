"""A remix: a video's settings and first frame with another prompt."""

from pathlib import Path

from agent.request import FIRST_FRAME, SOURCE
from agent.server.context import Context
from agent.server.openai_videos.content import ready
from agent.server.openai_videos.finding import new_id
from agent.server.openai_videos.mapping import remix_of
from agent.server.openai_videos.wish import Remix
from agent.server.types import Job, NewJob


def job_of(wish: Remix, source: Job, context: Context, base: str, idempotency_key: str | None) -> NewJob:
    """The job that a remix is.

    The first frame is the source's own, as it was rendered from: an address that it came from is not asked again.

    Raises:
        Refused: the source is not done, or gave no video.
    """
    ready(source)
    request, wire = remix_of(wish, source, context.served)
    folder = context.desk.folder(source)
    kept = {"image": folder / FIRST_FRAME, "video": folder / SOURCE}
    inputs: dict[str, bytes | Path] = {kind: path for kind, path in kept.items() if path.is_file()}
    return NewJob(
        dialect="openai",
        endpoint=f"/v1/videos/{source.id}/remix",
        request=request.model_copy(update={"image_url": None, "video_url": None}) if inputs else request,
        base_url=base,
        wire=wire,
        inputs=inputs,
        idempotency_key=idempotency_key,
        id=new_id(),
    )
