"""Corners followed by Lucas-Kanade: how shapes bend between frames, and the camera's path over the clip."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from critic.signals.pairs import Floats, fit_similarity

_STEPS = 16
"""Steps in which a camera path is measured: long enough that each moves clearly, short enough to be followed."""
_STRIDE = 3
"""Frames between measurements of bending."""
_FEWEST = 12
"""Corners below which nothing is concluded."""


@dataclass(frozen=True)
class CameraPath:
    """Where the camera looks, accumulated from the first frame (0, 0, 0, 0). Signs as in `reasoner.camera`."""

    seconds: Floats
    """(k,) time of each measured frame."""
    pan: Floats
    """(k,) shares of the width; rising turns right."""
    tilt: Floats
    """(k,) shares of the height; rising turns up."""
    zoom: Floats
    """(k,) natural logarithms of the magnification; rising moves or zooms in."""
    roll: Floats
    """(k,) degrees; rising turns the camera clockwise."""
    agreement: Floats
    """(k - 1,) share of followed corners that one similarity explains in each step, 0 to 1; nan over a cut."""


def camera_path(
    grey: NDArray[np.uint8],
    times: Floats,
    cuts: tuple[int, ...],
    check: Callable[[], None],
    *,
    falling: bool = False,
) -> CameraPath:
    """Follow the camera through `grey` (n, h, w), 256 px long side, in `_STEPS` steps.

    Steps over a cut count as no movement. Corners in a grid of cells, so that no textured part of the picture
    outvotes the rest; forward and backward tracking must agree; RANSAC finds the similarity that most corners share
    (OpenCV seeds it alike each time). `falling`: snow or rain is expected, whose many corners would outvote the
    scene, and is taken out by a median over time; this costs a steady move the four frames at each end. A similarity
    sees the plane: a dolly looks like a zoom and an orbit like a pan.
    """
    at = np.unique(np.linspace(0, len(grey) - 1, min(_STEPS + 1, len(grey))).round().astype(int))
    height, width = grey.shape[1:]
    centre = np.array([width / 2, height / 2], np.float32)
    moves, agreement = [np.zeros(4)], []
    flat = {i: _without_light(_without_specks(grey, i) if falling else grey[i]) for i in at.tolist()}
    for a, b in zip(at[:-1].tolist(), at[1:].tolist(), strict=True):
        check()
        if any(a < cut <= b for cut in cuts):
            moves.append(np.zeros(4))
            agreement.append(np.nan)
            continue
        move, share = _step(flat[a], flat[b], centre)
        moves.append(move)
        agreement.append(share)
    pan, tilt, zoom, roll = np.cumsum(moves, axis=0).T
    return CameraPath(times[at], -pan / width, tilt / height, zoom, -np.degrees(roll), np.array(agreement))


def bending(grey: NDArray[np.uint8], usable: NDArray[np.bool_], check: Callable[[], None]) -> Floats:
    """(n - 1,) how fast shapes bend at a pair, in pixels; nan where it was not measured.

    Corners are followed one frame back and one forward. The sum of the two displacements is each corner's
    acceleration: steady parallax cancels out. A similarity takes out the camera's; the median of what is left is the
    bending. Local means are removed first, so that flicker does not mislead the tracking.
    """
    height, width = grey.shape[1:]
    centre = np.array([width / 2, height / 2])
    out = np.full(len(grey) - 1, np.nan)
    flat: dict[int, Any] = {}
    for i in range(1, len(grey) - 1, _STRIDE):
        if not (usable[i - 1] and usable[i]):
            continue
        check()
        flat = {j: flat[j] if j in flat else _without_light(grey[j]) for j in (i - 1, i, i + 1)}
        found: Any = cv2.goodFeaturesToTrack(flat[i], 150, 0.01, 6, blockSize=5)
        if found is None or len(found) < _FEWEST:
            continue
        corners = found[:, 0]
        (after, ok), (before, fine) = (_follow(flat[i], flat[j], corners, 13, 0.5) for j in (i + 1, i - 1))
        good = ok & fine
        if np.count_nonzero(good) >= _FEWEST:
            acceleration = (after + before - 2 * corners)[good].astype(np.float64)
            _, rest = fit_similarity(corners[good] - centre, acceleration[None])
            out[i] = float(np.median(np.linalg.norm(rest[0], axis=1)))
    return out


def _without_light(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = grey.astype(np.float32)
    return np.asarray(np.clip(picture - cv2.blur(picture, (31, 31)) + 128, 0, 255), np.uint8)


def _without_specks(grey: NDArray[np.uint8], at: int) -> NDArray[np.uint8]:
    """The median of five frames two apart, around `at` as far as the clip goes."""
    middle = min(max(at, 4), max(len(grey) - 5, 0))
    return np.asarray(np.median(grey[max(middle - 4, 0) : middle + 5 : 2], axis=0), np.uint8)


def _follow(
    a: NDArray[Any], b: NDArray[Any], corners: NDArray[Any], window: int, slack: float
) -> tuple[Any, NDArray[np.bool_]]:
    """Where corners (m, 2) of `a` lie in `b`, and which come back to within `slack` pixels when followed home."""
    track: Any = cv2.calcOpticalFlowPyrLK  # its stubs refuse None for points that are not known yet
    size = (window, window)
    there, found, _ = track(a, b, corners[:, None], None, winSize=size, maxLevel=3)
    back, again, _ = track(b, a, there, None, winSize=size, maxLevel=3)
    home = np.linalg.norm(back[:, 0] - corners, axis=1) < slack
    return there[:, 0], (found.ravel() > 0) & (again.ravel() > 0) & home


def _step(a: NDArray[np.uint8], b: NDArray[np.uint8], centre: NDArray[np.float32]) -> tuple[Floats, float]:
    """Shift in x and y (pixels), log scale and turn (radians) of the picture from `a` to `b`; the share that agrees."""
    corners = _spread_corners(a)
    if len(corners) < _FEWEST:
        return np.zeros(4), 0.0
    there, good = _follow(a, b, corners, 21, 1.0)
    if np.count_nonzero(good) < _FEWEST:
        return np.zeros(4), 0.0
    place: Any
    inliers: Any
    place, inliers = cv2.estimateAffinePartial2D(
        corners[good] - centre, there[good] - centre, method=cv2.RANSAC, ransacReprojThreshold=1, maxIters=500
    )
    if place is None:
        return np.zeros(4), 0.0
    scale, turn = np.hypot(place[0, 0], place[1, 0]), np.arctan2(place[1, 0], place[0, 0])
    return np.array([place[0, 2], place[1, 2], np.log(scale), turn]), float(inliers.mean())


def _spread_corners(grey: NDArray[np.uint8], columns: int = 10, rows: int = 6, each: int = 4) -> NDArray[np.float32]:
    """(m, 2) the strongest corners of each cell of a grid."""
    strength = cv2.cornerMinEigenVal(grey, 5)
    peak = (strength == cv2.dilate(strength, np.ones((5, 5), np.uint8))) & (strength > 2e-5)
    strength = np.where(peak, strength, 0)
    height, width = grey.shape
    found = []
    for row in range(rows):
        for column in range(columns):
            top, left = height * row // rows, width * column // columns
            cell = strength[top : height * (row + 1) // rows, left : width * (column + 1) // columns]
            best = np.argsort(-cell, axis=None, kind="stable")[:each]
            y, x = np.unravel_index(best[cell.ravel()[best] > 0], cell.shape)
            found.append(np.stack([left + x, top + y], -1))
    return np.concatenate(found).astype(np.float32)
