"""A stored run under another threshold and budget: where it would have stopped.

Nothing is rendered. The real stop rules decide over the candidates that a run has, one after the other as on a single
endpoint. What a run did not render it cannot tell: such a run is left out of that rule's figures, and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from agent import journal, marks
from agent.errors import RetakeError
from agent.marked import marked
from agent.run import Run
from agent.spending import seconds
from agent.stopping import stop_reason
from agent.types import Entrant, Iteration

RATING_PASSES = 4.0
"""Least mean rating of 1 to 5 that counts as taken."""


class Rule(NamedTuple):
    """Under what a stored run is replayed."""

    accept_at: float | None
    """None: never accepted; the whole budget is spent."""
    max_iterations: int | None = None
    """None: as the run had it."""
    samples: int | None = None
    """Candidates of an iteration. None: as the run had it."""


class Stop(NamedTuple):
    """Where a run would have ended."""

    score: float
    """Of the clip that it would have handed over."""
    accepted: bool
    passed: bool | None
    """Whether people take that clip. None: nobody marked it."""
    renders: int
    render_seconds: float


@dataclass(frozen=True)
class Stored:
    """A finished run and what people said of it."""

    run: Run
    passed: Mapping[Entrant, bool]
    racing: bool = True
    """Whether an accepted clip ends its iteration: `search.racing` of the run's own config."""

    @classmethod
    def of(cls, run: Run) -> "Stored":
        """With the marks of its folder, as far as they are of the clips that lie there."""
        try:
            racing = journal.load_settings(run.folder).search.racing
        except RetakeError:  # a copy without its config: as is the default
            racing = True
        return cls(run, opinions(marked(run).marks), racing)


def opinions(given: Sequence[marks.Mark]) -> dict[Entrant, bool]:
    """Whether people take each clip that they marked: by most of the verdicts, else by the mean rating.

    As many for as against is no word on it.
    """
    verdicts: dict[Entrant, list[float]] = {}
    ratings: dict[Entrant, list[float]] = {}
    for mark in given:
        kept = {"verdict": verdicts, "rating": ratings}.get(mark.kind)
        if kept is not None and mark.label is not None:
            kept.setdefault(mark.first, []).append(mark.label)
    said = {entrant: fmean(labels) >= RATING_PASSES for entrant, labels in ratings.items()}
    for entrant, labels in verdicts.items():
        share = fmean(labels)
        if share != 0.5:
            said[entrant] = share > 0.5
        else:
            said.pop(entrant, None)
    return said


def unfit(run: Run) -> str:
    """Why nothing can be replayed of a run; "" if it can."""
    if run.ending is None:
        return "not finished"
    if run.request.draft is not None:
        return "made drafts, whose promotions depend on the threshold"
    return "" if run.candidates else "no clip was judged"


def replayed(stored: Stored, rule: Rule) -> Stop | None:
    """Where a run would have ended under a rule; None: it did not render what it takes to tell."""
    run = stored.run
    if rule.samples is not None and rule.samples > run.budget.samples_per_iteration:
        return None
    wished = {"max_iterations": rule.max_iterations, "samples_per_iteration": rule.samples}
    changes = {"early_stop": True, "max_seconds": None} | {key: v for key, v in wished.items() if v is not None}
    begun: dict[str, Any] = {
        "iterations": (),
        "ending": None,
        "choice": None,
        "duels": (),
        "lost_seconds": 0.0,
        "lost_usd": 0.0,
    }
    budget = run.budget.model_copy(update=changes)
    now = run.model_copy(update={**begun, "accept_at": rule.accept_at, "budget": budget})
    for iteration in run.iterations:
        if stop_reason(now) is not None:
            break
        after = _rendered(now, iteration, rule.samples, racing=stored.racing)
        if after is None:
            return None
        now = after
    best = now.best
    if best is None or stop_reason(now) is None:
        return None
    place = now.place_of(best)
    passed = None if place is None else stored.passed.get(place)
    return Stop(best.score, now.accepts(best), passed, now.renders, sum(seconds(now.iterations)))


def _rendered(run: Run, stored: Iteration, samples: int | None, *, racing: bool) -> Run | None:
    """A run and one iteration more, seed by seed, with racing until one is accepted.

    None: a seed has no outcome to go by.
    """
    seeds = stored.seeds[:samples]
    begun = stored.model_copy(update={"seeds": seeds, "candidates": (), "failures": (), "given_up": ()})
    run = run.model_copy(update={"iterations": (*run.iterations, begun)})
    made = {c.seed: c for c in stored.candidates}
    failed = {f.seed: f for f in stored.failures}
    for count, seed in enumerate(seeds, start=1):
        if seed in made:
            run = run.with_candidate(made[seed])
        elif seed in failed:
            run = run.with_failure(failed[seed])
        else:
            return None
        if racing and run.settled:
            last = run.iterations[-1].model_copy(update={"seeds": seeds[:count]})
            return run.model_copy(update={"iterations": (*run.iterations[:-1], last)})
    return run


def folders(places: Sequence[Path]) -> list[Path]:
    """The run folders among these folders and their direct subfolders."""
    return list(dict.fromkeys(run.resolve() for place in places for run in journal.runs_in(place)))
