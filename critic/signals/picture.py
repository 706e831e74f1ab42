"""Measures of parts of a picture at full size: edge width, noise, blocks and bands."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.float32]
"""(t, height, width) in [0, 255]: parts of one picture (`critic.frames.tiles`), pooled in each measure."""

_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def edge_width(y: Luma) -> float | None:
    """Width of the sharper edges in pixels: contrast around an edge over its steepest slope.

    2.5 is crisp, 5 clearly soft. After the edge width of Marziliano et al. 2002 ("A no-reference perceptual blur
    metric"), taken in all directions at once, and at the 20th percentile, so that a sharp subject before a soft
    background counts as sharp. None when fewer than 8 edges stand out of noise.
    """
    window, inner = np.ones((15, 15), np.uint8), (slice(7, -7), slice(7, -7))  # at the rim, contrast is cut off
    enough = 24 + 6 * noise(y)
    widths = []
    for part in y:
        smooth = cv2.GaussianBlur(part, (0, 0), 0.6)
        contrast = (cv2.dilate(smooth, window) - cv2.erode(smooth, window))[inner]
        steepness = slope(smooth)
        edges = (steepness >= cv2.dilate(steepness, window) - 1e-6)[inner] & (contrast > enough)
        widths.append(contrast[edges] / steepness[inner][edges])
    found = np.concatenate(widths)
    return float(np.percentile(found, 20)) if len(found) >= 8 else None


def noise(y: Luma) -> float:
    """Standard deviation of noise in levels, from 0; film is about 3 to 6.

    Immerkaer 1996 ("Fast noise variance estimation"): the mean absolute response to a difference of two Laplacians,
    here only in the smoothest 30 % of the picture that is not clipped, where texture cannot pose as noise.
    """
    alive = (y > 4) & (y < 251)
    if np.count_nonzero(alive) < 100:
        return 0.0
    steepness = np.stack([slope(cv2.GaussianBlur(part, (0, 0), 2)) for part in y])
    smooth = alive & (steepness <= np.percentile(steepness[alive][::3], 30))
    response = np.stack([cv2.filter2D(part, -1, _LAPLACIANS) for part in y])
    return float(np.abs(response[smooth]).mean() * np.sqrt(np.pi / 2) / 6)


def blockiness(y: Luma) -> float:
    """Mean height of the steps that recur every 8 pixels, in levels, from 0; above .3 the grid is seen.

    After Wang, Sheikh and Bovik 2002: luma steps over what their neighbours lead to expect, averaged by phase in the
    8-pixel grid; the strongest phase less the second. Steps count up to 10 levels, since real edges are higher.
    """
    return (_grid(y) + _grid(y.transpose(0, 2, 1))) / 2


def _grid(y: NDArray[Any]) -> float:
    if y.shape[2] < 16:
        return 0.0
    step = np.abs(np.diff(y, axis=2))
    excess = np.clip(step[..., 1:-1] - (step[..., :-2] + step[..., 2:]) / 2, 0, 10).mean((0, 1))
    second, first = sorted(float(excess[phase::8].mean()) for phase in range(8))[-2:]
    return first - second


def banding(y: Luma) -> float:
    """Visible bands: share of the picture that is plateaus with steps between, times the steps' slope, 0 to 3.

    A pixel counts when within 25 pixels the luma spans 1 to 30 levels, over a third is flat (under .12 levels a
    pixel) and some slope exceeds .35: a true gradient of that span has no flat parts, and texture has none either.
    """
    window = np.ones((25, 25), np.uint8)
    found = []
    for part in y:
        smooth = cv2.GaussianBlur(part, (0, 0), 0.8)
        steepness = slope(smooth)
        steepest = cv2.dilate(steepness, window)
        span = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
        flat = cv2.blur((steepness < 0.12).astype(np.float32), (25, 25))
        bands = (span > 1) & (span < 30) & (flat > 0.35) & (steepest > 0.35)
        found.append(float((bands * np.minimum(steepest, 3)).mean()))
    return float(np.mean(found))


def slope(y: NDArray[Any]) -> NDArray[np.float32]:
    """Length of the luma gradient, levels a pixel (Sobel)."""
    along = cv2.Sobel(y, cv2.CV_32F, 1, 0, scale=1 / 8)
    across = cv2.Sobel(y, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(cv2.magnitude(along, across), np.float32)
