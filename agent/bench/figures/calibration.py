"""The score taken for a probability that people take the clip: bins, and isotonic regression across groups."""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from agent.bench.figures.types import Bin, Curve
from agent.bench.figures.weighted import EDGES, Floats, Ints

FOLDS = 5
POINTS = 512
"""Most of a curve."""


def thinned(x: Floats, y: Floats) -> Curve:
    """A curve of at most 512 of its points, evenly spaced by number, both ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return Curve(x=tuple(x[keep].tolist()), y=tuple(y[keep].tolist()))


def _isotonic() -> IsotonicRegression:
    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")


def across_groups(score: Floats, passed: NDArray[np.bool_], group: Ints, seed: int) -> Floats | None:
    """P(people take it) of each row, by isotonic regression on the groups of the other folds.

    Args:
        score: any scale.
        passed: whether people took it.
        group: number of each row's group. Whole groups are dealt to 5 folds (fewer groups: as many folds).
        seed: of the dealing.

    Returns:
        None: there is but one group.
    """
    names, place = np.unique(group, return_inverse=True)
    if len(names) < 2:
        return None
    dealt = np.empty(len(names), dtype=int)
    dealt[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % FOLDS
    fold = dealt[place]
    found = np.empty(len(score))
    for number in np.unique(fold):
        held = fold == number
        found[held] = _isotonic().fit(score[~held], passed[~held].astype(float)).predict(score[held])
    return found


def isotonic_curve(score: Floats, passed: NDArray[np.bool_]) -> Curve:
    """P(people take it) by score, fitted on all rows: for the eye. Its error is told across groups."""
    at = np.unique(score)
    return thinned(at, _isotonic().fit(score, passed.astype(float)).predict(at))


def reliability(score: Floats, passed: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """The 10 bins behind the expected calibration error. Scores in [0, 1]."""
    return bins(score, passed, EDGES)


def bins(score: Floats, passed: NDArray[np.bool_] | None, edges: Floats) -> tuple[Bin, ...]:
    """Clips by score. `passed`: None, no label says it."""
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    found = []
    for number, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = place == number
        n = int(inside.sum())
        taken = 0 if passed is None else int(passed[inside].sum())
        found.append(
            Bin(
                low=low,
                high=high,
                n=n,
                mean_score=float(score[inside].mean()) if n else None,
                passed=taken / n if n and passed is not None else None,
                n_passed=taken,
            )
        )
    return tuple(found)


def histogram_edges(score: Floats) -> Floats:
    """20 bins over [0, 1], or over the scores' range where they leave it."""
    low, high = float(score.min(initial=0.0)), float(score.max(initial=1.0))
    share = np.arange(21) / 20
    return np.asarray(share if (low, high) == (0.0, 1.0) else low * (1 - share) + high * share)
