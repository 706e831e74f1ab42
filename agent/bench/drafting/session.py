"""Everything that is rendered and judged for a measurement, once, however often it is interrupted."""

import asyncio
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.api import with_request
from agent.bench.drafting.kinds import kind_of, seconds, told
from agent.bench.drafting.prompts import Asked
from agent.bench.drafting.scene import compared, pairs_of
from agent.bench.drafting.types import Kind, Landscape
from agent.bench.drafting.words import Distinct
from agent.building import Parts, build
from agent.config import DraftConfig, RunConfig
from agent.controller import Controller
from agent.drafts import drafted
from agent.errors import ConfigError, RetakeError, StorageError, boundary
from agent.events import Event
from agent.files import write_atomically
from agent.forecasting import planned
from agent.journal import now, only_writer
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.request import exact, placed
from agent.run import Run
from agent.types import Budget, Request
from generator.capabilities import capabilities

ABOUT = "asked.yaml"
"""What a measurement's folder was begun with."""
SEEDS_APART = 1 << 16


@dataclass(frozen=True)
class Wish:
    """What is to be measured."""

    draft: DraftConfig
    """Of which the tier, the steps and the frames count."""
    captions: int
    """Of each prompt."""
    seeds: int
    """Renders of each of them, at each tier."""


@dataclass
class Session:
    """A measurement under way."""

    config: RunConfig
    wish: Wish
    folder: Path
    runs: list[Run] = field(default_factory=list)
    """One a prompt, nothing of it rendered yet."""
    done: list[Run] = field(default_factory=list)
    """Those whose captions have been rendered and judged as far as it can be done."""
    ids: tuple[str, str, str] = ("", "", "")
    """Of the generator, critic and reasoner."""

    @property
    def renders(self) -> int:
        """That it takes at most, of both tiers."""
        return 2 * len(self.runs) * self.wish.captions * self.wish.seeds

    async def prepare(self, prompts: Sequence[Asked]) -> None:
        """Make every prompt's request exact, and take in what its clips are made from.

        Raises:
            ConfigError, IntakeError: the config, the drafts or a first frame cannot be used.
            StorageError: the folder cannot be written.
        """
        exacted = [await self._exact(asked) for asked in prompts]
        self._same(exacted[0][0])
        for asked, (request, given) in zip(prompts, exacted, strict=True):
            folder = self.folder / "prompts" / _name(asked)
            with boundary(StorageError, f"making {folder}"):
                (folder / "clips").mkdir(parents=True, exist_ok=True)
                for name, content in given.items():
                    write_atomically(folder / name, content)
            run = Run(
                id=folder.name,
                folder=folder,
                created_at=now(),
                request=placed(request, folder),
                budget=self.schedule.budget,
            )
            self.runs.append(run)

    @property
    def schedule(self) -> RunConfig:
        """The config of a run that would render just this: every caption as drafts and then as asked."""
        draft = self.wish.draft.model_copy(
            update={"promote": self.wish.captions, "seeds": self.wish.seeds, "min_correlation": -1.0}
        )
        off = {"include_raw_prompt": False, "pairwise": None, "canaries": None, "draft_correlation": None}
        search = self.config.search.model_copy(update={**off, "draft": draft})
        budget = Budget(max_iterations=self.wish.captions, samples_per_iteration=self.wish.seeds, early_stop=False)
        critic = self.config.critic.model_copy(update={"accept_at": None})
        return self.config.model_copy(update={"search": search, "budget": budget, "critic": critic})

    async def _exact(self, asked: Asked) -> tuple[Request, dict[str, bytes]]:
        seed = _seed(self.config.request.seed or 0, asked)
        config = with_request(self.schedule, prompt=asked.prompt, image=asked.first_frame, seed=seed)
        request, given = await exact(config.request, capabilities(config.generator))
        request, given = await drafted(config, request, given)
        if request.draft is None:
            raise ConfigError(f"{request.notes[-1]} Give a larger request.size, or another --tier, --steps or --frames")
        return request, given

    def _same(self, request: Request) -> None:
        """Hold the folder against what is asked now, or write it down.

        Raises:
            ConfigError: it holds another measurement.
        """
        facts: dict[str, Any] = {
            **{part: getattr(self.config, part).backend for part in ("generator", "critic", "reasoner")},
            "draft": told(request.draft.spec if request.draft else request.spec),
            "target": told(request.spec),
            "seed": self.config.request.seed or 0,
            "seeds": self.wish.seeds,
        }
        path = self.folder / ABOUT
        if path.exists():
            with boundary(ConfigError, f"{path}"):
                before = yaml.safe_load(path.read_text(encoding="utf-8"))
            if before != facts:
                other = [key for key in facts if not isinstance(before, dict) or before.get(key) != facts[key]]
                raise ConfigError(
                    f"{self.folder}: holds a measurement with another {', '.join(other)}; choose another --out"
                )
            return
        with boundary(StorageError, f"writing {path}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, yaml.safe_dump(facts, sort_keys=False, width=120))

    async def measure(self, hear: Callable[[Event], None], finished: Callable[[Run], None]) -> Landscape:
        """Render and judge what is not yet, several prompts side by side.

        Args:
            hear: told of every event.
            finished: told of every prompt that is done.

        Raises:
            RunFolderError: another process works on it.
            StorageError, ServingError: the disk failed, or a server cannot be reached.
        """
        with only_writer(self.folder, "measurement"):
            memory = Memory(self.folder, hear)
            memory.clean()
            async with build(self.schedule, memory, hear) as parts:
                self.ids = parts.generator.id, parts.critic.id, parts.reasoner.id
                # one more than keeps the endpoints at work: its captions are written and its clips judged meanwhile
                side_by_side = math.ceil(planned(self.config.generator).renderers / self.wish.seeds) + 1
                turns = asyncio.Semaphore(side_by_side)
                try:
                    async with asyncio.TaskGroup() as group:
                        for run in self.runs:
                            group.create_task(self._one(run, parts, memory, turns, hear, finished))
                except* RetakeError as failed:
                    raise failed.exceptions[0] from failed
        return self.landscape()

    async def _one(
        self,
        run: Run,
        parts: Parts,
        memory: Memory,
        turns: asyncio.Semaphore,
        hear: Callable[[Event], None],
        finished: Callable[[Run], None],
    ) -> None:
        async with turns:
            controller = Controller(
                reasoner=RememberedReasoner(parts.reasoner, memory),
                generator=RememberedGenerator(parts.generator, memory),
                critic=RememberedCritic(parts.critic, memory),
                emit=hear,
            )
            words = Distinct(controller.reasoner)
            run = await compared(controller, run, words, self.wish.captions, self.wish.seeds)
            self.done.append(run)
            finished(run)

    def landscape(self) -> Landscape:
        """What came of it."""
        order = {run.id: number for number, run in enumerate(self.runs)}
        runs = sorted(self.done, key=lambda run: order[run.id])
        found, left_out = [], list[str]()
        for run in runs:
            pairs, without = pairs_of(run)
            left_out += without
            written = sum(iteration.promoted is None for iteration in run.iterations)
            if written < self.wish.captions:
                left_out.append(f"{pairs.prompt!r}: {written} captions are all that the reasoner has new words for.")
            if len(pairs.captions) > 1:
                found.append(pairs)
            else:
                left_out.append(f"{pairs.prompt!r} is left out: it has no two captions to compare.")
        return Landscape(
            kind=self._kind(),
            prompts=tuple(found),
            draft_seconds=seconds(runs, "draft"),
            target_seconds=seconds(runs, "target"),
            failures=sum(len(iteration.failures) for run in runs for iteration in run.iterations),
            left_out=tuple(left_out),
        )

    def _kind(self) -> Kind:
        generator, critic, reasoner = self.ids
        return kind_of(self.config, self.runs[0].request, generator=generator, critic=critic, reasoner=reasoner)


def _name(asked: Asked) -> str:
    """Of a prompt's folder: to be read, and its own."""
    words = "-".join(re.findall(r"[a-z0-9]+", asked.prompt.lower())[:5])[:40].strip("-")
    return f"{words}-{_digest(asked)[:8]}".strip("-")


def _seed(base: int, asked: Asked) -> int:
    """Of a prompt's first render: others for every prompt, and the same when it is asked again."""
    return (base + int(_digest(asked)[:8], 16)) % (2**31 - SEEDS_APART)


def _digest(asked: Asked) -> str:
    return hashlib.sha256("\0".join([asked.prompt, asked.first_frame or ""]).encode()).hexdigest()
