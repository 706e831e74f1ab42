"""What the critic does beside judging: its test on doctored clips, and the comparisons of the final choice."""

import math
from functools import lru_cache
from statistics import NormalDist

from agent.config import RunConfig
from agent.forecast import Bounds
from agent.forecasting.asking import Each, checklist_requests, critique_requests, remembered
from agent.forecasting.history import History
from agent.forecasting.latencies import volume
from agent.gain import PRIOR_SPREAD
from agent.types import Pairwise, Request
from critic.config import HybridConfig, SignalsConfig

DOCTORED = 5
"""Clips that a test judges: the control, frozen, reversed, shuffled, and with another prompt."""
PROBES = 3
"""Questions by which it is found out, once, whether a server takes two clips in one."""
ORDERS = 2
"""Questions of a comparison."""


def judged(request: Request) -> int:
    """Clips that one test judges; where there is a first frame, one more has another."""
    return DOCTORED + (request.spec.first_frame is not None)


def tested(config: RunConfig, request: Request, seen: History, critique: Each) -> Each:
    """What one test takes but for its seconds, which hang on the place where no such clip was doctored before.

    Args:
        config: the run's.
        request: made exact.
        seen: what earlier runs took.
        critique: one, as far as it is known.
    """
    spec = request.spec if request.draft is None else request.draft.spec
    alike = [done for done in seen.tests if done.volume == volume(spec)]
    if isinstance(config.critic, SignalsConfig):
        return Each(Bounds.sure(0), Bounds.sure(0), remembered(alike, asks=False).seconds)
    if alike:
        return remembered(alike, asks=True)
    clips = Bounds.sure(judged(request))
    if isinstance(config.critic, HybridConfig):  # a standstill and another first frame are told without a question
        clips = Bounds(expected=DOCTORED - 1, worst=clips.worst)
    one = critique.requests
    if one is None:
        one, _ = critique_requests(config, first_frame=request.spec.first_frame is not None)
    # questions are written for a prompt and a first frame: anew for each other one that is asked about
    anew = 0 if config.critic.rubric is not None else clips.worst - DOCTORED + 1
    written = checklist_requests().times(
        Bounds(expected=min(anew, 1) if isinstance(config.critic, HybridConfig) else anew, worst=anew)
    )
    asked = one.times(clips)
    requests = Bounds(expected=asked.expected + written.expected, worst=asked.worst + written.worst)
    return Each(requests, None if critique.tokens is None else critique.tokens.times(clips))


def tested_seconds(request: Request, critique: Bounds, judges: int) -> Bounds:
    """Wall seconds of one test: the control by itself, then the others, so many at once."""
    turns = 1 + math.ceil((judged(request) - 1) / judges)
    return critique.times(Bounds.sure(turns))


def comparisons(rules: Pairwise, clips: Bounds) -> Bounds:
    """Pairs that are compared at the end, of so many candidates that can be chosen."""
    most = min(rules.most, int(clips.worst))
    worst = most * (most - 1) // 2
    likely = near_pairs(math.ceil(clips.expected), rules.margin / PRIOR_SPREAD, rules.most)
    return Bounds(expected=round(min(likely, worst), 2), worst=worst)


def comparison_requests(pairs: Bounds) -> Bounds:
    """Questions of so many comparisons; at worst a server tells no probabilities, and both orders are asked again."""
    if not pairs.worst:
        return Bounds.sure(0)
    probes = Bounds(expected=PROBES * min(1.0, pairs.expected), worst=PROBES + ORDERS)
    return Bounds(
        expected=round(ORDERS * pairs.expected + probes.expected, 2), worst=ORDERS * pairs.worst + probes.worst
    )


@lru_cache(maxsize=64)
def near_pairs(count: int, margin: float, most: int) -> float:
    """Expected pairs among those of `count` normal draws that come within `margin` of the highest, in deviations.

    At most the `most` highest are paired. Given the highest, x, each of the others lies within the margin with the
    probability (F(x) - F(x - margin)) / F(x); the integral over x is taken by the trapezoidal rule.
    """
    if count < 2:
        return 0.0
    normal, steps, reach = NormalDist(), 400, 8.0
    mean = 0.0
    for n in range(1, steps):
        x = -reach + 2 * reach * n / steps
        below = normal.cdf(x)
        near = (below - normal.cdf(x - margin)) / below
        pairs = sum(
            math.comb(count - 1, k) * near**k * (1 - near) ** (count - 1 - k) * math.comb(min(k + 1, most), 2)
            for k in range(1, count)
        )
        mean += count * normal.pdf(x) * below ** (count - 1) * pairs
    return mean * 2 * reach / steps
