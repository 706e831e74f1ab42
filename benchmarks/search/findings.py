"""Everything that is found, and its figures."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from agent.api import versions
from agent.bench.ranking import Estimate
from benchmarks.search import pairwise
from benchmarks.search.correlation import Agreement
from benchmarks.search.curves import Comparison, compared
from benchmarks.search.landscape import SEEDS, TARGET, Landscape
from benchmarks.search.measure import Measured
from benchmarks.search.pairwise import Choices
from benchmarks.search.resampling import weights
from benchmarks.search.strategies import DEFAULT, REFERENCE, ablations

GOAL = 1 / 3


@dataclass(frozen=True)
class Findings:
    """What the benchmark found, and how."""

    landscape: Landscape
    published: Measured
    recorded: Measured
    larger: Measured
    """The reference and the default at the published price of a larger render."""
    agreements: tuple[Agreement, ...]
    choices: tuple[Choices, ...]
    command: str
    resamples: int

    @property
    def default(self) -> Comparison:
        """The default strategy beside the reference, at published prices."""
        return self.published.comparisons[DEFAULT.name]

    @property
    def frugal(self) -> str | None:
        """Of the strategies whose own rules stop them within the goal's seconds, the one that scores highest."""
        comparisons = self.published.comparisons
        within = [name for name, each in comparisons.items() if each.cost.value <= GOAL]
        return max(within, key=lambda name: comparisons[name].difference.value, default=None)

    @property
    def held_out(self) -> Comparison:
        """The same on every second prompt."""
        curves = self.published.curves
        places = np.arange(len(self.landscape.prompts) * SEEDS)
        keep = (places // SEEDS) % 2 == 1
        level = weights(int(keep.sum()) // SEEDS, SEEDS, self.resamples)
        return compared(curves[DEFAULT.name].only(keep), curves[REFERENCE.name].only(keep), level)


def figures(found: Findings) -> dict[str, Any]:
    """For machines: `ratio` and `interval` first. null: the reference's score is not reached."""
    reach = found.default.reach
    measures = {"published": found.published, "recorded": found.recorded}
    return {
        "ratio": figure(reach.value),
        "interval": [figure(reach.low), figure(reach.high)],
        "goal": round(GOAL, 4),
        "goal_met": reach.value <= GOAL,
        "goal_met_by_the_interval": reach.high <= GOAL,
        "default": DEFAULT.name,
        "reference": REFERENCE.name,
        "score_difference": _estimate(found.default.difference),
        "cost": _estimate(found.default.cost),
        "ratio_720p": figure(found.larger.comparisons[DEFAULT.name].reach.value),
        "interval_720p": _estimate(found.larger.comparisons[DEFAULT.name].reach)[1:],
        "ratio_recorded": figure(found.recorded.comparisons[DEFAULT.name].reach.value),
        "ratio_every_second_prompt": figure(found.held_out.reach.value),
        "best_within_the_goal": found.frugal,
        "prompts": len(found.landscape.prompts),
        "clips": len(found.landscape.cells),
        "resamples": found.resamples,
        "correlation": [_agreement(each) for each in found.agreements],
        "strategies": {prices: _strategies(measured) for prices, measured in measures.items()},
        "ablations": {part: [one.name, other.name] for part, (one, other) in ablations().items()},
        "pairwise_simulated": pairwise.figures(found.choices),
        "versions": versions(),
    }


def figure(value: float) -> float | None:
    """Rounded; None where it is infinite."""
    return round(value, 4) if isfinite(value) else None


def _estimate(of: Estimate) -> list[float | None]:
    return [figure(of.value), figure(of.low), figure(of.high)]


def _agreement(found: Agreement) -> dict[str, Any]:
    names = ("spearman", "kendall", "one_seed", "other_seeds", "pooled", "regret")
    return {
        "draft": found.tier,
        "target": TARGET,
        "prompts": found.prompts,
        **{name: _estimate(getattr(found, name)) for name in names},
    }


def _strategies(measured: Measured) -> dict[str, Any]:
    return {
        name: {
            "ratio": _estimate(each.reach),
            "never": round(each.unreached, 4),
            "score_difference": _estimate(each.difference),
            "cost": _estimate(each.cost),
        }
        for name, each in measured.comparisons.items()
    }
