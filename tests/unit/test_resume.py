"""Going on with a run: what is in it stays, what is missing is done, and nothing that was reached is lost."""

from pathlib import Path
from typing import Any

import pytest

from agent import journal
from agent.config import RunConfig
from agent.controller import Controller, Lost
from agent.errors import RunFolderError
from agent.events import RunStarted
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.resuming import reopened, within
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

    async def carry(self, run: Run, spent: float = 0.0, lost: Lost = ()) -> Run:
        controller = Controller(
            reasoner=RememberedReasoner(self.reasoner, self.memory),
            generator=RememberedGenerator(self.generator, self.memory),
            critic=RememberedCritic(self.critic, self.memory),
            emit=Journal(run),
        )
        return await controller.refine(run, seconds_spent=spent, lost=lost)


async def test_a_deadline_that_is_over_loses_nothing(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=4, max_seconds=50.0))
    kept = reopened(journal.load(tmp_path), keep=lambda clip: True, retry_failed=False)
    more = kept.model_copy(update={"budget": first.budget.model_copy(update={"max_iterations": 9})})
    session = Session(tmp_path)
    run = await session.carry(more, spent=51.0)
    assert run.stop_reason == "deadline"
    assert run.iterations[:4] == first.iterations
    assert session.generator.finished == []
    assert journal.load(tmp_path).score == first.score


async def test_going_on_never_publishes_less_than_there_was(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=3))
    kept = reopened(journal.load(tmp_path), keep=lambda clip: True, retry_failed=False)
    Journal(kept)(RunStarted(run=kept))
    assert journal.load(tmp_path).iterations == first.iterations


async def test_a_lost_clip_is_rendered_again_and_no_other(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    lost = first.iterations[0].candidates[1].clip.path
    lost.unlink()
    session = Session(tmp_path)
    kept = reopened(journal.load(tmp_path), keep=session.memory.intact, retry_failed=False)
    assert [i.missing for i in kept.iterations] == [(11,), ()]
    run = await session.carry(kept)
    assert [seed for _, seed in session.generator.started] == [11]
    assert run.iterations == first.iterations


async def test_a_changed_clip_is_not_intact(tmp_path: Path) -> None:
    run = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=1))
    memory = Memory(tmp_path, Recorder())
    clip = run.candidates[0].clip.path
    assert memory.intact(run.candidates[0].clip)
    clip.write_text("something else")
    assert not memory.intact(run.candidates[0].clip)
    clip.unlink()
    assert not memory.intact(run.candidates[0].clip)


async def test_failures_stay_unless_they_are_retried(tmp_path: Path) -> None:
    await Session(tmp_path, fails={10: RenderError("no")}).carry(make_run(tmp_path, max_iterations=2))
    stored = journal.load(tmp_path)
    session = Session(tmp_path)
    await session.carry(reopened(stored, keep=session.memory.intact, retry_failed=False))
    assert session.generator.started == []
    session.memory.forget_failures()
    run = await session.carry(reopened(stored, keep=session.memory.intact, retry_failed=True))
    assert [seed for _, seed in session.generator.started] == [10, 10]
    assert [len(i.candidates) for i in run.iterations] == [2, 2]


async def test_a_damaged_run_file_is_read_from_the_events(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    (tmp_path / journal.RUN).write_text("{")
    assert journal.load(tmp_path) == first


async def test_an_iteration_without_a_clip_ends_the_run(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=1))
    stripped = reopened(first, keep=lambda clip: False, retry_failed=False)
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
    journal.create(place, RunConfig(), make_run(tmp_path / "x").model_copy(update={"folder": place}), {})
    assert place.stat().st_ino == inode
    assert (place / journal.RUN).exists()


async def test_a_lost_clip_is_made_again_after_the_deadline_too(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2, max_seconds=50.0))
    first.iterations[0].candidates[1].clip.path.unlink()
    session = Session(tmp_path)
    kept = reopened(journal.load(tmp_path), keep=session.memory.intact, retry_failed=False)
    run = await session.carry(kept, spent=99.0, lost=[(0, 11)])
    assert run.iterations == first.iterations


@pytest.mark.parametrize(
    ("before", "after", "seeds"),
    [
        ({"max_renders": 3}, {"max_renders": 4}, [(10, 11), (10, 11)]),
        ({"max_renders": 3}, {}, [(10, 11), (10, 11)]),
        ({"max_renders": 3}, {"max_renders": 3}, [(10, 11), (10,)]),
        ({}, {"samples_per_iteration": 3}, [(10, 11), (10, 11, 12)]),
        ({}, {"samples_per_iteration": 1}, [(10, 11), (10, 11)]),
    ],
)
async def test_a_raised_budget_goes_on_in_the_last_iteration(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], seeds: list[tuple[int, ...]]
) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2, **before))
    budget = make_run(tmp_path, max_iterations=2, **after).budget
    kept = reopened(journal.load(tmp_path), keep=lambda clip: True, retry_failed=False)
    run = await Session(tmp_path).carry(within(kept, budget, None))
    assert [i.seeds for i in run.iterations] == seeds
    assert all(not i.missing for i in run.iterations)
    assert run.iterations[0] == first.iterations[0]


def test_a_start_that_was_cut_off_in_an_empty_folder_is_begun_again(tmp_path: Path) -> None:
    place = tmp_path / "mount"
    place.mkdir()
    for name in (journal.MAKING, journal.CONFIG):
        (place / name).write_text("")
    (place / "clips").mkdir()
    journal.create(place, RunConfig(), make_run(tmp_path / "x").model_copy(update={"folder": place}), {})
    assert sorted(p.name for p in place.iterdir()) == ["clips", "config.yaml", "run.json"]


async def test_damage_everywhere_is_one_sentence(tmp_path: Path) -> None:
    await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    lines = (tmp_path / journal.EVENTS).read_text().splitlines()
    damaged = [line[:40] if "caption_ready" in line else line for line in lines]
    (tmp_path / journal.EVENTS).write_bytes("\n".join(damaged).encode() + b"\n\xff\xfe\n")
    (tmp_path / journal.RUN).write_text("{")
    with pytest.raises(RunFolderError, match="is damaged"):
        journal.load(tmp_path)
    for record in (tmp_path / "memory").glob("render-*"):
        record.write_text('{"value": [], "sha256": "x"}')
    clips = [c.clip for c in (await Session(tmp_path).carry(make_run(tmp_path, max_iterations=1))).candidates]
    assert all(Memory(tmp_path, Recorder()).intact(clip) for clip in clips)
