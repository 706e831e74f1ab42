"""The six plots of an axis: what stands in each. Lines differ in style and marks in shape, never in colour alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from agent.bench.figures.types import AxisFigures, Curve
from agent.bench.replay_figures import Replay
from agent.bench.report.beside import Beside
from agent.bench.report.canvas import ACCENT, BAD, FILL, INK, SHEET, SIZE, SOFT, blank, share
from agent.bench.report.wording import interval, number, parted
from agent.bench.types import RowAxis

Place = Literal["upper left", "upper right", "lower left", "lower right", "best"]
TARGETS: Final = (0.9, 0.8)
"""Precisions that are drawn where no threshold was made."""
WIDEST: Final = 1e300
"""Reach of scores beyond which matplotlib's own sums overflow: nothing is to be seen there anyway."""


def roc(axis: AxisFigures, beside: Beside) -> Figure | None:
    """How many clips that people take are found, against how many others come with them."""
    if axis.roc is None:
        return None
    del beside
    figure, axes = blank("ROC", "false positive rate", "true positive rate")
    share(axes)
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle=(0, (4, 3)), linewidth=1.4, label="chance, AUC 0.50")
    axes.plot(axis.roc.x, axis.roc.y, color=ACCENT, label=f"AUC {interval(axis.roc_auc)}")
    _legend(axes, "lower right", axis.n)
    return figure


def precision_recall(axis: AxisFigures, beside: Beside) -> Figure | None:
    """How many of the clips found are right, against how many are found."""
    if axis.precision_recall is None:
        return None
    del beside
    figure, axes = blank("Precision and recall", "recall", "precision")
    share(axes)
    base = axis.n_pass / max(1, axis.n_pass + axis.n_fail)
    axes.axhline(base, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.4, label=f"chance, {base:.2f} are taken")
    curve = axis.precision_recall
    axes.plot(curve.x, curve.y, color=ACCENT, label=f"AP {interval(axis.average_precision)}")
    _legend(axes, "best", axis.n)
    return figure


def reliability(axis: AxisFigures, beside: Beside) -> Figure | None:
    """What share of the clips with a score people take, beside the score itself."""
    held = [b for b in axis.reliability if b.n and b.passed is not None and b.mean_score is not None]
    if not held:
        return None
    del beside
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.145, 0.355, 0.825, 0.545))
    counts = figure.add_axes((0.145, 0.165, 0.825, 0.155), sharex=axes)
    axes.set_title("Reliability")
    axes.set_ylabel("share taken")
    counts.set_xlabel("score")
    counts.set_ylabel("clips")
    share(axes)
    low, high = min(b.low for b in axis.reliability), max(b.high for b in axis.reliability)
    axes.set_xlim(min(-0.02, low), max(1.02, high))
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle=(0, (4, 3)), linewidth=1.4, label="as good as its word")
    if axis.isotonic is not None:
        axes.plot(axis.isotonic.x, axis.isotonic.y, color=INK, linestyle=(0, (1, 1.4)), label="isotonic fit")
    axes.plot(
        [b.mean_score or 0 for b in held],
        [b.passed or 0 for b in held],
        color=ACCENT,
        marker="o",
        markersize=5.5,
        markeredgecolor=SHEET,
        linewidth=1.2,
        label="score, in bins",
    )
    axes.tick_params(labelbottom=False)
    axes.set_ylim(-0.03, 1.5)  # its room above the highest share, so that the legend hides no point
    axes.plot([], [], linestyle="none", label=f"n = {sum(b.n for b in held):,}")
    axes.legend(loc="upper left", ncols=2, fontsize=9)
    counts.bar(
        [(b.low + b.high) / 2 for b in axis.reliability],
        [b.n for b in axis.reliability],
        width=[0.86 * (b.high - b.low) for b in axis.reliability],
        color=FILL,
    )
    most = max(b.n for b in axis.reliability)
    for each in axis.reliability:
        if each.n:
            at = (each.low + each.high) / 2
            counts.annotate(number(each.n), (at, each.n), (0, 1), textcoords="offset points", ha="center", fontsize=8)
    counts.set_ylim(0, most * 1.6)
    counts.set_yticks([])
    counts.grid(visible=False)
    return figure


def histogram(axis: AxisFigures, beside: Beside) -> Figure | None:
    """How the scores are spread: clips that people take upwards, the others downwards."""
    if not any(b.n for b in axis.histogram) or not axis.histogram[-1].high - axis.histogram[0].low < WIDEST:
        return None
    figure, axes = blank("Scores by label", "score", "clips")
    middle = [(b.low + b.high) / 2 for b in axis.histogram]
    wide = [0.9 * (b.high - b.low) for b in axis.histogram]
    if parted(axis):
        up, down = [b.n_passed for b in axis.histogram], [b.n_passed - b.n for b in axis.histogram]
        axes.bar(middle, up, width=wide, color=ACCENT, label=f"people take, n = {axis.n_pass:,}")
        axes.bar(
            middle, down, width=wide, facecolor=SHEET, edgecolor=BAD, hatch="////", label=f"do not, n = {axis.n_fail:,}"
        )
        axes.axhline(0, color=SOFT, linewidth=1)
        reach = max(*up, -min(down), 1)
        axes.set_ylim(min(down) - 0.1 * reach, max(up) + 0.55 * reach)
    else:
        counts = [b.n for b in axis.histogram]
        axes.bar(middle, counts, width=wide, color=FILL, label=f"clips, n = {sum(counts):,}")
        axes.set_ylim(0, 1.35 * max(counts))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    if axis.histogram[0].low >= 0 and axis.histogram[-1].high <= 1:
        share(axes, y=False)
    if beside.threshold is not None and beside.coverage is not None:
        at = beside.threshold.threshold
        axes.axvline(at, color=INK, linestyle=(0, (6, 2, 1, 2)), linewidth=1.6, label=f"threshold {at:.4g}")
    axes.legend(loc="upper left", ncols=2 if beside.coverage is None else 1, columnspacing=1.0)
    return figure


