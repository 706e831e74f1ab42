"""Seeded noise fields that look alike at every resolution."""

import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def dice(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each named thing, so that adding one thing to a scene moves no other."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def clouds(
    height: int, width: int, rng: np.random.Generator, cells: tuple[float, float], octaves: int = 5, gain: float = 0.5
) -> Array:
    """Fractal noise, 0-1, float32.

    `cells` across and down of the coarsest octave. The grids do not depend on the pixels, so a larger canvas shows the
    same shapes with more detail.
    """
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for octave in range(octaves):
        across, down = (max(2, round(c * 2**octave)) + 3 for c in cells)
        grid = rng.standard_normal((down, across)).astype(np.float32)
        if across < 4 * width and down < 4 * height:
            total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight *= gain
    low, high = np.percentile(total[:: max(1, height // 128), :: max(1, width // 128)], (0.5, 99.5))
    return np.asarray(np.clip((total - low) / (high - low + 1e-6), 0, 1), np.float32)


def line(
    width: int, rng: np.random.Generator, cells: float, octaves: int = 5, gain: float = 0.5, ridged: bool = False
) -> Array:
    """A fractal curve over `width` columns, 0-1, float32. `ridged` gives sharp tops."""
    total = np.zeros(width, np.float32)
    weight = 1.0
    for octave in range(octaves):
        grid = rng.standard_normal((1, max(2, round(cells * 2**octave)) + 3)).astype(np.float32)
        curve = cv2.resize(grid, (width, 1), interpolation=cv2.INTER_CUBIC)[0]
        total += weight * (1 - np.abs(curve)) if ridged else weight * curve
        weight *= gain
    total -= total.min()
    return np.asarray(total / (total.max() + 1e-6), np.float32)
