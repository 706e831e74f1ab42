"""Where things stand in the strip: a whole run at a glance, one column an iteration.

Drawn as inline SVG. Across it uses percent of the width, so that it fits any page undistorted; down it uses pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.run import Run
from agent.types import Candidate, Iteration

TOP, BOTTOM, FAILED = 12.0, 88.0, 104.0
"""Pixels from the top: score 1, the lowest score shown, and the row of failures."""


@dataclass(frozen=True)
class Mark:
    """A candidate or a failure in the strip."""

    x: float
    y: float
    kind: Literal["chosen", "held", "broken", "failed"]
    """`broken`: a criterion is below its floor."""
    words: str


@dataclass(frozen=True)
class Column:
    """One iteration in the strip, and the best score of the run up to it."""

    left: float
    width: float
    marks: tuple[Mark, ...]
    so_far: float | None
    """Height of the best score so far."""
    rise: float | None
    """Height that it rose from in this iteration."""

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    @property
    def middle(self) -> float:
        """Where its name stands."""
        return self.left + self.width / 2


@dataclass(frozen=True)
class Strip:
    """A whole run at a glance."""

    columns: tuple[Column, ...]
    threshold: float | None
    """Height of the score at which a candidate is accepted."""
    low: float
    """The score at the bottom."""


def strip(run: Run) -> Strip:
    """One column an iteration, on a scale that starts a little below the lowest score and ends at 1."""
    shown = [c.score for c in run.candidates] + ([] if run.accept_at is None else [run.accept_at])
    low = max(0.0, math.floor(min(shown, default=0.0) * 20 - 0.5) / 20)

    def height(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (1 - low)

    columns: list[Column] = []
    width = 100 / max(1, len(run.iterations))
    best: float | None = None
    for index, iteration in enumerate(run.iterations):
        before = best
        best = max((c.score for c in iteration.candidates), default=best)
        if before is not None and best is not None:
            best = max(best, before)
        columns.append(
            Column(
                left=index * width,
                width=width,
                marks=_marks(run, iteration, index * width, width, height),
                so_far=None if best is None else height(best),
                rise=None if before is None or before == best else height(before),
            )
        )
    return Strip(tuple(columns), None if run.accept_at is None else height(run.accept_at), low)


def _marks(
    run: Run, iteration: Iteration, left: float, width: float, height: Callable[[float], float]
) -> tuple[Mark, ...]:
    def across(seed: int) -> float:
        return left + width * (0.2 + 0.6 * (iteration.seeds.index(seed) + 0.5) / len(iteration.seeds))

    def kind(candidate: Candidate) -> Literal["chosen", "held", "broken"]:
        if candidate is run.best:
            return "chosen"
        return "held" if candidate.critique.floors_hold else "broken"

    judged = [
        Mark(across(c.seed), height(c.score), kind(c), f"seed {c.seed}: {c.score:.2f}") for c in iteration.candidates
    ]
    failed = [Mark(across(f.seed), FAILED, "failed", f"seed {f.seed}: {f.step} failed") for f in iteration.failures]
    return (*judged, *failed)
