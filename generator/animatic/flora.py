"""Plants as silhouettes: conifers, broad-leaved trees, trunks, grass."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def fill(mask: Array, points: Array, value: float = 255) -> None:
    """Fill a polygon (n x 2, pixels) on a uint8 mask, antialiased to a sixteenth of a pixel."""
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], float(value), cv2.LINE_AA, 4)


def conifer(mask: Array, x: float, foot: float, height: float, rng: np.random.Generator) -> None:
    """A spruce: tiers of drooping branches on a trunk."""
    tiers = int(rng.integers(7, 11))
    half = height * rng.uniform(0.15, 0.21)
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for tier in range(tiers):
        t = tier / tiers
        y = foot - height * (1 - t * 0.93)
        reach = half * (t**0.85) + height * 0.008
        droop = height * 0.035
        for side, points in ((-1, left), (1, right)):
            wide = reach * rng.uniform(0.8, 1.2) + half * 0.14
            points += [(x + side * reach * 0.45, y), (x + side * wide, y + height / tiers * 0.75 + droop)]
    trunk = height * 0.018
    outline = [(x, foot - height), *right, (x + trunk, foot - height * 0.05), (x + trunk, foot), (x - trunk, foot)]
    outline += [(x - trunk, foot - height * 0.05), *left[::-1]]
    fill(mask, np.array(outline))


def trunk(mask: Array, x: float, foot: float, half: float, lean: float, flare: float) -> None:
    """A bare trunk that reaches out of the picture, widening over its last `flare` pixels."""
    right = [(half * 0.65 + lean, 0.0), (half, foot - flare), (half * 1.55, foot)]
    fill(
        mask, np.array([(x + dx, y) for dx, y in right] + [(x + 2 * lean * (y == 0) - dx, y) for dx, y in right[::-1]])
    )


def broadleaf(mask: Array, x: float, foot: float, height: float, rng: np.random.Generator) -> None:
    """An oak: a forked trunk under a crown of leaf clusters."""
    trunk = height * 0.035
    top = foot - height * 0.5
    fill(
        mask,
        np.array([(x - trunk * 1.5, foot), (x - trunk * 0.7, top), (x + trunk * 0.7, top), (x + trunk * 1.5, foot)]),
    )
    for _ in range(3):
        tip = x + rng.uniform(-0.25, 0.25) * height
        fill(
            mask,
            np.array(
                [
                    (x - trunk * 0.5, top + height * 0.1),
                    (x + trunk * 0.5, top + height * 0.1),
                    (tip, top - height * 0.2),
                ]
            ),
        )
    for _ in range(46):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.random() ** 0.55
        centre = x + np.cos(angle) * reach * height * 0.31, foot - height * 0.66 + np.sin(angle) * reach * height * 0.24
        size = height * rng.uniform(0.05, 0.1)
        cv2.circle(mask, (int(centre[0] * 16), int(centre[1] * 16)), int(size * 16), 255.0, -1, cv2.LINE_AA, 4)


def grass(mask: Array, foot: float, height: float, count: int, rng: np.random.Generator) -> None:
    """Blades along the whole width of the mask, rooted around row `foot`."""
    clump = rng.random(12) * mask.shape[1]
    for _ in range(count):
        x = rng.random() * mask.shape[1]
        if rng.random() < 0.5:
            x = clump[rng.integers(12)] + rng.normal(0, 0.04) * mask.shape[1]
        tall = height * rng.uniform(0.35, 1.0)
        lean = rng.normal(0.0, 0.28) * tall
        root = foot + rng.uniform(0, 0.35) * height
        wide = max(0.7, tall * 0.022)
        middle = (x + lean * 0.3, root - tall * 0.6)
        fill(
            mask,
            np.array(
                [(x - wide, root), (middle[0] - wide * 0.7, middle[1]), (x + lean, root - tall),
                 (middle[0] + wide * 0.7, middle[1]), (x + wide, root)]
            ),
        )  # fmt: skip
