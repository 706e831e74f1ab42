"""Where a run goes next: what it still pays for, what the next caption is made of, and where it is rendered."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from agent.run import Run
from agent.spending import affords
from agent.types import Candidate, Tier
from reasoner.types import Caption, Revision


class Place(NamedTuple):
    """Where an iteration is rendered."""

    tier: Tier
    promoted: int | None
    """Index of the drafts that it comes from."""
    seeds: tuple[int, ...]


def place_of(run: Run, caption: Caption, promoted: int | None = None) -> Place:
    """At which tier and on which seeds `caption` is rendered next.

    The seeds are the same in every iteration, or a better score could be the dice's doing. Only a caption that is
    tried again unchanged gets fresh ones. Never more than the budget still pays for.

    Args:
        run: as far as it has come.
        caption: to be rendered.
        promoted: index of the drafts that it comes from, where it is to be rendered as asked.
    """
    draft = run.request.draft
    if draft is not None and promoted is None and run.explored and caption.reseed and caption.source == "rewrite":
        promoted = run.leader  # fresh seeds say more of the clip that is wanted than of another draft
    count, paid = run.budget.samples_per_iteration, affordable(run)
    if draft is not None and promoted is not None:
        count, paid = draft.seeds, finals_affordable(run)
    fresh = 1 + sum(i.caption.reseed for i in run.iterations) if caption.reseed else 0
    seeds = tuple(run.request.seed + fresh * count + n for n in range(int(min(count, paid))))
    return Place("draft" if draft is not None and promoted is None else "target", promoted, seeds)


def affordable(run: Run) -> float:
    """Renders to compare captions by that the budget still pays for: a whole number from 0, or infinity.

    What is under way is counted as spent. Drafts leave what one promotion takes, or they would be for nothing.
    """
    held = 0 if run.request.draft is None else run.request.draft.seeds
    return affords(run.budget, run.renders + run.pending, run.price, run.gpu, held)


def finals_affordable(run: Run) -> float:
    """Renders at the target tier that the budget still pays for: a whole number from 0, or infinity."""
    return affords(run.budget, run.renders + run.pending, run.price.of_target(), run.gpu.of_target())


def tried(run: Run) -> int:
    """Captions tried, fresh seeds of one included. A promotion tries none."""
    return sum(i.promoted is None or i.caption.reseed for i in run.iterations)


def expands_next(run: Run) -> bool:
    """Whether the next caption is the prompt, expanded."""
    return run.request.expand and len(run.explored) == int(run.raw_first)


def ranked(run: Run) -> list[int]:
    """Indices of the iterations that captions are compared by: the leader, then the others by mean score."""

    def order(index: int) -> tuple[bool, float]:
        scores = [c.score for c in run.iterations[index].candidates]
        return index == run.leader, fmean(scores)

    return sorted((n for n in run.explored if run.iterations[n].candidates), key=order, reverse=True)


def draft_accepted(run: Run, index: int) -> bool:
    """Whether a draft of an iteration reached the threshold: there is no need to look for better words first."""
    if not run.budget.early_stop or not run.trusted:
        return False
    return any(map(run.reaches, run.iterations[index].candidates))


class Past(NamedTuple):
    """What a rewriter is told."""

    revisions: tuple[Revision, ...]
    champion: int
    """Index among them of the caption that a rewrite starts from."""


def history(run: Run) -> Past:
    """Each caption with its scores, words and paired gain, as far as a clip of it is judged.

    A promoted caption is told once, by its drafts, since only these can be held against other captions; what its render
    as asked lacks is told with it. Fresh seeds of a caption are told by themselves.
    """
    told = [n for n, i in enumerate(run.iterations) if i.candidates and (n in run.explored or i.caption.reseed)]
    at = {index: place for place, index in enumerate(told)}
    return Past(tuple(_revision(run, index, at) for index in told), at[run.leader])


def _revision(run: Run, index: int, at: Mapping[int, int]) -> Revision:
    iteration = run.iterations[index]
    candidates = iteration.candidates
    finals = [c for i in run.iterations if i.promoted == index for c in i.candidates]
    scores = [c.score for c in candidates]
    gain = None if iteration.parent is None else iteration.gain_over(run.iterations[iteration.parent])
    by_name = _by_criterion(candidates)
    best = max(finals or candidates, key=lambda c: c.score)
    return Revision(
        caption=iteration.caption,
        score=fmean(scores),
        criteria={name: fmean(values) for name, values in by_name.items()},
        spread=stdev(scores) if len(scores) > 1 else None,
        criteria_spread={name: stdev(values) for name, values in by_name.items() if len(values) > 1},
        floors={s.criterion: s.floor for s in best.critique.scores},
        final={name: fmean(values) for name, values in _by_criterion(finals).items()},
        feedback=best.critique.feedback,
        parent=None if iteration.parent is None else at.get(iteration.parent),
        gain=None if gain is None else gain.mean,
    )


def _by_criterion(candidates: Sequence[Candidate]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for candidate in candidates:
        for score in candidate.critique.scores:
            found.setdefault(score.criterion, []).append(score.value)
    return found
