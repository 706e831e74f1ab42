"""A run of scripted parts, also as a process: `python -m tests.e2e.scripted FOLDER BUDGET EVENTS COMPARISONS`.

The process kills itself by SIGKILL when it has told EVENTS events, or is to make one more than COMPARISONS comparisons.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.choosing import Choosing
from agent.controller import Controller
from agent.events import Emit, Event
from agent.journal import Journal
from agent.memory import Memory, RememberedComparer, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.resuming import reopened, within
from agent.run import Run
from agent.types import Pairwise
from critic.types import Comparison
from generator.types import Clip, RenderError, Rendering, RenderSpec
from tests.parts import Recorder, ScriptedComparer, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_run

SCORES = (0.30, 0.42, 0.41, 0.415, 0.418, 0.40)
"""Of the captions, in order."""


@dataclass
class Billed(ScriptedGenerator):
    """Each render costs $0.40 and about two seconds; caption 1 of seed 12 fails when it was paid for."""

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        clip = await super().render(prompt, spec, seed=seed, to=to)
        number = int(prompt.split()[1])
        cost = Rendering(price_usd=0.4, render_seconds=2.0 + 0.1 * ((3 * number + seed) % 4))
        if (number, seed) == (1, 12):
            to.unlink()
            error = RenderError("other frames than asked for")
            error.rendering = cost
            raise error
        return clip.model_copy(update={"rendering": cost})


def score(prompt: str, seed: int) -> float:
    """By the caption, and a little by the seed."""
    number = int(prompt.split()[1])
    return SCORES[number % len(SCORES)] + 0.01 * ((seed * 7 + number) % 5)


@dataclass
class Fatal(ScriptedComparer):
    """The comparison after so many kills the process."""

    left: int = 0

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        if len(self.compared) == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().compare(first, second, prompt, first_frame)


def prefers(first: str, second: str) -> float:
    """P(the first clip is better): the later seed is, whatever the caption; of one seed a tie."""
    seeds = [int(text.rpartition("|")[2]) for text in (first, second)]
    return 0.5 + 0.2 * (seeds[0] - seeds[1])


def begin(folder: Path, budget: dict[str, Any]) -> Run:
    """The run, not begun."""
    return make_run(folder, samples_per_iteration=3, max_iterations=12, **budget)


def kept(stored: Run) -> Run:
    """The run as a resume goes on with it."""
    back = reopened(stored, keep=Memory(stored.folder, Recorder()).intact, retry_failed=False)
    return within(back, stored.budget, stored.accept_at)


async def carry(run: Run, emit: Emit, comparer: ScriptedComparer | None = None) -> Run:
    """Carry a run to its end, by remembered steps; near-equal clips are compared for its final choice."""
    memory = Memory(run.folder, Recorder())
    controller = Controller(
        reasoner=RememberedReasoner(ScriptedReasoner(), memory),
        generator=RememberedGenerator(Billed(), memory),
        critic=RememberedCritic(ScriptedCritic(score), memory),
        emit=emit,
        choosing=Choosing(
            comparer=RememberedComparer(comparer or ScriptedComparer(prefers), memory), rules=Pairwise(most=3)
        ),
    )
    return await controller.refine(run)


def main() -> None:
    """As the module says."""
    folder, left, comparisons = Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
    run = begin(folder, json.loads(sys.argv[2]))
    diary = Journal(run)

    def emit(event: Event) -> None:
        nonlocal left
        diary(event)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(carry(run, emit, Fatal(prefers, left=comparisons)))


if __name__ == "__main__":
    main()
