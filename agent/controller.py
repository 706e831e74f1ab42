"""The loop, and only the loop.

What it leaves to others: when to stop (`agent.stopping`); how a run grows by what happened, and which caption is the
best so far on the same seeds (`agent.run.Run`); which caption and seeds come next (`agent.course`); that nothing is
done twice (`agent.memory`, wrapped around the three parts); how much runs at once (the parts' own `concurrency`); which
renders are given up (`agent.racing`); what is written and shown (the listener `emit`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from agent.canaries import due, tested, tested_by
from agent.choosing import Choosing
from agent.course import expands_next, history, place_of
from agent.errors import CriticError, GeneratorError, GivenUpError, ReasonerError, StorageError, boundary
from agent.events import (
    AttemptFailed,
    CandidateReady,
    CaptionReady,
    CaptionStarted,
    Emit,
    Event,
    ForecastMade,
    RenderFinished,
    RenderStarted,
    RunFinished,
    RunStarted,
    SeedGivenUp,
    after,
)
from agent.forecast import Forecast
from agent.racing import Racing
from agent.run import Run
from agent.stopping import ended, promotion, stop_reason
from agent.types import Candidate, Failure, GivenUp, Step, StopReason
from critic.types import Critic
from generator.types import Clip, Generator
from reasoner.types import Caption, Reasoner

Lost = Sequence[tuple[int, int]]
"""Iteration and seed of candidates whose clip is gone."""


@dataclass(kw_only=True)
class Controller:
    """Introduces the three parts to one another. Each is anything that implements its Protocol."""

    reasoner: Reasoner
    generator: Generator
    critic: Critic
    emit: Emit
    forecast: Forecast | None = None
    """Told as the run starts, unless it has one."""
    racing: Racing | None = None
    """Around or inside `generator`, where renders shall be given up that an accepted candidate makes needless."""
    choosing: Choosing | None = None
    """Makes the final choice where scores alone shall not."""
    run: Run = field(init=False)
    """The run so far. It grows by the events told, and by nothing else."""

    async def refine(self, run: Run, *, seconds_spent: float = 0.0, lost: Lost = ()) -> Run:
        """Carry a run to its end. Whatever ends it, what was done until then is in `self.run`.

        Args:
            run: new, or as an earlier session left it.
            seconds_spent: what earlier sessions took of `budget.max_seconds`.
            lost: iteration and seed of clips that were there once; they are made again whatever the time.

        Raises:
            StorageError: the disk failed.
            asyncio.CancelledError: the caller cancelled.
        """
        self.run = run = tested_by(run, self.critic)
        limit = run.budget.max_seconds
        reason: StopReason | None = None
        try:
            self.tell(RunStarted(run=run))
            if self.forecast and not run.forecast:
                self.tell(ForecastMade(forecast=self.forecast))
            for index, seed in lost:
                await self.attempt(index, seed)
            if self.racing is not None:
                self.racing.begin(self.run)
            async with asyncio.timeout(None if limit is None else limit - seconds_spent):
                for index in range(len(run.iterations)):  # what an earlier session left undone
                    await self.render_and_judge(index)
                reason = await self.search()
                if self.choosing is not None:
                    await self.choosing.choose(self.run, self.tell)
        except TimeoutError:
            # settled: it waited for what could not be stopped
            reason = reason or ("accepted" if self.run.settled else "deadline")
        except asyncio.CancelledError:
            self.tell(RunFinished(ending=ended(self.run, "cancelled")))
            raise
        except StorageError as error:
            with suppress(StorageError):  # a full disk may not even hold the ending
                self.tell(RunFinished(ending=ended(self.run, "failed", str(error))))
            raise
        self.tell(RunFinished(ending=ended(self.run, reason)))
        return self.run

    async def search(self) -> StopReason:
        """Write, render and judge until a rule says to stop; returns which."""
        while (reason := stop_reason(self.run)) is None:
            if due(self.run):
                self.tell(await tested(self.run, self.critic))
                continue
            index, promoted = len(self.run.iterations), promotion(self.run)
            caption = await self.next_caption(promoted)
            tier, promoted, seeds = place_of(self.run, caption, promoted)
            self.tell(CaptionReady(iteration=index, caption=caption, seeds=seeds, tier=tier, promoted=promoted))
            await self.render_and_judge(index)
        return reason

    async def next_caption(self, promoted: int | None = None) -> Caption:
        """Upsample the user's prompt, then rewrite the best caption so far. `Run.raw_first`: as it is before both.

        `promoted`: index of the drafts whose caption is the next, as it is.

        The rewrite stands at the start of an iteration, so that none is made after the last. A reasoner that fails
        costs its edit and not the run: the words it was given go on, and the caption says so.
        """
        if promoted is not None:
            return self.run.iterations[promoted].caption.once_more()
        self.tell(CaptionStarted(iteration=len(self.run.iterations)))
        run, request = self.run, self.run.request.caption_request()
        try:
            if expands_next(run):
                with boundary(ReasonerError, "expanding the prompt"):
                    return await self.reasoner.upsample(request)
            if run.iterations:
                with boundary(ReasonerError, "rewriting the caption"):
                    return await self.reasoner.rewrite(request, *history(run))
        except ReasonerError as error:
            if expands_next(run):
                why = f"{error}; the prompt is used as it was written."
                return Caption.raw(request.prompt, why, reseed=run.raw_first)
            return run.iterations[run.leader].caption.on_fresh_seeds(f"{error}; the best caption is tried again.")
        return Caption.raw(request.prompt)

    async def render_and_judge(self, index: int) -> None:
        """Render an iteration's caption once a seed, and judge each clip as soon as it is there."""
        try:
            async with asyncio.TaskGroup() as group:
                for seed in self.run.iterations[index].missing:
                    group.create_task(self.attempt(index, seed))
        except* StorageError as failed:
            raise failed.exceptions[0] from failed

    async def attempt(self, index: int, seed: int) -> None:
        """One seed, rendered and judged. A failure is a record; only a failed disk is an error.

        The critic judges against what the user asked, and never against the caption.
        """
        request, caption = self.run.request, self.run.iterations[index].caption
        spec = request.spec_for(caption, self.run.iterations[index].tier)
        step: Step = "render"
        clip: Clip | None = None
        try:
            self.tell(RenderStarted(iteration=index, seed=seed))
            with boundary(GeneratorError, f"rendering seed {seed}"):
                to = self.run.clip_path(index, seed)
                clip = await self.generator.render(request.prompt_for(caption), spec, seed=seed, to=to)
            self.tell(RenderFinished(iteration=index, clip=clip))
            step = "judge"
            with boundary(CriticError, f"judging the clip of seed {seed}"):
                critique = await self.critic.judge(clip.path, request.prompt, spec.first_frame)
        except GivenUpError as error:
            given_up = GivenUp(seed=seed, stage=error.stage, seconds=error.seconds)
            self.tell(SeedGivenUp(iteration=index, given_up=given_up))
        except (GeneratorError, CriticError) as error:
            failure = Failure.of(error, step, seed, clip)
            self.tell(AttemptFailed(iteration=index, failure=failure))
        else:
            self.tell(CandidateReady(iteration=index, candidate=Candidate(clip=clip, critique=critique)))

    def tell(self, event: Event) -> None:
        """Grow the run by an event and announce it."""
        self.run = after(self.run, event)
        self.emit(event)
        if self.racing is not None:
            self.racing.heed(self.run, event)
