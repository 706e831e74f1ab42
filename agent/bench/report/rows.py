"""Where critic and people disagree most, and what stands behind the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from agent.bench.figures.types import AxisFigures
from agent.bench.report.wording import value
from agent.bench.types import Scored
from agent.report.wording import percent

MOST: Final = 20
_APART: Final = 0.25
"""Ranks that are nearer than this are no disagreement worth a look."""


@dataclass(frozen=True)
class Disagreement:
    """A row that critic and people see differently."""

    row: Scored
    score: str
    label: str
    apart: float
    """How far, in [0, 1]: by rank (single clips), or the scores' difference (pairs)."""
    words: str


def of_axis(rows: Sequence[Scored], axis: AxisFigures) -> list[Scored]:
    """The rows that are about an axis."""
    return [row for row in rows if row.axis == axis.axis]


def disagreements(rows: Sequence[Scored], most: int = MOST) -> tuple[Disagreement, ...]:
    """The rows of one axis that are furthest apart, the furthest first.

    Single clips by rank: the share of clips that the critic puts below it, beside the share that people do. So neither
    a lenient critic nor another scale makes a disagreement. Pairs: those whose worse clip scores higher.
    """
    found = [*_single([r for r in rows if r.label_type != "pair" and r.score is not None]), *_pairs(rows)]
    return tuple(sorted(found, key=lambda d: (-d.apart, d.row.sample_id))[:most])


def _single(rows: Sequence[Scored]) -> list[Disagreement]:
    if len(rows) < 2:
        return []
    by_critic = _ranks([row.score or 0.0 for row in rows])
    by_people = _ranks([row.label if row.unit is None else row.unit for row in rows])
    apart = by_critic - by_people
    furthest = np.argsort(-np.abs(apart), kind="stable")[: 4 * MOST]
    return [
        Disagreement(
            row,
            value(row.score),
            label_words(row),
            abs(float(apart[n])),
            f"critic above {percent(by_critic[n])} of clips, people above {percent(by_people[n])}",
        )
        for n, row in ((int(n), rows[int(n)]) for n in furthest)
        if abs(apart[n]) >= _APART
    ]


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Share of the others that are below each, ties counted a half."""
    ranks: NDArray[np.float64] = rankdata(values)
    return (ranks - 1) / (len(values) - 1)


def _pairs(rows: Sequence[Scored]) -> list[Disagreement]:
    found = []
    for row in rows:
        if row.label_type != "pair" or row.score is None or row.score_b is None or row.label == 0.5:
            continue
        lead = row.score - row.score_b
        if lead * (row.label - 0.5) < 0:
            better = "second" if lead < 0 else "first"
            words = f"the {better} scores {value(abs(lead))} higher"
            score = f"{value(row.score)}, {value(row.score_b)}"
            found.append(Disagreement(row, score, label_words(row), min(1.0, abs(lead)), words))
    return found


def label_words(row: Scored) -> str:
    """A label as people gave it."""
    if row.label_type == "pair":
        return {1.0: "first is better", 0.0: "second is better"}.get(row.label, "tie")
    if row.label_type == "binary":
        return "pass" if row.label == 1 else "fail"
    return f"{row.label:g}" if row.scale is None else f"{row.label:g} on {row.scale[0]:g}-{row.scale[1]:g}"


def raters(rows: Sequence[Scored]) -> str:
    """How many people stand behind a label."""
    counts = [row.n_raters for row in rows]
    if not counts:
        return ""
    low, high, middle = min(counts), max(counts), median(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}, median {middle:g}"


def coverage(rows: Sequence[Scored], threshold: float, pass_at: float | None) -> float | None:
    """Share of the single clips with a usable label that a threshold accepts: of all, failed ones included.

    None: there is no such clip.
    """
    asked = [row for row in rows if row.passes(pass_at) is not None]
    taken = sum(row.score is not None and row.score >= threshold and row.floors_hold for row in asked)
    return taken / len(asked) if asked else None
