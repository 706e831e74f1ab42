"""What one more render is expected to gain: the order statistics of the scores on this prompt."""

import math
from functools import cache
from statistics import NormalDist, stdev

from agent.course import affordable
from agent.run import Run

PRIOR_SPREAD = 0.1
"""Standard deviation of scores taken where fewer than `ENOUGH` are known. Wide on purpose: it lets a run go on."""
ENOUGH = 3
"""Scores that a spread is estimated from."""
_STEPS, _TAIL = 1000, 10.0
"""Of the integral below: it is exact to six digits for up to a million draws."""


@cache
def expected_best(count: int) -> float:
    """Expected highest of `count` draws from a standard normal distribution; 0 for none.

    The integral of 1 - F(x)^n - (1 - F(x))^n over x from 0 (Tippett 1925, in its one-sided form), by Simpson's rule.
    """
    if count < 2:
        return 0.0
    below = NormalDist().cdf
    width = _TAIL / _STEPS
    heights = [1 - below(n * width) ** count - below(-n * width) ** count for n in range(_STEPS + 1)]
    return width / 3 * (heights[0] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]) + heights[-1])


def compared(run: Run) -> list[float]:
    """The scores that captions are compared by: those of drafts, or all where there are none."""
    return [c.score for n in run.explored for c in run.iterations[n].candidates]


def differences(run: Run) -> list[float]:
    """What each rewritten caption changed in the score of each seed that it shares with the caption it came from."""
    gains = [
        iteration.gain_over(run.iterations[iteration.parent])
        for iteration in run.iterations
        if iteration.parent is not None
    ]
    return [change for gain in gains if gain is not None for change in gain.by_seed.values()]


def spread(run: Run) -> float:
    """Standard deviation by which a render's score varies on this prompt, as far as the run has shown it.

    From pairs of the same seed where there are any: the difference of two draws has twice their variance, and what the
    seed does, which the next iteration will not change, cancels out. Else from all scores; `PRIOR_SPREAD` before there
    are `ENOUGH`.
    """
    scores = compared(run)
    if len(scores) < ENOUGH:
        return PRIOR_SPREAD
    if pairs := differences(run):
        return math.sqrt(sum(d * d for d in pairs) / (2 * len(pairs)))
    return stdev(scores)


def expected_gain(run: Run) -> float:
    """What one render of the next iteration is expected to raise the best score by, in [0, 1].

    The best of n + k over the best of n draws, a k-th of it: n scores are known, and k renders are still paid for in
    one iteration. Never more than is left up to a score of 1.
    """
    scores = compared(run)
    known = len(scores)
    more = max(1, int(min(run.budget.samples_per_iteration, affordable(run))))
    gain = spread(run) * (expected_best(known + more) - expected_best(known))
    left = 1.0 - max(scores, default=0.0)
    return max(0.0, min(gain, left)) / more
