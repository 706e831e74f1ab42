"""How long rounds of renders take, side by side within a round and one round after the other."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.forecasting.rounds import Each, Round


@dataclass(frozen=True)
class Pace:
    """Seconds of one of each but a render, and how many run at once."""

    caption: float
    """The first that is written."""
    judge: Each
    """By tier; empty: not known."""
    renderers: int
    """Renders at once."""
    judges: int
    """Critiques at once."""
    rewrite: float | None = None
    """A later caption. None: as the first."""
    test: float = 0.0
    """The critic's test by the clock."""


def side_by_side(count: int, caption: float, render: float, judge: float, renderers: int, judges: int) -> float:
    """Wall seconds of one round: its caption, then its renders, each clip judged as soon as it is there."""
    slots = [caption] * min(count, renderers)
    judging = [0.0] * judges
    for _ in range(count):
        done = heapq.heappop(slots) + render
        heapq.heappush(slots, done)
        heapq.heappush(judging, max(done, heapq.heappop(judging)) + judge)
    return max(judging, default=caption)


def wall_seconds(rounds: Sequence[Round], pace: Pace) -> float:
    """Wall seconds of a whole run, each round as much of them as it is likely."""
    first = next((n for n, one in enumerate(rounds) if one.asks), 0)
    return sum(one.likely * (_round(one, pace, n > first) + pace.test * one.tested) for n, one in enumerate(rounds))


def _round(one: Round, pace: Pace, later: bool) -> float:
    caption = pace.rewrite if later and pace.rewrite is not None else pace.caption
    caption = caption if one.asks else 0.0
    judge = pace.judge.get(one.tier, 0.0)
    return _cached(one.count, caption, one.seconds, judge, pace.renderers, pace.judges)


_cached = lru_cache(maxsize=1024)(side_by_side)
