"""Where things stand in the strip: a whole run at a glance, one column an iteration.

Drawn as inline SVG. Across it uses percent of the width, so that it fits any page undistorted; down it uses pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.run import Run
from agent.types import Candidate, Iteration, Tier

TOP, BOTTOM, FAILED = 12.0, 88.0, 104.0
"""Pixels from the top: score 1, the lowest score shown, and the row of failures."""


@dataclass(frozen=True)
class Mark:
    """A candidate or a failure in the strip."""

    x: float
    y: float
    kind: Literal["chosen", "held", "broken", "failed"]
    """`broken`: a criterion is below its floor."""
    tier: Tier
    words: str


@dataclass(frozen=True)
class Level:
    """The best score of the run up to an iteration, among clips of one tier."""

    y: float
    rise: float | None
    """Height that it rose from in this iteration."""


@dataclass(frozen=True)
class Column:
    """One iteration in the strip, and the best scores of the run up to it."""

    left: float
    width: float
    marks: tuple[Mark, ...]
    levels: dict[Tier, Level]
    """A draft's score is no step towards the score of a render as asked: each tier has its own line."""

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
    reject: float | None
    """Height of the score below which people refuse a candidate; None: not known, or below what is shown."""
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
    best: dict[Tier, float] = {}
    for index, iteration in enumerate(run.iterations):
        before = dict(best)
        if iteration.best is not None:
            best[iteration.tier] = max(iteration.best.score, before.get(iteration.tier, 0.0))
        levels = {
            tier: Level(height(score), height(before[tier]) if before.get(tier, score) != score else None)
            for tier, score in best.items()
        }
        marks = _marks(run, iteration, index * width, width, height)
        columns.append(Column(left=index * width, width=width, marks=marks, levels=levels))
    reject = None if run.evidence is None else run.evidence.reject_below
    return Strip(
        tuple(columns),
        None if run.accept_at is None else height(run.accept_at),
        None if reject is None or reject <= low else height(reject),
        low,
    )


def _marks(
    run: Run, iteration: Iteration, left: float, width: float, height: Callable[[float], float]
) -> tuple[Mark, ...]:
    def across(seed: int) -> float:
        return left + width * (0.2 + 0.6 * (iteration.seeds.index(seed) + 0.5) / len(iteration.seeds))

    def kind(candidate: Candidate) -> Literal["chosen", "held", "broken"]:
        if candidate is run.best:
            return "chosen"
        return "held" if candidate.critique.floors_hold else "broken"

    def told(candidate: Candidate) -> str:
        decision = run.decision(candidate)
        return f", {decision}" if decision else ""

    tier, name = iteration.tier, "draft of seed" if iteration.tier == "draft" else "seed"
    judged = [
        Mark(across(c.seed), height(c.score), kind(c), tier, f"{name} {c.seed}: {c.score:.2f}{told(c)}")
        for c in iteration.candidates
    ]
    failed = [
        Mark(across(f.seed), FAILED, "failed", tier, f"{name} {f.seed}: {f.step} failed") for f in iteration.failures
    ]
    return (*judged, *failed)
