"""Rank correlations, ties counted as ties."""

import numpy as np

from benchmarks.search.resampling import Floats


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
