"""What each figure is called, what it would be by chance, and what it means in plain language."""

from typing import Final, Literal, NamedTuple

from agent.bench.figures.types import AxisFigures, Figure
from agent.bench.types import RowAxis
from agent.report.wording import MINUS, percent

State = Literal["better than chance", "chance level", "worse than chance", "cannot be told", "nothing judged"]
DASH = "\N{EN DASH}"


class Line(NamedTuple):
    """A figure as a row of a table."""

    key: str
    name: str
    figure: Figure
    low: float
    """Least value that it can have, where its bar begins."""
    high: float
    chance: float | None
    """What a critic that knows nothing comes to. None: nothing can be said."""
    meaning: str


class Sway(NamedTuple):
    """Something by which scores are swayed other than the clip."""

    name: str
    value: str
    meaning: str


def value(number: float | None) -> str:
    """Two decimals, with a true minus; a dash for none."""
    if number is None:
        return DASH
    text = f"{number:.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", MINUS)


def interval(figure: Figure) -> str:
    """'0.74 (0.68 to 0.80)'."""
    return value(figure.value) if figure.low is None else f"{value(figure.value)} ({reach(figure)})"


def reach(figure: Figure) -> str:
    """'0.68 to 0.80'; "" without an interval."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{value(figure.low)} to {value(figure.high)}"


def number(count: int) -> str:
    """A count in four characters: '873', '1.2k', '57k'."""
    if count < 1000:
        return f"{count}"
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def axis(name: RowAxis) -> str:
    """An axis for people."""
    return name.replace("_", " ")


def base_rate(axis: AxisFigures) -> float | None:
    """Share of the clips that people take."""
    known = axis.n_pass + axis.n_fail
    return axis.n_pass / known if known else None


def parted(axis: AxisFigures) -> bool:
    """Whether the histogram knows of each clip that it counts whether people take it."""
    return any(b.n for b in axis.histogram) and all(b.passed is not None for b in axis.histogram if b.n)


def state(axis: AxisFigures) -> State:
    """What the score is worth, in a word or two."""
    judged_pairs = axis.n_pairs - axis.n_pairs_failed
    if not axis.n + judged_pairs:
        return "nothing judged"
    found = next((f for f in (axis.roc_auc, axis.pairwise_accuracy, axis.spearman) if f.value is not None), None)
    if found is None or found.value is None or found.low is None:
        return "cannot be told"
    if axis.chance:
        return "chance level"
    value, coin = found.value, 0.0 if found is axis.spearman else 0.5
    if found is axis.pairwise_accuracy:
        value *= axis.n_pairs / judged_pairs  # failed pairs count as wrong there, which is no sign of a reversed score
    return "worse than chance" if value < coin else "better than chance"


_LINES: Final = {
    "roc_auc": ("ROC AUC", 0, "A clip that people take scores above one that they do not"),
    "average_precision": ("Average precision", 0, "Precision over all thresholds"),
    "spearman": ("Spearman", -1, "Whether it orders clips as people grade them: 1 the same."),
    "kendall": ("Kendall tau-b", -1, "Pairs in people's order less those in the other, ties allowed."),
    "pearson": ("Pearson", -1, "Whether a score goes up with the grade in a straight line."),
    "pairwise_accuracy": ("Accuracy on pairs", 0, "Pairs whose better clip scores higher; people's ties left out."),
    "ece": ("Calibration error (ECE)", 0, "How far the score is from the share that people take. Lower is better."),
    "ece_isotonic": ("ECE after isotonic fit", 0, "The same once the score is mapped, on other prompts."),
    "brier": (
        "Brier score",
        0,
        "Squared error as a probability. Lower is better; the tick: saying the mean each time.",
    ),
    "aurc": ("Area under risk", 0, "Share not taken among the best-scored clips. Lower is better; the tick: blindly."),
    "quadratic_kappa": ("Quadratic kappa", -1, "Agreement on the label's steps beyond chance."),
    "exact_accuracy": ("Exact agreement", 0, "Clips on exactly the step that people gave."),
    "pairwise_accuracy_ties": ("Pairs, ties counted", 0, "First, second or tie: a tie is right for a tie alone."),
}
"""Name, least value and meaning of each figure, in the order of the tables. The greatest value of all is 1."""


def first_lines(axis: AxisFigures) -> tuple[Line, ...]:
    """The figures that say what the score is worth."""
    auc, base = axis.roc_auc.value, base_rate(axis)
    pairs = (_line(axis, "pairwise_accuracy", 0.5),) if axis.n_pairs else ()
    if pairs and not axis.n:
        return pairs
    return (
        _line(axis, "roc_auc", 0.5, "." if auc is None else f" in {100 * auc:.0f} of 100 cases; a coin: 50."),
        _line(axis, "average_precision", base, "." if base is None else f"; picking blindly: {base:.2f}."),
        *(_line(axis, key, 0.0) for key in ("spearman", "kendall", "pearson")),
        *pairs,
    )


def other_lines(axis: AxisFigures) -> tuple[Line, ...]:
    """The other figures that could be computed, and the calibration error even where it could not."""
    base = base_rate(axis)
    single = (
        _line(axis, "ece", None),
        _line(axis, "ece_isotonic", None),
        _line(axis, "brier", None if base is None else base * (1 - base)),
        _line(axis, "aurc", None if base is None else 1 - base),
        _line(axis, "quadratic_kappa", 0.0),
        _line(axis, "exact_accuracy", None),
    )
    kept = tuple(line for line in single if line.figure.value is not None or line.key == "ece") if axis.n else ()
    return (*kept, _line(axis, "pairwise_accuracy_ties", None)) if axis.n_pairs else kept


def _line(axis: AxisFigures, key: str, chance: float | None, more: str = "") -> Line:
    name, low, meaning = _LINES[key]
    figure: Figure = getattr(axis, key)
    return Line(key, name, figure, low, 1, chance, meaning + more)


def sways(axis: AxisFigures) -> tuple[Sway, ...]:
    """Saturation, leniency, length, swapping and judging again: what each came to, and what that means."""
    return (_saturation(axis), _leniency(axis), _length(axis), _swap(axis), _retest(axis))


def _saturation(axis: AxisFigures) -> Sway:
    common, unique = axis.leaning.commonest_share, axis.leaning.unique
    if not axis.n:
        return Sway("Saturation", DASH, "No single clip has a score.")
    words = "Fine enough to tell clips apart."
    if common >= 0.2:
        words = "Many clips tie at one score, and a threshold cannot part them."
    if common >= 0.5:
        words = "It mostly says the same, and such a score orders few clips."
    if unique == 1:
        words = "It always says the same: the score carries nothing."
    scores = "score" if unique == 1 else "different scores"
    return Sway("Saturation", f"{unique:,} {scores}; {percent(common)} of clips have the commonest", words)


def _leniency(axis: AxisFigures) -> Sway:
    figure = axis.leaning.leniency
    if figure.value is None:
        return Sway("Leniency", DASH, figure.why)
    kinder = figure.value > 0
    by = f"by {abs(figure.value):.2f} of the scale: its score is no grade, and a threshold on it must be measured."
    words = f"{'Kinder' if kinder else 'Stricter'} than people {by}"
    if not _apart(figure, 0) or abs(figure.value) < 0.02:
        words = "On average as strict as people." if figure.low is not None else "Too few groups to say more."
    return Sway("Leniency", _signed(figure), words)


def _length(axis: AxisFigures) -> Sway:
    figure = axis.leaning.length_correlation
    if figure.value is None:
        return Sway("Length bias", DASH, figure.why)
    words = "No sign that the length of its critique goes with its score."
    if figure.low is None:
        words = "Too few groups to say more."
    if _apart(figure, 0):
        words = f"The more it writes, the {'higher' if figure.value > 0 else 'lower'} it scores."
    return Sway("Length bias", _signed(figure), words)


def _swap(axis: AxisFigures) -> Sway:
    figure = axis.swap_consistency
    if figure.value is None:
        return Sway("Swap consistency", DASH, figure.why)
    flipped = 100 * (1 - figure.value)
    words = f"In {flipped:.0f} of 100 pairs the order decides, and not the clips."
    if flipped < 0.5:
        words = "Whichever clip is shown first, the verdict is the same."
    return Sway("Swap consistency", interval(figure), words)


def _retest(axis: AxisFigures) -> Sway:
    figure = axis.retest
    if figure.value is None:
        return Sway("Judged again", DASH, figure.why)
    words = (
        f"A second judgement of a clip differs by {figure.value:.3f} on average: less than that tells no clips apart."
    )
    if figure.value == 0:
        words = "A second judgement of a clip comes to the same."
    return Sway("Judged again", interval(figure), words)


def _apart(figure: Figure, null: float) -> bool:
    """Whether the interval leaves the null out; without an interval, nothing is claimed."""
    return figure.low is not None and figure.high is not None and not figure.low <= null <= figure.high


def _signed(figure: Figure) -> str:
    return ("+" if (figure.value or 0) >= 0.005 else "") + interval(figure)
