"""What thresholds and budgets would have come to over stored runs: precision, regret of stopping, renders saved."""

from collections.abc import Iterator, Sequence
from itertools import product
from statistics import fmean
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import binomtest, bootstrap

from agent.bench.replaying import Rule, Stored, replayed, unfit
from agent.run import Run
from critic.threshold import told

RESAMPLES: Final = 2000


class Point(BaseModel):
    """What a rule comes to over all runs that can tell."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    accept_at: float
    max_iterations: int | None
    samples: int | None
    runs: int
    """That the figures are of."""
    unknown: int
    """Runs that stopped before they could tell, or gave up what they would need."""
    accepted: int
    """Runs that would have ended with an accepted clip."""
    marked: int
    """Of these, those whose accepted clip people marked."""
    passed: int
    """Of these, those whose clip people take."""
    precision: float | None
    """passed / marked."""
    precision_low: float | None
    """Ends of its two-sided 95 % Clopper-Pearson interval."""
    precision_high: float | None
    regret: float | None
    """Mean of the best score of the full budget less the score at the stop."""
    low: float | None
    """Ends of its 95 % interval by bootstrap over prompts."""
    high: float | None
    renders: int
    renders_saved: int
    """Of the renders of the full budget."""
    render_seconds: float
    render_seconds_saved_share: float | None = Field(default=None, le=1)


class Replay(BaseModel):
    """A replay of stored runs: `replay.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    runs: int
    prompts: int
    left_out: dict[str, int]
    """Runs that nothing can be replayed of, by reason."""
    critics: tuple[str, ...]
    """Ids of the critics that scored them."""
    points: tuple[Point, ...]
    words: tuple[str, ...]


def replay(
    runs: Sequence[Run],
    accept_at: Sequence[float],
    *,
    max_iterations: Sequence[int | None] = (None,),
    samples: Sequence[int | None] = (None,),
    seed: int = 0,
) -> Replay:
    """What each rule would have come to over stored runs.

    Args:
        runs: with their folders.
        accept_at: thresholds in [0, 1].
        max_iterations: of the budget; None: as each run had it.
        samples: of an iteration; None: as each run had it.
        seed: of the bootstrap.
    """
    left_out: dict[str, int] = {}
    stored = []
    for run in runs:
        if why := unfit(run):
            left_out[why] = left_out.get(why, 0) + 1
        else:
            stored.append(Stored.of(run))
    points = tuple(
        _point(stored, Rule(at, most, each), seed)
        for most, each, at in product(max_iterations, samples, sorted(set(accept_at)))
    )
    return Replay(
        runs=len(stored),
        prompts=len({s.run.request.prompt for s in stored}),
        left_out=left_out,
        critics=tuple(sorted({c.critique.judge for s in stored for c in s.run.candidates})),
        points=points,
        words=tuple(_words(stored, points)),
    )


def _point(stored: Sequence[Stored], rule: Rule, seed: int) -> Point:
    assert rule.accept_at is not None  # noqa: S101 - `replay` gives one
    whole = rule._replace(accept_at=None)
    known = [
        (s, stop, full)
        for s in stored
        if (stop := replayed(s, rule)) is not None and (full := replayed(s, whole)) is not None
    ]
    accepted = [stop for _, stop, _ in known if stop.accepted]
    words = [stop.passed for stop in accepted if stop.passed is not None]
    interval = binomtest(sum(words), len(words)).proportion_ci(method="exact") if words else None
    regrets = [full.score - stop.score for _, stop, full in known]
    low, high = _interval([s.run.request.prompt for s, _, _ in known], regrets, seed)
    spent = sum(stop.render_seconds for _, stop, _ in known)
    whole_seconds = sum(full.render_seconds for _, _, full in known)
    renders = sum(stop.renders for _, stop, _ in known)
    return Point(
        accept_at=rule.accept_at,
        max_iterations=rule.max_iterations,
        samples=rule.samples,
        runs=len(known),
        unknown=len(stored) - len(known),
        accepted=len(accepted),
        marked=len(words),
        passed=sum(words),
        precision=fmean(words) if words else None,
        precision_low=None if interval is None else float(interval.low),
        precision_high=None if interval is None else float(interval.high),
        regret=fmean(regrets) if regrets else None,
        low=low,
        high=high,
        renders=renders,
        renders_saved=sum(full.renders for _, _, full in known) - renders,
        render_seconds=spent,
        render_seconds_saved_share=1 - spent / whole_seconds if whole_seconds > 0 else None,
    )


def _interval(groups: Sequence[str], values: Sequence[float], seed: int) -> tuple[float | None, float | None]:
    """95 % interval of the mean by bootstrap over groups; None without two groups."""
    names = sorted(set(groups))
    if len(names) < 2:
        return None, None
    sums = np.array([sum(v for v, g in zip(values, groups, strict=True) if g == name) for name in names])
    counts = np.array([groups.count(name) for name in names], float)
    if not np.ptp(sums / counts):
        return float(sums[0] / counts[0]), float(sums[0] / counts[0])
    found = bootstrap(
        (sums, counts),
        lambda total, count, axis=-1: total.sum(axis=axis) / count.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return float(found.low), float(found.high)


def _words(stored: Sequence[Stored], points: Sequence[Point]) -> Iterator[str]:
    """What is to be known of the figures, in sentences."""
    if not stored:
        yield "No run can be replayed."
        return
    if any(p.unknown for p in points):
        most = max(p.unknown for p in points)
        yield (
            f"Up to {most} of {len(stored)} runs cannot tell what a rule would have come to, since they stopped before "
            "that; runs made with budget.early_stop: false tell all."
        )
    if not any(s.passed for s in stored):
        yield "No clip of these runs is marked by people (retake mark), so regret is in the critic's own score alone."
    cheap = [p for p in points if p.low is not None and p.regret is not None and p.regret <= 0.01 and p.renders_saved]
    best = max(cheap, key=lambda p: p.render_seconds_saved_share or 0.0, default=None)
    if best is not None and best.render_seconds_saved_share:
        yield (
            f"At {best.accept_at:.2f} {told(best.render_seconds_saved_share)} of the render seconds are saved for a "
            f"regret of {best.regret:.3f}."
        )
    if any(s.run.choice is not None for s in stored):
        yield "Final choices by comparison are left out: of two clips the score decides."
    yield "Captions are as they were: with fewer candidates a rewrite might have been another."
    if any(s.run.budget.samples_per_iteration > 1 for s in stored):
        yield (
            "Renders are counted as if each was judged before the next one began; side by side "
            "(generator.concurrency), or with search.racing: false, an accepted iteration may cost more of them."
        )


def thresholds(runs: Sequence[Run], count: int = 9) -> list[float]:
    """Thresholds worth a look: spread over the scores that the runs' clips have."""
    scores = [c.score for run in runs if not unfit(run) for c in run.candidates]
    if not scores:
        return []
    return sorted({round(float(v), 2) for v in np.quantile(scores, np.linspace(0.1, 0.98, count))})
