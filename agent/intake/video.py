"""A user's video made fit for a render: upright, the clip's size and rate, cropped and not stretched."""

import io
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.error
import numpy as np
from av.buffer import Buffer
from PIL import Image

from agent.errors import IntakeError
from agent.intake.source import shorten
from generator.encode import LIMITED_RANGE
from generator.export.source import BT601, as_rgb, as_yuv, from_rgb, primaries
from generator.interpolate import Picture
from generator.types import ControlKind, RenderSpec

MAX_BYTES = 2 << 30
"""Of a video file."""
MAX_PIXELS = 40_000_000
"""Of one picture, as for images."""
MAX_SECONDS = 120.0
"""Of a video that a clip goes on from."""
MATRIX = BT601
"""Of the video that is sent: what readers that believe its tags and readers that ignore them (older OpenCV and PyAV)
both take it for."""
_AS_IT_IS = False, False, False


class Film(NamedTuple):
    """What a video is, as it is shown."""

    width: int
    height: int
    fps: float
    seconds: float


def film(source: str) -> Film:
    """The shape, rate and length of the video that a clip goes on from or restyles.

    Raises:
        IntakeError: it cannot be read.
    """
    key = "request.video"
    with opened(source, key) as (container, name):
        stream = stream_of(container, key, name)
        rate = float(stream.average_rate or stream.base_rate or 0)
        first = next(container.decode(stream), None)
        if first is None:
            raise without_pictures(key, name)
        width, height = _size(first)
        container.seek(0)
        count = sum(1 for packet in container.demux(stream) if packet.size)
        if rate <= 0 or not math.isfinite(rate):
            raise IntakeError(f"{key}: {name} does not tell its rate; give an mp4, webm or mov")
        return Film(width, height, rate, count / rate)


def to_source(source: str, spec: RenderSpec, steered: bool) -> tuple[bytes, list[str]]:
    """The video that a clip goes on from, or, `steered` by controls, restyles: MP4 bytes and what was done to it.

    Raises:
        IntakeError: it cannot be read, is too long, or, steered, is shorter than the clip.
    """
    return _made_fit(source, spec, "request.video", spec.num_frames if steered else None)


def to_control(source: str, kind: ControlKind, spec: RenderSpec) -> tuple[bytes, list[str]]:
    """A control video, frame for frame with the clip: MP4 bytes and what was done to it.

    Raises:
        IntakeError: it cannot be read, or is shorter than the clip.
    """
    return _made_fit(source, spec, f"request.controls ({kind})", spec.num_frames)


def _made_fit(source: str, spec: RenderSpec, key: str, frames: int | None) -> tuple[bytes, list[str]]:
    with opened(source, key) as (container, name):
        return _encoded(container, spec, key, name, frames)


@contextmanager
def opened(source: str, key: str) -> Iterator[tuple["av.container.InputContainer", str]]:
    """A video file that is read, and its name for messages.

    Raises:
        IntakeError: it cannot be read, now or while it is.
    """
    name = shorten(source)
    path = Path(source).expanduser()
    if "://" in source[:16] or source[:5].lower() == "data:":
        raise IntakeError(f"{key}: {name} is not read from there; give the path of a video file")
    try:
        if not path.is_file():
            what = "is no file" if path.exists() else "does not exist"
            raise IntakeError(f"{key}: {name} {what}; give the path of a video file")
        if path.stat().st_size > MAX_BYTES:
            raise IntakeError(f"{key}: {name} is larger than {MAX_BYTES >> 30} GiB; give a shorter video")
        with path.open("rb") as file, av.open(file, "r", options={"protocol_whitelist": ""}) as container:
            yield container, name
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise IntakeError(f"{key}: {name} cannot be read as a video ({error}); give an mp4, webm or mov") from error
    except OSError as error:
        raise IntakeError(f"{key}: {name} cannot be read: {os.strerror(error.errno or 0)}") from error


