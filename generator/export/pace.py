"""The rate of an export: the clip's own frames, the nearest ones, or new ones by optical flow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from av.video.frame import VideoFrame

from generator.export.source import Footage, as_rgb, from_rgb
from generator.export.types import MOST_FASTER, ExportError
from generator.interpolate import Between, Picture, psnr, squared_error

SAMPLES = 6
"""Frames of a clip that are left out and made again, to measure how well that goes."""


@dataclass
class Shown:
    """A picture and when it is shown."""

    picture: VideoFrame
    tick: int
    """In steps of the export's clock."""
    unit: Fraction
    """Seconds of a step."""


@dataclass
class HeldOut:
    """How near flow, blending and repeating come to frames that were left out: mean squared errors."""

    flow: list[float] = field(default_factory=list)
    blend: list[float] = field(default_factory=list)
    repeat: list[float] = field(default_factory=list)

    @property
    def decibels(self) -> dict[str, float | None]:
        """The fields of `Exported`."""
        return {
            "interpolation_psnr_db": round(psnr(self.flow), 2) if self.flow else None,
            "blend_psnr_db": round(psnr(self.blend), 2) if self.blend else None,
            "repeat_psnr_db": round(psnr(self.repeat), 2) if self.repeat else None,
        }

    def add(self, a: Picture, b: Picture, c: Picture, t: float) -> None:
        """Make `b` again from its neighbours. A cut beside it says nothing and is left out."""
        between = Between(a, c)
        if between.cut or between.still:
            return
        self.flow.append(squared_error(between.at(t), b))
        self.blend.append(squared_error(between.blend(t), b))
        self.repeat.append(squared_error(a, b))


@dataclass
class Pace:
    """Turns a clip's frames into the frames of its export."""

    footage: Footage
    fps: int | None
    """Of the export. None: the clip's own frames at their own times."""
    flow: bool = False
    interpolated: int = 0
    """Frames made by flow so far."""
    held_out: HeldOut = field(default_factory=HeldOut)

    def __post_init__(self) -> None:
        """Refuse what would be nothing but made up.

        Raises:
            ExportError: more than `MOST_FASTER` frames would be made of one.
        """
        if self.fps is not None and self.fps > MOST_FASTER * self.footage.fps:
            raise ExportError(
                f"{self.fps} fps of a clip of {float(self.footage.fps):g} fps is over {MOST_FASTER} frames for one; "
                f"ask for at most {int(MOST_FASTER * self.footage.fps)}."
            )

    @property
    def rate(self) -> Fraction:
        """Frames a second of the export, the mean where they vary."""
        return self.footage.fps if self.fps is None else Fraction(self.fps)

    @property
    def unit(self) -> Fraction:
        """Seconds of a step of the export's clock."""
        return self.footage.unit if self.fps is None and not self.footage.steady else 1 / self.rate

    @property
    def makes(self) -> bool:
        """Whether frames are made by flow: only where there are more than the clip has."""
        return self.flow and self.rate > self.footage.fps

    @property
    def count(self) -> int:
        """Frames of the export: as long as the clip, to half a frame."""
        own = len(self.footage.stamps)
        return own if self.fps is None else max(1, round(self.footage.seconds * self.fps))

    def paced(self, frames: Iterable[VideoFrame]) -> Iterator[Shown]:
        """The frames of the export, in order.

        Raises:
            ExportError: the clip gives other frames than its packets promise.
        """
        frames = self._all(frames)
        if self.fps is None:
            start, steady = self.footage.stamps[0], self.footage.steady
            for index, frame in enumerate(frames):
                yield Shown(frame, index if steady else (frame.pts or 0) - start, self.unit)
            return
        if self.makes:
            frames = self._measured(frames)
        tick = 0
        for (before, begins), (after, ends) in pairwise(self._timed(frames)):
            between: Between | None = None
            while tick < self.count and tick / self.rate < ends:
                t = float((tick / self.rate - begins) / (ends - begins))
                picture = before if t <= 0.5 else after
                if self.makes and t > 0:
                    between = between or Between(as_rgb(before), as_rgb(after))
                    if not (between.still or between.cut):
                        picture = from_rgb(between.at(t))
                        self.interpolated += 1
                yield Shown(picture, tick, self.unit)
                tick += 1

    def _all(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The same frames, counted."""
        count = 0
        for frame in frames:
            yield frame
            count += 1
        if count != len(self.footage.stamps):
            raise ExportError(
                f"{self.footage.path.name} breaks off: {count} of its {len(self.footage.stamps)} frames decode."
            )

    def _timed(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Each frame and its seconds since the first; the last one once more, for when the clip has ended."""
        last: VideoFrame | None = None
        for frame in frames:
            yield frame, ((frame.pts or 0) - self.footage.stamps[0]) * self.footage.unit
            last = frame
        if last is not None:
            yield last, self.footage.seconds + 1

    def _measured(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The same frames; on the way a few are made again from their neighbours."""
        inner = len(self.footage.stamps) - 2
        chosen = {1 + inner * (2 * k + 1) // (2 * SAMPLES) for k in range(SAMPLES)} if inner > 0 else set()
        last: list[tuple[Picture, int]] = []
        for index, frame in enumerate(frames):
            if chosen & {index - 1, index, index + 1}:
                last = [*last[-2:], (as_rgb(frame), frame.pts or 0)]
            if index - 1 in chosen:
                (a, begins), (b, real), (c, ends) = last
                self.held_out.add(a, b, c, t=(real - begins) / (ends - begins))
            yield frame
