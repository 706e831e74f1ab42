"""What calibrating comes to: a threshold file, or why there is none and what it would take."""

from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

from agent.bench.calibrating import LEAST_GROUPS, Found, Sample, cross_validated, find, least_labels, needed
from agent.bench.types import Scored
from critic.instrument import Instrument
from critic.threshold import Threshold, figure, told


class Wish(NamedTuple):
    """What a threshold shall promise."""

    precision: float
    """Share of the accepted clips that people should take."""
    rejection: float | None
    """Share of the rejected clips that people should not take. None: none shall be rejected."""
    confidence: float
    """Of both bounds, each on its own."""
    pass_at: float | None = None
    """As in `Labelled.passes`."""


class Origin(NamedTuple):
    """Where scores and labels come from."""

    dataset: str
    sha256: str
    instrument: Instrument | None


class Outcome(NamedTuple):
    """A threshold, or words."""

    threshold: Threshold | None
    withheld: str
    """Why there is none; "" where there is one."""
    more: int | None
    """About how many labelled clips more it takes. None: not known, no number would do, or nothing is withheld."""
    words: tuple[str, ...]
    """What else is to be said, in sentences."""


def calibrate(rows: Sequence[Scored], wish: Wish, origin: Origin) -> Outcome:
    """The lowest threshold that the labels bear out.

    Rows without a score count as clips that are never accepted; pairs, and labels of which it is not known whether they
    pass, are left out.
    """
    sample = Sample.of(rows, wish.pass_at)
    left_out = len(rows) - len(sample)
    say = "row says" if left_out == 1 else "rows say"
    left = "is" if left_out == 1 else "are"
    words = [f"{left_out:,} {say} nothing of whether a clip passes, and {left} left out."] if left_out else []
    if problem := _unusable(sample):
        return Outcome(None, problem, None, tuple(words))
    found = find(sample, target=wish.precision, confidence=wish.confidence)
    if found is None or not found.holds:
        why, more = _withheld(sample, found, wish)
        return Outcome(None, why, more, tuple(words))
    low = None if wish.rejection is None else _rejection(sample, found.at, wish.rejection, wish.confidence)
    rejects = low is not None and low.holds
    threshold = Threshold(
        threshold=found.at,
        accept=found.bound,
        reject_below=-low.at if low is not None and rejects else None,
        reject=low.bound if low is not None and rejects else None,
        n=len(sample),
        groups=sample.groups,
        pass_at=counted_as_passed(rows, wish.pass_at),
        dataset=origin.dataset,
        dataset_sha256=origin.sha256,
        instrument=origin.instrument,
        made=date.today(),  # noqa: DTZ011 - the day where it was made
        retake=_version(),
    )
    return Outcome(threshold, "", None, (*words, *_said(sample, found, low, wish)))


def counted_as_passed(rows: Sequence[Scored], pass_at: float | None) -> str:
    """What counts as taken by people, in words."""
    graded = [row for row in rows if row.label_type in {"likert", "mos"}]
    if not graded:
        return "labelled as passed"
    scales = {row.scale for row in graded}
    scale = next(iter(scales)) if len(scales) == 1 else None
    on = f" of {scale[0]:g}-{scale[1]:g}" if scale else ""
    if pass_at is not None:
        return f"label >= {pass_at:g}{on}"
    if scale is None:
        return "label at least three quarters up its scale"
    return f"label >= {scale[0] + 0.75 * (scale[1] - scale[0]):g}{on}"


def _unusable(sample: Sample) -> str:
    """Why nothing can be chosen from these rows at all; "" if it can be tried."""
    if not len(sample):
        return "no label says whether people take a clip; give --pass-at, the least label that passes"
    scores = sample.score[~np.isnan(sample.score)]
    if not len(scores):
        return "no clip has a score"
    if scores.min() < 0 or scores.max() > 1:
        return (
            f"scores go from {scores.min():g} to {scores.max():g}, and a run's threshold lies in [0, 1]; bring them "
            "there first (percent: divide by 100)"
        )
    if sample.passed.all() or not sample.passed.any():
        what = "all" if sample.passed.all() else "none"
        return f"people take {what} of the {len(sample)} clips: nothing can be learnt of what tells them apart"
    groups = sample.groups
    if groups < LEAST_GROUPS:
        return (
            f"the {len(sample)} clips come from {groups} prompt{'s' * (groups != 1)}; how alike clips of one prompt "
            f"are cannot be told from fewer than {LEAST_GROUPS}, and far more are needed to say much"
        )
    return ""


def _withheld(sample: Sample, found: Found | None, wish: Wish) -> tuple[str, int | None]:
    """Why the threshold is withheld, and about how many labels more it takes."""
    least = least_labels(wish.precision, wish.confidence)
    floor = (
        f"{told(wish.precision)} with {told(wish.confidence)} confidence takes at least {least} clips above the "
        "threshold, though people took every one of them"
    )
    if found is None:
        return f"no clip could be accepted: each is without a score or below a floor; {floor}", None
    bound = found.bound
    seen = (
        f"at {figure(found.at)} people took {bound.right} of the {bound.n} clips, which bears out "
        f"{told(bound.lower_bound)} with {told(bound.confidence)} confidence, not {told(bound.target)}"
    )
    if bound.design_effect > 1.005:
        seen += f" (clips of one prompt may be alike, so they count as {bound.n / bound.design_effect:.0f})"
    more = needed(sample, target=wish.precision, confidence=wish.confidence)
    if more is None:
        share, cure = bound.right / bound.n, "(--precision), or judge by a better critic"
        if share > wish.precision:
            return f"{seen}. More labels alone would hardly help: ask for less {cure}", None
        why = f"More labels would not help if {told(share)} is the true share: ask for less than that {cure}"
        return f"{seen}. {why}", None
    if bound.n < least:
        seen += f"; {floor}"
    many = f"about {more:,} labelled clip{'s' * (more != 1)} more of other prompts"
    return f"{seen}. If the shares seen are the true ones, {many} would do four times in five", more


def _rejection(sample: Sample, threshold: float, share: float, confidence: float) -> Found | None:
    """Below which score clips are surely not to be taken."""
    return find(sample.mirrored(), target=share, confidence=confidence, least=-threshold)


def _said(sample: Sample, found: Found, low: Found | None, wish: Wish) -> list[str]:
    """What the threshold lets through, and what is between the two."""
    accepted = sample.accepts & (sample.score >= found.at)
    taken = int((accepted & sample.passed).sum())
    accepts = (
        f"It accepts {int(accepted.sum())} of the {len(sample)} labelled clips, and {taken} of the "
        f"{int(sample.passed.sum())} that people take."
    )
    n, right = cross_validated(sample, target=wish.precision, confidence=wish.confidence)
    if n:
        accepts += (
            f" Chosen on four fifths of the prompts, it accepts {n} clips of the others, of which people take {right}."
        )
    if wish.rejection is None:
        return [accepts]
    if low is None or not low.holds:
        seen = "" if low is None else f" ({told(low.bound.lower_bound)} is borne out)"
        return [accepts, f"No score is surely bad: {told(wish.rejection)} cannot be borne out of any{seen}."]
    between = int(((sample.score < found.at) & (sample.score >= -low.at)).sum())
    rejects = (
        f"Of clips below {figure(-low.at)} people refuse at least {told(low.bound.target)} ({low.bound.right} of "
        f"{low.bound.n} labelled). On the {between} clips between the two the critic abstains."
    )
    return [accepts, rejects]


def _version() -> str:
    try:
        return version("cosmos-retake")
    except PackageNotFoundError:
        return ""
