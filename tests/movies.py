"""Little source clips as servers deliver them: tagged or not, with or without sound, at any rate."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
CARD = ((200, 60, 40), (40, 190, 60), (40, 60, 200), (210, 200, 40), (120, 120, 120), (240, 240, 240))
"""RGB of the patches of a colour card, from left to right."""


def card(width: int = 96, height: int = 64) -> Picture:
    """(height, width, 3): a colour card."""
    return np.repeat(np.array(CARD, np.uint8)[None], width // len(CARD), axis=1).repeat(height, axis=0)


def patches(picture: Picture) -> NDArray[np.int64]:
    """(6, 3): what a picture shows of each patch of the card."""
    step = picture.shape[1] // len(CARD)
    return picture[picture.shape[0] // 2, step // 2 :: step][: len(CARD)].astype(np.int64)


def moving(count: int, width: int = 96, height: int = 64, step: int = 2) -> list[Picture]:
    """A bright square that travels over a soft texture."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    soft = np.stack([90 + 60 * np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(3)], -1).astype(np.uint8)
    frames = []
    for index in range(count):
        frame = soft.copy()
        frame[20:44, 4 + step * index : 24 + step * index] = (230, 200, 40)
        frames.append(frame)
    return frames


def write_movie(
    path: Path,
    frames: Sequence[Picture],
    fps: int = 24,
    *,
    stamps: Sequence[int] | None = None,
    tone: float = 0.0,
    tags: dict[str, int] | None = None,
    codec: str = "libx264",
    container: str = "mp4",
    pixel_format: str = "yuv420p",
    matrix: int | None = None,
    full: bool = False,
) -> Path:
    """A clip as FFmpeg writes it of RGB where it is told nothing: BT.601, untagged, its index at the end.

    `stamps`: when each frame is shown, in 1/fps. `tone`: seconds of a 440 Hz tone in stereo AAC. `tags`: what the
    stream says of its colours, whatever is true. `matrix`, `full`: what is true of them, where it is not that.
    """
    into = av.open(str(path), "w", format=container)
    options = {"crf": "6", "preset": "veryfast", "g": "999"}
    stream = cast("VideoStream", into.add_stream(codec, rate=fps, options=options))
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = pixel_format
    for name, value in (tags or {}).items():
        setattr(stream.codec_context, name, value)
    voice = into.add_stream("aac", rate=48_000, layout="stereo") if tone else None
    for number, picture in enumerate(frames):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
            format=pixel_format, dst_colorspace=matrix, dst_color_range=2 if full else None
        )
        frame.pts, frame.time_base = stamps[number] if stamps else number, Fraction(1, fps)
        into.mux(stream.encode(frame))
    into.mux(stream.encode(None))
    if voice is not None:
        wave = (0.4 * np.sin(2 * np.pi * 440 * np.arange(round(tone * 48_000)) / 48_000)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = 48_000, 0, Fraction(1, 48_000)
        into.mux(voice.encode(sound))
        into.mux(voice.encode(None))
    into.close()
    return path


def turned(path: Path, across: int, down: int, row_across: int, row_down: int) -> Path:
    """Say in an mp4 that a step along a row goes (`across`, `down`) on the screen, and a step to the next row
    (`row_across`, `row_down`): what a phone writes that is held upright.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # past what a version 0 header holds before the matrix
    one = 1 << 16
    data[at : at + 36] = struct.pack(
        ">9i", across * one, down * one, 0, row_across * one, row_down * one, 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path


def pictures(path: Path, matrix: int | None = None) -> list[Picture]:
    """All frames as RGB, by the file's own tags or by another `matrix` of ITU-T H.273."""
    with av.open(str(path)) as container:
        return [
            np.asarray(
                frame.reformat(
                    format="rgb24", src_colorspace=matrix or frame.colorspace, src_color_range=1, dst_color_range=2
                ).to_ndarray(),
                np.uint8,
            )
            for frame in container.decode(video=0)
        ]


def times(path: Path) -> list[float]:
    """Seconds at which each frame is shown."""
    with av.open(str(path)) as container:
        return sorted(float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.pts is not None)


def payloads(path: Path, kind: str = "video") -> list[bytes]:
    """What each packet of the first stream of a kind holds."""
    with av.open(str(path)) as container:
        streams = container.streams.video if kind == "video" else container.streams.audio
        return [bytes(packet) for packet in container.demux(streams[0]) if packet.size]


def heard(path: Path) -> tuple[float, float]:
    """Seconds of the sound, and the strongest frequency in it in Hz."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].codec_context.sample_rate
        mono = np.concatenate([np.atleast_2d(f.to_ndarray())[0] for f in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(mono[: rate // 2].astype(float)))
    return len(mono) / rate, float(np.argmax(spectrum[1:]) + 1) * rate / min(len(mono), rate // 2)
