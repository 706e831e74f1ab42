"""The loop's three parts, which look everything up in a table."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks.search.landscape import CAPTIONS, TARGET, Cell, Header, Key, Landscape, Tier
from benchmarks.search.strategies import Strategy
from critic.signals.rubric import RUBRIC
from critic.types import Critique, Score
from generator.types import Clip, Effective, Progress, Rendering, RenderSpec, Tell
from reasoner.types import Caption, CaptionRequest, Revision

CRITERIA = {criterion.name: criterion for criterion in RUBRIC.criteria}


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
    strategy: Strategy
    critiques: dict[Key, Critique]
    """Made so far, by any replay."""
    clips: dict[Path, Key] = field(default_factory=dict)

    def key(self, number: int, tier: Tier, seed: int) -> Key:
        """Of a caption on a seed counted from 0."""
        count = len(self.landscape.header.asked[self.prompt].seeds)
        if not 0 <= seed < count:
            raise LookupError(f"seed {seed} of {count} was not recorded: the strategy asks for more than the table has")
        strategy, place = self.strategy, seed + self.shift
        if strategy.drafts and tier != TARGET:
            place += strategy.drafts.shift
        elif strategy.drafts and strategy.drafts.keep_seed:
            place = self._by_drafts(number, strategy.drafts.tier)[seed]
        if not strategy.paired and tier == (strategy.drafts.tier if strategy.drafts else TARGET):
            place += strategy.samples * (number - 1)
        return self.prompt, number, tier, place % count

    def _by_drafts(self, number: int, tier: Tier) -> list[int]:
        """Seeds that a caption was drafted on, the best draft's first."""
        keys = [self.key(number, tier, seed) for seed in range(self.strategy.samples)]
        return [key[-1] for key in sorted(keys, key=lambda key: -self.landscape.cells[key].score)]

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
