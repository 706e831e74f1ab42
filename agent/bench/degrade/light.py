"""Degradations of light and colour."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.bench.degrade.video import Video, each


def flickering(video: Video, severity: int) -> Video:
    """Brightness jumps at random from frame to frame by 1.5 to 12 %."""
    dice = np.random.default_rng(5)
    gains = 1 + (0.015, 0.025, 0.04, 0.07, 0.12)[severity - 1] * dice.standard_normal(len(video))
    return each(lambda f, i: f * gains[i], video)


def underexposed(video: Video, severity: int) -> Video:
    """Light falls to 45 to 10 %."""
    gain = (0.45, 0.35, 0.26, 0.18, 0.1)[severity - 1]
    return each(lambda f, _: f * gain, video)


def overexposed(video: Video, severity: int) -> Video:
    """Light grows to 1.5 to 4 times and clips."""
    gain = (1.5, 1.8, 2.2, 2.8, 4.0)[severity - 1]
    return each(lambda f, _: f * gain, video)


def oversaturated(video: Video, severity: int) -> Video:
    """Distances from grey grow 1.6 to 6 times."""
    gain = (1.6, 2.1, 2.8, 4.0, 6.0)[severity - 1]

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
        return grey + (frame - grey) * gain

    return each(change, video)


def tinted(video: Video, severity: int) -> Video:
    """A green cast: green grows by 3 to 22 %, red and blue fall by 6 to 45 %."""
    cast = (0.06, 0.12, 0.2, 0.3, 0.45)[severity - 1]
    gains = np.array([1 - cast, 1 + cast / 2, 1 - cast], np.float32)
    return each(lambda f, _: f * gains, video)


def fading(video: Video, severity: int) -> Video:
    """Light falls evenly over the whole clip, at its end to 90 to 30 %."""
    gains = np.linspace(1, (0.9, 0.8, 0.65, 0.5, 0.3)[severity - 1], len(video))
    return each(lambda f, i: f * gains[i], video)
