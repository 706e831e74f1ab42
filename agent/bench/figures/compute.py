"""Figures of scored rows, by axis."""

import time
from collections.abc import Iterable

from agent.bench.extra import need
from agent.bench.figures.types import Figures
from agent.bench.types import AXES, Scored
from agent.errors import ConfigError
from critic.instrument import Instrument


def figures(
    rows: Iterable[Scored],
    *,
    dataset: str,
    dataset_sha256: str = "",
    instrument: Instrument | None = None,
    pass_at: float | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    bad_rows: int = 0,
) -> Figures:
    """What scores are worth beside people's labels.

    ROC AUC, average precision and the correlations are scikit-learn's and scipy's on the rows that have scores. A row
    without one is a failure, never a zero: the curves of precision and recall and of coverage and risk count it as not
    accepted, accuracies as wrong. The order of the rows makes no difference.

    Args:
        rows: of any axes and kinds of labels.
        dataset: its name, for people.
        dataset_sha256: of the labels' bytes.
        instrument: the critic that scored them. None: not known.
        pass_at: least label that passes, on its own scale. None: see `Labelled.passes`.
        bootstrap: resamples of the groups behind each interval; 0: no intervals.
        seed: the same seed and rows give the same figures.
        bad_rows: of the dataset, told along.

    Raises:
        ConfigError: there are no rows, or scikit-learn or scipy are missing.
    """
    need("scipy.stats", "sklearn.metrics", "sklearn.isotonic")
    from agent.bench.figures.axis import axis_figures  # noqa: PLC0415 - now that both are known to be there

    began = time.perf_counter()
    rows = list(rows)
    if not rows:
        raise ConfigError(f"{dataset}: holds no row to compute figures from")
    of = {axis: [row for row in rows if row.axis == axis] for axis in AXES}
    axes = tuple(axis_figures(found[0].axis, found, pass_at, bootstrap, seed) for found in of.values() if found)
    return Figures(
        dataset=dataset,
        dataset_sha256=dataset_sha256,
        instrument=instrument,
        rows=len(rows),
        bad_rows=bad_rows,
        bootstrap=bootstrap,
        axes=axes,
        seconds=time.perf_counter() - began,
    )
