"""Writing an mp4, webm or mov: encoded from frames, or the clip's own packets copied."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import av
import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from generator.encode import BT709, LIMITED_RANGE, Format
from generator.export.pace import Pace
from generator.export.sound import Sound
from generator.export.source import Footage, as_yuv, opened, primaries, read
from generator.export.types import Container

COPYABLE: dict[Container, frozenset[str]] = {
    "mp4": frozenset(("h264", "hevc", "av1", "vp9")),
    "webm": frozenset(("vp8", "vp9", "av1")),
    "mov": frozenset(("prores",)),
    "gif": frozenset(),
}
"""Codecs of pictures that each format holds as they are."""
Check = Callable[[], None]
"""Called with every frame; raises where nobody waits for the export any more."""


@contextmanager
def written_file(to: Path, container: str, options: dict[str, str]) -> Iterator[OutputContainer]:
    """An open file that is finished when nothing went wrong. The first error is the one that surfaces."""
    into = av.open(f"file:{to}", "w", format=container, options=options)
    try:
        yield into
    except BaseException:
        with suppress(av.error.FFmpegError):
            into.close()
        raise
    into.close()


def copy(clip: Footage, to: Path, form: Format, container: Container, *, sound: bool, check: Check) -> int:
    """Copy the clip's packets into another file, its index at the front. Returns how many frames were written."""
    written = 0
    with opened(clip.path) as (source, stream, track), written_file(to, form.container, form.container_options) as into:
        pictures = into.add_stream_from_template(stream)
        voice = Sound(track, into, container, clip.start) if sound and track is not None else None
        shift = clip.stamps[0]
        for packet in source.demux(*([stream, track] if track is not None and voice else [stream])):
            check()
            if packet.dts is None or not packet.size:
                continue
            if voice is not None and track is not None and packet.stream.index == track.index:
                voice.take(cast("Packet[AudioStream]", packet))
                continue
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.stream = pictures
            into.mux(packet)
            written += 1
        if voice is not None:
            voice.finish()
    return written


def encode(
    clip: Footage, to: Path, form: Format, pace: Pace, container: Container, *, sound: bool, check: Check
) -> int:
    """Encode the clip's frames at the given pace. Returns how many were written."""
    width, height = clip.width - clip.width % 2, clip.height - clip.height % 2
    written = 0
    with (
        opened(clip.path) as (_, _, track),
        written_file(to, form.container, form.container_options) as into,
    ):
        stated: tuple[int, int] | None = None
        options = {"g": str(max(1, round(pace.rate))), **form.codec_options}
        stream = cast("VideoStream", into.add_stream(form.codec, rate=pace.rate, options=options))
        stream.width, stream.height, stream.pix_fmt = width, height, form.pixel_format
        stream.codec_context.time_base = pace.unit
        voice = Sound(track, into, container, clip.start) if sound and track is not None else None

        def pictures() -> Iterator[VideoFrame]:
            for item in read(clip.path, sound=voice is not None):
                check()
                if isinstance(item, VideoFrame):
                    yield item
                elif voice is not None:
                    voice.take(item)

        for shown in pace.paced(pictures()):
            check()
            if stated is None:
                stated = primaries(shown.picture)
                _tag(stream, stated)
            picture = as_yuv(shown.picture, form.pixel_format, width, height)
            # ProRes writes into each frame what that frame states, whatever the stream says
            picture.color_primaries, picture.color_trc = stated
            picture.pts, picture.time_base = shown.tick, shown.unit
            into.mux(stream.encode(picture))
            written += 1
        into.mux(stream.encode(None))
        if voice is not None:
            voice.finish()
    return written


def _tag(stream: VideoStream, stated: tuple[int, int]) -> None:
    """Say how the pictures are coded. Only matrix and range are converted: primaries and transfer stay the clip's."""
    context = stream.codec_context
    context.colorspace, context.color_range = BT709, LIMITED_RANGE
    context.color_primaries, context.color_trc = stated
