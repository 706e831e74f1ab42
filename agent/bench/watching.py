"""Critics and comparers that stand between a memory and the one who judges."""

from dataclasses import dataclass
from pathlib import Path

from critic.types import Comparer, Comparison, Critic, Critique


@dataclass
class Watched:
    """A critic that tells whether it was asked at all."""

    inner: Critic
    asked: bool = False
    """Whether it was: False, what it would say was remembered."""

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As the inner one."""
        self.asked = True
        return await self.inner.judge(clip, prompt, first_frame)


@dataclass
class WatchedComparer:
    """A comparer likewise."""

    inner: Comparer
    asked: bool = False

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """As the inner one."""
        self.asked = True
        return await self.inner.compare(first, second, prompt, first_frame)


@dataclass(frozen=True)
class Again:
    """A critic whose judgements are remembered beside the first ones."""

    inner: Critic

    @property
    def id(self) -> str:
        """The inner one's, and that it is another time."""
        return f"{self.inner.id} again"

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As the inner one."""
        return await self.inner.judge(clip, prompt, first_frame)
