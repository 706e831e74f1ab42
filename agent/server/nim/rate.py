"""Fractional frame rates: a clip rendered at a whole rate gets the asked one in its container, its pictures copied."""

from fractions import Fraction
from pathlib import Path
from typing import IO, Final

import av

NTSC: Final = 1001
"""Television's rates are whole thousands over this: 23.976 stands for 24000/1001."""
_NEAR: Final = 1e-3


def exact(fps: float) -> Fraction:
    """The rate that a number means: television's where it is one, else the simplest fraction near it."""
    whole = round(fps)
    if abs(fps - whole) < 1e-9:
        return Fraction(whole)
    television = Fraction(round(fps * NTSC / 1000) * 1000, NTSC)
    return television if abs(float(television) - fps) < _NEAR else Fraction(fps).limit_denominator(1000)


def rendered(fps: Fraction) -> int:
    """The whole rate that is rendered for it."""
    return max(1, int(fps + Fraction(1, 2)))


def retime(source: IO[bytes], to: Path, before: Fraction, after: Fraction) -> None:
    """Copy an MP4 whose pictures are then shown at another rate. Nothing is encoded; sound keeps its own time.

    Args:
        source: the file, with frames at a constant rate.
        to: the copy, whose index goes before its pictures: players begin before they have all of it.
        before: frames per second of the source.
        after: of the copy, exactly.
    """
    options = {"video_track_timescale": str(after.numerator), "movflags": "+faststart"}
    with (
        av.open(source, "r", format="mp4") as old,
        av.open(str(to), "w", format="mp4", options=options) as new,
    ):
        pictures = old.streams.video[0]
        streams = {stream.index: new.add_stream_from_template(stream) for stream in (pictures, *old.streams.audio)}
        base, frame = Fraction(1, after.numerator), after.denominator
        for packet in old.demux([pictures, *old.streams.audio]):
            if packet.dts is None:
                continue  # the end
            if packet.stream.index == pictures.index:
                step = before * (packet.time_base or Fraction(1))
                packet.dts = round(packet.dts * step) * frame
                packet.pts = None if packet.pts is None else round(packet.pts * step) * frame
                packet.duration = frame
                packet.time_base = base
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
