"""Measures of single full-size pictures: edge width, noise, blocks and bands."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.float32]
"""(height, width) in [0, 255]."""

_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def edge_width(y: Luma) -> float | None:
    """Width of the sharper edges in pixels: contrast around an edge over its steepest slope.

    2.5 is crisp, 5 clearly soft. After the edge width of Marziliano et al. 2002 ("A no-reference perceptual blur
    metric"), taken in all directions at once, and at the 20th percentile, so that a sharp subject before a soft
    background counts as sharp. None when fewer than 8 edges stand out of noise.
    """
    window = np.ones((15, 15), np.uint8)
    smooth = cv2.GaussianBlur(y, (0, 0), 0.6)
    contrast = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    steepness = slope(smooth)
    edges = (steepness >= cv2.dilate(steepness, window) - 1e-6) & (contrast > 24 + 6 * noise(y))
    if np.count_nonzero(edges) < 8:
        return None
    return float(np.percentile(contrast[edges] / steepness[edges], 20))


def noise(y: Luma) -> float:
    """Standard deviation of noise in levels, from 0; film is about 3 to 6.

    Immerkaer 1996 ("Fast noise variance estimation"): the mean absolute response to a difference of two Laplacians,
    here only in the smoothest 30 % of the picture that is not clipped, where texture cannot pose as noise.
    """
    alive = (y > 4) & (y < 251)
    if np.count_nonzero(alive) < 100:
        return 0.0
    steepness = slope(cv2.GaussianBlur(y, (0, 0), 2))
    smooth = alive & (steepness <= np.percentile(steepness[alive], 30))
    return float(np.abs(cv2.filter2D(y, -1, _LAPLACIANS))[smooth].mean() * np.sqrt(np.pi / 2) / 6)


def blockiness(y: Luma) -> float:
    """Mean height of the steps that recur every 8 pixels, in levels, from 0; above .3 the grid is seen.

    After Wang, Sheikh and Bovik 2002: luma steps over what their neighbours lead to expect, averaged by phase in the
    8-pixel grid; the strongest phase less the second. Steps count up to 10 levels, since real edges are higher.
    """
    return (_grid(y) + _grid(y.T)) / 2


def _grid(y: NDArray[Any]) -> float:
    step = np.abs(np.diff(y, axis=1))
    excess = np.clip(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2, 0, 10).mean(0)
    second, first = sorted(float(excess[phase::8].mean()) for phase in range(8))[-2:]
    return first - second


def banding(y: Luma) -> float:
    """Visible bands: share of the picture that is plateaus with steps between, times the steps' slope, 0 to 3.

    A pixel counts when within 25 pixels the luma spans 1 to 30 levels, over a third is flat (under .12 levels a
    pixel) and some slope exceeds .35: a true gradient of that span has no flat parts, and texture has none either.
    """
    window = np.ones((25, 25), np.uint8)
    smooth = cv2.GaussianBlur(y, (0, 0), 0.8)
    steepness = slope(smooth)
    steepest = cv2.dilate(steepness, window)
    span = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    flat = cv2.blur((steepness < 0.12).astype(np.float32), (25, 25))
    bands = (span > 1) & (span < 30) & (flat > 0.35) & (steepest > 0.35)
    return float((bands * np.minimum(steepest, 3)).mean())


def slope(y: NDArray[Any]) -> NDArray[np.float32]:
    """Length of the luma gradient, levels a pixel (Sobel)."""
    along = cv2.Sobel(y, cv2.CV_32F, 1, 0, scale=1 / 8)
    across = cv2.Sobel(y, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(cv2.magnitude(along, across), np.float32)
