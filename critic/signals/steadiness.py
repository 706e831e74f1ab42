"""Signals of movement and light from frame to frame: how much moves, and what flickers, shakes or swims."""

import numpy as np

from critic.signals.curves import score
from critic.signals.pairs import Floats
from critic.signals.reading import Finding, Reading, Span
from critic.signals.timeline import Flags, smooth_median

_PEAKS = 3
"""Worst moments named in a critique."""


def motion(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Mean speed of the fastest twentieth of the picture, in % of the diagonal a second, cuts left out.

    From dense optical flow (DIS, Kroeger et al. 2016), like VBench's dynamic degree, which also takes the fastest 5 %.
    """
    timeline = reading.timeline
    compared = timeline.moving | timeline.still
    speed = float(reading.pairs.top_speed[compared].mean()) * reading.footage.fps if compared.any() else 0.0
    return Finding(
        speed,
        score("motion", speed, wishes),
        f"the liveliest part of the picture moves {speed:.1f}% of the diagonal a second",
        "describe constant visible motion: what moves, briskly, throughout the clip",
    )


def flicker(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Root mean square of the jumps of light, in levels of luma: brightness along the flow less its smooth course."""
    jumps = light_jumps(reading)
    level = float(np.sqrt((jumps**2).mean())) if len(jumps) else 0.0
    return Finding(
        level,
        score("flicker", level, wishes),
        f"light jumps by {level:.2f} levels from frame to frame",
        "ask for constant, even, steady light without flicker",
        _peaks(reading, np.abs(jumps), "flicker", wishes, "the light flickers"),
    )


def light_jumps(reading: Reading) -> Floats:
    """(n - 1,) jumps of light in levels, -40 to 40; 0 where frames cannot be compared."""
    return np.clip(_jumps(reading.pairs.brightness, reading.timeline.moving), -40, 40)


def shake(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Root mean square of the jumps of the picture's centre, in thousandths of the diagonal a frame, worst 5 % clipped.

    Jumps are the shift of a robust similarity less its smooth course, so that intended moves cancel out.
    """
    moving = reading.timeline.moving
    jumps = np.hypot(*(_jumps(reading.pairs.shift[:, axis], moving) for axis in (0, 1)))
    jumps = jumps / reading.pairs.diagonal * 1000
    level = float(np.sqrt((np.minimum(jumps, np.percentile(jumps, 95)) ** 2).mean())) if len(jumps) else 0.0
    return Finding(
        level,
        score("shake", level, wishes),
        f"the frame jumps by {level:.1f} thousandths of the diagonal from frame to frame",
        "ask for a tripod-steady, stabilized camera",
        _peaks(reading, jumps, "shake", wishes, "the camera shakes"),
    )


def warping(reading: Reading, wishes: frozenset[str]) -> Finding:
    """How fast shapes bend, in thousandths of the diagonal a frame: `tracks.bending`, mean over time.

    A subject that moves alone is a minority of corners. Strong noise shakes corners too and raises it.
    """
    bends = reading.bending / reading.pairs.diagonal * 1000
    measured = np.isfinite(bends)
    level = float(bends[measured].mean()) if measured.any() else 0.0
    return Finding(
        level,
        score("warping", level, wishes),
        f"shapes bend by {level:.2f} thousandths of the diagonal a frame",
        "ask for rigid, stable shapes that keep their form",
        _peaks(reading, np.nan_to_num(bends), "warping", wishes, "shapes swim"),
    )


def _jumps(values: Floats, usable: Flags) -> Floats:
    """Values less their smooth course over the usable pairs: one for each pair, 0 where it is not usable.

    The course is a mean over 5 pairs of a running median over 5, so that single jumps stay out of it.
    """
    out = np.zeros(len(values))
    kept = values[usable]
    if len(kept) >= 5:
        course = np.convolve(np.pad(smooth_median(kept, 5), 2, mode="edge"), np.ones(5) / 5, "valid")
        out[usable] = kept - course
    return out


def _peaks(reading: Reading, jumps: Floats, curve: str, wishes: frozenset[str], words: str) -> tuple[Span, ...]:
    """The worst moments, over half a second apart, whose jump alone would score under .6."""
    spans: list[Span] = []
    for i in np.argsort(-jumps, kind="stable").tolist():
        if len(spans) == _PEAKS or score(curve, float(jumps[i]), wishes) >= 0.6:
            break
        at = reading.seconds(i + 1)
        if all(abs(at - span.start) > 0.5 for span in spans):
            spans.append(Span(at, at, words))
    return tuple(sorted(spans, key=lambda span: span.start))
