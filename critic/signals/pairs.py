"""What is measured between each frame and the next: difference, dense flow, and what flow does not explain."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from critic.frames import Footage
from critic.signals import picture

Floats = NDArray[np.float64]

_GRID = 8
"""Pixels between the points that the global movement is fitted to."""


@dataclass(frozen=True)
class Pairs:
    """Arrays with one entry for each of the n - 1 pairs of neighbouring frames, measured at 256 px long side."""

    change: Floats
    """Mean absolute difference of luma over the twentieth of 8x8 blocks that changed most, in levels."""
    speed: Floats
    """Mean length of the flow, in % of the diagonal."""
    top_speed: Floats
    """Mean length of the fastest twentieth of the flow where more than noise changes, in % of the diagonal."""
    brightness: Floats
    """Median difference of luma along the flow, in levels: what light did, movement taken out."""
    match: Floats
    """Normalised correlation of this frame with the next brought back along the flow, local means removed; -1 to 1."""
    shift: Floats
    """(n - 1, 2) movement of the picture's centre in pixels, from a robust similarity."""
    diagonal: float
    """Of the small frames, in pixels."""


def luma(footage: Footage) -> NDArray[np.uint8]:
    """(n, h, w) BT.601 luma of the small frames."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in footage.small]).astype(np.uint8)


def measure(grey: NDArray[np.uint8], check: Callable[[], None] = lambda: None) -> Pairs:
    """Measure all pairs of `grey` (n, h, w). `check` is called at each and may raise to stop."""
    _, height, width = grey.shape
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow_of.setFinestScale(1)
    here = np.mgrid[:height, :width][::-1].astype(np.float32)
    rows, columns = np.mgrid[6 : height - 6 : _GRID, 6 : width - 6 : _GRID]
    diagonal = float(np.hypot(height, width))
    some = grey[:: max(1, len(grey) // 4)].astype(np.float32)
    # two frames of noise differ by 1.13 deviations on average; flow on noise alone is made up
    noise_change = 0.25 + 1.8 * float(np.median([picture.noise(frame[None]) for frame in some]))
    change, speed, top, brightness, match, flows = [], [], [], [], [], []
    for first, second in pairwise(grey):
        check()
        flow: Any = flow_of.calc(first, second, None)  # type: ignore[call-overload]
        length = cv2.magnitude(flow[..., 0], flow[..., 1])
        back = cv2.remap(
            second, here[0] + flow[..., 0], here[1] + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        difference = cv2.absdiff(first, second).astype(np.float32)
        blocks = cv2.resize(difference, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        change.append(_top(blocks))
        speed.append(float(length.mean()) / diagonal * 100)
        seen = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST) > noise_change
        lively = np.where(seen, length, 0)[::2, ::2].ravel()  # flow is smooth: every second pixel tells as much
        fastest = max(1, lively.size // 20)
        top.append(float(np.partition(lively, -fastest)[-fastest:].mean()) / diagonal * 100)
        light, likeness = _along(first, back)
        brightness.append(light)
        match.append(likeness)
        flows.append(flow[rows, columns].reshape(-1, 2))
    points = np.stack([columns.ravel() - width / 2, rows.ravel() - height / 2], -1)
    shift, _ = fit_similarity(points, np.stack(flows).astype(np.float64))
    return Pairs(
        np.array(change), np.array(speed), np.array(top), np.array(brightness), np.array(match), shift, diagonal
    )


def _top(blocks: NDArray[np.float32]) -> float:
    """Mean of the largest twentieth."""
    count = max(1, blocks.size // 20)
    return float(np.partition(blocks.ravel(), -count)[-count:].mean())


def _along(first: NDArray[np.uint8], back: NDArray[Any]) -> tuple[float, float]:
    """Median luma difference and normalised correlation of two aligned pictures, borders left out."""
    a = first[4:-4, 4:-4].astype(np.float32)
    b = back[4:-4, 4:-4].astype(np.float32)
    light = float(np.median(b[::2, ::2] - a[::2, ::2]))
    a -= cv2.blur(a, (31, 31))
    b -= cv2.blur(b, (31, 31))
    floor = 2.0 * a.size  # luma noise of 1.4 levels: a flat picture matches a flat picture
    return light, float(((a * b).sum() + floor) / np.sqrt(((a * a).sum() + floor) * ((b * b).sum() + floor)))


def fit_similarity(points: Floats, flows: Floats) -> tuple[Floats, Floats]:
    """Fit turn, scale and shift to (m, p, 2) flows at (p, 2) points by reweighted least squares (Cauchy weights).

    A similarity of the plane is `q = a p + b` in complex numbers, so that each step is one division.

    Returns:
        (m, 2) shift of the centre and (m, p, 2) what the fit leaves, both in pixels.
    """
    p = (points[:, 0] + 1j * points[:, 1])[None]
    q = p + flows[..., 0] + 1j * flows[..., 1]
    weight = np.ones(q.shape)
    for _ in range(6):
        total = weight.sum(1, keepdims=True)
        p0 = (weight * p).sum(1, keepdims=True) / total
        q0 = (weight * q).sum(1, keepdims=True) / total
        a = (weight * (q - q0) * np.conj(p - p0)).sum(1, keepdims=True) / (weight * np.abs(p - p0) ** 2).sum(
            1, keepdims=True
        )
        b = q0 - a * p0
        rest = q - a * p - b
        scale = np.maximum(np.median(np.abs(rest), 1, keepdims=True), 0.05)
        weight = 1 / (1 + (np.abs(rest) / scale) ** 2)
    return np.stack([b.real, b.imag], -1)[:, 0], np.stack([rest.real, rest.imag], -1)
