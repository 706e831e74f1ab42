"""The rows of one axis as columns: which have a score, what people said of them in one measure, and what is taken."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.bench.figures.weighted import Floats, Ints
from agent.bench.types import Scored


class Columns(NamedTuple):
    """Rows of one axis. Each column holds an element a row; `graded`, `taken` and `pairs` are numbers of rows.

    A row that failed has nan for a score. It is in no figure of scores, counts as not accepted where acceptance is the
    question (the curves of precision and recall, and of coverage and risk) and as wrong in an accuracy, never as a 0.
    """

    rows: Sequence[Scored]
    group: Ints
    score: Floats
    graded: Ints
    """Rows with a score and a label in one measure with the others, pairs aside."""
    grade: Floats
    """Of every row: the label; where the axis has labels of several kinds or scales, brought to [0, 1]."""
    taken: Ints
    """Rows with a score whose label says whether people would take the clip."""
    asked: Ints
    """Such rows with or without a score."""
    passes: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    """Whether any threshold could accept it: it has a score, and its floors hold."""
    pairs: Ints
    """Pairs with and without scores, those without last."""
    gap: Floats
    """pair: score of the first less that of the second. nan: a failure."""
    mixed: str
    """In words, where labels of several kinds or scales were brought together. "": they are of one."""
    pass_at: str
    """What counts as taken, in words."""

    @property
    def ungraded(self) -> int:
        """Rows with a score whose label cannot be brought to one measure with the others."""
        singles = np.array([row.label_type != "pair" for row in self.rows], dtype=bool)
        return int(np.isfinite(self.score[singles]).sum()) - len(self.graded)


def columns(rows: Sequence[Scored], pass_at: float | None) -> Columns:
    """Rows of one axis as columns, in an order of their own, so that the file's makes no difference.

    Args:
        rows: of one axis.
        pass_at: least label that passes. None: see `Labelled.passes`.
    """
    rows = sorted(rows, key=lambda row: row.sample_id)
    pair = np.array([row.label_type == "pair" for row in rows], dtype=bool)
    score = _floats([row.score for row in rows])
    gap = score - _floats([row.score_b if row.label_type == "pair" else 0.0 for row in rows])
    score = np.where(pair & ~np.isfinite(gap), np.nan, score)
    said = [row.passes(pass_at) for row in rows]
    grade, mixed = _grades(rows)
    says, scored = np.array([s is not None for s in said], dtype=bool), np.isfinite(score)
    by_failure = np.argsort(~scored, kind="stable")
    return Columns(
        rows=rows,
        group=np.unique(np.array([row.group for row in rows], dtype=object), return_inverse=True)[1],
        score=score,
        graded=np.flatnonzero(~pair & scored & np.isfinite(grade)),
        grade=grade,
        taken=np.flatnonzero(says & scored),
        asked=np.flatnonzero(says),
        passes=np.array([bool(s) for s in said], dtype=bool),
        accepted=scored & np.array([row.floors_hold for row in rows], dtype=bool),
        pairs=by_failure[pair[by_failure]],
        gap=gap,
        mixed=mixed,
        pass_at=_told(rows, pass_at),
    )


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _grades(rows: Sequence[Scored]) -> tuple[Floats, str]:
    kinds = Counter(_measure(row) for row in rows if row.label_type != "pair")
    if len(kinds) <= 1:
        return _floats([row.label for row in rows]), ""
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
    words = f"Labels of several kinds ({told}) were brought to [0, 1] by their scales."
    return _floats([row.unit for row in rows]), words


def _measure(row: Scored) -> str:
    scale = "" if row.scale is None else f" of {row.scale[0]:g}-{row.scale[1]:g}"
    return f"{row.label_type}{scale}"


def _told(rows: Sequence[Scored], pass_at: float | None) -> str:
    kinds = {(row.label_type, row.scale) for row in rows if row.label_type != "pair"}
    words = []
    for kind, scale in sorted(kinds, key=str):
        if kind == "binary":
            words.append("label is pass")
        elif scale is not None:
            least = scale[0] + 0.75 * (scale[1] - scale[0]) if pass_at is None else pass_at
            words.append(f"label >= {least:g} of {scale[0]:g}-{scale[1]:g}")
        elif pass_at is not None:
            words.append(f"label >= {pass_at:g}")
    return "; ".join(words) or f"no label says it: {'give --pass-at LABEL' if kinds else 'pairs alone'}"


def numbers(values: Sequence[Any]) -> Ints:
    """Row numbers as an array, also of none."""
    return np.array(values, dtype=np.intp)
