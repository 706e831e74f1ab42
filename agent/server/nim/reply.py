"""What POST /v1/infer answers: the video in base64, written out as it is read, never whole in memory."""

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from agent.server.nim import rate
from agent.server.types import Job, Result, refused

RUN_ID: Final = "x-retake-run-id"
NOTES: Final = "x-retake-notes"
"""What was made of the request where it could not be had as it stood: a JSON list of sentences, in ASCII."""
LONGEST_NOTES: Final = 4000
CHUNK: Final = 3 * 2**16
"""Bytes that are encoded at once; a multiple of 3, so that the parts' base64 is the whole's."""


async def answered(job: Job, folder: Path) -> Response:
    """The answer of a job that is completed.

    Args:
        job: with its result.
        folder: of its run.

    Raises:
        Refused: 410, its video was removed meanwhile; 500, it has none.
    """
    result = job.result
    if result is None or result.video is None:
        raise refused(500, "no_media_generated", f"the run {job.id} ended without a video")
    wanted = job.wire.get("fps")
    try:
        file = await asyncio.to_thread(_opened, folder / result.video.file, result, wanted)
    except FileNotFoundError:
        raise refused(410, "gone", f"the video of the run {job.id} was removed") from None
    size = await asyncio.to_thread(lambda: file.seek(0, 2))
    head, tail = b'{"b64_video": "', f'"{_more(job, result)}}}'.encode()
    headers = {
        "content-length": str(len(head) + -(-size // 3) * 4 + len(tail)),
        "cache-control": "no-store",
        "x-retake-seed": str(result.seed),
        **said(job),
    }
    return _Video(file, head, tail, headers)


def said(job: Job) -> dict[str, str]:
    """Headers that every answer has once there is a job."""
    notes = list(dict.fromkeys((*job.request.notes, *(job.result.notes if job.result else ()))))
    text = json.dumps(notes)
    while len(text) > LONGEST_NOTES:
        notes.pop()
        text = json.dumps([*notes, "…"])
    return {RUN_ID: job.id, **({NOTES: text} if notes else {})}


def _more(job: Job, result: Result) -> str:
    """Fields beside the video, as each form has them."""
    if not job.wire.get("older"):
        return ', "action": null' if job.wire.get("form") == "v2" else ""
    asked = job.wire.get("seed")
    fields: dict[str, Any] = {"seed": result.seed if asked is None else asked}
    if job.wire.get("upsampled"):
        fields = {"upsampled_prompt": result.prompt, **fields}
    return ", " + json.dumps(fields)[1:-1]


def _opened(path: Path, result: Result, wanted: str | None) -> IO[bytes]:
    """The video's file, or, at a rate that is no whole number, a nameless copy of it: either outlives its removal."""
    file: IO[bytes] = path.open("rb")
    if wanted is None or result.video is None or path.suffix != ".mp4":
        return file
    after = Fraction(wanted)
    before = Fraction(rate.rendered(after))
    if abs(result.video.fps - before) > 0.01:  # the operator's output.export_fps
        return file
    with file, tempfile.TemporaryDirectory(prefix="retake-", ignore_cleanup_errors=True) as aside:
        copy = Path(aside) / path.name
        rate.retime(file, copy, before, after)
        return copy.open("rb")


class _Video(StreamingResponse):
    """A file in base64, between two pieces of JSON. It is closed whether or not anybody was there to read it."""

    def __init__(self, file: IO[bytes], head: bytes, tail: bytes, headers: dict[str, str]) -> None:
        super().__init__(_written(file, head, tail), headers=headers, media_type="application/json")
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _written(file: IO[bytes], head: bytes, tail: bytes) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    yield head
    while part := await asyncio.to_thread(file.read, CHUNK):
        yield base64.b64encode(part)
    yield tail
