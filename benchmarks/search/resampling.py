"""Intervals: prompts drawn again with replacement, and for each of them the order of its seeds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval. Infinite: not reached."""

    value: float
    low: float
    high: float


def weights(prompts: int, orders: int, resamples: int, seed: int = 1) -> Floats:
    """How much each prompt and order of seeds counts, first as it is and then in each resample.

    Returns:
        Shape (1 + resamples, prompts * orders), each row adding up to 1: the first row is level.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(prompts, size=(resamples, prompts, 1)) * orders
    places = (drawn + rng.integers(orders, size=(resamples, prompts, orders))).reshape(resamples, -1)
    counts = np.ones((1 + resamples, prompts * orders))
    for row, where in enumerate(places, 1):
        counts[row] = np.bincount(where, minlength=prompts * orders)
    return counts / (prompts * orders)


def estimate(values: Floats) -> Estimate:
    """From a figure's value and those of the resamples, in that order. Infinity sorts last, and is not averaged."""
    low, high = np.quantile(values[1:], (0.025, 0.975), method="inverted_cdf")
    return Estimate(float(values[0]), float(low), float(high))
