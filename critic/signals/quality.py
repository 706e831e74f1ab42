"""Signals of single pictures: blur, noise, blocks, bands, exposure and saturation."""

from collections.abc import Callable

import cv2
import numpy as np

from critic.signals import picture
from critic.signals.curves import score
from critic.signals.reading import Finding, Reading, Span


def blur(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Width of the sharper edges in pixels at full size, median over frames: `picture.edge_width`."""
    widths = {i: width for i, y in reading.native if (width := picture.edge_width(y)) is not None}
    if not widths:
        return Finding(
            None, 0.75, "too few edges to tell how sharp it is", "ask for a crisp, detailed picture in deep focus"
        )
    width = float(np.median(list(widths.values())))
    return Finding(
        width,
        score("blur", width, wishes),
        f"edges are {width:.1f} pixels wide",
        "ask for deep focus, everything sharp and crisp",
        _worst(reading, widths, "blur", wishes, "the picture is softest"),
    )


def noise(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Standard deviation of noise in levels at full size, median over frames: `picture.noise`."""
    sigmas = {i: picture.noise(y) for i, y in reading.native}
    sigma = float(np.median(list(sigmas.values())))
    return Finding(
        sigma,
        score("noise", sigma, wishes),
        f"noise has a deviation of {sigma:.1f} levels",
        "ask for a clean, noise-free picture",
        _worst(reading, sigmas, "noise", wishes, "noise is strongest"),
    )


def blockiness(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Height of the steps in the 8-pixel grid in levels at full size, median over frames: `picture.blockiness`."""
    height = _median(reading, picture.blockiness)
    return Finding(
        height,
        score("blockiness", height, wishes),
        f"steps of {height:.2f} levels in an 8-pixel grid" if height > 0.12 else "no grid of blocks shows",
        "ask for a clean picture with fine, natural detail",
    )


def banding(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Visible bands in smooth parts, share of the picture times steepness, median over frames: `picture.banding`."""
    bands = _median(reading, picture.banding)
    return Finding(
        bands,
        score("banding", bands, wishes),
        f"smooth parts show steps (index {bands:.3f})" if bands > 0.004 else "smooth parts show no steps",
        "ask for fine texture and cloud detail in the sky and other smooth parts",
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
    pixels = reading.lit.astype(np.float32)
    high, low = pixels.max(-1), pixels.min(-1)
    share = float((((high - low) / (high + 1) > 0.85) & (high > 60)).mean())
    return Finding(
        share,
        score("saturation", share, wishes),
        f"{share:.0%} of the picture is in nearly pure colour",
        "ask for natural, muted colours",
    )


def _median(reading: Reading, measure: Callable[[picture.Luma], float]) -> float:
    return float(np.median([measure(y) for _, y in reading.native]))


def _worst(
    reading: Reading, by_frame: dict[int, float], curve: str, wishes: frozenset[str], words: str
) -> tuple[Span, ...]:
    """The stretch around the worst frame, when it scores clearly below the clip's median."""
    frames = sorted(by_frame)
    worst = max(frames, key=lambda i: by_frame[i])
    usual = score(curve, float(np.median(list(by_frame.values()))), wishes)
    if usual - score(curve, by_frame[worst], wishes) < 0.15:
        return ()
    at = frames.index(worst)
    before, after = frames[max(0, at - 1)], frames[min(len(frames) - 1, at + 1)]
    return (Span(reading.seconds((before + worst) // 2), reading.seconds((worst + after) // 2), words),)
