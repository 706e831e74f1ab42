"""The figures: what the drafts of captions say of their renders as asked."""

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import fmean, median_low
from typing import Final

import numpy as np

from agent.bench.drafting.types import Agreement, Landscape, PromptPairs
from agent.bench.figures.types import Figure
from agent.bench.ranking import drawn, estimate, spearman

NEAR: Final = 0.02
"""Score that a caption may lack to the best one and still be as good for all practical purposes."""
RESAMPLES: Final = 2000
FEW: Final = 10
"""Prompts below which an interval by bootstrap is known to be too narrow."""


def agreement(landscape: Landscape, resamples: int = RESAMPLES, seed: int = 1) -> Agreement:
    """Figures with 95 % intervals by bootstrap over prompts. Runs with the same prompt count as one.

    The landscape has one prompt at least.
    """
    groups = _grouped(landscape.prompts)

    def mean(of: Callable[[PromptPairs], float]) -> Figure:
        return _mean([[of(pairs) for pairs in group] for group in groups], resamples, seed)

    every = [pairs for group in groups for pairs in group]
    by_prompt = [[_by_means(pairs) for pairs in group] for group in groups]
    return Agreement(
        spearman=_mean(by_prompt, resamples, seed),
        one_seed=mean(lambda pairs: _across(pairs, drafts=True)),
        ceiling=mean(lambda pairs: _across(pairs, drafts=False)),
        best=mean(lambda pairs: fmean(chosen == _top(pairs) for chosen in _chosen(pairs))),
        best_by_chance=fmean(_share(pairs, 0.0) for pairs in every),
        near=mean(lambda pairs: fmean(chosen >= _top(pairs) - NEAR for chosen in _chosen(pairs))),
        near_by_chance=fmean(_share(pairs, NEAR) for pairs in every),
        loss=mean(lambda pairs: _top(pairs) - fmean(_chosen(pairs))),
        loss_by_chance=mean(lambda pairs: _top(pairs) - fmean(each.target_mean for each in pairs.captions)),
        draft_seconds=_average(landscape.draft_seconds),
        target_seconds=_average(landscape.target_seconds),
        prompts=len(groups),
        captions=median_low(len(pairs.captions) for pairs in every),
        tied=sum(all(math.isnan(value) for value in group) for group in by_prompt),
    )


def _grouped(prompts: Sequence[PromptPairs]) -> list[list[PromptPairs]]:
    found: dict[str, list[PromptPairs]] = {}
    for pairs in prompts:
        found.setdefault(pairs.prompt, []).append(pairs)
    return list(found.values())


def _mean(values: Sequence[Sequence[float]], resamples: int, seed: int) -> Figure:
    """Over the prompts that have a value, of which each is the mean of its runs."""
    each = [fmean(known) for group in values if (known := [value for value in group if not math.isnan(value)])]
    if not each:
        return Figure.none("no prompt tells captions apart on both sides, on seeds that they share")
    if len(each) == 1:
        return Figure(value=round(each[0], 4), n=1, why="one prompt has no interval")
    found = estimate(np.array(each)[drawn(len(each), resamples, seed)].mean(axis=1))
    return Figure(value=round(found.value, 4), low=round(found.low, 4), high=round(found.high, 4), n=len(each))


def _by_means(pairs: PromptPairs) -> float:
    drafts, targets = ([getattr(each, side) for each in pairs.captions] for side in ("draft_mean", "target_mean"))
    return spearman(np.array(drafts), np.array(targets))


def _across(pairs: PromptPairs, *, drafts: bool) -> float:
    """Of one seed with another, mean over all such pairs of seeds that every caption has."""
    shared = set.intersection(*({*each.draft} & {*each.target} for each in pairs.captions))
    found = []
    for here, there in permutations(sorted(shared), 2):
        one = [(each.draft if drafts else each.target)[here] for each in pairs.captions]
        found.append(spearman(np.array(one), np.array([each.target[there] for each in pairs.captions])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # none of them is a number: the mean is none either
        return float(np.nanmean(found)) if found else math.nan


def _top(pairs: PromptPairs) -> float:
    return max(each.target_mean for each in pairs.captions)


def _chosen(pairs: PromptPairs) -> list[float]:
    """Score as rendered of the caption whose drafts score best; of all of them, where several do."""
    best = max(each.draft_mean for each in pairs.captions)
    return [each.target_mean for each in pairs.captions if each.draft_mean == best]


def _share(pairs: PromptPairs, within: float) -> float:
    return fmean(each.target_mean >= _top(pairs) - within for each in pairs.captions)


def _average(seconds: Sequence[float]) -> float | None:
    return round(fmean(seconds), 4) if seconds else None
