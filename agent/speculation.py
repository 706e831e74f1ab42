"""Speculation: the next caption begun before the candidates so far are all judged, so that no endpoint idles."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from agent.canaries import untested
from agent.course import affordable, expands_next
from agent.events import AttemptFailed, CandidateReady, Event, RenderFinished
from agent.run import Run
from agent.stopping import promotion, stop_reason
from reasoner.types import Caption


@dataclass
class Speculation:
    """Says when the next caption is begun ahead of the verdicts on those before it.

    Only while an endpoint idles, no rule says to stop, and the budget pays for more than what is under way. A caption
    that hangs on no score (the expansion after the raw prompt, the next promotion) is then begun at once. A rewrite
    waits for a score of every caption before it, and is begun only as long as another render keeps the run waiting:
    where all clips are there, a moment more gives it all scores.
    """

    slots: int
    """Renders that the generator makes at once."""
    _judging: set[tuple[int, int]] = field(default_factory=set, init=False)
    """Iteration and seed of clips that are rendered and not yet judged."""
    _writing: "asyncio.Future[Caption] | None" = field(default=None, init=False)

    def heed(self, run: Run, event: Event) -> None:
        """Take note of what has happened to the run. A caption that a settled run needs no more is called off."""
        match event:
            case RenderFinished(iteration=index, clip=clip):
                self._judging.add((index, clip.seed))
            case CandidateReady(iteration=index, candidate=candidate):
                self._judging.discard((index, candidate.seed))
            case AttemptFailed(iteration=index, failure=failure):
                self._judging.discard((index, failure.seed))
            case _:
                pass
        if run.settled and self._writing is not None:
            self._writing.cancel()

    def ahead(self, run: Run) -> bool:
        """Whether the next caption is to be begun now, though candidates are still rendered or judged."""
        rendering = run.pending - len(self._judging)
        if rendering >= self.slots or stop_reason(run) is not None or not _paid(run):
            return False
        if promotion(run) is not None:
            return not any(run.iterations[n].missing for n in run.explored)
        return expands_next(run) or (rendering > 0 and all(i.candidates for i in run.iterations))

    def stands(self, run: Run, promoted: int | None) -> bool:
        """Whether a caption written ahead is still to be rendered, after what came while it was written.

        `promoted`: index of the drafts that were the next to be rendered as asked as it was begun.
        """
        return stop_reason(run) is None and promotion(run) == promoted and _paid(run)

    async def written(self, writing: Coroutine[None, None, Caption]) -> Caption | None:
        """What comes of writing a caption ahead; None where the run is settled before it is written."""
        self._writing = asyncio.ensure_future(writing)
        try:
            return await self._writing
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None
        finally:
            self._writing = None


def _paid(run: Run) -> bool:
    """Whether the budget is known to pay for another render, and no test of the critic has to come before it."""
    limits = ((run.gpu, run.budget.max_gpu_seconds), (run.price, run.budget.max_price_usd))
    unknown = any(limit is not None and cost.each is None for cost, limit in limits)
    if unknown or (untested(run) and not run.candidates):
        return False
    return promotion(run) is not None or affordable(run) >= 1
