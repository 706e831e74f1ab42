"""When a render is taking too long: limits learnt from what the same endpoint needed before."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

FACTOR = 4.0
"""A render may take this many times what the slowest of the last ones took, scaled to its own work."""
FLOOR_SECONDS = 60.0
"""No limit learnt is below this: a busy machine, a first compilation, a model brought back into memory."""
FEWEST = 3
"""Renders before an endpoint's history counts."""
KEPT = 8
"""Last renders that count."""
GROWTH = 1.25
"""Exponent of time over work where the work grows: attention is more than linear in it. With it, Cosmos3-Nano at 480p
and 720p (8 and 28 times a 256p clip, at 6.5 and 15 times the pixels: NVIDIA/cosmos, inference_benchmarks.md) is never
expected too early."""


def work(width: int, height: int, num_frames: int, steps: int, guidance_scale: float) -> float:
    """What a render costs, in no unit: pixels x frames x passes. Guidance above 1 makes two passes a step."""
    return float(width * height * num_frames * steps * (2 if guidance_scale > 1 else 1))


@dataclass
class Watchdog:
    """Learns how long renders take, for each endpoint by itself."""

    stall_seconds: float
    """The limit before there is a history, and the highest there is."""
    floor_seconds: float = FLOOR_SECONDS
    _ended: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)

    def ended(self, url: str, cost: float, seconds: float) -> None:
        """Note a render that ended well.

        Args:
            url: where.
            cost: its `work`.
            seconds: from its start to its end, without the queue.
        """
        self._ended.setdefault(url, deque(maxlen=KEPT)).append((cost, seconds))

    def limit(self, url: str, cost: float) -> float:
        """Seconds after which a render of this `work`, once begun, has stalled."""
        past = self._scaled(url, cost)
        if len(past) < FEWEST:
            return self.stall_seconds
        return min(self.stall_seconds, max(self.floor_seconds, FACTOR * max(past)))

    def expected(self, url: str, cost: float) -> float | None:
        """Seconds that a render of this `work` will take there: the median of the last ones.

        Where none was rendered there, those of the other endpoints. None: there are none.
        """
        past = sorted(self._scaled(url, cost) or [each for other in self._ended for each in self._scaled(other, cost)])
        return past[len(past) // 2] if past else None

    def _scaled(self, url: str, cost: float) -> list[float]:
        return [seconds * _scale(cost / before) for before, seconds in self._ended.get(url, ())]


def _scale(ratio: float) -> float:
    # less work saves at most in proportion: loading, encoding and decoding stay
    return max(ratio, float(ratio**GROWTH))


@dataclass
class QueueWatch:
    """Whether the queue that a job waits in moves: time in a queue is no fault, a queue that stands still is one."""

    stall_seconds: float
    """A queue in which nothing changed for so long, while a job runs at its head, stands still."""
    idle_seconds: float
    """The same where no job is seen to run: a render that was deleted runs on unseen. It may be another client's, of
    which nothing is known, so this is no shorter than `stall_seconds` unless it is known to be ours."""
    _seen: tuple[frozenset[str], int] | None = None
    _since: float = 0.0

    def still(self, running: Collection[str], ahead: int, now: float) -> float | None:
        """Note what the queue looks like now.

        Args:
            running: ids of the jobs in progress.
            ahead: jobs queued before ours.
            now: a monotonic clock, in seconds.

        Returns:
            Seconds for which nothing changed, once that is too long; None while all is well.
        """
        seen = frozenset(running), ahead
        if seen != self._seen:
            self._seen, self._since = seen, now
        unchanged = now - self._since
        return unchanged if unchanged > (self.stall_seconds if running else self.idle_seconds) else None
