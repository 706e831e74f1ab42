"""Parts that wait for their server's turn where two servers share a GPU (`agent.serving.turns`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.serving.turns import Turns
from critic.instrument import Instrument
from critic.types import Comparer, Comparison, Critic, Critique
from generator import job_slip
from generator.types import Clip, Generator, RenderSpec
from reasoner.types import Caption, CaptionRequest, Reasoner, Revision


@dataclass(frozen=True)
class ReasonerInTurn:
    """A reasoner that waits for its server's turn."""

    inner: Reasoner
    turns: Turns
    side: str

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def upsample(self, request: CaptionRequest) -> Caption:
        """As the inner one, in its turn."""
        async with self.turns.using(self.side):
            return await self.inner.upsample(request)

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """As the inner one, in its turn."""
        async with self.turns.using(self.side):
            return await self.inner.rewrite(request, history, champion)


@dataclass(frozen=True)
class CriticInTurn:
    """A critic that waits for its server's turn; its rubric is written in the same one."""

    inner: Critic
    turns: Turns
    side: str

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    @property
    def instrument(self) -> Instrument:
        """The inner one's."""
        return Instrument.of(self.inner)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As the inner one, in its turn."""
        async with self.turns.using(self.side):
            return await self.inner.judge(clip, prompt, first_frame)


@dataclass(frozen=True)
class ComparerInTurn:
    """A comparer that waits for its server's turn."""

    inner: Comparer
    turns: Turns
    side: str

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """As the inner one, in its turn."""
        async with self.turns.using(self.side):
            return await self.inner.compare(first, second, prompt, first_frame)


@dataclass(frozen=True)
class GeneratorInTurn:
    """A generator that waits for its server's turn."""

    inner: Generator
    turns: Turns
    side: str

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    def settle(self, to: Path) -> None:
        """As the inner one."""
        job_slip.settle(self.inner, to)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """As the inner one, in its turn."""
        async with self.turns.using(self.side):
            return await self.inner.render(prompt, spec, seed=seed, to=to)
