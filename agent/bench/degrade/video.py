"""Frames of a clip, to and from a file, and what the degradations of them share."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from critic.frames import Footage, close_up_step, small_size, tiles

Video = NDArray[np.uint8]
"""(n, height, width, 3) RGB."""

SEVERITIES: Final = (1, 2, 3, 4, 5)


def footage(video: Video, fps: float = 24.0) -> Footage:
    """What `critic.frames.read` would give for these frames, without a codec between."""
    n, height, width = video.shape[:3]
    size = small_size(width, height)
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in video]).astype(np.uint8)
    at = tuple(range(0, n, close_up_step(fps)))
    near = np.stack([tiles(np.asarray(cv2.cvtColor(video[i], cv2.COLOR_RGB2GRAY), np.uint8)) for i in at])
    return Footage(small, video[0], near, at, np.arange(n) / fps)


def encode(video: Video, path: Path, *, fps: float = 24.0, codec: str = "libx264", **options: str) -> Path:
    """Write frames as H.264 at CRF 18 (vLLM-Omni's), or as `codec` with `options`."""
    settings: dict[str, Any] = {}
    if codec == "libx264":
        settings = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}  # with it, x264 is not reproducible
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(path, "w") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=rate, options={**settings, **options}))
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def decode(path: Path) -> Video:
    """All frames of a file."""
    with av.open(path) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]).astype(np.uint8)


def each(change: Callable[[NDArray[np.float32], int], NDArray[Any]], video: Video) -> Video:
    """Every frame changed on its own, as floats, and brought back to 0-255."""
    return np.stack(
        [np.clip(change(f.astype(np.float32), i) + 0.5, 0, 255).astype(np.uint8) for i, f in enumerate(video)]
    )


def shifted(frame: NDArray[np.float32], jump: NDArray[np.float64]) -> NDArray[Any]:
    """The frame moved by `jump` (x, y) pixels, its border mirrored."""
    place = np.array([[1, 0, jump[0]], [0, 1, jump[1]]], np.float32)
    return cv2.warpAffine(frame, place, (frame.shape[1], frame.shape[0]), borderMode=cv2.BORDER_REFLECT_101)


def part(video: Video) -> slice:
    """15 % of the frames, from a third on."""
    start = len(video) // 3
    return slice(start, start + round(len(video) * 0.15))
