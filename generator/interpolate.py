"""Frames between frames: dense optical flow, a warp from both sides, and no picture made across a cut."""

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""
_Floats = NDArray[np.float32]

CUT_MATCH, CUT_FIT = 0.65, 0.55
"""A cut lies where both `Between.match` and `Between.fit` are less. `python -m benchmarks.interpolation` prints what
moving and cut clips reach."""
FLAT = 1.0
"""Levels of 255: a picture whose fine structure is less, root mean square, is flat, as black or a plain card is."""
LEAP = 24.0
"""Levels of 255, root mean square: what a flat picture and its neighbour may differ by and be one scene, as in a fade.
Between them no structure tells: what is carried from a flat picture fits anything."""
HOME = 2.0
"""Pixels of the half-size frame."""
GRAIN = 1.5
"""Sigma in pixels of the half-size frame that flow is found under: grain leads it astray."""
STILL = 2.0
"""Levels of 255: a place that changes by less stands still. It is blended, so that grain is not carried along."""
AGREED, LOST = 1.5, 5.5
"""Pixels of the frame by which the flows there and back may miss each other: up to the first the warp is believed
wholly, from the second on not at all."""
_CEILING = 60.0
"""dB from which two pictures are as good as equal."""


class Between:
    """The pictures between two neighbouring frames. Their movement is measured once, when it is first needed."""

    def __init__(self, before: Picture, after: Picture) -> None:
        """Take two frames of the same size."""
        self.before, self.after = before, after

    @cached_property
    def still(self) -> bool:
        """Whether nothing moves at all."""
        return float(np.max(cv2.absdiff(self.before, self.after))) <= STILL

    @cached_property
    def cut(self) -> bool:
        """Whether the scene changes between the frames."""
        return not self.still and self.match < CUT_MATCH and self.fit < CUT_FIT

    @cached_property
    def match(self) -> float:
        """How well the fine structure of the later frame, carried back, is the earlier one's: -1 to 1.

        1 where one of them is flat and the other hardly differs from it.
        """
        a, b = self._grey
        fine = _fine(a)
        if min(_strength(fine), _strength(_fine(b))) < FLAT and squared_error(self.before, self.after) <= LEAP**2:
            return 1.0
        there, _ = self._flows
        return _correlation(fine, _fine(_warp(b, there)))

    @cached_property
    def fit(self) -> float:
        """`match`, less the share of places that the flow there and back does not lead home.

        Flow bends a smooth picture into any other, but not both ways alike.
        """
        there, back = self._flows
        miss = np.linalg.norm(there + _warp(back, there), axis=-1)
        return self.match - float(np.mean(miss > HOME))

    def at(self, t: float) -> Picture:
        """The picture at `t` of the way from the earlier frame (0) to the later one (1); beside a cut, the nearer."""
        nearer = self.before if t <= 0.5 else self.after
        if t in (0.0, 1.0) or self.still or self.cut:
            return nearer
        height, width = self.before.shape[:2]
        there, back = (_enlarged(flow, width, height) for flow in self._flows)
        # the flow at a place of the new picture is not known: it is taken from where that flow leads to
        there, back = _warp(there, -t * there), _warp(back, -(1 - t) * back)
        carried = (1 - t) * _warp(self.before.astype(np.float32), -t * there)
        carried += t * _warp(self.after.astype(np.float32), -(1 - t) * back)
        mixed = self.blend(t).astype(np.float32)
        miss = np.linalg.norm(there + back, axis=-1)
        trust = np.clip((LOST - miss) / (LOST - AGREED), 0, 1) * self._moving
        mixed += (carried - mixed) * trust[..., None].astype(np.float32)
        return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)

    def blend(self, t: float) -> Picture:
        """Both frames, one shining through the other."""
        return np.asarray(cv2.addWeighted(self.before, 1 - t, self.after, t, 0), np.uint8)

    @cached_property
    def _grey(self) -> tuple[Picture, Picture]:
        """Both frames as luma at half the size, where flow is quicker to find and as good."""
        height, width = self.before.shape[:2]
        size = max(16, width // 2), max(16, height // 2)
        small = [
            cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
            for p in (self.before, self.after)
        ]
        return np.asarray(small[0], np.uint8), np.asarray(small[1], np.uint8)

    @cached_property
    def _flows(self) -> tuple[_Floats, _Floats]:
        """Pixels of the half-size frames, there and back: each (h, w, 2)."""
        cv2.setNumThreads(1)  # the flow depends on the number of threads, and clips are what runs side by side
        finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        a, b = (cv2.GaussianBlur(p, (0, 0), GRAIN) for p in self._grey)
        empty = np.zeros((*a.shape, 2), np.float32)
        there = finder.calc(a, b, empty.copy())
        return np.asarray(there, np.float32), np.asarray(finder.calc(b, a, empty), np.float32)

    @cached_property
    def _moving(self) -> _Floats:
        """(height, width): 0 where the picture stands still, 1 where it changes."""
        change = cv2.absdiff(self.before, self.after).max(axis=-1).astype(np.float32)
        change = cv2.blur(change, (9, 9))
        return np.asarray(np.clip(change / STILL, 0, 1), np.float32)


def _warp(picture: NDArray[np.generic], by: NDArray[np.generic]) -> _Floats:
    """`picture` looked up at every place plus `by` (h, w, 2) pixels."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(
        np.asarray(picture),
        x + by[..., 0].astype(np.float32),
        y + by[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(moved, np.float32)


def _enlarged(flow: _Floats, width: int, height: int) -> _Floats:
    h, w = flow.shape[:2]
    scale = np.array([width / w, height / h], np.float32)
    return np.asarray(cv2.resize(flow, (width, height)) * scale, np.float32)


def _fine(grey: NDArray[np.generic]) -> _Floats:
    """A luma picture without its local means, so that light and large shapes do not count."""
    smooth = cv2.GaussianBlur(np.asarray(grey, np.float32), (0, 0), 1.0)
    return np.asarray(smooth - cv2.blur(smooth, (15, 15)), np.float32)


def _strength(fine: _Floats) -> float:
    """Levels of 255, root mean square."""
    return float(np.sqrt(np.mean(fine**2)))


def _correlation(a: _Floats, b: _Floats) -> float:
    energy = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / energy if energy > 0 else 0.0


def psnr(errors: Sequence[float]) -> float:
    """Peak signal-to-noise ratio in dB of a mean of mean squared errors, at most 60."""
    mean = float(np.mean(errors))
    return _CEILING if mean <= 0 else min(_CEILING, float(10 * np.log10(255**2 / mean)))


def squared_error(a: Picture, b: Picture) -> float:
    """Mean squared error of two pictures."""
    return float(np.mean(np.square(a.astype(np.float32) - b.astype(np.float32))))
