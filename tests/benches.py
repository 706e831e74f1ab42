"""Benchmarks for tests: rows as a critic of a given quality would have scored them, and figures about them."""

import math
import random
from collections.abc import Sequence

from agent.bench.figures.types import AxisFigures, Bin, Curve, Figure, Figures, Leaning
from agent.bench.types import RowAxis, Scored

NONE = Figure.none("these rows do not say")


def rows(
    n: int = 120, *, worth: float = 1.5, axis: RowAxis = "overall", failed: int = 4, seed: int = 7, groups: int = 30
) -> list[Scored]:
    """Graded clips whose scores are `worth` standard deviations apart for clips that are taken."""
    dice = random.Random(seed)
    made = []
    for number in range(n):
        label = dice.choice([1, 2, 2, 3, 3, 4, 4, 5])
        score = 1 / (1 + math.exp(-dice.gauss(worth * (label - 3) / 1.6 + 0.5, 1)))
        broken = number < failed
        made.append(
            Scored(
                sample_id=f"clip-{number:03d}",
                axis=axis,
                label_type="likert",
                label=label,
                scale=(1, 5),
                n_raters=3,
                group=f"A red ball rolls down a ramp, take {number % groups}",
                score=None if broken else round(score, 4),
                failure="the reply could not be read: no JSON in it" if broken else "",
                words=dice.randrange(20, 200),
            )
        )
    return made


def axis_figures(given: Sequence[Scored], **other: object) -> AxisFigures:
    """Figures about the rows of one axis, counted plainly. Intervals and what needs a library are put in by hand."""
    single = [r for r in given if r.label_type != "pair" and r.score is not None]
    pairs = [r for r in given if r.label_type == "pair"]
    good = sorted(r.score or 0.0 for r in single if r.passes(None))
    poor = sorted(r.score or 0.0 for r in single if r.passes(None) is False)
    n = len(single)
    facts: dict[str, object] = {
        **dict.fromkeys(("roc_auc", "average_precision", "spearman", "kendall", "pearson", "quadratic_kappa"), NONE),
        **dict.fromkeys(("exact_accuracy", "ece", "ece_isotonic", "brier", "pairwise_accuracy"), NONE),
        **dict.fromkeys(("pairwise_accuracy_ties", "swap_consistency", "retest", "aurc"), NONE),
        "axis": given[0].axis,
        "n": n,
        "n_pairs": len(pairs),
        "groups": len({r.group for r in given}),
        "n_failed": sum(bool(r.failure) for r in given),
        "n_pass": len(good),
        "n_fail": len(poor),
        "pass_at": "label >= 4 of 1-5",
        "chance": True,
        "words": ("Nothing can be said.",),
        "failures": {r.failure: sum(o.failure == r.failure for o in given) for r in given if r.failure},
        "leaning": Leaning(
            leniency=_near(0.11, n) if n else NONE,
            length_correlation=_near(0.02, n) if n else NONE,
            unique=len({r.score for r in single}),
            commonest_share=1 / n if n else 0,
        ),
        "histogram": _bins(single, 20),
    }
    if good and poor:
        wins = sum((a > b) + (a == b) / 2 for a in good for b in poor)
        auc = _near(wins / len(good) / len(poor), n)
        ranked = sorted(single, key=lambda r: -(r.score or 0.0))
        taken = [bool(r.passes(None)) for r in ranked]
        found = [sum(taken[: k + 1]) for k in range(n)]
        facts |= {
            "roc_auc": auc,
            "average_precision": _near(0.71, n),
            "spearman": _near(0.58, n),
            "kendall": _near(0.42, n),
            "pearson": _near(0.55, n),
            "quadratic_kappa": _near(0.4, n),
            "exact_accuracy": _near(0.37, n),
            "ece": _near(0.24, n),
            "ece_isotonic": _near(0.05, n),
            "brier": _near(0.22, n),
            "aurc": _near(0.31, n),
            "retest": _near(0.013, 20),
            "roc": Curve(
                x=(0, *((k + 1 - f) / len(poor) for k, f in enumerate(found))), y=(0, *(f / len(good) for f in found))
            ),
            "precision_recall": Curve(
                x=tuple(f / len(good) for f in found), y=tuple(f / (k + 1) for k, f in enumerate(found))
            ),
            "coverage_risk": Curve(
                x=tuple((k + 1) / n for k in range(n)), y=tuple(1 - f / (k + 1) for k, f in enumerate(found))
            ),
            "isotonic": Curve(x=(0, 0.5, 0.5, 0.8, 0.8, 1), y=(0.02, 0.05, 0.3, 0.35, 0.7, 0.9)),
            "reliability": _bins(single, 10),
            "chance": auc.low is not None and auc.low <= 0.5,
        }
        worth = "nothing tells it from a coin" if facts["chance"] else "a clip that people take tends to score higher"
        facts["words"] = (f"ROC AUC {auc.value:.2f}: {worth}.", "Below that, a second sentence about the rows.")
    if pairs:
        facts |= {"pairwise_accuracy": _near(0.66, len(pairs)), "swap_consistency": _near(0.81, len(pairs))}
        facts |= {"pairwise_accuracy_ties": _near(0.6, len(pairs)), "chance": False}
        facts["words"] = ("Of 100 pairs the better clip scores higher in 66.",)
    return AxisFigures.model_validate({**facts, **other})


def figures(given: Sequence[Scored], **other: object) -> Figures:
    """Figures about rows of any axes."""
    names = dict.fromkeys(r.axis for r in given)
    facts = {
        "dataset": "sixty clips",
        "dataset_sha256": "5d" * 32,
        "rows": len(given),
        "bootstrap": 1000,
        "axes": tuple(axis_figures([r for r in given if r.axis == name]) for name in names),
    }
    return Figures.model_validate({**facts, **other})


def _near(value: float, n: int) -> Figure:
    reach = 0.8 / math.sqrt(max(n, 1))
    return Figure(value=value, low=value - reach, high=min(1.0, value + reach), n=n)


def _bins(single: Sequence[Scored], count: int) -> tuple[Bin, ...]:
    made = []
    for k in range(count):
        inside = [r for r in single if min(int((r.score or 0) * count), count - 1) == k]
        taken = sum(bool(r.passes(None)) for r in inside)
        mean = sum(r.score or 0.0 for r in inside) / len(inside) if inside else None
        share = taken / len(inside) if inside else None
        made.append(
            Bin(low=k / count, high=(k + 1) / count, n=len(inside), mean_score=mean, passed=share, n_passed=taken)
        )
    return tuple(made)
