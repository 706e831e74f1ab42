"""Intervals: prompts drawn again with replacement, and for each of them the order of its seeds."""

import numpy as np

from agent.bench.ranking import Floats


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
