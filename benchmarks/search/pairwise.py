"""A simulation, no measurement: how good a judge of pairs must be for the final choice to be the better for it.

A recorded score is taken for the truth. The critic sees it with normal noise. The judge of pairs, asked by the loop's
own final choice (`agent.choosing`), knows the truth and answers falsely now and then: one comparison in one order is
right with its accuracy, plus its position bias where the better clip is shown first, minus it where it is shown second.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.bench.ranking import Floats
from agent.choosing import Choosing
from agent.run import Run
from agent.types import Pairwise
from benchmarks.search.landscape import SEEDS
from benchmarks.search.replay import Replay
from benchmarks.search.strategies import REFERENCE
from benchmarks.search.tables import Prices, Table, TableCritic
from critic.types import Comparison, Critique, Score

NOISES: Final = (0.0, 0.02, 0.05, 0.1)
"""Standard deviation of the critic's noise."""
ACCURACIES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of one comparison in one order, in the mean of both orders."""
BIAS: Final = 0.1
MARGIN: Final = Pairwise().margin


@dataclass(frozen=True)
class NoisyCritic:
    """Sees the recorded score with noise, and nothing else."""

    critic: TableCritic
    noise: float
    rng: np.random.Generator
    id: str = "simulated/1"

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """One score that no signal measured."""
        found = await self.critic.judge(clip, prompt, first_frame)
        seen = float(np.clip(found.overall + self.rng.normal(0.0, self.noise), 0.0, 1.0))
        score = Score(
            criterion="overall", axis="quality", value=seen, weight=1, floor=0, explanation="", method="logprobs"
        )
        return Critique.of([score], feedback="", rubric="simulated/1", judge=self.id, seconds=found.seconds)


@dataclass
class SimulatedComparer:
    """Knows which clip is better, and says so with an accuracy and a bias."""

    table: Table
    accuracy: float
    rng: np.random.Generator
    id: str = "simulated/1"
    asked: int = field(default=0, init=False)
    """Questions so far, two a comparison."""

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """Answered in both orders."""
        del prompt, first_frame
        self.asked += 2
        gap = self.table.truth(first) - self.table.truth(second)
        bias = min(BIAS, 1 - self.accuracy)
        orders = (self._says_first(gap, bias), self._says_first(gap, -bias))
        return Comparison.of(orders, judge=self.id, method="logprobs", seconds=0.0)

    def _says_first(self, gap: float, leaning: float) -> float:
        """P(first) of one answer. `leaning`: towards it, by its place."""
        right = 0.5 if gap == 0 else self.accuracy if gap > 0 else 1 - self.accuracy
        return 0.9 if self.rng.random() < right + leaning else 0.1


@dataclass(frozen=True)
class Choices:
    """Regret at one noise: the truth of the best clip minus that of the chosen one, mean over prompts."""

    noise: float
    alone: float
    """Where the critic's score decides."""
    helped: tuple[float, ...]
    """Where pairs are compared among near-equals, by accuracy, as in `ACCURACIES`."""
    questions: float
    """Asked for a choice, mean."""

    @property
    def worth_it(self) -> float | None:
        """The least accuracy, between those simulated, from which comparing lowers the regret. None: at none."""
        saved = [self.alone - regret for regret in self.helped]
        worse = max((n for n, each in enumerate(saved) if each <= 0), default=-1)
        if worse == len(saved) - 1:
            return None
        if worse < 0:
            return ACCURACIES[0]
        share = -saved[worse] / (saved[worse + 1] - saved[worse])
        return ACCURACIES[worse] + share * (ACCURACIES[worse + 1] - ACCURACIES[worse])


def simulated(
    replay: Replay, prices: Prices, draws: int, advance: Callable[[], object] = lambda: None, seed: int = 1
) -> tuple[Choices, ...]:
    """For every noise: the four clips of a 2x2 run of each prompt, in every order of its seeds.

    Args:
        replay: of the landscape.
        prices: of its renders; they change nothing here.
        draws: runs of each order of seeds.
        advance: called after each noise and accuracy.
        seed: of noise and answers. The noise is the same for every accuracy.
    """
    found = []
    for noise in NOISES:
        helped, alone, asked = [], 0.0, 0.0
        for accuracy in ACCURACIES:
            regrets, without, questions = _regrets(replay, prices, noise, accuracy, draws, seed)
            helped.append(float(regrets.mean()))
            alone, asked = float(without.mean()), float(questions.mean())
            advance()
        found.append(Choices(noise, alone, tuple(helped), asked))
    return tuple(found)


def _regrets(
    replay: Replay, prices: Prices, noise: float, accuracy: float, draws: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """With the comparisons, without them, and the questions asked, a run each."""
    rows = []
    for prompt in replay.landscape.prompts:
        for shift in range(SEEDS):
            for draw in range(draws):
                seeds = [np.random.default_rng([seed, prompt, shift, draw, part]) for part in (0, 1)]
                rows.append(_regret(replay, prices, (prompt, shift), (noise, accuracy), seeds))
    return tuple(np.array(rows, dtype=np.float64).T)


def _regret(
    replay: Replay, prices: Prices, place: tuple[int, int], figures: tuple[float, float], seeds: list[Any]
) -> tuple[float, float, int]:
    comparers: list[SimulatedComparer] = []

    def parts(table: Table) -> dict[str, Any]:
        comparers.append(SimulatedComparer(table, figures[1], seeds[1]))
        return {
            "critic": NoisyCritic(TableCritic(table, prices), figures[0], seeds[0]),
            "choosing": Choosing(comparers[0], Pairwise(margin=MARGIN)),
        }

    run = replay.run(REFERENCE, prices, *place, parts)
    table = comparers[0].table
    truths = {candidate.clip.path: table.truth(candidate.clip.path) for candidate in run.candidates}
    best = max(truths.values())
    return best - truths[_chosen(run)], best - truths[_by_score(run)], comparers[0].asked


def _chosen(run: Run) -> Path:
    if run.best is None:
        raise RuntimeError("no clip")
    return run.best.clip.path


def _by_score(run: Run) -> Path:
    return max(run.candidates, key=run.rank).clip.path


def figures(choices: tuple[Choices, ...]) -> list[dict[str, Any]]:
    """The figures, rounded."""
    return [
        {
            "noise": each.noise,
            "regret_alone": round(each.alone, 4),
            "regret_helped": {str(a): round(r, 4) for a, r in zip(ACCURACIES, each.helped, strict=True)},
            "questions": round(each.questions, 1),
            "worth_it_from": None if each.worth_it is None else round(each.worth_it, 2),
        }
        for each in choices
    ]
