"""The embedded parts as the landscape is recorded with them: one at a time, and with words that were not tried yet."""

import asyncio
import hashlib
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.search.landscape import Cell, Wording
from critic.types import Critic, Critique
from generator.animatic.scenario import read
from generator.types import Clip, Generator, RenderSpec
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.types import Caption, CaptionRequest, Revision


@dataclass
class Alone:
    """A generator and critic of which one works at a time, so that processor seconds are its own.

    Captions that the animatic reads alike give the same pixels on a seed: such a clip is made and judged once, and
    counted with the same seconds wherever it stands in the table.
    """

    generator: Generator
    critic: Critic
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _made: dict[Hashable, tuple[Clip, float]] = field(default_factory=dict)
    """With the processor seconds of each."""
    _judged: dict[Hashable, tuple[Critique, float]] = field(default_factory=dict)
    _films: dict[Path, Hashable] = field(default_factory=dict)
    """What decides the pixels of a clip."""

    @property
    def id(self) -> str:
        """Of both."""
        return f"{self.generator.id} {self.critic.id}"

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """As the generator."""
        film = self._films[to] = (repr(read(prompt, spec)), spec.model_dump_json(), seed)
        async with self.turn:
            if film not in self._made:
                began = time.process_time()
                clip = await self.generator.render(prompt, spec, seed=seed, to=to)
                self._made[film] = clip, time.process_time() - began
        return self._made[film][0].model_copy(update={"path": to})

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As the critic."""
        film = self._films[clip]
        async with self.turn:
            if film not in self._judged:
                began = time.process_time()
                critique = await self.critic.judge(self._made[film][0].path, prompt, first_frame)
                self._judged[film] = critique, time.process_time() - began
        return self._judged[film][0]

    def cell(self, clip: Path) -> Cell:
        """What is kept of a clip."""
        film = self._films[clip]
        critique, judging = self._judged[film]
        criteria = {score.criterion: score.value for score in critique.scores}
        return Cell(critique.overall, critique.floors_hold, criteria, round(self._made[film][1], 3), round(judging, 3))


@dataclass
class Distinct:
    """The rules; where they have no word left for the champion, a rewrite of the next best caption.

    The loop would then try the champion on fresh seeds. A table with few seeds has none, and wants other words.
    """

    rules: Rules = field(default_factory=lambda: Rules(RulesConfig()))
    wordings: list[Wording] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The rules'."""
        return self.rules.id

    async def upsample(self, request: CaptionRequest) -> Caption:
        """As the rules."""
        caption = await self.rules.upsample(request)
        self.wordings.append(worded(caption, "upsample", None))
        return caption

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """As the rules, with a text that was not tried yet."""
        tried = {revision.caption.prompt for revision in history}
        others = sorted(set(range(len(history))) - {champion}, key=lambda n: -history[n].score)
        for start in (champion, *others):
            caption = await self.rules.rewrite(request, history, start)
            if not caption.reseed and caption.prompt not in tried:
                kind = "rewrite" if start == champion else "detour"
                self.wordings.append(worded(caption, kind, start + 1))
                return caption
        raise ValueError(f"{request.prompt!r}: the rules have no {len(history) + 1} captions for it")


def worded(caption: Caption, kind: Any, parent: int | None) -> Wording:
    """What is kept of a caption."""
    answers = tuple(dict.fromkeys(edit.criterion for edit in caption.edits))
    digest = hashlib.sha256(caption.prompt.encode()).hexdigest()[:16]
    return Wording(kind=kind, parent=parent, answers=answers, sha256=digest)
