"""The final choice among near-equal candidates: two at a time and in both orders, not by the score alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.errors import CriticError, boundary
from agent.events import ChoiceMade, ClipsCompared, Emit
from agent.run import Run
from agent.types import Choice, Duel, Entrant, Pairwise
from critic.together import together
from critic.types import Comparer, Critic


def finalists(run: Run, rules: Pairwise) -> list[Entrant]:
    """Candidates whose scores are too near to the best one's to decide, the highest first; one alone is none.

    Only such as the best one is: no draft beside a render as asked, none that is not accepted beside one that is.
    """
    found = run.entrants
    if not found:
        return []
    *kind, best = max(map(run.rank, found.values()))
    near = [e for e, c in found.items() if [*run.rank(c)][:2] == kind and _within(rules, best - c.score)]
    near.sort(key=lambda entrant: found[entrant].score, reverse=True)
    distinct = {found[entrant].clip.path: entrant for entrant in reversed(near)}  # the same words share their clips
    chosen = [entrant for entrant in near if entrant in distinct.values()][: rules.most]
    return chosen if len(chosen) > 1 else []


@dataclass(frozen=True)
class Choosing:
    """Makes the final choice of a run."""

    comparer: Comparer
    rules: Pairwise
    measuring: Critic | None = None
    """Measures what the comparisons leave tied. None: the critiques hold measured signals already."""

    async def choose(self, run: Run, tell: Emit) -> None:
        """Compare the finalists each with each, and tell what came of it; nothing where there are none.

        A model that fails costs the comparisons and not the run: the score decides then, and the choice says so.
        """
        among = finalists(run, self.rules)
        if not among:
            return
        # by their places and not by their scores: a run that goes on asks the same, and it is remembered
        pairs = combinations(sorted(among, key=lambda entrant: (entrant.iteration, entrant.seed)), 2)
        outcomes = await together([self._compared(run, one, other) for one, other in pairs])
        duels = [found for found in outcomes if isinstance(found, Duel)]
        failures = [found for found in outcomes if isinstance(found, CriticError)]
        for duel in duels:  # of which some may be in vain: they were paid for
            tell(ClipsCompared(duel=duel))
        if failures:
            near = f"{len(among)} candidates are within {self.rules.margin:g} of the best score"
            words = f"{near}, and the score decided: {failures[0]}"
            tell(ChoiceMade(choice=Choice(chosen=among[0], among=tuple(among), by="score", words=words)))
            return
        tell(ChoiceMade(choice=await self._decided(run, among, duels)))

    async def _compared(self, run: Run, one: Entrant, other: Entrant) -> Duel | CriticError:
        first, second = run.entrants[one], run.entrants[other]
        try:
            with boundary(CriticError, f"comparing the clips of seeds {one.seed} and {other.seed}"):
                found = await self.comparer.compare(
                    first.clip.path, second.clip.path, run.request.prompt, first.clip.spec.first_frame
                )
        except CriticError as error:
            return error
        return Duel(first=one, second=other, comparison=found)

    async def _decided(self, run: Run, among: Sequence[Entrant], duels: Sequence[Duel]) -> Choice:
        """A won comparison counts 1, a tie a half; the signals break what stays tied, and then the score does."""
        points = dict.fromkeys(among, 0.0)
        for duel in duels:
            won = {"first": 1.0, "tie": 0.5, "second": 0.0}[duel.comparison.outcome]
            points[duel.first] += won
            points[duel.second] += 1 - won
        top = [entrant for entrant in among if points[entrant] == max(points.values())]
        ties = sum(duel.comparison.outcome == "tie" for duel in duels)
        words = (
            f"{len(among)} candidates are within {self.rules.margin:g} of the best score; of {len(duels)} "
            f"comparison{'s' * (len(duels) != 1)} in both orders {ties} {'is a tie' if ties == 1 else 'are ties'}."
        )
        if len(top) == 1:
            return _choice(top[0], among, "comparison", f"{words} The chosen one won most.")
        measured = {entrant: await self._measured(run, entrant) for entrant in top}
        known = [value for value in measured.values() if value is not None]
        if len(known) < len(top):
            said = f"Of {len(top)} with as many wins the score decided: not all could be measured."
            return _choice(top[0], among, "score", f"{words} {said}")
        left = [entrant for entrant in top if measured[entrant] == max(known)]
        if len(left) == 1:
            said = f"Of {len(top)} with as many wins the chosen one measures best ({max(known):.2f} by the signals)."
            return _choice(left[0], among, "signals", f"{words} {said}")
        return _choice(left[0], among, "score", f"{words} Of {len(left)} that are equal in this the score decided.")

    async def _measured(self, run: Run, entrant: Entrant) -> float | None:
        """The overall score of the measured signals alone; None where they cannot be had."""
        candidate = run.entrants[entrant]
        critique = candidate.critique
        if critique.measured is None and self.measuring is not None:
            try:
                with boundary(CriticError, "measuring"):
                    critique = await self.measuring.judge(
                        candidate.clip.path, run.request.prompt, candidate.clip.spec.first_frame
                    )
            except CriticError:
                return None
        return critique.measured


def _within(rules: Pairwise, less: float) -> bool:
    """Whether a score that is so much less than the best one is near to it. Scores have six digits."""
    return round(less, 6) <= rules.margin


def _choice(chosen: Entrant, among: Sequence[Entrant], by: str, words: str) -> Choice:
    return Choice.model_validate({"chosen": chosen, "among": tuple(among), "by": by, "words": words})
