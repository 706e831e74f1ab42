"""Doctored versions of a clip: its own frames in another order, all encoded alike and to the same bytes each time."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from critic import frames
from critic.types import JudgeError

Version = Literal["control", "frozen", "reversed", "shuffled"]
"""control: the clip as it is, so that encoding it once more tells no version apart."""
Planes = NDArray[np.uint8]
"""(height * 3 / 2, width) luma and both chroma planes of a frame."""
HELD: Final = 256 * 2**20
"""Bytes of frames in memory at a time: 189 of 1280x720. A larger clip is decoded again for each such part."""

_OPTIONS: Final = {
    "crf": "18",
    "preset": "veryfast",
    "profile": "high",
    # what makes the same file of the same frames, so that a critique of it is remembered: one thread, and none of
    # x264's macroblock-tree rate control, which differs from one time to the next
    "threads": "1",
    "x264-params": "mbtree=0",
}
_LIMITED_RANGE = 1


def order(version: Version, count: int) -> list[int]:
    """Which of `count` frames is shown when. A shuffle is always the same one, whatever library rolls the dice."""
    match version:
        case "control":
            return list(range(count))
        case "frozen":  # the first: a clip that never leaves the given image is what generators really make
            return [0] * count
        case "reversed":
            return list(range(count))[::-1]
        case "shuffled":
            return sorted(range(count), key=lambda i: hashlib.sha256(str(i).encode()).digest())


def write(
    clip: Path, version: Version, to: Path, *, check: Callable[[], None] = lambda: None, held: int = HELD
) -> None:
    """Make a version of a clip: H.264 in mp4, its size, frame rate, number of frames and colours kept, no sound.

    Of a clip with more than `frames.MAX_FRAMES`, those. At most `held` bytes of frames are in memory at a time. `check`
    is called at every frame and may raise to stop; `to` is removed again on any error.

    Raises:
        JudgeError: not a video, fewer than 2 frames, frames over `frames.MAX_PIXELS`, or it breaks off.
        OSError: a file cannot be read or written.
    """
    seconds, count = frames.length(clip)
    if count < 2:
        raise JudgeError(f"{clip.name} is not a clip: {count} frames, at least 2 are needed")
    rate = Fraction(count / seconds if seconds else 24).limit_denominator(1001)
    shown = order(version, min(count, frames.MAX_FRAMES))
    try:
        with av.open(str(to), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            options = {"g": str(max(1, round(rate))), **_OPTIONS}
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.pix_fmt = "yuv420p"
            _as_in(clip, stream)
            for number, planes in enumerate(_frames(clip, shown, held, check)):
                picture = VideoFrame.from_ndarray(planes, format="yuv420p")
                picture.pts, picture.time_base = number, 1 / rate
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    except BaseException:
        to.unlink(missing_ok=True)
        raise


def _as_in(clip: Path, stream: av.VideoStream) -> None:
    """Size and colours of the clip's frames."""
    first = next(frames.every(clip), None)
    if first is None:
        raise JudgeError(f"{clip.name} is not a clip: no frame decodes")
    stream.width, stream.height = _even(first)
    context = stream.codec_context
    context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
    context.colorspace, context.color_range = first.colorspace, _LIMITED_RANGE


def _even(frame: VideoFrame) -> tuple[int, int]:
    """Width and height as 4:2:0 takes them."""
    return max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)


def _frames(clip: Path, shown: Sequence[int], most_bytes: int, check: Callable[[], None]) -> Iterator[Planes]:
    """The frames with these numbers in this order, at most `most_bytes` of them at a time. Never by a seek."""
    done = 0
    while done < len(shown):
        held: dict[int, Planes] = {}
        wanted: set[int] = set()
        end = done
        for number, frame in enumerate(frames.every(clip)):
            check()
            if not number:
                width, height = _even(frame)
                most = max(1, most_bytes * 2 // (width * height * 3))
                while end < len(shown) and (shown[end] in wanted or len(wanted) < most):
                    wanted.add(shown[end])
                    end += 1
            if number in wanted:
                held[number] = _planes(frame, width, height)
            if len(held) == len(wanted):
                break
        if end == done or len(held) < len(wanted):
            raise JudgeError(f"{clip.name} breaks off: it names more frames than decode")
        for number in shown[done:end]:
            check()
            yield held[number]
        done = end


def _planes(frame: VideoFrame, width: int, height: int) -> Planes:
    limited = frame.reformat(width, height, format="yuv420p", dst_color_range=_LIMITED_RANGE)
    return np.asarray(limited.to_ndarray(), np.uint8)
