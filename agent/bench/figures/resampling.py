"""95 % intervals by bootstrap over groups: rows of one group are drawn together."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.bench.figures.types import Figure
from agent.bench.figures.weighted import Floats, Ints, Weighted

FEWEST_GROUPS: Final = 2
_CELLS: Final = 320_000
"""Of a matrix of weights at a time: 2.5 MB, so that memory does not grow with resamples and little with rows."""


class Estimate(NamedTuple):
    """A figure that can be computed, and how it is computed again for resamples."""

    value: float
    rows: Ints
    """Which rows of the axis it is of."""
    weighted: Weighted


def weights(group: NDArray[Any], resamples: int, seed: list[int]) -> Iterator[Floats]:
    """How often each row is drawn, shape (rows, some of the resamples): groups drawn with replacement.

    Args:
        group: number of each row's group, from 0.
        resamples: in all.
        seed: the same seed draws the same.
    """
    random = np.random.default_rng(seed)
    groups = int(group.max(initial=-1)) + 1
    step = max(1, _CELLS // max(1, len(group)))
    for done in range(0, resamples, step):
        some = min(step, resamples - done)
        drawn = random.integers(0, groups, size=(some, groups))
        drawn += np.arange(some)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=some * groups).reshape(some, groups)
        yield counts.T.astype(np.float64)[group]


def with_intervals(
    estimates: Mapping[str, Estimate | str], group: NDArray[Any], resamples: int, seed: list[int]
) -> dict[str, Figure]:
    """Figures with their percentile intervals (Efron, 1979), by name.

    Resamples that say nothing of a figure (all of one class, all scores equal) are left out of it and counted. An
    interval that would leave out its own estimate, as those of calibration errors can, is widened up to it.

    Args:
        estimates: by name; in its place why there is none.
        group: number of each row's group, from 0.
        resamples: 0: no intervals.
        seed: the same seed gives the same intervals.
    """
    groups = {n: len(np.unique(group[e.rows])) for n, e in estimates.items() if isinstance(e, Estimate)}
    wide = {n: e for n, e in estimates.items() if isinstance(e, Estimate) and groups[n] >= FEWEST_GROUPS}
    drawn: dict[str, list[Floats]] = {name: [] for name in wide}
    for some in weights(group, resamples if wide else 0, seed):
        for name, estimate in wide.items():
            drawn[name].append(estimate.weighted(some[estimate.rows]))
    found = {}
    for name, made in estimates.items():
        if isinstance(made, str):
            found[name] = Figure.none(made)
        elif name not in wide or not resamples:
            why = "no interval was asked for" if name in wide else "no interval: all rows are of one group"
            found[name] = Figure(value=made.value, n=len(made.rows), why=why)
        else:
            found[name] = _figure(made, np.concatenate(drawn[name]))
    return found


def _figure(estimate: Estimate, drawn: Floats) -> Figure:
    said = drawn[np.isfinite(drawn)]
    left_out = len(drawn) - len(said)
    if 2 * left_out > len(drawn):
        why = f"no interval: {left_out:,} of {len(drawn):,} resamples say nothing of it"
        return Figure(value=estimate.value, n=len(estimate.rows), left_out=left_out, why=why)
    low, high = np.quantile(said, [0.025, 0.975])
    return Figure(
        value=estimate.value,
        low=float(min(low, estimate.value)),
        high=float(max(high, estimate.value)),
        n=len(estimate.rows),
        left_out=left_out,
    )
