"""How alike labels of one prompt are, and by how much that lowers the number that a bound may go by."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t


def alikeness(passed: NDArray[np.bool_], group: NDArray[np.int64]) -> float:
    """Intraclass correlation of labels in [0, 1], by analysis of variance (Donner, Int. Stat. Review 54, 1986)."""
    return float(alikeness_so_far(passed, group)[-1]) if len(group) else 0.0


def alikeness_so_far(passed: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intraclass correlation of the first 1, 2, … n labels. 0: they cannot tell it."""
    sizes, sums = _running(group, np.ones(len(group))), _running(group, passed.astype(float))
    n, k, total = np.arange(1.0, len(group) + 1), np.cumsum(sizes == 1), np.cumsum(passed, dtype=float)
    before = np.where(sizes > 1, (sums - passed) ** 2 / np.maximum(sizes - 1, 1), 0.0)
    squares = np.cumsum(sums**2 / sizes - before)  # sum over groups of the squared sum by the size
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (squares - total**2 / n) / (k - 1)
        within = (total - squares) / (n - k)
        typical = (n - np.cumsum(2 * sizes - 1) / n) / (k - 1)
        whole = between + (typical - 1) * within
        found = (between - within) / whole
    return np.where((k > 1) & (n > k) & (whole > 1e-12), np.clip(found, 0.0, 1.0), 0.0)


def design_effects(group: NDArray[np.int64], alike: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much alike clips lower the effective number of the first 1, 2, … n clips (Kish, Survey Sampling, 1965)."""
    squares = np.cumsum(2 * _running(group, np.ones(len(group))) - 1)  # of the sizes of the groups so far
    return np.asarray(1 + (squares / np.arange(1, len(group) + 1) - 1) * alike)


def scarcity(groups: int, clips: int, level: float) -> float:
    """By how much few prompts lower the effective number: how alike their clips are is then hardly known.

    The squared quotient of Student's quantiles at that many degrees of freedom (Korn and Graubard, Survey Methodology
    24, 1998). 1: every clip is of a prompt of its own.
    """
    if not 1 < groups < clips:
        return 1.0
    at = max(level, 0.75)
    return float((t.ppf(at, groups - 1) / t.ppf(at, clips - 1)) ** 2)


def _running(group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each entry, the sum of the values of its group up to it and with it."""
    order = np.argsort(group, kind="stable")
    sums, dealt = np.cumsum(values[order]), group[order]
    starts = np.flatnonzero(np.append(True, dealt[1:] != dealt[:-1])) if len(group) else np.zeros(0, int)
    lengths = np.diff(np.append(starts, len(group)))
    found = np.empty(len(group))
    found[order] = sums - np.repeat(sums[starts] - values[order][starts], lengths)
    return found
