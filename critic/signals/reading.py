"""All that the signals are computed from, for one clip: measured once, when first asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from critic.frames import Footage
from critic.signals import order, pairs, picture, timeline, tracks
from critic.signals.pairs import Floats


class Reading:
    """One clip's frames and what was measured on them.

    `check` is called before each costly stage and may raise to stop.
    """

    def __init__(self, footage: Footage, check: Callable[[], None] = lambda: None) -> None:
        self.footage = footage
        self.check = check
        self._paths: dict[bool, tracks.CameraPath] = {}

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(n, h, w) luma of the small frames."""
        return pairs.luma(self.footage)

    @cached_property
    def pairs(self) -> pairs.Pairs:
        """Neighbouring frames compared."""
        self.check()
        return pairs.measure(self.grey, self.check)

    @cached_property
    def timeline(self) -> timeline.Timeline:
        """Black frames, cuts and stills."""
        return timeline.lay_out(self.black, self.pairs)

    @cached_property
    def leaps(self) -> NDArray[np.bool_]:
        """(n,) frames out of their order."""
        self.check()
        return order.leaps(self.grey, self.pairs.shift)

    @cached_property
    def bending(self) -> Floats:
        """(n - 1,) how fast shapes bend, in pixels of the small frames; nan where it was not measured."""
        return tracks.bending(self.grey, self.timeline.moving, self.check)

    def camera_path(self, *, falling: bool = False) -> tracks.CameraPath:
        """The camera's path; `falling` where snow or rain is expected."""
        if falling not in self._paths:
            times, cuts = self.footage.times, self.timeline.cuts
            self._paths[falling] = tracks.camera_path(self.grey, times, cuts, self.check, falling=falling)
        return self._paths[falling]

    @cached_property
    def black(self) -> NDArray[np.bool_]:
        """(n,) frames that hold nothing."""
        return timeline.black_frames(self.grey)

    @cached_property
    def lit(self) -> NDArray[np.uint8]:
        """(m, h, w, 3) up to 24 small frames, evenly spaced, black ones left out (all, when all are black)."""
        chosen = np.flatnonzero(~self.black)
        chosen = chosen if len(chosen) else np.arange(len(self.black))
        at = np.unique(np.linspace(0, len(chosen) - 1, min(24, len(chosen))).round().astype(int))
        return np.asarray(self.footage.small[chosen[at]])

    @cached_property
    def sharpness(self) -> Floats:
        """(n,) mean luma slope of each small frame, levels a pixel."""
        return np.array([picture.slope(grey).mean() for grey in self.grey])

    @cached_property
    def close_ups(self) -> tuple[tuple[int, NDArray[np.uint8]], ...]:
        """Index and tiles of the frames looked at closely that are not black (all, when all are black)."""
        parts = list(zip(self.footage.close_ups_at, self.footage.close_ups, strict=True))
        return tuple(pair for pair in parts if not self.black[pair[0]]) or tuple(parts)

    def seconds(self, frame: int) -> float:
        """The time of a frame; of the clip's end for an index past it."""
        times = self.footage.times
        return float(times[min(frame, len(times) - 1)])

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.footage.times[-1])


@dataclass(frozen=True)
class Span:
    """A stretch of a clip where something is wrong."""

    start: float
    end: float
    words: str


@dataclass(frozen=True)
class Finding:
    """What one signal found."""

    measured: float | None
    value: float
    """0 to 1, by the signal's curve."""
    words: str
    """One sentence with the figure."""
    advice: str
    """What a caption could say to cure it, in the imperative."""
    spans: tuple[Span, ...] = ()
