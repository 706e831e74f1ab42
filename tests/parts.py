"""Scripted parts that implement the Protocols, for tests of what stands around them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent.events import Event
from agent.run import Run
from agent.types import Budget, Request
from critic.types import Comparison, Critique, JudgeError, Score
from generator.types import Clip, Effective, RenderError, RenderSpec
from reasoner.chat.types import Usage
from reasoner.types import Caption, CaptionRequest, Revision

SPEC = RenderSpec(width=320, height=192, num_frames=9, fps=24)


def make_run(
    folder: Path, *, accept_at: float | None = None, seed: int = 10, expand: bool = True, **budget: object
) -> Run:
    """A run that has not begun, in a folder that is there."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    return Run(
        id=folder.name,
        folder=folder,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        request=Request(prompt="a boat", spec=SPEC, seed=seed, expand=expand),
        budget=Budget.model_validate(budget),
        accept_at=accept_at,
    )


def make_critique(value: float, *, floor: float = 0.0, feedback: str = "fine") -> Critique:
    """A critique with one score."""
    score = Score(criterion="motion", axis="motion", value=value, weight=1.0, floor=floor, explanation="as scripted")
    return Critique.of([score], feedback=feedback, rubric="scripted/1", judge="scripted/1", seconds=0.25)


def make_clip(path: Path, seed: int, spec: RenderSpec = SPEC, **more: object) -> Clip:
    """A clip of exactly what was asked for."""
    effective = Effective(width=spec.width, height=spec.height, num_frames=spec.num_frames, fps=spec.fps, codec="none")
    facts = {
        "path": path,
        "seed": seed,
        "spec": spec,
        "effective": effective,
        "seconds": 0.5,
        "generator": "scripted/1",
    }
    return Clip.model_validate(facts | more)


@dataclass
class ScriptedReasoner:
    """Writes "caption 0", "caption 1", …; `reseed_from` on it asks for fresh seeds instead."""

    id: str = "scripted/1"
    reseed_from: int = 99
    error: Exception | None = None
    asked: list[Sequence[Revision]] = field(default_factory=list)

    async def upsample(self, request: CaptionRequest) -> Caption:
        self.asked.append([])
        if self.error:
            raise self.error
        return Caption(prompt=f"caption 0 of {request.prompt}", source="upsample", reasoner=self.id)

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        self.asked.append(list(history))
        if self.error:
            raise self.error
        if len(history) >= self.reseed_from:
            return history[champion].caption.on_fresh_seeds("nothing left to edit")
        return Caption(prompt=f"caption {len(history)} of {request.prompt}", source="rewrite", reasoner=self.id)


Outcome = float | Exception


@dataclass
class ScriptedGenerator:
    """Writes the prompt and seed into the file. `fails` maps a seed to what it raises."""

    id: str = "scripted/1"
    fails: Mapping[int, Exception] = field(default_factory=dict)
    delay: float = 0.0
    delays: Mapping[int, float] = field(default_factory=dict)
    started: list[tuple[str, int]] = field(default_factory=list)
    finished: list[tuple[str, int]] = field(default_factory=list)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        self.started.append((prompt, seed))
        await asyncio.sleep(self.delays.get(seed, self.delay))
        if seed in self.fails:
            raise self.fails[seed]
        to.write_text(f"{prompt}|{seed}")
        self.finished.append((prompt, seed))
        return make_clip(to, seed, spec)


@dataclass
class ScriptedCritic:
    """Scores a clip by what `score` makes of its prompt and seed."""

    score: Callable[[str, int], Outcome]
    id: str = "scripted/1"
    floor: float = 0.0
    judged: list[tuple[str, int]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        text, _, seed = clip.read_text().rpartition("|")
        self.judged.append((text, int(seed)))
        self.prompts.append(prompt)
        outcome = self.score(text, int(seed))
        if isinstance(outcome, Exception):
            raise outcome
        return make_critique(outcome, floor=self.floor, feedback=f"feedback on {text}")


@dataclass
class ScriptedComparer:
    """Compares two clips by what `prefers` makes of their contents: P(the first is better) in both orders.

    `bias` is what being shown first adds.
    """

    prefers: Callable[[str, str], Outcome]
    id: str = "scripted/1"
    bias: float = 0.0
    compared: list[tuple[str, str]] = field(default_factory=list)

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        pair = first.read_text(), second.read_text()
        self.compared.append(pair)
        outcome = self.prefers(*pair)
        if isinstance(outcome, Exception):
            raise outcome
        orders = min(1.0, outcome + self.bias), max(0.0, outcome - self.bias)
        return Comparison.of(orders, judge=self.id, method="logprobs", seconds=0.125, usage=Usage(calls=2))


@dataclass
class Recorder:
    """Keeps the events it hears."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def types(self) -> list[str]:
        return [e.type for e in self.events]


__all__ = [
    "SPEC",
    "JudgeError",
    "Recorder",
    "RenderError",
    "ScriptedComparer",
    "ScriptedCritic",
    "ScriptedGenerator",
    "ScriptedReasoner",
    "make_clip",
    "make_critique",
    "make_run",
]
