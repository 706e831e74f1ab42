"""Writing a GIF: few frames of few colours, its palette made for this clip."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from generator.export.movie import Check, written_file
from generator.export.pace import Pace
from generator.export.settings import GifForm
from generator.export.source import Footage, as_rgb, from_rgb, read

TICK = Fraction(1, 100)
"""Seconds: what a GIF counts its delays in."""


def gif_size(clip: Footage, form: GifForm) -> tuple[int, int]:
    """Width and height of the GIF of a clip: never larger than the clip."""
    width = min(form.width, clip.width)
    return width, max(1, round(clip.height * width / clip.width))


def write_gif(clip: Footage, to: Path, form: GifForm, pace: Pace, check: Check) -> int:
    """Decode the clip twice, for its palette and for its frames. Returns how many were written.

    Frames stand for whole hundredths of a second, and each ends where the clip's own time says: at 24 fps for four or
    five, so that the GIF lasts as long as the clip. Four throughout would play it at 25 fps.
    """
    palette = _palette(clip, form, _small(clip, form, Pace(clip, pace.fps), check))
    width, height = gif_size(clip, form)
    last = _tick(pace.count, pace) - _tick(pace.count - 1, pace)
    with written_file(to, "gif", {"loop": "0", "final_delay": str(last)}) as into:
        stream = into.add_stream("gif", rate=Fraction(100))
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        stream.codec_context.time_base = TICK
        written = 0
        for frame in _dithered(palette, _small(clip, form, pace, check), width, height):
            frame.pts, frame.time_base = _tick(written, pace), TICK
            into.mux(stream.encode(frame))
            written += 1
        into.mux(stream.encode(None))
    return written


def _tick(number: int, pace: Pace) -> int:
    """When a frame is shown."""
    return round(number / pace.rate / TICK)


def _small(clip: Footage, form: GifForm, pace: Pace, check: Check) -> Iterator[VideoFrame]:
    width, height = gif_size(clip, form)
    frames = (item for item in read(clip.path, sound=False) if isinstance(item, VideoFrame))
    for shown in pace.paced(frames):
        check()
        small = from_rgb(as_rgb(shown.picture, width, height))
        small.pts, small.time_base = shown.tick, shown.unit
        yield small


def _palette(clip: Footage, form: GifForm, frames: Iterator[VideoFrame]) -> VideoFrame:
    width, height = gif_size(clip, form)
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=TICK)
    maker = graph.add("palettegen", f"max_colors={form.colours}:stats_mode=diff")
    sink = graph.add("buffersink")
    source.link_to(maker)
    maker.link_to(sink)
    graph.configure()
    for frame in frames:
        source.push(frame)
    source.push(None)
    return cast("VideoFrame", sink.pull())


def _dithered(palette: VideoFrame, frames: Iterator[VideoFrame], width: int, height: int) -> Iterator[VideoFrame]:
    """The frames in the palette's colours."""
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=TICK)
    colours = graph.add_buffer(width=palette.width, height=palette.height, format=palette.format, time_base=TICK)
    mapper = graph.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
    sink = graph.add("buffersink")
    source.link_to(mapper, 0, 0)
    colours.link_to(mapper, 0, 1)
    mapper.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, TICK
    colours.push(palette)
    colours.push(None)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, TICK
        source.push(frame)
        yield from _pulled(sink)
    source.push(None)
    yield from _pulled(sink)


def _pulled(sink: FilterContext) -> Iterator[VideoFrame]:
    while True:
        try:
            yield cast("VideoFrame", sink.pull())
        except (av.error.BlockingIOError, av.error.EOFError):
            return
