"""The final choice as a table: the near-equal candidates by letter, and what each comparison came to."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.report.wording import score
from agent.run import Run
from agent.types import Candidate, Duel, Entrant
from critic.types import Comparison

LONG = 15
"""Comparisons from which on they are folded away: `Pairwise.most` makes up to 120."""


@dataclass(frozen=True)
class Finalist:
    """A candidate that was near enough to the best score."""

    letter: str
    entrant: Entrant
    candidate: Candidate | None
    """None where its clip was lost since."""
    points: float | None
    """A won comparison counts 1, a tie a half. None where it was compared with none."""
    chosen: bool


@dataclass(frozen=True)
class Outcome:
    """One comparison of two finalists."""

    first: str
    """Its letter."""
    second: str
    orders: tuple[float, float]
    """P(the first is better), each in [0, 1]: when it was shown first, and when it was shown second."""
    winner: str | None
    """A letter; None for a tie."""
    why: str
    """Of a tie; "" where one won."""


@dataclass(frozen=True)
class Final:
    """The final choice, as far as it is made."""

    words: str
    finalists: tuple[Finalist, ...]
    outcomes: tuple[Outcome, ...]
    scored: bool
    """The score decided, whatever comparisons were made."""
    below: float
    """How much lower than the highest of them the chosen one scores; 0 before the choice."""
    notes: tuple[str, ...]
    """What the model was shown, each note once."""

    @property
    def long(self) -> bool:
        """Whether the comparisons are too many to show unasked."""
        return len(self.outcomes) >= LONG

    @property
    def chosen(self) -> Finalist | None:
        """The one that was chosen."""
        return next((one for one in self.finalists if one.chosen), None)


def final(run: Run) -> Final | None:
    """The final choice among near-equal candidates; None where the score alone decided."""
    choice = run.choice
    among = choice.among if choice else tuple(dict.fromkeys(e for d in run.duels for e in (d.first, d.second)))
    if not among:
        return None
    letters = {entrant: _letter(n) for n, entrant in enumerate(among)}
    duels = [d for d in run.duels if d.first in letters and d.second in letters]
    finalists = tuple(
        Finalist(
            letter=letters[entrant],
            entrant=entrant,
            candidate=run.candidate(entrant),
            points=_points(entrant, duels),
            chosen=choice is not None and entrant == choice.chosen,
        )
        for entrant in among
    )
    scores = [one.candidate.score for one in finalists if one.candidate is not None]
    own = [one.candidate.score for one in finalists if one.candidate is not None and one.chosen]
    return Final(
        words=choice.words if choice else "The comparisons are made; the choice is not.",
        finalists=finalists,
        outcomes=tuple(_outcome(d, letters[d.first], letters[d.second]) for d in duels),
        scored=choice is not None and choice.by == "score",
        below=max(scores) - own[0] if own else 0.0,
        notes=tuple(dict.fromkeys(note for d in duels for note in d.comparison.notes)),
    )


def _letter(place: int) -> str:
    return chr(ord("A") + place)  # Pairwise.most is 16 at most


def _points(entrant: Entrant, duels: Sequence[Duel]) -> float | None:
    won = [{"first": 1.0, "tie": 0.5, "second": 0.0}[d.comparison.outcome] for d in duels if d.first == entrant]
    won += [{"first": 0.0, "tie": 0.5, "second": 1.0}[d.comparison.outcome] for d in duels if d.second == entrant]
    return sum(won) if won else None


def _outcome(duel: Duel, first: str, second: str) -> Outcome:
    found = duel.comparison
    winner = {"first": first, "second": second, "tie": None}[found.outcome]
    return Outcome(first, second, found.orders, winner, "" if winner else _tie(found))


def _tie(found: Comparison) -> str:
    return f"too near {score(0.5)}" if found.consistent else "the orders disagree"
