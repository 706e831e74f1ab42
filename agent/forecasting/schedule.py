"""How much of each step a budget allows, and how long it takes side by side."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from agent.types import Budget


@dataclass(frozen=True)
class Pace:
    """Seconds of one of each, and how many run at once."""

    caption: float
    render: float
    judge: float
    renderers: int
    """Renders at once."""
    judges: int
    """Critiques at once."""


def renders(budget: Budget) -> tuple[int, ...]:
    """Renders of each iteration where every one is used: as many as `max_renders` leaves, and no iteration without."""
    left = budget.max_renders
    counts: list[int] = []
    for _ in range(budget.max_iterations):
        count = budget.samples_per_iteration if left is None else min(budget.samples_per_iteration, left)
        if count <= 0:
            break
        counts.append(count)
        left = None if left is None else left - count
    return tuple(counts)


def reached(iterations: int, acceptance: float) -> tuple[float, ...]:
    """How likely each iteration is begun, if each before it is accepted with the same probability."""
    return tuple((1 - acceptance) ** n for n in range(iterations))


def expected(counts: Sequence[int], reach: Sequence[float]) -> float:
    """What comes of `counts` if each is only as likely as `reach`."""
    return sum(count * likely for count, likely in zip(counts, reach, strict=True))


def iteration_seconds(count: int, pace: Pace) -> float:
    """Wall seconds of one iteration: its caption, then its renders, each clip judged as soon as it is there."""
    slots = [pace.caption] * min(count, pace.renderers)
    judges = [0.0] * pace.judges
    for _ in range(count):
        done = heapq.heappop(slots) + pace.render
        heapq.heappush(slots, done)
        heapq.heappush(judges, max(done, heapq.heappop(judges)) + pace.judge)
    return max(judges, default=pace.caption)


def wall_seconds(counts: Sequence[int], reach: Sequence[float], pace: Pace) -> float:
    """Wall seconds of a whole run, iterations one after the other."""
    return sum(likely * iteration_seconds(count, pace) for count, likely in zip(counts, reach, strict=True))
