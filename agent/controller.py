"""The loop, and only the loop.

What it leaves to others: when to stop (`agent.stopping`); what the next caption is (`agent.writing`); how a run grows
by what happened, and which caption is the best so far on the same seeds (`agent.run.Run`); where a caption is rendered
(`agent.course`); that nothing is done twice (`agent.memory`, wrapped around the three parts); how much runs at once
(the parts' own `concurrency`); which renders are given up (`agent.racing`); which captions are begun ahead
(`agent.speculation`); what is written and shown (the listener `emit`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from agent.canaries import due, tested, tested_by
from agent.choosing import Choosing
from agent.course import place_of
from agent.errors import CriticError, GeneratorError, GivenUpError, RetakeError, ServingError, StorageError, boundary
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
from agent.speculation import Speculation
from agent.stopping import ended, promotion, stop_reason
from agent.types import Candidate, Failure, GivenUp, Step, StopReason
from agent.writing import next_caption
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
    speculation: Speculation | None = None
    """Says when a caption is begun while candidates of those before it are still rendered. None: never."""
    choosing: Choosing | None = None
    """Makes the final choice where scores alone shall not."""
    run: Run = field(init=False)
    """The run so far. It grows by the events told, and by nothing else."""
    _happened: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def refine(self, run: Run, *, seconds_spent: float = 0.0, lost: Lost = ()) -> Run:
        """Carry a run to its end. Whatever ends it, what was done until then is in `self.run`.

        Args:
            run: new, or as an earlier session left it.
            seconds_spent: what earlier sessions took of `budget.max_seconds`.
            lost: iteration and seed of clips that were there once; they are made again whatever the time.

        Raises:
            StorageError, ServingError: the disk failed, or a server is gone for good.
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
                reason = await self.search()
                if self.choosing is not None:
                    await self.choosing.choose(self.run, self.tell)
        except TimeoutError:
            # settled: it waited for what could not be stopped
            reason = reason or ("accepted" if self.run.settled else "deadline")
        except asyncio.CancelledError:
            self.tell(RunFinished(ending=ended(self.run, "cancelled")))
            raise
        except (StorageError, ServingError) as error:
            with suppress(StorageError):  # a full disk may not even hold the ending
                self.tell(RunFinished(ending=ended(self.run, "failed", str(error))))
            raise
        self.tell(RunFinished(ending=ended(self.run, reason)))
        return self.run

    async def search(self) -> StopReason:
        """Write, render and judge until a rule says to stop; returns which."""
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self.run.iterations)):  # what an earlier session left undone
                    self.begin(index, group)
                while (reason := await self.verdict()) is None:
                    if due(self.run):
                        self.heed(await tested(self.run, self.critic), group)
                    elif (ready := await self.next_iteration()) is not None:
                        self.tell(ready)
                        self.begin(ready.iteration, group)
                return reason
        except* RetakeError as failed:  # a failed disk, or a server that is gone for good
            raise failed.exceptions[0] from failed

    async def verdict(self) -> StopReason | None:
        """Why to stop, asked once every clip is judged; None to go on, then or ahead of that."""
        while self.run.pending and not (self.speculation and self.speculation.ahead(self.run)):
            self._happened.clear()
            await self._happened.wait()
        return stop_reason(self.run)

    async def next_iteration(self) -> CaptionReady | None:
        """The next caption and its place; None where what came while it was written makes it needless.

        It is written at the start of an iteration, so that none is made after the last. A promoted one is as it was.
        """
        before, promoted = self.run, promotion(self.run)
        index, parent = len(before.iterations), before.leader if before.iterations else None
        ahead = self.speculation if before.pending else None
        caption: Caption | None
        if promoted is not None:
            caption = before.iterations[promoted].caption.once_more()
        else:
            self.tell(CaptionStarted(iteration=index))
            writing = next_caption(before, self.reasoner)
            caption = await (ahead.written(writing) if ahead else writing)
        if caption is None or (ahead and not ahead.stands(self.run, promoted)):
            return None
        tier, drafts, seeds = place_of(self.run, caption, promoted)
        return CaptionReady(iteration=index, caption=caption, seeds=seeds, tier=tier, promoted=drafts, parent=parent)

    def heed(self, test: Event, group: asyncio.TaskGroup) -> None:
        """Tell the critic's test, and render what was given up on its word if it is not to be trusted."""
        before = self.run
        self.tell(test)
        for index, (then, now) in enumerate(zip(before.iterations, self.run.iterations, strict=True)):
            for seed in sorted({g.seed for g in then.given_up} - {g.seed for g in now.given_up}):
                group.create_task(self.attempt(index, seed))

    def begin(self, index: int, group: asyncio.TaskGroup) -> None:
        """Render an iteration's caption once a seed, and judge each clip as soon as it is there."""
        for seed in self.run.iterations[index].missing:
            group.create_task(self.attempt(index, seed))

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
        for strategy in (self.racing, self.speculation):
            if strategy is not None:
                strategy.heed(self.run, event)
        self._happened.set()
