"""Rank correlations, ties counted as ties, and intervals of means over prompts by drawing prompts again."""

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


def estimate(values: Floats) -> Estimate:
    """From a figure's value and those of the resamples, in that order. Infinity sorts last, and is not averaged."""
    low, high = np.quantile(values[1:], (0.025, 0.975), method="inverted_cdf")
    return Estimate(float(values[0]), float(low), float(high))


def drawn(prompts: int, resamples: int, seed: int = 1) -> NDArray[np.int64]:
    """Prompts by number, first each once and then drawn with replacement: shape (1 + resamples, prompts)."""
    rng = np.random.default_rng(seed)
    return np.vstack([np.arange(prompts), rng.integers(prompts, size=(resamples, prompts))])


def ranks(values: Floats) -> Floats:
    """Ranks from 1, the mean rank among equals."""
    below = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(below + (equal + 1) / 2, dtype=np.float64)


def spearman(one: Floats, other: Floats) -> float:
    """Correlation of the ranks, in [-1, 1]. Not a number where either side has but one value."""
    a, b = ranks(one), ranks(other)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float("nan")


def kendall(one: Floats, other: Floats) -> float:
    """Tau-b: pairs in the same order minus pairs in the other, over the geometric mean of those not tied in each."""
    upper = np.triu_indices(len(one), 1)
    a = np.sign(one[:, None] - one[None, :])[upper]
    b = np.sign(other[:, None] - other[None, :])[upper]
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float("nan")
