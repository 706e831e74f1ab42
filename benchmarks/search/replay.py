"""Replays strategies over the landscape: the real loop, whose reasoner, generator and critic look everything up."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from agent.controller import Controller
from agent.events import CandidateReady, Event, RenderProgressed
from agent.racing import Racing
from agent.run import Run
from agent.types import Request
from benchmarks.schedule.clock import SkippingLoop
from benchmarks.search.landscape import CAPTIONS, DRAFT, TARGET, Cell, Header, Key, Landscape, Tier
from benchmarks.search.strategies import Strategy
from critic.signals.rubric import RUBRIC
from critic.types import Critique, Score
from generator.types import Clip, Effective, Progress, Rendering, RenderSpec, Tell
from reasoner.types import Caption, CaptionRequest, Revision

CRITERIA = {criterion.name: criterion for criterion in RUBRIC.criteria}
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


@dataclass(frozen=True)
class Prices:
    """Seconds of each step of a run."""

    name: str
    render: Callable[[Tier, Cell], float]
    """Of a clip."""
    judge: Callable[[Cell], float]
    """Of the same."""
    ratio: Callable[[Tier], float]
    """Seconds of a target render over those of a tier, as a run takes it beforehand."""
    stoppable: bool
    """Whether a render that runs stops when it is cancelled: not on a server."""


@dataclass(frozen=True)
class TableReasoner:
    """Hands out the recorded captions in their order, whatever the critique says; then the champion on fresh seeds."""

    id: str = "table/1"

    async def upsample(self, request: CaptionRequest) -> Caption:
        """The first."""
        del request
        return caption(1)

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """The next."""
        del request
        used = max(int(revision.caption.prompt) for revision in history)
        if used == CAPTIONS:
            return history[champion].caption.on_fresh_seeds("Every recorded caption is tried.")
        return caption(used + 1)


@cache
def caption(number: int) -> Caption:
    """A recorded caption: its number stands for its words. 0 is the raw prompt."""
    return Caption(prompt=str(number), source="upsample" if number == 1 else "rewrite", reasoner="table/1")


@dataclass
class Table:
    """A prompt's part of the landscape, its seeds in another order."""

    landscape: Landscape
    prompt: int
    shift: int
    """Place of the seed that comes first."""
    draft_shift: int
    """Added for drafts. Other than 0, a draft says nothing of what its seed does at the target tier."""
    critiques: dict[Key, Critique]
    """Made so far, by any replay."""
    clips: dict[Path, Key] = field(default_factory=dict)

    def key(self, number: int, tier: Tier, seed: int) -> Key:
        """Of a caption on a seed counted from 0."""
        count = len(self.landscape.header.asked[self.prompt].seeds)
        if not 0 <= seed < count:
            raise LookupError(f"seed {seed} of {count} was not recorded: the strategy asks for more than the table has")
        return self.prompt, number, tier, (seed + self.shift + (self.draft_shift if tier != TARGET else 0)) % count

    def tier_of(self, spec: RenderSpec) -> Tier:
        """Of a render."""
        asked = (spec.width, spec.height, spec.num_frames, spec.num_inference_steps)
        tiers = self.landscape.header.tiers.items()
        return next(name for name, t in tiers if asked == (t.width, t.height, t.frames, t.steps))

    def truth(self, clip: Path) -> float:
        """The recorded score of a clip."""
        return self.landscape.cells[self.clips[clip]].score

    def critique(self, key: Key) -> Critique:
        """As recorded, but for the words."""
        if key not in self.critiques:
            self.critiques[key] = critique(self.landscape.cells[key])
        return self.critiques[key]


@dataclass
class TableGenerator:
    """Takes as long as the price list says, one render at a time, on a clock that skips what is slept."""

    table: Table
    prices: Prices
    tell: Tell
    id: str = "table/1"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    renders: list[float] = field(default_factory=list)
    """Render seconds spent after each."""
    spent: dict[Path, float] = field(default_factory=dict)
    """The same by clip."""

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """A clip without a file."""
        key = self.table.key(int(prompt), self.table.tier_of(spec), seed)
        seconds = self.prices.render(key[2], self.table.landscape.cells[key])
        self.tell(Progress(seed=seed, stage="queued"))
        async with self.turn:
            self.tell(Progress(seed=seed, stage="rendering"))
            clock = asyncio.get_running_loop().time
            began = clock()
            took = seconds
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                took = clock() - began
                raise
            finally:
                self.renders.append(round((self.renders[-1] if self.renders else 0.0) + took, 4))
        self.spent[to], self.table.clips[to] = self.renders[-1], key
        return Clip.model_construct(
            path=to,
            seed=seed,
            spec=spec,
            effective=effective(spec.width, spec.height, spec.num_frames, spec.fps),
            seconds=seconds,
            generator=self.id,
            rendering=Rendering(render_seconds=seconds),
        )


@dataclass(frozen=True)
class TableCritic:
    """Answers with the recorded scores."""

    table: Table
    prices: Prices
    id: str = "table/1"

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As recorded."""
        del prompt, first_frame
        key = self.table.clips[clip]
        await asyncio.sleep(self.prices.judge(self.table.landscape.cells[key]))
        return self.table.critique(key)


@cache
def effective(width: int, height: int, num_frames: int, fps: int) -> Effective:
    """What a clip holds that is just as it was asked for."""
    return Effective(width=width, height=height, num_frames=num_frames, fps=fps, codec="h264")


def critique(cell: Cell) -> Critique:
    """A recorded clip's scores, without words."""
    scores = tuple(
        Score(
            criterion=name,
            axis=CRITERIA[name].axis,
            value=value,
            weight=CRITERIA[name].weight,
            floor=CRITERIA[name].floor,
            explanation="",
        )
        for name, value in cell.criteria.items()
    )
    return Critique(
        scores=scores,
        overall=cell.score,
        floors_hold=cell.floors_hold,
        feedback="",
        rubric=RUBRIC.id,
        judge="table/1",
        seconds=cell.judge_seconds,
    )


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
        return Table(self.landscape, prompt, shift, strategy.drafts.shift if strategy.drafts else 0, self._critiques)

    async def _refined(
        self, table: Table, strategy: Strategy, prices: Prices, others: dict[str, Any], hear: Hear
    ) -> tuple[TableGenerator, Run]:
        made = self.landscape.header
        draft = spec_of(made, draft_tier(strategy))
        request = Request(prompt="0", spec=spec_of(made, TARGET), seed=0)

        def tell(progress: Progress) -> None:
            controller.tell(RenderProgressed(progress=progress))

        generator = TableGenerator(table, prices, tell)
        racing = Racing(generator, stoppable=prices.stoppable) if strategy.racing else None
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


def spec_of(made: Header, tier: Tier) -> RenderSpec:
    """What was recorded at a tier."""
    setting = made.tiers[tier]
    return RenderSpec(
        width=setting.width,
        height=setting.height,
        num_frames=setting.frames,
        fps=made.fps,
        num_inference_steps=setting.steps,
    )
