"""The statistics behind a threshold: how low it can go and still be borne out by the labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom
from sklearn.model_selection import GroupKFold

from agent.bench.alike import alikeness, alikeness_so_far, design_effects, scarcity
from agent.bench.types import Scored
from critic.threshold import Bound

STARTS: Final = ((0.05, 0.1, 0.2, 0.35, 0.5), (0.2, 0.35, 0.5), (0.25, 0.5), (0.3,))
"""Shares of the clips, the best scores first, at which a search begins: of these the first set that the number of clips
leaves room for. None of it looks at a label."""
FOLDS: Final = 5
LEAST_GROUPS: Final = 10
"""Prompts. With fewer too little is known of how alike clips of one prompt are for any promise to be kept."""
STEP: Final = 1e-6
"""Between two scores: critiques are rounded to it."""
MOST: Final = 1_000_000
"""Labels beyond which it is not worth saying how many would be needed."""
POWER: Final = 0.8
"""How often as many labels as are said to be needed should do."""


@dataclass(frozen=True)
class Sample:
    """Labelled scores. All arrays have one entry a clip."""

    score: NDArray[np.float64]
    """NaN: the critic gave none."""
    accepts: NDArray[np.bool_]
    """Whether a threshold could accept it: a score, and every floor held."""
    passed: NDArray[np.bool_]
    """Whether people take it."""
    group: NDArray[np.int64]
    """Number of its prompt."""

    @classmethod
    def of(cls, rows: Sequence[Scored], pass_at: float | None = None) -> "Sample":
        """Of the rows whose label says whether people take the clip; others (pairs, unknown scales) are left out.

        Whatever axis people labelled, the score is that of the clip as a whole: it is what a run accepts by.
        """
        kept = [(row, passes) for row in rows if (passes := row.passes(pass_at)) is not None]
        whole = [row.score if row.overall is None and row.axis == "overall" else row.overall for row, _ in kept]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(row.group for row, _ in kept))}
        return cls(
            score=np.array([math.nan if score is None else score for score in whole]),
            accepts=np.array(
                [score is not None and row.floors_hold for score, (row, _) in zip(whole, kept, strict=True)], bool
            ),
            passed=np.array([passes for _, passes in kept], bool),
            group=np.array([numbers[row.group] for row, _ in kept], np.int64),
        )

    def __len__(self) -> int:
        return len(self.score)

    @property
    def groups(self) -> int:
        """How many prompts."""
        return len(np.unique(self.group))

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Sample":
        """The clips that are marked, or in this order."""
        return Sample(self.score[which], self.accepts[which], self.passed[which], self.group[which])

    def mirrored(self) -> "Sample":
        """What a rejection is to an acceptance: low scores for high ones, refused for taken. No floor is needed.

        What is rejected scores below a threshold and not at it: a step is added first, that reaches no other score.
        """
        known = np.append(np.unique(self.score[~np.isnan(self.score)]), math.inf)
        following = known[np.searchsorted(known, self.score, side="right").clip(max=len(known) - 1)]
        stepped = np.round(self.score + STEP, 9)
        above = np.where((stepped > self.score) & (stepped <= following), stepped, following)
        return Sample(np.where(np.isnan(self.score), math.nan, -above), ~np.isnan(self.score), ~self.passed, self.group)


class Found(NamedTuple):
    """A threshold, what was seen beyond it, and whether that bears it out."""

    at: float
    bound: Bound
    holds: bool


def lower_bound(right: float, n: float, confidence: float) -> float:
    """One-sided Clopper-Pearson bound of a share (Biometrika 26, 1934). Counts may be effective ones, and broken."""
    return float(beta.ppf(1 - confidence, right, n - right + 1)) if right > 0 else 0.0


class _Ordered:
    """Clips that a threshold could accept, the best scores first, and what stands behind each first 1, 2, … n."""

    def __init__(self, sample: Sample, least: float = -math.inf) -> None:
        usable = sample.only(sample.accepts & (sample.score >= least))
        usable = usable.only(np.argsort(-usable.score, kind="stable"))
        self.score = usable.score
        self.right, self.n = np.cumsum(usable.passed), np.arange(1, len(usable) + 1)
        # prompts that fool a critic do so on all of their accepted clips, which clips that score low hide: the more
        # alike of the two counts
        alike = np.maximum(alikeness_so_far(usable.passed, usable.group), alikeness(sample.passed, sample.group))
        self.effects = design_effects(usable.group, alike)
        # a threshold accepts all clips of one score or none
        self.ends = np.flatnonzero(np.append(usable.score[1:] != usable.score[:-1], True))

    def __len__(self) -> int:
        return len(self.n)


def find(sample: Sample, *, target: float, confidence: float, least: float = -math.inf) -> Found | None:
    """The lowest threshold that is borne out; where none is, one that comes near to it.

    Thresholds are tested from high scores to low ones by the one-sided Clopper-Pearson bound, and the first that fails
    ends the search, so that no allowance for having tested many is needed (fixed sequence testing). It begins at up to
    five places, which share the error between them (Angelopoulos et al., Learn then Test, 2021, arXiv 2110.01052):
    that of all accepted clips fewer than `target` are taken has a chance of at most 1 - `confidence`.

    Args:
        sample: labelled scores.
        target: share of the accepted clips that people should take.
        confidence: of the promise, the choice of the threshold included.
        least: the threshold must not be below this.

    Returns:
        None: no clip lies beyond any threshold.
    """
    usable = _Ordered(sample, least)
    if not len(usable):
        return None
    right, n, ends = usable.right, usable.n, usable.ends
    starts = _starts(len(usable), target, confidence, sample.groups, len(sample))
    level = 1 - (1 - confidence) / len(starts)
    effects = np.round(usable.effects * scarcity(sample.groups, len(sample), level), 6)
    taken, refused = right / effects, (n - right) / effects
    lows = np.where(right > 0, beta.ppf(1 - level, np.maximum(taken, 1e-12), refused + 1), 0.0)
    firsts = np.searchsorted(ends, np.array(starts) - 1)
    last = max(_last(lows[ends] >= target, int(first)) for first in firsts)
    # where nothing holds: what was tested first or lies right above it, and no bound that luck alone lifted
    short = ends[np.concatenate([firsts, np.maximum(firsts - 1, 0)])]
    short = short[lows[short] < target]
    index = int(ends[last] if last >= 0 else short[np.argmax(lows[short])])
    bound = Bound(
        target=target,
        lower_bound=float(lows[index]),
        confidence=confidence,
        level=level,
        n=int(n[index]),
        right=int(right[index]),
        design_effect=float(effects[index]),
    )
    return Found(float(usable.score[index]), bound, last >= 0)


def _starts(clips: int, target: float, confidence: float, groups: int = 0, of: int = 0) -> tuple[int, ...]:
    """How many of the best-scored clips the first tested thresholds accept; groups and clips in all: for `scarcity`."""
    for shares in STARTS:
        level = 1 - (1 - confidence) / len(shares)
        fewest = math.ceil(least_labels(target, level) * scarcity(groups, of, level))
        starts = tuple(dict.fromkeys(max(round(share * clips), fewest) for share in shares))
        if len(starts) == len(shares) and starts[-1] <= clips:
            return starts
    return (min(max(round(STARTS[-1][0] * clips), fewest), clips),)


def _last(held: NDArray[np.bool_], start: int) -> int:
    """Index of the last of an unbroken row of successes from `start` on; -1: the first one failed."""
    failures = np.flatnonzero(~held[start:])
    end = start + int(failures[0]) if len(failures) else len(held)
    return end - 1 if end > start else -1


def cross_validated(sample: Sample, *, target: float, confidence: float) -> tuple[int, int]:
    """How thresholds do on prompts that they were not chosen on: clips accepted, and those of them that people take.

    In 5 folds of whole prompts; a fold without a threshold accepts nothing.
    """
    accepted = taken = 0
    folds = GroupKFold(n_splits=min(FOLDS, sample.groups))
    for chosen_on, rest in folds.split(sample.score, groups=sample.group):
        found = find(sample.only(chosen_on), target=target, confidence=confidence)
        if found is not None and found.holds:
            beyond = sample.only(rest)
            passes = beyond.accepts & (beyond.score >= found.at)
            accepted += int(passes.sum())
            taken += int((passes & beyond.passed).sum())
    return accepted, taken


def needed(sample: Sample, *, target: float, confidence: float) -> int | None:
    """About how many labelled clips more it takes to be given a threshold four times in five; None: no number would do.

    If the shares of taken clips among the best-scored tenth, fifth and so on are the true ones, but for two clips that
    are as was asked for, and as many clips come of each new prompt: how likely one of the thresholds that are tested
    first is borne out by so many labels.
    """
    usable, of = _Ordered(sample), len(sample)
    total = of
    while len(usable) and total <= MOST:
        total = max(total + 1, math.ceil(total * 1.02))
        grown = total / of
        groups = round(sample.groups * grown)
        starts = _starts(round(len(usable) * grown), target, confidence, groups, total)
        level = 1 - (1 - confidence) / len(starts)
        # where those thresholds lie among the clips there are
        places = np.minimum(np.ceil(np.array(starts) / grown).astype(int), len(usable)) - 1
        at = usable.ends[np.searchsorted(usable.ends, places)]
        few = scarcity(groups, total, level)
        counted = np.maximum(usable.n[at] * grown / (usable.effects[at] * few), 1).astype(int)
        fewest = binom.isf(1 - level, counted, target)  # one more bears the target out
        shares = (usable.right[at] + 2 * target) / (usable.n[at] + 2)  # the best of few is by luck too high
        if np.max(binom.sf(fewest, counted, shares)) >= POWER:
            return total - of
    return None


def least_labels(target: float, confidence: float) -> int:
    """Accepted clips that a promise takes though people take every one of them."""
    return math.ceil(math.log(1 - confidence) / math.log(target) - 1e-9)
