"""What the figures of an axis come to, in sentences for people."""

from typing import TYPE_CHECKING

from agent.bench.figures.columns import Columns
from agent.bench.figures.types import AxisFigures, Figure

if TYPE_CHECKING:
    from agent.bench.figures.axis import Telling

_ROUGH_BELOW = 30
"""Groups: with fewer, a percentile interval is noticeably too narrow."""
_NARROW_BELOW = 60
"""Groups: with fewer, 95 % intervals of the AUC held the truth in 91 % of drawn sets."""


def sentences(found: AxisFigures, telling: "Telling | None", by: Columns) -> tuple[str, ...]:
    """First whether the score is worth anything, then what to know of it.

    Args:
        found: the axis's figures, its words not yet among them.
        telling: the figure that says whether the score is worth anything; None: there is none.
        by: the rows as columns.
    """
    told = [
        _worth(found, telling),
        _failures(found),
        _unreachable(by),
        _leniency(found.leaning.leniency),
        _saturation(found),
        _talk(found.leaning.length_correlation),
        _calibration(found),
        _on_pairs(found),
        _unsteady(found),
        by.mixed,
        f"{_rows(by.ungraded)} with a score cannot be compared with the others' labels and are in no correlation."
        if by.ungraded
        else "",
        _rough(found),
    ]
    return tuple(sentence for sentence in told if sentence)


def interval(figure: Figure) -> str:
    """A figure with its interval, as 0.51 (0.43 to 0.60)."""
    if figure.value is None:
        return "unknown"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _all(found: AxisFigures) -> int:
    return found.n + found.n_pairs + found.n_failed - found.n_pairs_failed


def _nothing(found: AxisFigures) -> str:
    rows = _all(found)
    if rows == found.n_failed:
        return f"Nothing can be said: {_rows(rows)}, and not one has a score."
    return f"Nothing can be said of {_rows(rows)}: {found.roc_auc.why}; {found.spearman.why}."


def _worth(found: AxisFigures, telling: "Telling | None") -> str:
    if telling is None:
        return _nothing(found)
    figure, unit = telling.figure, "pairs" if telling.name.endswith("pairs") else "clips"
    start = f"{telling.name} {interval(figure)}"
    these = f"these {figure.n:,} {unit}"
    value = telling.coin if figure.value is None else figure.value
    if figure.low is None:
        return f"{start}, {figure.why}: it cannot be told from a coin on {these}; a threshold on it would mean nothing."
    if telling.chance:
        if value < telling.coin + 0.1:
            return f"{start}: no better than a coin on {these}; a threshold on it would mean nothing."
        return f"{start}: {these} are too few to tell it from a coin; a threshold on it would mean nothing yet."
    if value < telling.coin:
        return f"{start}: worse than a coin on {these}: the score is reversed, what people take it puts last."
    return f"{start}: better than a coin on {these}{_how_much(telling.name, value)}."


def _how_much(name: str, value: float) -> str:
    if name == "AUC":
        often = f"; a clip that people take is put before one that they do not {value:.0%} of the time"
        return f"{often}; weak" if value < 0.7 else often
    if name.endswith("pairs"):
        return f"; it prefers the clip that people prefer {value:.0%} of the time"
    return "; weak" if value < 0.3 else ""


def _failures(found: AxisFigures) -> str:
    if not found.n_failed:
        return ""
    of = _all(found)
    reasons = "; ".join(f"{why[:120]}: {n:,}" for why, n in list(found.failures.items())[:3])
    return (
        f"{found.n_failed:,} of {_rows(of)} ({found.n_failed / of:.0%}) failed to get a score ({reasons}); "
        "they are counted as failures, never as zeros."
    )


def _unreachable(by: Columns) -> str:
    broken = [n for n in by.taken.tolist() if not by.accepted[n]]
    good = sum(bool(by.passes[n]) for n in broken)
    if not broken:
        return ""
    start = "1 row breaks a floor and is" if len(broken) == 1 else f"{_rows(len(broken))} break a floor and are"
    return f"{start} never accepted, whatever the score; people took {good:,} of them."


def _matters(figure: Figure, least: float) -> bool:
    """Whether a figure is surely not 0, and far enough from it to be worth a sentence."""
    if figure.value is None or figure.low is None or figure.high is None:
        return False
    return not figure.low <= 0 <= figure.high and abs(figure.value) >= least


def _leniency(figure: Figure) -> str:
    if figure.value is None or not _matters(figure, 0.05):
        return ""
    how = "kinder" if figure.value > 0 else "harsher"
    return f"It is {how} than people by {abs(figure.value):.2f} of the scale (score less label: {interval(figure)})."


def _saturation(found: AxisFigures) -> str:
    leaning, n = found.leaning, found.n
    if n < 5 or not leaning.unique:
        return ""
    if leaning.unique == 1:
        return f"It is saturated: all {n:,} scores are the same."
    if leaning.commonest_share >= 0.3:
        most = f"{leaning.commonest_share:.0%} of its scores are one and the same"
        return f"It is saturated: {most} ({leaning.unique:,} different ones)."
    return ""


def _talk(figure: Figure) -> str:
    if figure.value is None or not _matters(figure, 0.1):
        return ""
    how = "higher" if figure.value > 0 else "lower"
    return f"The longer its critique, the {how} its score: rank correlation {interval(figure)}."


def _calibration(found: AxisFigures) -> str:
    if found.ece.value is None or found.ece.value < 0.1 or found.chance:
        return ""
    better = found.ece_isotonic
    after = "" if better.value is None else f"; {interval(better)} after isotonic regression"
    return f"The score is no probability that people take the clip: calibration error {interval(found.ece)}{after}."


def _on_pairs(found: AxisFigures) -> str:
    if not found.n_pairs or found.pairwise_accuracy_ties.value is None or found.tie_margin is None:
        return ""
    three = f"{interval(found.pairwise_accuracy_ties)} with them (scores within {found.tie_margin:.3g} called a tie)."
    if found.pairwise_accuracy.value is None:
        return f"On pairs it agrees with people, who call each with scores a tie, in {three.replace(' with them', '')}"
    return f"On pairs it agrees with people in {interval(found.pairwise_accuracy)} without their ties, and in {three}"


def _unsteady(found: AxisFigures) -> str:
    told = []
    if found.swap_consistency.value is not None and found.swap_consistency.value < 0.9:
        told.append(f"shown the other way round, it says the same of {found.swap_consistency.value:.0%} of pairs")
    if found.retest.value is not None and found.retest.value > 0.02:
        told.append(f"judging a clip again moves its score by {found.retest.value:.2f} on average")
    return f"It is unsteady: {'; '.join(told)}." if told else ""


def _rough(found: AxisFigures) -> str:
    if found.groups < 2:
        return "All rows are of one group: no interval can be given."
    if found.groups < _ROUGH_BELOW:
        return f"With {found.groups} prompts these intervals are rough: treat them as too narrow."
    area = found.roc_auc
    if area.value is not None and area.low == area.high == area.value:
        return "No two clips are out of order, so that its interval has no width: more clips may show one."
    if found.groups < _NARROW_BELOW:
        return f"Over {found.groups} prompts these intervals are a little too narrow."
    return ""
