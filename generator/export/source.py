"""A clip as an export reads it: from a server, so not to be trusted; in order, with its colours understood."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from generator.encode import BT709, LIMITED_RANGE
from generator.export.types import ExportError
from generator.interpolate import Picture

MAX_PIXELS = 4096 * 2304
"""Of a frame."""
MAX_FRAMES = 4800
"""Ten times the longest Cosmos3 clip."""
MAX_SECONDS = 600
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif"}
"""Only real containers, which may name no other file or address: a playlist or an SDP text is not a clip."""

BT601 = 5
"""ITU-T H.273 code point of BT.601's matrix, and swscale's."""
_UNSPECIFIED, _FULL_RANGE = 2, 2
_MATRICES = {1: 1, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}
"""swscale's name of each matrix of ITU-T H.273. Anything else is taken as BT.601: what FFmpeg writes of RGB where it
is told nothing, as vLLM-Omni's muxer does, and what swscale itself takes an untagged frame for."""
_SCALER = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
"""Without these flags a change of matrix darkens the picture by two or three levels."""


@dataclass(frozen=True)
class Footage:
    """What the headers of a clip's packets tell."""

    path: Path
    width: int
    height: int
    codec: str
    pixel_format: str
    stamps: tuple[int, ...]
    """Time stamps of all shown frames, rising."""
    unit: Fraction
    """Seconds of a time stamp's step."""
    fps: Fraction
    sound: str
    """Codec of the sound; "" where there is none."""

    @property
    def start(self) -> Fraction:
        """Seconds at which the first frame is shown."""
        return self.stamps[0] * self.unit

    @property
    def steady(self) -> bool:
        """Whether frames come at a constant rate, to the accuracy of the time stamps."""
        step = 1 / (self.fps * self.unit)
        return all(abs(stamp - self.stamps[0] - n * step) <= 1 for n, stamp in enumerate(self.stamps))

    @property
    def seconds(self) -> Fraction:
        """Duration of the pictures, the last one's included."""
        return (self.stamps[-1] - self.stamps[0]) * self.unit + 1 / self.fps


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream, AudioStream | None]]:
    """A clip's container, its first video stream and its first sound, if any.

    Raises:
        ExportError: it holds no video, or frames that are too large.
        av.error.FFmpegError: it is no clip.
        OSError: the file cannot be opened.
    """
    with path.open("rb"):
        pass  # the disk's errors are raised here as what they are; the decoder's are about the content
    with av.open(f"file:{path}", "r", options=_OPTIONS) as container:
        if not container.streams.video:
            raise ExportError(f"{path.name} holds no video.")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise ExportError(
                f"{path.name} has frames of {stream.width}x{stream.height}; at most {MAX_PIXELS:,} pixels are taken."
            )
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO"
        yield container, stream, next(iter(container.streams.audio), None)


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """What the decoder complains of, as a failed export."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise ExportError(f"{path.name} cannot be decoded ({error.strerror}).") from error


def survey(path: Path) -> Footage:
    """Read the headers of a clip's packets.

    Raises:
        ExportError: it is no clip, or over what is taken of one.
        OSError: the file cannot be opened.
    """
    with _understood(path), opened(path) as (container, stream, sound):
        stamps: list[int] = []
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                stamps.append(packet.pts)
            if len(stamps) > MAX_FRAMES:
                raise ExportError(f"{path.name} has over {MAX_FRAMES:,} frames.")
        if not stamps:
            raise ExportError(f"{path.name} holds no video frames.")
        stamps.sort()
        unit = Fraction(stream.time_base or Fraction(1, 1000))
        fps = Fraction(stream.average_rate or stream.base_rate or 0)
        if not 0 < fps <= 1000:
            raise ExportError(f"{path.name} states no usable frame rate ({fps}).")
        found = Footage(
            path=path,
            width=stream.width,
            height=stream.height,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "",
            stamps=tuple(stamps),
            unit=unit,
            fps=fps,
            sound=sound.codec_context.name if sound else "",
        )
    if found.seconds > MAX_SECONDS:
        raise ExportError(f"{path.name} lasts {float(found.seconds):,.0f} s; at most {MAX_SECONDS} s are taken.")
    return found


def read(path: Path, *, sound: bool) -> Iterator["VideoFrame | Packet[AudioStream]"]:
    """The clip's frames in the order they are shown, and between them the packets of its sound as they come.

    Raises:
        ExportError: it breaks off or does not decode.
    """
    with _understood(path), opened(path) as (container, stream, track):
        streams = [stream, track] if sound and track is not None else [stream]
        for packet in container.demux(*streams):
            if track is not None and packet.stream.index == track.index:
                yield cast("Packet[AudioStream]", packet)
            else:
                for frame in stream.decode(packet):
                    _sized(path, frame, stream)
                    yield frame


def _sized(path: Path, frame: VideoFrame, stream: VideoStream) -> None:
    """A stream may change its size in its midst; nothing that follows could hold such frames."""
    if (frame.width, frame.height) != (stream.width, stream.height):
        raise ExportError(f"{path.name} changes its size to {frame.width}x{frame.height} in its midst.")


def untagged(frame: VideoFrame) -> bool:
    """Whether a YUV frame leaves open which matrix made it."""
    return frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb


def primaries(frame: VideoFrame) -> tuple[int, int]:
    """Colour primaries and transfer that a frame states, ITU-T H.273: BT.709's where it states none, as sRGB's are."""
    if frame.format.is_rgb:
        return BT709, BT709
    stated = frame.color_primaries, frame.color_trc
    return stated[0] if stated[0] != _UNSPECIFIED else BT709, stated[1] if stated[1] != _UNSPECIFIED else BT709


def _origin(frame: VideoFrame) -> dict[str, Any]:
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return {
        "src_colorspace": _MATRICES.get(frame.colorspace, BT601),
        "src_color_range": _FULL_RANGE if full else LIMITED_RANGE,
        "interpolation": _SCALER,
    }


def as_yuv(frame: VideoFrame, pixel_format: str, width: int, height: int, matrix: int = BT709) -> VideoFrame:
    """A frame in limited range, by `matrix` (BT709 or BT601); the very same one if it is that already."""
    return frame.reformat(
        width, height, pixel_format, dst_colorspace=matrix, dst_color_range=LIMITED_RANGE, **_origin(frame)
    )


def as_rgb(frame: VideoFrame, width: int | None = None, height: int | None = None) -> Picture:
    """A frame as (height, width, 3) RGB in full range."""
    rgb = frame.reformat(width, height, "rgb24", dst_colorspace=BT709, dst_color_range=_FULL_RANGE, **_origin(frame))
    return np.asarray(rgb.to_ndarray(), np.uint8)


def from_rgb(picture: Picture) -> VideoFrame:
    """A frame of (height, width, 3) RGB."""
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
