"""How often somebody may ask: a token bucket for each."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

BURST_SECONDS: Final = 10.0
"""Seconds' worth of requests that pass at once."""
_MOST: Final = 10_000
"""Buckets kept; those longest unused are dropped first, which does them a favour and keeps memory bounded."""


class Rates:
    """A bucket for each who asks, filled at a constant rate.

    Args:
        per_second: requests of one, on average.
        burst: that one may ask at once after a pause; BURST_SECONDS' worth if None, at least one.
        clock: seconds that only rise.
    """

    def __init__(
        self, per_second: float, burst: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = per_second
        self._burst = max(1.0, per_second * BURST_SECONDS if burst is None else burst)
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # (tokens, when)

    def take(self, who: Hashable) -> float:
        """Take one request from somebody's bucket. Returns 0, or the seconds until there will be one again."""
        now = self._clock()
        tokens = self._tokens(who, now)
        if tokens < 1.0:
            return max((1.0 - tokens) / self._rate, math.ulp(1.0))
        self._buckets[who] = (tokens - 1.0, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0.0

    def wait(self, who: Hashable) -> float:
        """Seconds until somebody may ask again; 0: at once. Takes nothing."""
        tokens = self._tokens(who, self._clock())
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._rate

    def _tokens(self, who: Hashable, now: float) -> float:
        before = self._buckets.get(who)
        if before is None:
            return self._burst
        return min(self._burst, before[0] + (now - before[1]) * self._rate)
