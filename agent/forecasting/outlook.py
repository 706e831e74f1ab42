"""How a run may go at one place: the rounds that are expected, and all that may cost most."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.forecast import Bounds
from agent.forecasting.rounds import Each, Round, Terms, courses, expected
from agent.types import Tier

End = Literal["expected", "worst"]
"""Of what is known of one of a kind."""
Measure = Callable[[Sequence[Round], End], float]
"""A quantity of rounds, taken at an end of what is known of everything but the seconds of their renders."""


@dataclass(frozen=True)
class Outlook:
    """How a run may go."""

    expected: tuple[Round, ...]
    worst: tuple[tuple[Round, ...], ...]

    def bounds(self, measure: Measure) -> Bounds:
        """What is expected of a quantity, and the most that it can come to."""
        worst = max(measure(rounds, "worst") for rounds in self.worst)
        return Bounds(expected=round(min(measure(self.expected, "expected"), worst), 4), worst=round(worst, 4))


def outlook(terms: Terms, renders: Mapping[Tier, Bounds], acceptance: float) -> Outlook:
    """How a run may go where renders take so long.

    Args:
        terms: of the run.
        renders: seconds of one, by tier; empty: not known.
        acceptance: probability that one caption ends the run.
    """
    usual, slow = _pace(renders, "expected"), _pace(renders, "worst")
    found = [*courses(terms, slow)]
    if terms.budget.max_gpu_seconds is not None:  # quick renders are fewer seconds, and more renders
        found += courses(terms, usual)
    return Outlook(expected(terms, usual, acceptance), tuple(dict.fromkeys(found)))


def over_all(outlooks: Iterable[Outlook], measure: Measure) -> Bounds:
    """The most that is expected at any place, and the most that it can come to."""
    found = [one.bounds(measure) for one in outlooks]
    return Bounds(expected=max(b.expected for b in found), worst=max(b.worst for b in found))


def _pace(renders: Mapping[Tier, Bounds], end: End) -> Each:
    return {tier: at(one, end) for tier, one in renders.items()}


def at(bounds: Bounds, end: End) -> float:
    """One end."""
    return bounds.expected if end == "expected" else bounds.worst
