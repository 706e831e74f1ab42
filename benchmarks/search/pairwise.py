"""A simulation, no measurement: how good a judge of pairs must be for the final choice to be better by it.

A recorded score is taken for the truth, and the critic is taken to see it with normal noise. Among the clips that it
scores within a margin of the best, a judge of pairs decides: starting from the best, each next clip is shown to it
beside the one that holds the place, in both orders, and takes the place where both orders say so. Where they disagree,
it is a tie, and the critic's order stands. One comparison in one order is right with a probability that is raised where
the better clip is shown first and lowered where it is shown second: its accuracy plus and minus its position bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.search.landscape import SEEDS, TARGET, Landscape
from benchmarks.search.resampling import Floats

NOISES: Final = (0.0, 0.02, 0.05, 0.1)
"""Standard deviation of the critic's noise."""
ACCURACIES: Final = tuple(round(0.5 + 0.05 * n, 2) for n in range(11))
"""Of one comparison in one order, in the mean of both orders."""
BIAS: Final = 0.1
MARGIN: Final = 0.05
DRAWS: Final = 200
"""Of noise and answers for each set of clips."""


@dataclass(frozen=True)
class Choices:
    """Regret at one noise: the truth of the best clip minus that of the chosen one, mean over prompts."""

    noise: float
    alone: float
    """Where the critic's score decides."""
    helped: tuple[float, ...]
    """Where the judge of pairs decides among near-equals, by its accuracy, as `ACCURACIES`."""
    questions: float
    """Asked for a choice, mean: two for each comparison."""

    @property
    def worth_it(self) -> float | None:
        """Accuracy from which the judge of pairs lowers the regret, between those simulated. None: at none of them."""
        saved = [self.alone - regret for regret in self.helped]
        for place in range(len(saved)):
            if saved[place] > 0:
                if place == 0:
                    return ACCURACIES[0]
                share = -saved[place - 1] / (saved[place] - saved[place - 1])
                return ACCURACIES[place - 1] + share * (ACCURACIES[place] - ACCURACIES[place - 1])
        return None


def simulated(landscape: Landscape, seed: int = 1) -> tuple[Choices, ...]:
    """For every noise, over the four clips of a 2x2 run of each prompt, all orders of its seeds."""
    clips = candidates(landscape)
    return tuple(_choices(clips, noise, np.random.default_rng(seed)) for noise in NOISES)


def candidates(landscape: Landscape) -> Floats:
    """True scores of the four clips of a 2x2 run, a row for each prompt and order of seeds."""
    return np.array(
        [
            [landscape.score(n, caption, TARGET, (seed + shift) % SEEDS) for caption in (1, 2) for seed in (0, 1)]
            for n in landscape.prompts
            for shift in range(SEEDS)
        ]
    )


def _choices(clips: Floats, noise: float, rng: np.random.Generator) -> Choices:
    truth = np.repeat(clips, DRAWS, axis=0)
    seen = truth + rng.normal(0.0, noise, truth.shape) if noise else truth
    order = np.argsort(-seen, axis=1, kind="stable")
    truth, seen = np.take_along_axis(truth, order, 1), np.take_along_axis(seen, order, 1)
    near = seen >= seen[:, :1] - MARGIN
    best = truth.max(axis=1)
    helped = [float((best - chosen(truth, near, accuracy, BIAS, rng)).mean()) for accuracy in ACCURACIES]
    questions = float(2 * (near.sum(axis=1) - 1).mean())
    return Choices(noise, float((best - truth[:, 0]).mean()), tuple(helped), questions)


def chosen(truth: Floats, near: np.ndarray, accuracy: float, bias: float, rng: np.random.Generator) -> Floats:
    """True score of what is chosen, a row a choice.

    Args:
        truth: of the clips, the critic's best first.
        near: whether each is near enough to the first to be compared.
        accuracy: of one comparison in one order, in [0, 1].
        bias: what it gains where the better clip is shown first, and loses where it is shown second.
        rng: draws the answers.
    """
    first, second = min(1.0, accuracy + bias), max(0.0, accuracy - bias)
    holds = truth[:, 0].copy()
    for place in range(1, truth.shape[1]):
        rival = truth[:, place]
        right = rng.random((2, len(truth))) < np.array([[first], [second]])
        wins = np.where(rival > holds, right.all(axis=0), ~right.any(axis=0))
        wins &= near[:, place] & (rival != holds)
        holds = np.where(wins, rival, holds)
    return holds


def figures(choices: Sequence[Choices]) -> list[dict[str, float | list[float] | None]]:
    """The figures, rounded."""
    return [
        {
            "noise": each.noise,
            "regret_alone": round(each.alone, 4),
            "regret_helped": [round(value, 4) for value in each.helped],
            "questions": round(each.questions, 1),
            "worth_it_from": None if each.worth_it is None else round(each.worth_it, 2),
        }
        for each in choices
    ]
