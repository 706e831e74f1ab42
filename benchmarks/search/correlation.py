"""How well drafts rank captions as renders at the target tier do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import agent.forecasting
from agent.bench.ranking import Estimate, Floats, drawn, estimate, kendall, spearman
from agent.forecasting.correlation import Measured, written
from benchmarks.search.landscape import CAPTIONS, SEEDS, TARGET, Landscape, Tier

DATA = Path(agent.forecasting.__file__).with_name("draft_correlation.yaml")
"""What a run with drafts goes by."""
BY = "benchmarks.search; see docs/search-benchmark.md."


@dataclass(frozen=True)
class Agreement:
    """How far draft and target scores agree on the captions of a prompt."""

    tier: Tier
    spearman: Estimate
    """Over the captions of a prompt, scores averaged over all seeds; mean of the prompts."""
    kendall: Estimate
    """Likewise."""
    one_seed: Estimate
    """Spearman's of a draft on one seed against the target's mean over all."""
    other_seeds: Estimate
    """Spearman's of drafts on half of the seeds against the target on the other half."""
    pooled: Estimate
    """Spearman's over the captions of all prompts together, scores averaged over seeds."""
    regret: Estimate
    """Target score lost by taking the caption whose drafts are best, mean over seeds, over all seeds' drafts."""
    prompts: int
    """With a correlation: those on which neither tier scores every caption the same."""
    differences: float
    """Median range of the captions' mean target scores on a prompt."""


def agreement(landscape: Landscape, tier: Tier, resamples: int, seed: int = 1) -> Agreement:
    """By the captions other than the raw words, with intervals by bootstrap over prompts."""
    covered = landscape.header.covers[tier]
    draft, target = scores(landscape, tier, covered), scores(landscape, TARGET, covered)
    prompts = [n for n in range(len(draft)) if np.ptp(draft[n].mean(1)) > 0 and np.ptp(target[n].mean(1)) > 0]
    draft, target = draft[prompts], target[prompts]
    picks = drawn(len(prompts), resamples, seed)

    def mean(of: Callable[[Floats, Floats], float]) -> Estimate:
        each = np.array([of(d, t) for d, t in zip(draft, target, strict=True)])
        return estimate(np.nanmean(each[picks], axis=1))

    pooled = [spearman(draft[pick].mean(2).ravel(), target[pick].mean(2).ravel()) for pick in picks]
    return Agreement(
        tier=tier,
        spearman=mean(lambda d, t: spearman(d.mean(1), t.mean(1))),
        kendall=mean(lambda d, t: kendall(d.mean(1), t.mean(1))),
        one_seed=mean(_one_seed),
        other_seeds=mean(_other_seeds),
        pooled=estimate(np.array(pooled)),
        regret=mean(lambda d, t: float(t.mean(1).max() - t.mean(1)[d.mean(1).argmax()])),
        prompts=len(prompts),
        differences=float(np.median(np.ptp(target.mean(2), axis=1))),
    )


def scores(landscape: Landscape, tier: Tier, prompts: Sequence[int]) -> Floats:
    """Shape (prompts, captions, seeds), the raw words left out."""
    return np.array(
        [
            [[landscape.score(n, caption, tier, seed) for seed in range(SEEDS)] for caption in range(1, CAPTIONS + 1)]
            for n in prompts
        ]
    )


def _one_seed(draft: Floats, target: Floats) -> float:
    return float(np.nanmean([spearman(draft[:, seed], target.mean(1)) for seed in range(SEEDS)]))


def _other_seeds(draft: Floats, target: Floats) -> float:
    halves = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])]
    both = [*halves, *((there, here) for here, there in halves)]
    return float(np.nanmean([spearman(draft[:, here].mean(1), target[:, there].mean(1)) for here, there in both]))


def row(landscape: Landscape, found: Agreement, command: str) -> Measured:
    """A draft tier as `agent.forecasting` reads it."""
    made = landscape.header
    draft, target = made.tiers[found.tier], made.tiers[TARGET]
    return Measured(
        generator="animatic",
        draft=draft.tier,
        target=target.tier,
        steps=round(draft.steps / target.steps, 4),
        frames=round(draft.frames / target.frames, 4),
        value=round(found.spearman.value, 4),
        low=round(found.spearman.low, 4),
        high=round(found.spearman.high, 4),
        prompts=found.prompts,
        captions=CAPTIONS,
        source=command,
    )


def data(rows: Sequence[Measured]) -> str:
    """The file that a run reads."""
    return written(rows, BY)
