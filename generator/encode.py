"""The encoder: RGB frames in, one finished video file out."""

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import av.error
import numpy as np
import numpy.typing as npt

BT709 = 1
"""ITU-T H.273 code point of BT.709: primaries, transfer and matrix alike."""
LIMITED_RANGE = 1
"""FFmpeg's AVCOL_RANGE_MPEG: luma 16-235."""


@dataclass(frozen=True)
class Format:
    """A container and codec, and how FFmpeg is asked for them."""

    container: str
    codec: str
    pixel_format: str
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


H264 = Format(
    container="mp4",
    codec="libx264",
    pixel_format="yuv420p",
    # x264 in the PyAV wheel gives other bytes on each run unless macroblock-tree rate control is off
    codec_options={"crf": "18", "preset": "veryfast", "profile": "high", "threads": "1", "x264-params": "mbtree=0"},
    container_options={"movflags": "+faststart"},
)
"""H.264 High, 8-bit 4:2:0, index at the front: plays while it loads in every browser. One thread an encoder,
since clips are rendered side by side."""


class ClipWriter:
    """Encodes frames of one size at a fixed rate into `path`, with a keyframe every second.

    Use as a context manager. Leaving it normally finishes the file; leaving it by an exception closes the file as it
    is, and removing it is the caller's work.

    Raises:
        OSError: the disk or folder failed. Its `errno` says how.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int, form: Format = H264) -> None:
        self._tick = Fraction(1, fps)
        self._written = 0
        self._container = av.open(str(path), "w", format=form.container, options=form.container_options)
        options: dict[str, str] = {"g": str(fps), **form.codec_options}
        self._stream = cast(
            "av.VideoStream", self._container.add_stream(form.codec, rate=Fraction(fps), options=options)
        )
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, form.pixel_format
        context = self._stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE

    def __enter__(self) -> Self:
        return self

    def write(self, frame: npt.NDArray[np.uint8]) -> None:
        """Append one frame: `height` x `width` x 3, RGB, 0-255."""
        rgb = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture = rgb.reformat(format=self._stream.pix_fmt, dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.pts, picture.time_base = self._written, self._tick
        self._container.mux(self._stream.encode(picture))
        self._written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(av.error.FFmpegError):  # the first error is the one to report
                self._container.close()
            return
        try:
            self._container.mux(self._stream.encode(None))
        except BaseException:
            with suppress(av.error.FFmpegError):
                self._container.close()
            raise
        self._container.close()
