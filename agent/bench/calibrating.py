"""The statistics behind a threshold: how low it can go and still be borne out by the labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.model_selection import GroupKFold

from agent.bench.types import Scored
from critic.threshold import Bound

STARTS: Final = ((0.2, 0.35, 0.5), (0.25, 0.5), (0.3,))
"""Shares of the clips, the best scores first, at which a search begins: of these the first set that the number of clips
leaves room for. None of it looks at a label."""
FOLDS: Final = 5
LEAST_GROUPS: Final = 4
"""Prompts. With fewer nothing is known of how alike clips of one prompt are."""
STEP: Final = 1e-6
"""Between two scores: critiques are rounded to it."""
MOST: Final = 1_000_000
"""Labels beyond which it is not worth saying how many would be needed."""


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

        A step is added first, since what is rejected scores below a threshold and not at it.
        """
        return Sample(-(self.score + STEP), ~np.isnan(self.score), ~self.passed, self.group)


class Found(NamedTuple):
    """A threshold, what was seen beyond it, and whether that bears it out."""

    at: float
    bound: Bound
    holds: bool


def lower_bound(right: float, n: float, confidence: float) -> float:
    """One-sided Clopper-Pearson bound of a share (Biometrika 26, 1934). Counts may be effective ones, and broken."""
    return float(beta.ppf(1 - confidence, right, n - right + 1)) if right > 0 else 0.0


def alikeness(passed: NDArray[np.bool_], group: NDArray[np.int64]) -> float:
    """Intraclass correlation of labels in [0, 1], by analysis of variance (Donner, Int. Stat. Review 54, 1986)."""
    _, at = np.unique(group, return_inverse=True)
    sizes = np.bincount(at).astype(float)
    n, k = sizes.sum(), len(sizes)
    if k < 2 or n <= k:
        return 0.0
    sums = np.bincount(at, weights=passed.astype(float))
    means = sums / sizes
    between = float((sizes * (means - sums.sum() / n) ** 2).sum()) / (k - 1)
    within = float((sums * (1 - means)).sum()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    whole = between + (typical - 1) * within
    return min(max((between - within) / whole, 0.0), 1.0) if whole > 0 else 0.0


def design_effects(group: NDArray[np.int64], alike: float) -> NDArray[np.float64]:
    """By how much alike clips lower the effective number of the first 1, 2, … n clips (Kish, Survey Sampling, 1965)."""
    seen: dict[int, int] = {}
    squares, effects = 0, np.empty(len(group))
    for index, number in enumerate(group.tolist()):
        before = seen.get(number, 0)
        seen[number] = before + 1
        squares += 2 * before + 1  # of the sizes of the groups so far
        effects[index] = 1 + (squares / (index + 1) - 1) * alike
    return effects


def find(sample: Sample, *, target: float, confidence: float, least: float = -math.inf) -> Found | None:
    """The lowest threshold that is borne out; where none is, what comes nearest to it.

    Thresholds are tested from high scores to low ones by the one-sided Clopper-Pearson bound, and the first that fails
    ends the search, so that no allowance for having tested many is needed (fixed sequence testing). It begins at up to
    three places, which share the error between them (Angelopoulos et al., Learn then Test, 2021, arXiv 2110.01052):
    that of all accepted clips fewer than `target` are taken has a chance of at most 1 - `confidence`.

    Args:
        sample: labelled scores.
        target: share of the accepted clips that people should take.
        confidence: of the promise, the choice of the threshold included.
        least: the threshold must not be below this.

    Returns:
        None: no clip lies beyond any threshold.
    """
    usable = sample.only(sample.accepts & (sample.score >= least))
    if not len(usable):
        return None
    usable = usable.only(np.argsort(-usable.score, kind="stable"))
    starts = _starts(len(usable), target, confidence)
    level = 1 - (1 - confidence) / len(starts)
    right, n = np.cumsum(usable.passed), np.arange(1, len(usable) + 1)
    effects = np.round(design_effects(usable.group, alikeness(sample.passed, sample.group)), 6)
    taken, refused = right / effects, (n - right) / effects
    lows = np.where(right > 0, beta.ppf(1 - level, np.maximum(taken, 1e-12), refused + 1), 0.0)
    # a threshold accepts all clips of one score or none
    ends = np.flatnonzero(np.append(usable.score[1:] != usable.score[:-1], True))
    last = max((_last(lows[ends] >= target, int(np.searchsorted(ends, start - 1))) for start in starts), default=-1)
    index = int(ends[last] if last >= 0 else ends[np.argmax(lows[ends])])
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


def _starts(clips: int, target: float, confidence: float) -> tuple[int, ...]:
    """How many of the best-scored clips the first tested thresholds accept."""
    for shares in STARTS:
        fewest = least_labels(target, 1 - (1 - confidence) / len(shares))
        starts = tuple(dict.fromkeys(max(round(share * clips), fewest) for share in shares))
        if len(starts) == len(shares) and starts[-1] <= clips:
            return starts
    return (min(max(round(STARTS[-1][0] * clips), least_labels(target, confidence)), clips),)


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


def needed(found: Found, of: int) -> int | None:
    """About how many labelled clips more it takes, if the share seen is the true one; None: no number would do.

    Args:
        found: what was seen.
        of: labelled clips there are.
    """
    bound = found.bound
    share, n = bound.right / bound.n, 1
    if share <= bound.target:
        return None
    while lower_bound(math.floor(share * n + 1e-9), n, bound.level) < bound.target:
        n = max(n + 1, math.ceil(n * 1.01))
        if n > MOST:
            return None
    return max(math.ceil(n * bound.design_effect * of / bound.n) - of, 1)


def least_labels(target: float, confidence: float) -> int:
    """Accepted clips that a promise takes though people take every one of them."""
    return math.ceil(math.log(1 - confidence) / math.log(target) - 1e-9)
