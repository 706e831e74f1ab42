"""What makes a stretch of a clip unfit for the other signals: black frames, cuts, and pairs that stand still."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from critic.signals.pairs import Floats, Pairs

_STILL = 0.35
"""Change in levels that H.264 at CRF 18 leaves between equal frames."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Timeline:
    """Which frames and pairs of neighbouring frames are what. Pair i lies between frames i and i + 1."""

    black: Flags
    """(n,) frames that hold nothing."""
    cuts: tuple[int, ...]
    """Indices of the first frames after a cut."""
    still: Flags
    """(n - 1,) pairs that show the same picture."""
    moving: Flags
    """(n - 1,) pairs on which movement and light can be compared: not black, no cut, not still nor after a still."""


def smooth_median(values: Floats, window: int) -> Floats:
    """Running median of odd `window`, ends repeated."""
    padded = np.pad(np.asarray(values, float), window // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, window), -1))


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def black_frames(grey: NDArray[np.uint8]) -> Flags:
    """(n,) frames whose 95th percentile of luma is below 20."""
    return np.asarray(np.percentile(grey[:, ::2, ::2], 95, axis=(1, 2)) < 20)


def lay_out(black: Flags, pairs: Pairs) -> Timeline:
    """Find cuts and stills in a clip whose black frames are known.

    A cut is a fall of `Pairs.match` by .35 under the running
    median, to below .6. A pair is still when its change is under `_STILL`, or under .15 of the clip's
    97th percentile and 1.2 levels, or where half of its neighbourhood is under `_STILL` and itself under 1.5.
    """
    dark_pair = black[:-1] | black[1:]
    fall = smooth_median(pairs.match, 9) - pairs.match
    cut = (fall > 0.35) & (pairs.match < 0.6) & ~dark_pair
    compared = ~dark_pair & ~cut
    lively = float(np.percentile(pairs.change[compared], 97)) if compared.any() else 0.0
    still = pairs.change < max(_STILL, min(1.2, 0.15 * lively))
    # within a standstill, a codec still repairs single frames
    still |= (smooth_median(pairs.change, 5) < _STILL) & (pairs.change < 1.5)
    still &= ~dark_pair
    after = np.concatenate([[False], still[:-1]]) & ~still
    usable = ~(dark_pair | cut | still)
    # A frame after a repeated one moves twice as far. Where frames repeat regularly, that is the clip's own step.
    moving = usable & ~after if np.count_nonzero(usable & ~after) * 2 > np.count_nonzero(usable) else usable
    return Timeline(black, tuple(int(i) + 1 for i in np.flatnonzero(cut)), still, moving)