def _encoded(
    container: "av.container.InputContainer", spec: RenderSpec, key: str, name: str, frames: int | None
) -> tuple[bytes, list[str]]:
    stream = stream_of(container, key, name)
    width, height = stream.codec_context.width, stream.codec_context.height
    into = io.BytesIO()
    with av.open(into, "w", format="mp4") as out:
        made = out.add_stream("libx264", rate=Fraction(spec.fps))
        made.width, made.height, made.pix_fmt = spec.width, spec.height, "yuv420p"
        # nearly lossless, and the same bytes each time: its hash is remembered
        made.options = {"crf": "8", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        count = 0
        for frame in _at_rate(container, stream, spec.fps, key, name):
            if count == 0:
                made.codec_context.colorspace, made.codec_context.color_range = MATRIX, LIMITED_RANGE
                made.codec_context.color_primaries, made.codec_context.color_trc = primaries(frame)
                width, height = _size(frame)
            picture = _cropped(frame, spec.width, spec.height)
            picture.pts, picture.time_base = count, Fraction(1, spec.fps)
            out.mux(made.encode(picture))
            count += 1
            if count == frames:
                break
        out.mux(made.encode(None))
    if frames is not None and count < frames:
        raise IntakeError(
            f"{key}: {name} has {count} frames at {spec.fps} fps, the clip {frames}; give a longer video, or set "
            f"request.num_frames to at most {count}"
        )
    if count == 0:
        raise without_pictures(key, name)
    notes = []
    if (width, height) != (spec.width, spec.height):
        notes.append(
            f"The video {name} of {width}x{height} was scaled and its middle cut out to {spec.width}x{spec.height}."
        )
    return into.getvalue(), notes


def stream_of(container: "av.container.InputContainer", key: str, name: str) -> "av.VideoStream":
    """The pictures of a video.

    Raises:
        IntakeError: it has none, or too large ones.
    """
    if not container.streams.video:
        raise IntakeError(f"{key}: {name} holds no video; give an mp4, webm or mov")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise IntakeError(f"{key}: the pictures of {name} are {width}x{height}; give at most {MAX_PIXELS:,} pixels")
    return stream


def without_pictures(key: str, name: str) -> IntakeError:
    """What a video is refused with that turns out to have none."""
    return IntakeError(f"{key}: {name} holds no picture; give an mp4, webm or mov")


def _at_rate(
    container: "av.container.InputContainer", stream: "av.VideoStream", fps: int, key: str, name: str
) -> Iterator["av.VideoFrame"]:
    """The frames shown at 0, 1/fps, 2/fps …: each time the latest that has begun."""
    shown: av.VideoFrame | None = None
    start, tick = None, 0
    end = 0.0
    for frame in container.decode(stream):
        at = float(frame.time or 0.0)
        start = at if start is None else start
        begins = at - start
        if begins > MAX_SECONDS:
            raise IntakeError(f"{key}: {name} is longer than {MAX_SECONDS:g} s; cut it")
        while shown is not None and tick / fps < begins - 1e-6:
            yield shown
            tick += 1
        rate = float(stream.average_rate or fps)
        shown, end = frame, begins + 1 / rate
    while shown is not None and tick < math.floor(end * fps + 1e-6):
        yield shown
        tick += 1


def _cropped(frame: "av.VideoFrame", width: int, height: int) -> "av.VideoFrame":
    """The middle of a picture in another shape, upright and scaled: as a first frame is."""
    if _display(frame) == _AS_IT_IS and (frame.width, frame.height) == (width, height):
        return as_yuv(frame, "yuv420p", width, height, MATRIX)
    image = Image.fromarray(upright(frame))
    factor = max(width / image.width, height / image.height)
    box_width, box_height = width / factor, height / factor
    left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
    scaled = image.resize((width, height), box=(left, top, left + box_width, top + box_height), reducing_gap=3.0)
    return as_yuv(from_rgb(np.asarray(scaled)), "yuv420p", width, height, MATRIX)


def _display(frame: "av.VideoFrame") -> tuple[bool, bool, bool]:
    """How a player turns the picture: whether it swaps rows and columns, then mirrors it, then upturns it."""
    known = cast("Mapping[str, Buffer]", frame.side_data)  # PyAV's stub names one key of many
    if "DISPLAYMATRIX" not in known:
        return _AS_IT_IS
    stated = np.frombuffer(bytes(known["DISPLAYMATRIX"]), np.int32).tolist()
    # of the nine numbers these four say which way the picture's columns and rows run on the screen
    across, down, row_across, row_down = stated[0], stated[1], stated[3], stated[4]
    if abs(down) > abs(across):
        return True, row_across < 0, down < 0
    return False, across < 0, row_down < 0


def upright(frame: "av.VideoFrame") -> Picture:
    """(height, width, 3) RGB: a picture as a player shows it."""
    swapped, mirrored, upturned = _display(frame)
    picture = as_rgb(frame).swapaxes(0, 1) if swapped else as_rgb(frame)
    return np.ascontiguousarray(picture[:: -1 if upturned else 1, :: -1 if mirrored else 1])


def _size(frame: "av.VideoFrame") -> tuple[int, int]:
    """Width and height as shown."""
    return (frame.height, frame.width) if _display(frame)[0] else (frame.width, frame.height)
