"""Frames out of their order: a picture that leaps away from both its neighbours, which are like one another."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from critic.signals.pairs import Floats

_BLOCK = 8
"""Pixels a side over which noise and texture are averaged away."""
_FAR = 14.0
"""Levels by which a twentieth of the picture must leap: rain and neon at night come to 12."""
_BACK = 1.2
"""How much longer the way over the frame must be than the way past it. Smooth movement takes .2 to .7, a cut 1."""


def leaps(grey: NDArray[np.uint8], shift: Floats) -> NDArray[np.bool_]:
    """(n,) frames of `grey` (n, h, w) out of order; the first and last never are.

    Of three frames in order the outer two differ the most; of three in random order, as much as any. Each frame x is
    held against both neighbours a and b, brought to its place by the camera's `shift` (n - 1, 2), since a camera that
    shakes is no disorder: it leaps where |a - 2 x + b| / 2 exceeds `_FAR` and `_BACK` times |a - b| / 2, both means
    over the twentieth of blocks with the most of it, global light left out. A clip played backwards is in order.
    """
    out = np.zeros(len(grey), np.bool_)
    for i in range(1, len(grey) - 1):
        before, after = _carried(grey[i - 1], shift[i - 1]), _carried(grey[i + 1], -shift[i])
        a, x, b = (_blocks(picture) for picture in (before, grey[i], after))
        over = _top(np.abs(a - 2 * x + b) / 2)
        out[i] = over > _FAR and over > _BACK * _top(np.abs(a - b) / 2)
    return out


def _carried(picture: NDArray[np.uint8], by: Floats) -> NDArray[Any]:
    place = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    return cv2.warpAffine(picture, place, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def _blocks(picture: NDArray[Any]) -> NDArray[np.float32]:
    height, width = picture.shape
    size = max(1, width // _BLOCK), max(1, height // _BLOCK)
    means = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(means - np.median(means), np.float32)


def _top(blocks: NDArray[np.float32]) -> float:
    count = max(1, blocks.size // 20)
    return float(np.partition(blocks.ravel(), -count)[-count:].mean())
