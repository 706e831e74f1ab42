"""How far a critic tells degraded clips from their bases. scikit-learn and SciPy compute what they have."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.bench.degrade.catalogue import Degradation
from agent.bench.degrade.types import Judged, Part, Row

CLEAR = 3
"""Severity from which on a degradation counts as clear."""

Floats = NDArray[np.float64]
Pairs = Mapping[str, Mapping[int, Judged]]
"""Judged degraded clips with a score, by base and severity."""


def row(
    degradation: Degradation, bases: Mapping[str, Judged], judged: Sequence[Judged], *, bootstrap: int, seed: int
) -> Row:
    """The figures of one degradation.

    Args:
        degradation: which.
        bases: the base clips by name.
        judged: its cases, of any bases and severities.
        bootstrap: resamples of the bases for the intervals.
        seed: of these.
    """
    pairs: dict[str, dict[int, Judged]] = defaultdict(dict)
    failed = 0
    for each in judged:
        base = bases.get(each.case.base)
        if each.score is None or base is None or base.score is None:
            failed += 1
        else:
            pairs[each.case.base][each.case.severity] = each
    severities = sorted({each.case.severity for each in judged})
    clear = [severity for severity in severities if severity >= CLEAR]
    fell, by = _fell_most(bases, pairs)

    def part(of: Sequence[int]) -> Part:
        return _part(*_scores(bases, pairs, of))

    intervals = _intervals(*_scores(bases, pairs, severities), bootstrap, seed)
    return Row(
        degradation=degradation.name,
        words=degradation.words,
        axis=degradation.axis,
        seen=degradation.seen,
        all=part(severities),
        clear=part(clear),
        by_severity={severity: part([severity]) for severity in severities},
        interval=None if intervals is None else intervals[0],
        pooled_interval=None if intervals is None else intervals[1],
        spearman=_spearman(pairs) if len(severities) > 1 else None,
        fell=fell,
        fell_by=round(by, 4),
        bases=len(pairs),
        failed=failed,
    )


def _scores(bases: Mapping[str, Judged], pairs: Pairs, severities: Sequence[int]) -> tuple[Floats, list[Floats]]:
    """(n,) base scores, and for each base the scores of its degraded clips; of bases that have any."""
    own, degraded = [], []
    for name, of in pairs.items():
        scores = [each.score for severity, each in sorted(of.items()) if severity in severities]
        if scores:
            own.append(bases[name].score)
            degraded.append(np.array(scores, float))
    return np.array(own, float), degraded


def _part(own: Floats, degraded: Sequence[Floats]) -> Part:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - of the extra `bench`

    if not degraded:
        return Part()
    scores = np.concatenate([own, *degraded])
    labels = np.arange(len(scores)) < len(own)
    return Part(
        auc=float(_shares(own, degraded).mean()),
        pooled=float(roc_auc_score(labels, scores)),
        pairs=len(scores) - len(own),
    )


def _won(own: Floats, degraded: Floats) -> Floats:
    """1 where a base scores over a degraded clip, 1/2 where they tie."""
    return np.asarray((own > degraded) + (own == degraded) / 2, float)


def _shares(own: Floats, degraded: Sequence[Floats]) -> Floats:
    """(n,) for each base the share of its degraded clips that it scores over: each base weighs the same."""
    return np.array([_won(base, scores).mean() for base, scores in zip(own, degraded, strict=True)])


def _intervals(
    own: Floats, degraded: Sequence[Floats], resamples: int, seed: int
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """95 % percentile bootstraps of both AUCs over bases, since clips of one base are not independent."""
    if len(own) < 2 or not resamples:
        return None
    from scipy.stats import bootstrap  # noqa: PLC0415 - as above

    shares = _shares(own, degraded)
    # won[i, j]: pairs that base i wins against the degraded clips of base j
    won = np.array([[_won(base, scores).sum() for scores in degraded] for base in own])
    counts = np.array([len(scores) for scores in degraded])

    def pooled(drawn: NDArray[np.int64]) -> float:
        return float(won[np.ix_(drawn, drawn)].sum() / (counts[drawn].sum() * len(drawn)))

    def interval(data: NDArray[Any], statistic: Callable[[NDArray[Any]], Any]) -> tuple[float, float]:
        found = bootstrap(
            (data,),
            statistic,
            n_resamples=resamples,
            method="percentile",
            vectorized=False,
            rng=np.random.default_rng(seed),
        ).confidence_interval
        return float(found.low), float(found.high)

    return interval(shares, np.mean), interval(np.arange(len(own)), pooled)


def _spearman(pairs: Pairs) -> float | None:
    """Mean over bases; a base whose scores are all alike counts 0, since nothing follows the severity there."""
    from scipy.stats import spearmanr  # noqa: PLC0415 - as above

    found = []
    for of in pairs.values():
        severities, scores = zip(*((s, each.score or 0.0) for s, each in sorted(of.items())), strict=True)
        if len(severities) > 1:
            flat = len(set(scores)) == 1
            found.append(0.0 if flat else -float(spearmanr(severities, scores).statistic))
    return float(np.mean(found)) if found else None


def _fell_most(bases: Mapping[str, Judged], pairs: Pairs) -> tuple[str, float]:
    """The criterion that fell most against the base, in the mean over all clips, and by how much.

    A clip that it was not asked of counts as no fall: what only some requests ask for does not hide what all do.
    """
    falls: dict[str, float] = defaultdict(float)
    for name, of in pairs.items():
        before = bases[name].criteria
        for each in of.values():
            for criterion, value in each.criteria.items():
                if criterion in before:
                    falls[criterion] += before[criterion] - value
    if not falls:
        return "", 0.0
    fell = max(falls, key=lambda name: falls[name])
    by = falls[fell] / sum(len(of) for of in pairs.values())
    return (fell, by) if by >= 0.005 else ("", 0.0)
