"""What a comparison of two critics comes to, in sentences for people."""

from typing import Final

from agent.bench.figures.paired_types import AxisComparison, Difference

TITLES: Final = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "spearman": "Spearman",
    "kendall": "Kendall tau-b",
    "pearson": "Pearson",
    "pairwise_accuracy": "accuracy on pairs",
    "brier": "Brier (less is better)",
}
_TELLING: Final = ("roc_auc", "pairwise_accuracy", "spearman")
_ROUGH_BELOW: Final = 30


def verdict(made: AxisComparison, names: tuple[str, str]) -> tuple[str, ...]:
    """First the verdict, then what to know of it.

    The verdict is by one statistic, chosen beforehand, so that no luck among several is taken for a difference: the ROC
    AUC; where there is none the accuracy on pairs, else Spearman's correlation.
    """
    told = [
        _first(made, names),
        _left_out(made, names),
        f"Left out, of the rows that both have, for labels that differ: {made.unequal:,}." if made.unequal else "",
        _failures(made, names),
        f"With {made.groups} groups these intervals are rough: treat them as too narrow."
        if 2 <= made.groups < _ROUGH_BELOW
        else "",
    ]
    return tuple(sentence for sentence in told if sentence)


def p_told(p: float) -> str:
    """A p-value as people write it."""
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.3f}" if p >= 0.001 else f"p = {p:.1g}"


def _first(made: AxisComparison, names: tuple[str, str]) -> str:
    found = next((d for name in _TELLING if (d := made.of(name)).difference is not None), None)
    if found is None or found.difference is None or found.a is None or found.b is None:
        return f"Nothing can be said: {made.of('roc_auc').why}; {made.of('spearman').why}."
    title = TITLES[found.statistic]
    values = f"{title} {found.a:.2f} against {found.b:.2f}"
    if found.low is None or found.high is None or found.p is None:
        return f"Nothing can be said of the difference: {values}; {found.why}."
    facts = f"{values}, difference {found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}), {p_told(found.p)}"
    if found.separated:
        better, other = names if found.difference > 0 else names[::-1]
        return f"{better} is better than {other} on these {found.n:,} rows: {facts}."
    return f"Not separated on these {found.n:,} rows: {facts}{_needed(found)}."


def _needed(found: Difference) -> str:
    if found.needed is None:
        return ""
    if found.low is not None and found.high is not None and not found.low <= 0 <= found.high:
        return "; the interval leaves 0 out, and the test does not bear that out: rows of more prompts would tell"
    if found.needed > 1_000_000:
        return "; more than a million rows would be needed to see this difference"
    return f"; about {found.needed:,} rows would be needed to see this difference"


def _left_out(made: AxisComparison, names: tuple[str, str]) -> str:
    told = [f"{n:,} in {name} alone" for n, name in ((made.only_a, names[0]), (made.only_b, names[1])) if n]
    return f"Rows that one of them has and the other has not are left out: {', '.join(told)}." if told else ""


def _failures(made: AxisComparison, names: tuple[str, str]) -> str:
    if not made.failed_a and not made.failed_b:
        return ""
    return (
        f"Without a score are {made.failed_a:,} of {made.n:,} rows by {names[0]} and {made.failed_b:,} by {names[1]}: "
        "wrong in the accuracy on pairs, and in no other figure here, so that a critic that fails more is flattered."
    )
