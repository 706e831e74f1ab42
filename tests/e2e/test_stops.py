"""A run that is killed and resumed stops where an undisturbed one does, by the same rule, and chooses the same."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import journal
from agent.events import Event, after
from agent.run import Run
from agent.types import StopReason
from tests.e2e.scripted import begin, carry, kept, prefers
from tests.parts import Recorder, ScriptedComparer

BUDGETS: list[tuple[StopReason, dict[str, Any]]] = [
    ("patience", {"patience": 2}),
    ("plateau", {"plateau": 0.01, "plateau_iterations": 2}),
    ("expected_gain", {"min_expected_gain": 0.002}),
    ("price", {"max_price_usd": 3.0}),
    ("gpu_seconds", {"max_gpu_seconds": 24.0}),
    ("renders", {"max_renders": 8}),
]


MOMENTS = int(os.environ.get("RETAKE_KILLS", "4")) // 4
"""Of each run, beside one in its last iteration and one amid its comparisons."""


class KilledError(BaseException):
    """As sudden as a kill: nothing that the controller catches."""


def place(run: Run) -> dict[str, Any]:
    """Where a run stopped, and all that its rules are made of."""
    assert run.ending is not None
    return {
        "ending": run.ending.model_dump(),
        "seeds": [i.seeds for i in run.iterations],
        "scores": [[c.score for c in i.candidates] for i in run.iterations],
        "failures": [f.model_dump() for i in run.iterations for f in i.failures],
        "spent": (run.price, run.gpu),
        "duels": run.duels,
        "choice": run.choice,
    }


async def undisturbed(folder: Path, budget: dict[str, Any]) -> tuple[Run, list[str]]:
    """The run, and the types of the events that it told."""
    recorder = Recorder()
    return await carry(begin(folder, budget), recorder), recorder.types()


async def process(folder: Path, budget: dict[str, Any], events: int, comparisons: int) -> Run:
    """What is left of the run in a process that has killed itself, by its journal."""
    command = [sys.executable, "-m", "tests.e2e.scripted", str(folder), json.dumps(budget)]
    process = await asyncio.create_subprocess_exec(
        *command,
        str(events),
        str(comparisons),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == -signal.SIGKILL, complaint.decode()
    return journal.load(folder)


@pytest.mark.parametrize(("reason", "budget"), BUDGETS, ids=[reason for reason, _ in BUDGETS])
async def test_killed_at_many_moments(tmp_path: Path, reason: StopReason, budget: dict[str, Any]) -> None:
    whole, told = await undisturbed(tmp_path / "whole", budget)
    count, compares = len(told), told.index("clips_compared")
    assert whole.stop_reason == reason
    assert (len(whole.duels), whole.choice is not None) == (3, True)
    assert len(whole.iterations) > 1
    for moment in {count * (n + 1) // (MOMENTS + 1) for n in range(MOMENTS)} | {compares - 2, compares + 1}:
        stored = begin(tmp_path / f"{moment}", budget)
        left = moment

        def emit(event: Event) -> None:
            """Fold the event in, as the journal does; from a moment on, nothing is told any more."""
            nonlocal stored, left
            left -= 1
            if left < 0:
                raise KilledError
            stored = after(stored, event)

        with pytest.raises((KilledError, BaseExceptionGroup)):
            await carry(stored, emit)
        again = await carry(kept(stored), lambda event: None)
        assert place(again) == place(whole), f"killed after {moment} of {count} events"


@pytest.mark.thorough
async def test_killed_by_the_system(tmp_path: Path) -> None:
    """A real kill of a real process, in the midst of an iteration that the price had cut short."""
    budget = {"max_price_usd": 1.7}
    whole, told = await undisturbed(tmp_path / "whole", budget)
    assert [len(i.seeds) for i in whole.iterations] == [3, 1]
    killed = await process(tmp_path / "killed", budget, len(told) - 4, 99)
    assert (killed.ending, len(killed.iterations)) == (None, 2)
    assert place(await carry(kept(killed), lambda event: None)) == place(whole)


@pytest.mark.thorough
async def test_killed_while_it_compares(tmp_path: Path) -> None:
    """What was compared is not compared again, and the choice is the undisturbed run's."""
    budget = {"max_renders": 9}
    whole, _ = await undisturbed(tmp_path / "whole", budget)
    killed = await process(tmp_path / "killed", budget, 999, 2)
    assert (killed.ending, killed.duels, killed.choice) == (None, (), None)
    comparer = ScriptedComparer(prefers)
    assert place(await carry(kept(killed), lambda event: None, comparer)) == place(whole)
    assert len(comparer.compared) == 1
