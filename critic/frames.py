"""Exact frames of a video by decoding it in order: never a seek, since generated clips often hold one keyframe."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from critic.types import JudgeError

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

SMALL = 256
"""Long side in pixels of the frames that signals over time are measured on."""
CLOSE_UPS_A_SECOND = 8
"""How often parts of a frame are kept at full size, for what only shows there: blur, noise, blocks, bands."""
_WHOLE = 256 * 256
"""Pixels up to which a close-up is the whole frame."""
_TILE = 80
"""Pixels a side of the nine parts of larger frames. A multiple of the 8 pixels of codecs' blocks."""
MAX_FRAMES = 1200
"""Frames looked at: 50 s at 24 fps, three times the longest Cosmos3 clip; 136 MiB of small frames."""
MAX_PIXELS = 4096 * 2304
"""Largest frame that is decoded."""

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif"}
"""Only real containers, which may name no other file or address: a playlist or an SDP text is not a clip."""


@dataclass(frozen=True)
class Footage:
    """What was decoded of one clip."""

    small: NDArray[np.uint8]
    """(n, h, w, 3) RGB: every frame, `SMALL` pixels on the long side."""
    first: Picture
    """The first frame at full size."""
    close_ups: NDArray[np.uint8]
    """(k, t, h, w) luma at full size: `tiles` of `CLOSE_UPS_A_SECOND` frames, evenly spaced from the first on."""
    close_ups_at: tuple[int, ...]
    """The index of each frame that was looked at closely."""
    times: NDArray[np.float64]
    """(n,) seconds since the first frame, rising."""
    complaint: str = ""
    """What the file lacks, in a sentence; empty when it is whole."""

    @property
    def fps(self) -> float:
        """Mean frames a second."""
        return float((len(self.times) - 1) / self.times[-1]) if len(self.times) > 1 else 24.0


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, even, with `SMALL` pixels on the long side (smaller pictures are enlarged)."""
    scale = SMALL / max(width, height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def even_positions(total: int, count: int) -> list[int]:
    """`count` indices (fewer when `total` is less) evenly over `range(total)`, first and last included."""
    return sorted({round(i) for i in np.linspace(0, total - 1, min(count, total))})


def close_up_step(fps: float) -> int:
    """Frames from one close-up to the next."""
    return max(1, round(fps / CLOSE_UPS_A_SECOND))


def tiles(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(t, h, w) parts of a frame's (height, width) luma: the whole of a small frame, else nine squares.

    The squares lie on a grid of three by three from edge to edge and begin at multiples of 8, as codecs' blocks do.
    Their sum is as many pixels as a small frame has, so that time and memory do not grow with the resolution.
    """
    height, width = luma.shape
    if height * width <= _WHOLE:
        return luma[None]
    tall, wide = min(_TILE, height), min(_TILE, width)
    rows, columns = ([(free * part // 2) // 8 * 8 for part in range(3)] for free in (height - tall, width - wide))
    return np.stack([luma[y : y + tall, x : x + wide] for y in rows for x in columns])


def read(path: Path, *, check: Callable[[], None] = lambda: None) -> Footage:
    """Decode a clip once, from its first frame to its last.

    `check` is called at every frame and may raise to stop. A file that breaks off gives the frames before the break and
    a `complaint`; so does one with more than `MAX_FRAMES`.

    Raises:
        JudgeError: not a video, fewer than 2 frames, or frames over `MAX_PIXELS`.
        OSError: the file cannot be read.
    """
    index = _index(path)
    total = min(len(index.stamps), MAX_FRAMES)
    seconds = float((index.stamps[total - 1] - index.stamps[0]) * index.unit)
    step = close_up_step((total - 1) / seconds) if seconds else 1
    first: Picture | None = None
    small: list[Picture] = []
    close_ups: dict[int, NDArray[np.uint8]] = {}
    times: list[float] = []
    complaint = ""
    try:
        for at, frame in enumerate(_decode(path)):
            check()
            if at == MAX_FRAMES:
                complaint = f"only the first {MAX_FRAMES} frames were looked at"
                break
            width, height = small_size(frame.width, frame.height)
            small.append(_picture(frame, width, height))
            times.append(frame.time)
            if first is None:
                first = _picture(frame, frame.width, frame.height)
            if at % step == 0 and (frame.height, frame.width) == first.shape[:2]:
                close_ups[at] = tiles(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
    except av.FFmpegError as error:
        if not small:
            raise JudgeError(f"{path.name} does not decode: {error.strerror}") from error
        complaint = f"the file breaks off after {len(small)} frames"
    small = [picture for picture in small if picture.shape == small[0].shape]
    if first is None or len(small) < 2:
        raise JudgeError(f"{path.name} is not a clip: {len(small)} frames decode, at least 2 are needed")
    if not complaint and len(small) < total:
        complaint = f"the file names {total} frames but only {len(small)} decode"
    clock = np.maximum.accumulate(np.asarray(times[: len(small)]) - times[0])
    if not complaint and clock[-1] + 0.5 < index.seconds:
        complaint = f"the file states {index.seconds:.1f} s but breaks off after {clock[-1]:.1f} s"
    near = tuple(i for i in sorted(close_ups) if i < len(small))
    return Footage(np.stack(small), first, np.stack([close_ups[i] for i in near]), near, clock, complaint)


def sample(path: Path, count: int) -> list[tuple[float, Picture]]:
    """`count` frames evenly over the clip, first and last included, with their seconds since the first frame.

    Exact by index also at a variable frame rate: an index becomes a time stamp by reading the packets' headers. Groups
    of pictures without a wanted frame are not decoded, frames that no other refers to are skipped, and decoding ends at
    the last wanted frame. Fewer come back when the file is short or breaks off.

    Raises:
        JudgeError: not a video, or frames over `MAX_PIXELS`.
        OSError: the file cannot be read.
    """
    index = _index(path)
    return _found(path, index, [index.stamps[i] for i in even_positions(len(index.stamps), count)])


def middle(path: Path) -> Picture:
    """The frame halfway through a clip; decoding ends there.

    Raises:
        JudgeError: not a video, frames over `MAX_PIXELS`, or it breaks off before.
        OSError: the file cannot be read.
    """
    index = _index(path)
    found = _found(path, index, [index.stamps[(len(index.stamps) - 1) // 2]])
    if not found:
        raise JudgeError(f"{path.name} breaks off before its middle")
    return found[0][1]


def every(path: Path) -> Iterator[VideoFrame]:
    """All frames as they were decoded, in the order they are shown.

    Raises:
        JudgeError: not a video, frames over `MAX_PIXELS`, or it breaks off.
        OSError: the file cannot be read.
    """
    try:
        yield from _decode(path)
    except av.FFmpegError as error:
        raise JudgeError(f"{path.name} does not decode: {error.strerror}") from error


def length(path: Path) -> tuple[float, int]:
    """Seconds that a clip lasts, its last frame's included, and how many frames it has; from the packets' headers.

    Raises:
        JudgeError: not a video.
        OSError: the file cannot be read.
    """
    index = _index(path)
    count = len(index.stamps)
    apart = float((index.stamps[-1] - index.stamps[0]) * index.unit)
    return (apart * count / (count - 1) if count > 1 and apart else index.seconds), count


def _picture(frame: VideoFrame, width: int, height: int) -> Picture:
    return np.asarray(frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA"), np.uint8)


@contextmanager
def _video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The clip's container and its first video stream."""
    with path.open("rb"):
        pass  # the disk's errors are raised here as what they are; the decoder's are about the content
    with av.open(f"file:{path}", "r", options=_OPTIONS) as container:
        if not container.streams.video:
            raise JudgeError(f"{path.name} holds no video")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise JudgeError(f"{path.name} has frames of {stream.width}x{stream.height}: over {MAX_PIXELS} pixels")
        yield container, stream


def _packets(container: InputContainer, stream: VideoStream) -> list[Packet[VideoStream]]:
    """The packets of all shown frames, up to where the file breaks off."""
    packets: list[Packet[VideoStream]] = []
    try:
        packets.extend(p for p in container.demux(stream) if p.size and p.pts is not None)
    except av.FFmpegError:
        if not packets:
            raise
    return packets


class _Index(NamedTuple):
    """What packet headers tell; some containers state no frame count."""

    stamps: list[int]
    """Time stamps of all shown frames, in order."""
    unit: Fraction
    """Seconds of a time stamp's step."""
    seconds: float
    """Duration that the container states; 0 when it states none."""


def _found(path: Path, index: _Index, stamps: Collection[int]) -> list[tuple[float, Picture]]:
    """The frames with these time stamps, as far as they decode, with their seconds since the first frame."""
    first, wanted = index.stamps[0], set(stamps)
    found: dict[int, tuple[float, Picture]] = {}
    try:
        for frame in _decode(path, wanted):
            if frame.pts in wanted and frame.pts not in found:
                seconds = float((frame.pts - first) * index.unit)
                found[frame.pts] = seconds, _picture(frame, frame.width, frame.height)
    except av.FFmpegError as error:
        if not found:
            raise JudgeError(f"{path.name} does not decode: {error.strerror}") from error
    return [found[pts] for pts in sorted(found)]


def _index(path: Path) -> _Index:
    try:
        with _video(path) as (container, stream):
            shown = [p.pts for p in _packets(container, stream) if p.pts is not None and not p.is_discard]
            stated = (container.duration or 0) / av.time_base
            unit = Fraction(stream.time_base or 1)
    except av.FFmpegError as error:
        raise JudgeError(f"{path.name} is not a video: {error.strerror}") from error
    if not shown:
        raise JudgeError(f"{path.name} holds no video frames")
    return _Index(sorted(shown), unit, stated)


def _decode(path: Path, wanted: set[int] | None = None) -> Iterator[VideoFrame]:
    """Frames in the order they are shown: all, or at least those whose time stamp is `wanted`."""
    with _video(path) as (container, stream):
        if wanted is None:
            yield from container.decode(stream)
            return
        context = stream.codec_context
        for group in _groups(_packets(container, stream)):
            last = max((i for i, packet in enumerate(group) if packet.pts in wanted), default=-1)
            for packet in group[: last + 1]:
                context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                yield from context.decode(packet)
            if last >= 0:
                yield from context.decode(None)
                context.flush_buffers()


def _groups(packets: Sequence[Packet[VideoStream]]) -> list[list[Packet[VideoStream]]]:
    """Packets split at keyframes that no later packet reaches back over, so that each group decodes alone."""
    groups: list[list[Packet[VideoStream]]] = []
    for packet in packets:
        if packet.is_keyframe or not groups:
            groups.append([packet])
        else:
            groups[-1].append(packet)
    closed: list[list[Packet[VideoStream]]] = []
    for group in groups:
        first = group[0].pts or 0
        if closed and any(p.pts is not None and p.pts < first for p in group):
            closed[-1].extend(group)
        else:
            closed.append(group)
    return closed
