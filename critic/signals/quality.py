"""Signals of single pictures: blur, noise, blocks, bands, exposure and saturation."""

import cv2
import numpy as np

from critic.signals import picture
from critic.signals.curves import score
from critic.signals.reading import Finding, Reading
from critic.signals.stretches import follow, lay_out, peaks, told
from critic.signals.timeline import runs

_SUDDEN = 1.5
"""How many times flatter a frame without edges must be than the one beside it to be called blurred."""


def blur(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Width of the sharper edges in pixels at full size, worst half second: `picture.edge_width`."""
    widths = _edge_widths(reading)
    if not widths:
        return Finding(
            None, 0.75, "too few edges to tell how sharp it is", "ask for a crisp, detailed picture in deep focus"
        )
    course = lay_out(reading, widths)
    when = told(course, "blur", wishes, lambda width: f"{width:.1f}")
    return Finding(
        course.worst,
        score("blur", course.worst, wishes),
        f"edges are {course.worst:.1f} pixels wide {when}",
        "ask for deep focus, everything sharp and crisp",
        peaks(reading, course, "blur", wishes, "the picture is soft"),
    )


def noise(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Standard deviation of noise in levels at full size, worst half second: `picture.noise`."""
    course = follow(reading, picture.noise)
    when = told(course, "noise", wishes, lambda sigma: f"{sigma:.1f}")
    return Finding(
        course.worst,
        score("noise", course.worst, wishes),
        f"noise has a deviation of {course.worst:.1f} levels {when}",
        "ask for a clean, noise-free picture",
        peaks(reading, course, "noise", wishes, "the picture is noisy"),
    )


def blockiness(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Height of the steps in the 8-pixel grid in levels at full size, worst half second: `picture.blockiness`."""
    course = follow(reading, picture.blockiness)
    when = told(course, "blockiness", wishes, lambda height: f"{height:.2f}")
    shows = course.worst > 0.12
    return Finding(
        course.worst,
        score("blockiness", course.worst, wishes),
        (f"steps in an 8-pixel grid are {course.worst:.2f} levels high " if shows else "no grid of blocks shows ")
        + when,
        "ask for a clean picture with fine, natural detail",
        peaks(reading, course, "blockiness", wishes, "blocks show"),
    )


def banding(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Visible bands in smooth parts, share of the picture times steepness, worst half second: `picture.banding`."""
    course = follow(reading, picture.banding)
    when = told(course, "banding", wishes, lambda index: f"{index:.3f}")
    shows = course.worst > 0.004
    return Finding(
        course.worst,
        score("banding", course.worst, wishes),
        (f"smooth parts show steps of index {course.worst:.3f} " if shows else "smooth parts show no steps ") + when,
        "ask for fine texture and cloud detail in the sky and other smooth parts",
        peaks(reading, course, "banding", wishes, "smooth parts show steps"),
    )


def exposure(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Mean luma in levels, 0 to 255, with the share of it that is clipped to white (250 and over)."""
    lumas = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in reading.lit])
    mean, clipped = float(lumas.mean()), float((lumas >= 250).mean())
    dark = "dark" in wishes
    by_mean = score("exposure: mean when dark is asked" if dark else "exposure: mean", mean, wishes)
    by_clipping = score("exposure: clipped", clipped, wishes)
    if mean > 130:
        advice = "ask for a balanced exposure that holds the highlights" + (", in a dark low-key scene" if dark else "")
    else:
        advice = "ask for a bright, well exposed scene" if not dark else "ask for a dark scene with a well lit subject"
    return Finding(
        mean,
        min(by_mean, by_clipping),
        f"mean luma is {mean:.0f} of 255 and {clipped:.0%} is clipped to white"
        + (" (a dark scene is asked)" if dark else ""),
        advice,
    )


def saturation(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Share of the picture in nearly pure colour (saturation over .85 at value over 60), 0 to 1."""
    pixels = reading.lit[:, ::2, ::2].astype(np.float32)
    high, low = pixels.max(-1), pixels.min(-1)
    share = float((((high - low) / (high + 1) > 0.85) & (high > 60)).mean())
    return Finding(
        share,
        score("saturation", share, wishes),
        f"{share:.0%} of the picture is in nearly pure colour",
        "ask for natural, muted colours",
    )


def _edge_widths(reading: Reading) -> dict[int, float]:
    """Edge width by frame. Where blur has left no edges it is estimated, where the picture has none it is missing.

    Blur comes at once, plain sky by and by: between one close-up and the next the mean slope falls to under two thirds.
    It falls as much as edges widen.
    """
    measured = {i: picture.edge_width(parts.astype(np.float32)) for i, parts in reading.close_ups}
    frames = list(measured)
    widths = {i: width for i, width in measured.items() if width is not None}
    for start, end in runs(np.array([measured[i] is None for i in frames])):
        rims = [(frames[a], frames[b]) for a, b in ((start - 1, start), (end, end - 1)) if 0 <= a < len(frames)]
        falls = {sharp: reading.sharpness[sharp] / max(reading.sharpness[flat], 0.01) for sharp, flat in rims}
        if falls and max(falls.values()) > _SUDDEN:
            sharp = max(falls, key=lambda i: falls[i])
            widths |= dict.fromkeys(frames[start:end], widths[sharp] * falls[sharp])
    return dict(sorted(widths.items()))
