"""What a video shows at its beginning, in its middle and at its end, for whoever judges it before it is used."""

import io
from typing import TYPE_CHECKING

from PIL import Image

from agent.intake.video import MAX_SECONDS, film, opened, stream_of, upright, without_pictures

if TYPE_CHECKING:
    import av

QUALITY = 90
"""Of the JPEG files, of 100."""


def stills(source: str, side: int) -> list[bytes]:
    """The first, middle and last picture of a video, upright and whole, in the order they are shown.

    Every picture up to there is decoded: no index is believed, and many clips have one keyframe. What comes after
    `agent.intake.video.MAX_SECONDS` is used by no clip, and not looked for.

    Args:
        source: path of the file.
        side: longest side in pixels; smaller pictures stay as they are.

    Returns:
        JPEG files, fewer than three where the video has fewer pictures.

    Raises:
        IntakeError: it cannot be read as a video.
    """
    key = "request.video"
    half = min(film(source).seconds, MAX_SECONDS) / 2
    found: list[av.VideoFrame] = []
    with opened(source, key) as (container, name):
        for frame in container.decode(stream_of(container, key, name)):
            found = found or [frame, frame, frame]
            begins = float(frame.time or 0.0) - float(found[0].time or 0.0)
            if begins > MAX_SECONDS:
                break
            found[1:] = [frame if begins <= half else found[1], frame]
        if not found:
            raise without_pictures(key, name)
        different = [frame for at, frame in enumerate(found) if at == 0 or frame is not found[at - 1]]
        return [_jpeg(frame, side) for frame in different]


def _jpeg(frame: "av.VideoFrame", side: int) -> bytes:
    picture = Image.fromarray(upright(frame))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
