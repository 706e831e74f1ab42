"""What one caption gained over another on the same seeds, and how sure that is."""

import math
from collections.abc import Mapping
from functools import cache
from statistics import fmean, stdev
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

CONFIDENCE = 0.95
FEWEST = 3
"""Pairs that an interval needs: two would give one some six times as wide as four do."""


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether no gain at all lies within it."""
        return self.low <= 0 <= self.high


class Gain(BaseModel):
    """The differences of overall score, a later caption's minus an earlier one's, by the seeds that both have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_seed: Mapping[int, float] = Field(min_length=1)

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.by_seed)

    @property
    def mean(self) -> float:
        """In [-1, 1]."""
        return fmean(self.by_seed.values())

    @property
    def interval(self) -> Interval | None:
        """The mean's 95 % interval by Student's t, seeds taken as a sample of all seeds. None below three pairs."""
        if self.n < FEWEST:
            return None
        reach = quantile(self.n - 1) * stdev(self.by_seed.values()) / math.sqrt(self.n)
        return Interval(self.mean - reach, self.mean + reach)


@cache
def quantile(freedom: int) -> float:
    """The value that the magnitude of Student's t stays below with 95 % probability.

    Args:
        freedom: degrees of freedom, at least 1.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # the angle is known to the last bit of a double
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < CONFIDENCE else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _within(angle: float, freedom: int) -> float:
    """P(|t| < sqrt(freedom) * tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if freedom % 2 else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + freedom % 2, freedom, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total
