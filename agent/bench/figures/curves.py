"""The curves of an axis, as points of plots."""

import numpy as np
from sklearn.metrics import roc_curve

from agent.bench.figures.calibration import isotonic_curve, thinned
from agent.bench.figures.columns import Columns
from agent.bench.figures.types import Curve
from agent.bench.figures.weighted import Blocks, Floats


def curves(columns: Columns) -> dict[str, Curve]:
    """Those that these rows have, by their names in `AxisFigures`. None without clips that people took and others."""
    rows = columns.taken
    score, passed = columns.score[rows], columns.passes[rows]
    if not passed.any() or passed.all():
        return {}
    false_positive, true_positive, _ = roc_curve(passed, score)
    return {
        "roc": thinned(false_positive, true_positive),
        "isotonic": isotonic_curve(score, passed),
        **_accepting(columns),
    }


def _accepting(columns: Columns) -> dict[str, Curve]:
    """What accepting from the best score down comes to.

    Rows without a score or with a broken floor are never accepted: recall is of all clips that people took, coverage of
    all that they judged, and neither need reach 1.
    """
    held = columns.asked[columns.accepted[columns.asked]]
    if not len(held):
        return {}
    passed = columns.passes[held][:, None].astype(np.float64)
    blocks = Blocks(columns.score[held], descending=True)
    taken = blocks.sums(passed)[1:, 0]
    accepted = blocks.ends.astype(np.float64)
    found = {"coverage_risk": thinned(accepted / len(columns.asked), 1 - taken / accepted)}
    everyone = int(columns.passes[columns.asked].sum())
    if everyone:
        found["precision_recall"] = thinned(*_from_zero(taken / everyone, taken / accepted))
    return found


def _from_zero(recall: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """The curve begins at recall 0 with the precision of the best score."""
    return np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision])