def coverage_risk(axis: AxisFigures, beside: Beside) -> Figure | None:
    """How many of the best-scored clips people do not take, as more of them are accepted."""
    curve = axis.coverage_risk
    if curve is None or not curve.x:
        return None
    figure, axes = blank("Coverage and risk", "share accepted, best scores first", "share of these not taken")
    share(axes)
    base = axis.n_fail / max(1, axis.n_pass + axis.n_fail)
    few = "o" if len(curve.x) < 4 else ""  # a critic that nearly always says the same has no line to show
    axes.plot(curve.x, curve.y, color=ACCENT, marker=few, label="by score", zorder=3)
    axes.axhline(base, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.4, label="picked blindly")
    made = None if beside.coverage is None else beside.threshold
    for target in TARGETS if made is None else (made.accept.target,):
        name = f"{'target: ' if made else ''}precision {target:.2f}"
        axes.axhline(1 - target, color=INK, linestyle=(0, (1, 1.8)), linewidth=1.3)
        axes.annotate(name, (1.0, 1 - target), (0, 2), textcoords="offset points", ha="right", fontsize=9)
    if made is not None and beside.coverage is not None:
        at = (beside.coverage, _at(curve, beside.coverage))
        axes.plot(*at, color=INK, marker="D", markersize=7, linestyle="none", zorder=4, label="the threshold")
    top = max(*curve.y, base, 0.3)
    axes.set_ylim(-0.02, min(1.04, 1.45 * top))
    _legend(axes, "best", axis.n)
    return figure


def regret(axis: AxisFigures, beside: Beside) -> Figure | None:
    """What stopping early loses in score, against the render seconds that it saves: of stored runs, replayed."""
    del axis
    points = _replayed(beside.replay)
    if not points:
        return None
    figure, axes = blank("Regret of stopping", "render seconds saved, share of the full budget", "score lost")
    saved, lost, low, high = (np.array(column) for column in zip(*(p[1:] for p in points), strict=True))
    reach = np.array([lost - low, high - lost]).clip(min=0)
    name = f"stored runs, n = {beside.replay.runs if beside.replay else 0:,}"
    axes.errorbar(saved, lost, reach, color=ACCENT, ecolor=FILL, marker="o", markersize=5, capsize=3, label=name)
    for n in sorted({0, len(points) // 2, len(points) - 1}):
        at = (float(saved[n]), float(lost[n]))
        axes.annotate(f"at {points[n].accept_at:.2f}", at, (6, -9), textcoords="offset points", fontsize=9)
    axes.axhline(0, color=SOFT, linewidth=1)
    least, most = float((lost - reach[0]).min()), float((lost + reach[1]).max())
    room = max(most - least, 0.01)
    axes.set_ylim(min(0.0, least) - 0.08 * room, most + 0.35 * room)
    axes.set_xlim(min(0.0, float(saved.min())) - 0.03, max(float(saved.max()), 0.1) * 1.18)
    axes.legend(loc="upper left")
    return figure


class _Replayed(NamedTuple):
    """A threshold over stored runs."""

    accept_at: float
    saved: float
    regret: float
    low: float
    high: float


def _replayed(replay: Replay | None) -> list[_Replayed]:
    """The thresholds under the budget that the runs had, as far as something is known of them, by what they save."""
    if replay is None:
        return []
    found = []
    for p in replay.points:
        saved, regret = p.render_seconds_saved_share, p.regret
        if p.max_iterations is None and p.samples is None and saved is not None and regret is not None:
            low, high = regret if p.low is None else p.low, regret if p.high is None else p.high
            found.append(_Replayed(p.accept_at, saved, regret, low, high))
    return sorted(found, key=lambda p: p.saved)


Draw = Callable[[AxisFigures, Beside], Figure | None]
PLOTS: Final[dict[str, tuple[Draw, str]]] = {
    "roc": (roc, "ROC"),
    "precision-recall": (precision_recall, "Precision and recall"),
    "reliability": (reliability, "Reliability"),
    "histogram": (histogram, "Scores by label"),
    "coverage-risk": (coverage_risk, "Coverage and risk"),
    "regret": (regret, "Regret of stopping"),
}
"""By the name of their files."""


def _legend(axes: Axes, place: Place, n: int) -> None:
    axes.plot([], [], linestyle="none", label=f"n = {n:,}")
    axes.legend(loc=place)


def _at(curve: Curve, x: float) -> float:
    return float(np.interp(x, curve.x, curve.y))


@dataclass(frozen=True)
class Drawn:
    """A plot as it was written."""

    axis: RowAxis
    name: str
    """A key of `PLOTS`."""
    file: Path
    """Without its ending: there is an .svg and a .png."""
    svg: str
    says: str
    """What it shows, in a sentence."""


def says(name: str, axis: AxisFigures) -> str:
    """What a plot shows, for those who do not see it."""
    told = {
        "roc": f"area {interval(axis.roc_auc)}, chance 0.50, of {axis.n:,} clips",
        "precision-recall": f"average precision {interval(axis.average_precision)}, of {axis.n:,} clips",
        "reliability": f"calibration error {interval(axis.ece)}, of {axis.n:,} clips",
        "histogram": f"{axis.n_pass:,} clips that people take and {axis.n_fail:,} that they do not",
        "coverage-risk": f"area under it {interval(axis.aurc)}, of {axis.n:,} clips",
        "regret": "score lost against render seconds saved, of stored runs that were replayed",
    }
    return told[name]
