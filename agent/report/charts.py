"""Where things stand in a candidate's traces, in the gains by seed and in the seconds by step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agent.ledger import Ledger
from agent.run import Run
from agent.types import Candidate, Iteration

LANE, NAME = 34, 14
"""Pixels that one trace takes, one above the other, and those at its top that its name needs."""
ROW = 5
"""Pixels that one row of defects takes, under the traces."""

Scales = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each trace over all clips of a run, so that any two clips can be compared."""


@dataclass(frozen=True)
class Lane:
    """One trace as a line in a box of 100 by `LANE`."""

    name: str
    unit: str
    low: float
    high: float
    points: str
    """For an SVG polyline."""
    top: int


def scales(run: Run) -> Scales:
    """The common scale of each trace."""
    found: dict[str, tuple[float, float]] = {}
    for candidate in run.candidates:
        for trace in candidate.critique.traces:
            if trace.values:
                low, high = found.get(trace.name, (math.inf, -math.inf))
                found[trace.name] = min(low, *trace.values), max(high, *trace.values)
    return found


def lanes(candidate: Candidate, scales: Scales) -> tuple[Lane, ...]:
    """The candidate's traces, one above the other. A trace that is the same all over lies at the bottom."""
    drawn = []
    for index, trace in enumerate(t for t in candidate.critique.traces if t.values):
        low, high = scales[trace.name]
        reach = (high - low) or 1.0
        bottom = (index + 1) * LANE - 3
        across = 100 / max(1, len(trace.values) - 1)
        points = [
            (n * across, bottom - (LANE - NAME - 4) * (value - low) / reach) for n, value in enumerate(trace.values)
        ]
        if len(points) == 1:
            points.append((100.0, points[0][1]))
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(Lane(trace.name, trace.unit, low, high, text, index * LANE))
    return tuple(drawn)


def duration(candidate: Candidate) -> float:
    """Seconds of a clip as delivered; as requested where the file states none."""
    effective = candidate.clip.effective
    if effective.fps > 0 and effective.num_frames > 0:
        return effective.num_frames / effective.fps
    return candidate.clip.spec.seconds


@dataclass(frozen=True)
class Stretch:
    """A defect as a bar on the time axis, 100 wide."""

    left: float
    width: float
    row: int
    """Defects at the same time lie in rows one above the other."""


def stretches(candidate: Candidate) -> tuple[Stretch, ...]:
    """The candidate's defects in their order, each in the first row that is free."""
    long = duration(candidate)
    ends: list[float] = []
    found = []
    for defect in candidate.critique.defects:
        left = 100 * min(defect.start / long, 0.99)
        width = max(100 * min(defect.end / long, 1.0) - left, 1.0)
        row = next((n for n, end in enumerate(ends) if end < left), len(ends))
        ends[row : row + 1] = [left + width]
        found.append(Stretch(left, width, row))
    return tuple(found)


@dataclass(frozen=True)
class Pair:
    """One seed under the caption before and under the new one."""

    seed: int
    before: float
    after: float

    @property
    def gain(self) -> float:
        """What the new caption did for this seed."""
        return self.after - self.before


def pairs(iteration: Iteration, parent: Iteration) -> tuple[Pair, ...]:
    """The seeds that both iterations judged; none where one of them is a draft."""
    if iteration.tier != parent.tier:
        return ()
    before = {c.seed: c.score for c in parent.candidates}
    return tuple(Pair(c.seed, before[c.seed], c.score) for c in iteration.candidates if c.seed in before)


def spread(iteration: Iteration) -> float | None:
    """How far apart the seeds of one caption score: what the dice did. None for fewer than two."""
    scores = [c.score for c in iteration.candidates]
    return max(scores) - min(scores) if len(scores) > 1 else None


@dataclass(frozen=True)
class Share:
    """A step's part of a stacked bar."""

    step: str
    seconds: float
    left: float
    width: float


def shares(ledger: Ledger) -> tuple[Share, ...]:
    """Seconds by step as parts of 100; empty when nothing took time."""
    total = ledger.total.seconds
    found: list[Share] = []
    left = 0.0
    for step, spent in ((step, took.seconds) for step, took in ledger.steps.items()):
        width = 100 * spent / total if total else 0.0
        found.append(Share(step, spent, left, width))
        left += width
    return tuple(found) if total else ()
