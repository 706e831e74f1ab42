"""The pictures of docs/search-benchmark.md: scores over render seconds, ratios with their intervals, the simulation."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.search.drawing import dot, line, panel, picture, steps, text
from benchmarks.search.measure import Measured
from benchmarks.search.pairwise import ACCURACIES, Choices

GOAL = 1 / 3
WIDTH, LEFT, TOP = 1100, 64, 64
MOST = 2.0
"""Times the reference's render seconds at the right end."""


def curves(measured: Measured, shown: Sequence[str]) -> str:
    """Mean score of the clip that would be handed over, by mean render seconds, of a few strategies."""
    reference = measured.reference
    total, wanted = float(reference.total.mean()), float(reference.final.mean())
    lines = {name: _averaged(measured, name, total) for name in shown}
    lowest = min(score for points in lines.values() for _, score in points)
    low, high = math.floor(lowest * 50) / 50, math.ceil(max(s for p in lines.values() for _, s in p) * 100) / 100
    width, height = 660, 330
    most = min(MOST, max(x for points in lines.values() for x, _ in points))
    across = _scale(0, most, LEFT, LEFT + width)
    up = _scale(low, high, TOP + height, TOP)
    parts = [
        text(LEFT, 32, f"Score by render seconds, prices {measured.prices.name}", kind="head"),
        panel(LEFT, TOP, width, height),
    ]
    for tick in _ticks(low, high, 0.02):
        parts += [f'  <path class="grid" d="M{LEFT} {up(tick):.1f}H{LEFT + width}"/>']
        parts += [text(LEFT - 6, up(tick) + 4, f"{tick:.2f}", "end")]
    for tick in _ticks(0, most, 0.25):
        parts += [text(across(tick), TOP + height + 18, f"{tick:g}", "middle")]
    parts += [
        f'  <path class="goal" d="M{LEFT} {up(wanted):.1f}H{LEFT + width}"/>',
        f'  <path class="goal" d="M{across(GOAL):.1f} {TOP}V{TOP + height}"/>',
    ]
    for number, (name, points) in enumerate(lines.items()):
        inside = [(across(x), up(y)) for x, y in points if x <= most + 1e-9]
        kind = f"c{number % 6}"
        parts += [steps(inside, kind), dot(*inside[-1], kind)]
        parts += [dot(LEFT + width + 24, TOP + 12 + 24 * number, kind)]
        parts += [text(LEFT + width + 36, TOP + 16 + 24 * number, name)]
    parts += [
        text(LEFT, TOP + height + 38, "Mean render seconds as a share of the reference's; mean score over prompts."),
        text(LEFT, TOP + height + 56, "Dashed: the reference's final score, and a third of its seconds."),
    ]
    return picture(WIDTH, TOP + height + 72, "Mean score by render seconds of several strategies.", parts)


def ratios(measured: Measured) -> str:
    """Render seconds until the reference's score is reached, with 95 % intervals, of all strategies."""
    names = list(measured.comparisons)
    left, width, row = 440, 470, 22
    height = row * len(names) + 12
    across = _scale(0, MOST, left, left + width)
    parts = [
        text(LEFT, 32, f"Render seconds to the reference's score, prices {measured.prices.name}", kind="head"),
        panel(left, TOP, width, height),
    ]
    for tick in _ticks(0, MOST, 0.25):
        parts += [f'  <path class="grid" d="M{across(tick):.1f} {TOP}V{TOP + height}"/>']
        parts += [text(across(tick), TOP + height + 18, f"{tick:g}", "middle")]
    parts += [f'  <path class="goal" d="M{across(GOAL):.1f} {TOP}V{TOP + height}"/>']
    for number, name in enumerate(names):
        y = TOP + 18 + row * number
        found = measured.comparisons[name]
        parts += [text(left - 10, y + 4, name, "end")]
        low, high = min(found.reach.low, MOST), min(found.reach.high, MOST)
        if math.isfinite(found.reach.low):
            parts += [f'  <path class="bar c1" d="M{across(low):.1f} {y}H{across(high):.1f}"/>']
        if math.isfinite(found.reach.value):
            parts += [dot(across(min(found.reach.value, MOST)), y, "c1")]
        parts += [text(left + width + 10, y + 4, found.said_of_never)]
        if found.cost.value <= MOST:
            parts += [dot(across(found.cost.value), y, "c0", empty=True, size=3)]
    parts += [
        text(
            LEFT,
            TOP + height + 38,
            "Full: as a share of the reference's, with 95 % intervals. Open: what is spent"
            " by the time the strategy's own rules stop it. Dashed: the goal.",
        ),
    ]
    return picture(WIDTH, TOP + height + 56, "Ratio of render seconds of every strategy.", parts)


def simulation(choices: Sequence[Choices]) -> str:
    """Regret of the final choice by the accuracy of a judge of pairs."""
    width, height = 560, 280
    most = max(max(*each.helped, each.alone) for each in choices) * 1.1
    across, up = _scale(ACCURACIES[0], ACCURACIES[-1], LEFT, LEFT + width), _scale(0, most, TOP + height, TOP)
    parts = [
        text(LEFT, 32, "Simulated: regret of the final choice by the accuracy of a judge of pairs", kind="head"),
        panel(LEFT, TOP, width, height),
    ]
    for tick in _ticks(0, most, 0.005):
        parts += [f'  <path class="grid" d="M{LEFT} {up(tick):.1f}H{LEFT + width}"/>']
        parts += [text(LEFT - 6, up(tick) + 4, f"{tick:.3f}", "end")]
    for accuracy in ACCURACIES:
        parts += [text(across(accuracy), TOP + height + 18, f"{accuracy:.1f}", "middle")]
    for number, each in enumerate(choices):
        kind = f"c{number + 1}"
        parts += [line([(across(a), up(r)) for a, r in zip(ACCURACIES, each.helped, strict=True)], kind)]
        y = up(each.alone)
        parts += [f'  <path class="line {kind}" stroke-dasharray="2 4" d="M{LEFT} {y:.1f}H{LEFT + width}"/>']
        parts += [dot(LEFT + width + 24, TOP + 12 + 24 * number, kind)]
        parts += [text(LEFT + width + 36, TOP + 16 + 24 * number, f"noise of the critic {each.noise:g}")]
    parts += [
        text(LEFT, TOP + height + 38, "Dotted: without a judge of pairs. Score lost against the best of four clips."),
    ]
    return picture(WIDTH, TOP + height + 56, "Simulated regret by accuracy.", parts)


def _averaged(measured: Measured, name: str, total: float) -> list[tuple[float, float]]:
    """Mean seconds, as a share, and mean score at rising caps, from where every prompt has a clip."""
    curve = measured.curves[name]
    ready = np.flatnonzero((curve.score > 0).all(axis=0))
    spent, score = curve.spent.mean(axis=0) / total, curve.score.mean(axis=0)
    return [(float(spent[n]), float(score[n])) for n in ready]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _ticks(low: float, high: float, step: float) -> list[float]:
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 6) for n in range(first, math.floor(high / step + 1e-9) + 1)]
