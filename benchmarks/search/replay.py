"""Replays strategies over the landscape: the real loop, whose three parts look everything up."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from agent.controller import Controller
from agent.events import CandidateReady, Event, RenderProgressed
from agent.racing import Racing
from agent.run import Run
from agent.types import Request
from benchmarks.schedule.clock import SkippingLoop
from benchmarks.search.landscape import DRAFT, TARGET, Key, Landscape, Tier
from benchmarks.search.strategies import Strategy
from benchmarks.search.tables import Prices, Table, TableCritic, TableGenerator, TableReasoner, spec_of
from critic.types import Critique
from generator.types import Progress

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Point(NamedTuple):
    """A moment of a run."""

    spent: float
    """Render seconds so far."""
    score: float
    """Of the clip that would be handed over."""


@dataclass(frozen=True)
class Trace:
    """What a replay did."""

    renders: tuple[float, ...]
    """Render seconds spent after each render, given-up ones included."""
    points: tuple[Point, ...]
    """After each judged clip of the target tier."""
    reason: str
    """Why it stopped."""

    @property
    def spent(self) -> float:
        """Render seconds in all."""
        return self.renders[-1]

    @property
    def score(self) -> float:
        """Of the clip handed over; 0 where there is none."""
        return self.points[-1].score if self.points else 0.0

    def at(self, cap: float) -> Point:
        """Where it stands when no render may end beyond `cap` render seconds."""
        spent = max((each for each in self.renders if each <= cap), default=0.0)
        score = next((point.score for point in reversed(self.points) if point.spent <= cap), 0.0)
        return Point(spent, score)


T = TypeVar("T")
Hear = Callable[[Event, Run, TableGenerator], None]
Parts = Callable[[Table], dict[str, Any]]
"""Arguments of the controller, for a prompt's table."""


@dataclass
class Replay:
    """Replays runs, one after the other, as a context."""

    landscape: Landscape
    _critiques: dict[Key, Critique] = field(default_factory=dict)
    _runner: asyncio.Runner = field(default_factory=lambda: asyncio.Runner(loop_factory=SkippingLoop))

    def __enter__(self) -> Self:
        """The replayer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close its event loop."""
        del kind, error, at
        self._runner.close()

    def trace(self, strategy: Strategy, prices: Prices, prompt: int, shift: int) -> Trace:
        """What a strategy does with one prompt.

        Args:
            strategy: which.
            prices: of its renders.
            prompt: index in the landscape.
            shift: place of the seed that comes first.

        Raises:
            RuntimeError: an attempt failed: the strategy asks for what was not recorded.
        """
        points: list[Point] = []

        def hear(event: Event, run: Run, generator: TableGenerator) -> None:
            if isinstance(event, CandidateReady) and run.best is not None and not run.is_draft(run.best):
                points.append(Point(generator.spent[event.candidate.clip.path], run.best.score))

        table = self._table(strategy, prompt, shift)
        generator, done = self._finish(self._refined(table, strategy, prices, {}, hear))
        return Trace(tuple(generator.renders), tuple(points), done.stop_reason or "")

    def run(self, strategy: Strategy, prices: Prices, prompt: int, shift: int, parts: Parts) -> Run:
        """The finished run of a strategy with other `parts` of the loop than the table's. Arguments as of `trace`."""
        table = self._table(strategy, prompt, shift)
        _, done = self._finish(self._refined(table, strategy, prices, parts(table), lambda *_: None))
        return done

    def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        # Runner.run watches for Ctrl-C in a way that formats all that the last task returned
        return self._runner.get_loop().run_until_complete(work)

    def _table(self, strategy: Strategy, prompt: int, shift: int) -> Table:
        return Table(self.landscape, prompt, shift, strategy, self._critiques)

    async def _refined(
        self, table: Table, strategy: Strategy, prices: Prices, others: dict[str, Any], hear: Hear
    ) -> tuple[TableGenerator, Run]:
        made = self.landscape.header
        draft = spec_of(made, draft_tier(strategy))
        request = Request(prompt="0", spec=spec_of(made, TARGET), seed=0)

        def tell(progress: Progress) -> None:
            controller.tell(RenderProgressed(progress=progress))

        generator = TableGenerator(table, prices, tell)
        slots = 1 if strategy.waits else None
        racing = Racing(generator, stoppable=prices.stoppable, slots=slots, tell=tell) if strategy.racing else None
        parts = {
            "reasoner": TableReasoner(),
            "generator": racing or generator,
            "critic": TableCritic(table, prices),
            "racing": racing,
            **others,
        }
        controller = Controller(emit=lambda event: hear(event, controller.run, generator), **parts)
        done = await controller.refine(strategy.run(request, draft, prices.ratio(draft_tier(strategy)), CREATED))
        if failures := [failure.message for iteration in done.iterations for failure in iteration.failures]:
            raise RuntimeError(f"{strategy.name}: {failures[0]}")
        return generator, done


def draft_tier(strategy: Strategy) -> Tier:
    """Of a strategy's drafts, where it makes any."""
    return strategy.drafts.tier if strategy.drafts else DRAFT
