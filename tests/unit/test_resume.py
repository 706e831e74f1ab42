"""Going on with a run: what is in it stays, what is missing is done, and nothing that was reached is lost."""

from pathlib import Path

import pytest

from agent import journal
from agent.config import RunConfig
from agent.controller import Controller
from agent.events import RunStarted
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.run import Run
from generator.types import RenderError
from tests.parts import Recorder, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_run


class Session:
    """One process's work on a run folder, with scripted parts."""

    def __init__(self, folder: Path, **generator: object) -> None:
        self.memory = Memory(folder, Recorder())
        self.generator = ScriptedGenerator(**generator)  # type: ignore[arg-type]
        self.reasoner = ScriptedReasoner()
        self.critic = ScriptedCritic(lambda prompt, seed: int(prompt.split()[1]) / 10 + seed / 1000)

    async def carry(self, run: Run, spent: float = 0.0) -> Run:
        controller = Controller(
            reasoner=RememberedReasoner(self.reasoner, self.memory),
            generator=RememberedGenerator(self.generator, self.memory),
            critic=RememberedCritic(self.critic, self.memory),
            emit=Journal(run),
        )
        return await controller.refine(run, seconds_spent=spent)


async def test_a_deadline_that_is_over_loses_nothing(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=4, max_seconds=50.0))
    reopened = journal.load(tmp_path).reopened(keep=lambda clip: True, retry_failed=False)
    more = reopened.model_copy(update={"budget": first.budget.model_copy(update={"max_iterations": 9})})
    session = Session(tmp_path)
    run = await session.carry(more, spent=51.0)
    assert run.stop_reason == "deadline"
    assert run.iterations[:4] == first.iterations
    assert session.generator.finished == []
    assert journal.load(tmp_path).score == first.score


async def test_going_on_never_publishes_less_than_there_was(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=3))
    reopened = journal.load(tmp_path).reopened(keep=lambda clip: True, retry_failed=False)
    Journal(reopened)(RunStarted(run=reopened))
    assert journal.load(tmp_path).iterations == first.iterations


async def test_a_lost_clip_is_rendered_again_and_no_other(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    lost = first.iterations[0].candidates[1].clip.path
    lost.unlink()
    session = Session(tmp_path)
    reopened = journal.load(tmp_path).reopened(keep=session.memory.intact, retry_failed=False)
    assert [i.missing for i in reopened.iterations] == [(11,), ()]
    run = await session.carry(reopened)
    assert [seed for _, seed in session.generator.started] == [11]
    assert run.iterations == first.iterations


async def test_a_changed_clip_is_not_intact(tmp_path: Path) -> None:
    run = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=1))
    memory = Memory(tmp_path, Recorder())
    clip = run.candidates[0].clip.path
    assert memory.intact(clip)
    clip.write_text("something else")
    assert not memory.intact(clip)
    clip.unlink()
    assert not memory.intact(clip)


async def test_failures_stay_unless_they_are_retried(tmp_path: Path) -> None:
    await Session(tmp_path, fails={10: RenderError("no")}).carry(make_run(tmp_path, max_iterations=2))
    stored = journal.load(tmp_path)
    session = Session(tmp_path)
    await session.carry(stored.reopened(keep=session.memory.intact, retry_failed=False))
    assert session.generator.started == []
    session.memory.forget_failures()
    run = await session.carry(stored.reopened(keep=session.memory.intact, retry_failed=True))
    assert [seed for _, seed in session.generator.started] == [10, 10]
    assert [len(i.candidates) for i in run.iterations] == [2, 2]


async def test_a_damaged_run_file_is_read_from_the_events(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    (tmp_path / journal.RUN).write_text("{")
    assert journal.load(tmp_path) == first


async def test_an_iteration_without_a_clip_ends_the_run(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=1))
    stripped = first.reopened(keep=lambda clip: False, retry_failed=False)
    for record in (tmp_path / "memory").glob("render-*"):
        record.unlink()
    more = stripped.model_copy(update={"budget": first.budget.model_copy(update={"max_iterations": 5})})
    run = await Session(tmp_path, fails={10: RenderError("no"), 11: RenderError("no")}).carry(more)
    assert run.stop_reason == "failed"
    assert run.best is None


@pytest.mark.parametrize("mark", [b"", b'{"type": "run_fin'])
async def test_a_line_that_was_cut_off_swallows_no_other(tmp_path: Path, mark: bytes) -> None:
    run = make_run(tmp_path)
    Journal(run)(RunStarted(run=run))
    with (tmp_path / journal.EVENTS).open("ab") as file:
        file.write(mark)
    Journal(run)(RunStarted(run=run))
    assert [e.type for e in journal.read_events(tmp_path)] == ["run_started", "run_started"]


async def test_an_empty_folder_is_filled_and_not_replaced(tmp_path: Path) -> None:
    place = tmp_path / "mount"
    place.mkdir()
    inode = place.stat().st_ino
    journal.create(place, RunConfig(), make_run(tmp_path / "x").model_copy(update={"folder": place}), None)
    assert place.stat().st_ino == inode
    assert (place / journal.RUN).exists()
