"""How far a run has come: the share of its budget's work that is done."""

from typing import Final

from agent.events import (
    AttemptFailed,
    CandidateReady,
    Event,
    RenderFinished,
    RenderProgressed,
    RenderStarted,
    SeedGivenUp,
)
from agent.remaining import by_tier, left, weighed
from agent.run import Run

RENDERED: Final = 0.9
"""Of a candidate's work, once its clip is there: it is still to be judged."""


class Progress:
    """Follows a run by its events.

    Work is counted in renders, a draft as little as it takes beside one as asked. One under way counts as far as its
    backend tells its steps, and never by the clock. Renders that an accepted sibling makes needless count as done.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, tuple[int, float]] = {}
        """By seed: the iteration, and how much of the candidate is done."""

    def heed(self, event: Event) -> None:
        """Take in what happened."""
        match event:
            case RenderStarted(iteration=index, seed=seed):
                self._under_way[seed] = index, 0.0
            case RenderProgressed(progress=told) if told.step and told.steps and told.seed in self._under_way:
                part = RENDERED * min(1.0, told.step / told.steps)
                self._under_way[told.seed] = self._under_way[told.seed][0], part
            case RenderFinished(iteration=index, clip=clip):
                self._under_way[clip.seed] = index, RENDERED
            case CandidateReady(candidate=candidate):
                self._under_way.pop(candidate.seed, None)
            case AttemptFailed(failure=failed):
                self._under_way.pop(failed.seed, None)
            case SeedGivenUp(given_up=given_up):
                self._under_way.pop(given_up.seed, None)
            case _:
                pass

    def share(self, run: Run) -> float:
        """The share that is done, in [0, 1].

        Args:
            run: as the events so far tell it.
        """
        if run.ending is not None:
            return 1.0
        made = by_tier(run)
        for iteration in run.iterations:
            made[iteration.tier] += len(iteration.given_up)
        done = begun = weighed(run, made)
        for index, part in self._under_way.values():
            if index < len(run.iterations):
                begun += part * weighed(run, {run.iterations[index].tier: 1})
        more = weighed(run, left(run))
        return min(1.0, begun / (done + more)) if done + more else 1.0
