"""What is remembered, under which key, and what a kill between any two writes leaves behind."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent.controller import Controller
from agent.course import history
from agent.events import StepRecalled
from agent.memory import (
    Memory,
    RememberedComparer,
    RememberedCritic,
    RememberedGenerator,
    RememberedReasoner,
    RememberedRubric,
    aside,
)
from agent.run import Run
from agent.types import Step
from critic.types import Criterion, JudgeError, Rubric, WrittenRubric
from generator.delivery import deliver, slip_path
from generator.types import RenderError, Rendering
from reasoner.chat.types import Usage
from tests.parts import SPEC, Recorder, ScriptedComparer, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_run


class Parts:
    """Three scripted parts behind one memory."""

    def __init__(self, folder: Path, **generator: object) -> None:
        self.recorder = Recorder()
        self.memory = Memory(folder, self.recorder)
        self.reasoner = ScriptedReasoner()
        self.generator = ScriptedGenerator(**generator)  # type: ignore[arg-type]
        self.critic = ScriptedCritic(lambda prompt, seed: 0.5)

    async def refine(self, run: Run) -> Run:
        controller = Controller(
            reasoner=RememberedReasoner(self.reasoner, self.memory),
            generator=RememberedGenerator(self.generator, self.memory),
            critic=RememberedCritic(self.critic, self.memory),
            emit=self.recorder,
        )
        return await controller.refine(run)


async def test_running_again_does_nothing_again(tmp_path: Path) -> None:
    first = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=3))
    parts = Parts(tmp_path)
    second = await parts.refine(make_run(tmp_path, max_iterations=3))
    assert second == first
    assert (parts.reasoner.asked, parts.generator.started, parts.critic.judged) == ([], [], [])
    steps = [e.step for e in parts.recorder.events if isinstance(e, StepRecalled)]
    assert sorted(steps) == ["caption"] * 3 + ["judge"] * 6 + ["render"] * 6


async def test_a_moved_folder_is_recalled(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    await Parts(old).refine(make_run(old))
    old.rename(new)
    parts = Parts(new)
    run = await parts.refine(make_run(new))
    assert parts.generator.started == []
    assert all(c.clip.path.is_relative_to(new) and c.clip.path.exists() for c in run.candidates)


async def test_final_failures_are_recalled_until_forgotten(tmp_path: Path) -> None:
    first = await Parts(tmp_path, fails={10: RenderError("too dark")}).refine(make_run(tmp_path))
    parts = Parts(tmp_path)
    assert await parts.refine(make_run(tmp_path)) == first
    assert parts.generator.started == []

    assert Memory(tmp_path, Recorder()).forget_failures() == 2
    again = await parts.refine(make_run(tmp_path))
    assert [seed for _, seed in parts.generator.started] == [10, 10]
    assert [len(i.candidates) for i in again.iterations] == [2, 2]


async def test_other_errors_are_not_final(tmp_path: Path) -> None:
    await Parts(tmp_path, fails={10: ConnectionError("server gone")}).refine(make_run(tmp_path))
    parts = Parts(tmp_path)
    run = await parts.refine(make_run(tmp_path))
    assert [len(i.candidates) for i in run.iterations] == [2, 2]


async def test_recalled_failures_keep_their_type(tmp_path: Path) -> None:
    memory = Memory(tmp_path, Recorder())
    clip = tmp_path / "clip.mp4"
    clip.write_text("x|1")
    critic = RememberedCritic(ScriptedCritic(lambda prompt, seed: JudgeError("unreadable reply")), memory)
    for _ in range(2):
        with pytest.raises(JudgeError, match="unreadable reply"):
            await critic.judge(clip, "a boat", None)


@pytest.mark.parametrize("rendering", [None, Rendering(price_usd=0.4, render_seconds=2.5)])
async def test_recalled_failures_keep_what_they_cost(tmp_path: Path, rendering: Rendering | None) -> None:
    error = RenderError("5 frames were requested, found 4")
    error.rendering = rendering
    for session in range(2):
        parts = Parts(tmp_path, fails={10: error} if not session else {})
        run = await parts.refine(make_run(tmp_path, max_iterations=1))
        assert [f.rendering for f in run.iterations[0].failures] == [rendering]
        assert run.price.spent == (0.4 if rendering else 0.0)


@pytest.mark.parametrize("change", ["prompt", "seed", "spec", "generator"])
async def test_whatever_decides_a_render_is_in_its_key(tmp_path: Path, change: str) -> None:
    (tmp_path / "clips").mkdir()
    memory, inner = Memory(tmp_path, Recorder()), ScriptedGenerator()
    generator = RememberedGenerator(inner, memory)
    await generator.render("a", SPEC, seed=1, to=tmp_path / "clips/a.mp4")
    if change == "generator":
        inner.id = "scripted/2"
    prompt = "b" if change == "prompt" else "a"
    seed = 2 if change == "seed" else 1
    spec = SPEC.model_copy(update={"guidance_scale": 7.0}) if change == "spec" else SPEC
    await generator.render(prompt, spec, seed=seed, to=tmp_path / "clips/b.mp4")
    assert len(inner.started) == 2


async def test_the_first_frame_counts_by_content_and_not_by_place(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    one, two, other = (tmp_path / name for name in ("one.png", "two.png", "other.png"))
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    other.write_bytes(b"other")
    inner = ScriptedGenerator()
    generator = RememberedGenerator(inner, Memory(tmp_path, Recorder()))
    for frame in (one, two, other):
        spec = SPEC.model_copy(update={"first_frame": frame})
        await generator.render("a", spec, seed=1, to=tmp_path / f"clips/{frame.stem}.mp4")
    assert len(inner.finished) == 2


async def test_a_kill_before_the_rename_is_mended(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    run = await parts.refine(make_run(tmp_path, max_iterations=1))
    clip = run.candidates[0].clip.path
    clip.rename(aside(clip))  # as a kill between the record and the rename leaves it
    slip_path(aside(clip)).write_text("the clip's")
    parts = Parts(tmp_path)
    assert await parts.refine(make_run(tmp_path, max_iterations=1)) == run
    assert parts.generator.started == []
    assert clip.exists()
    assert not list(clip.parent.glob(".*"))


async def test_a_clip_without_a_record_is_rendered(tmp_path: Path) -> None:
    run = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=1))
    for record in (tmp_path / "memory").glob("render-*.json"):
        record.unlink()
    parts = Parts(tmp_path)
    assert await parts.refine(make_run(tmp_path, max_iterations=1)) == run
    assert len(parts.generator.started) == 2


@pytest.mark.parametrize("damage", ["changed", "deleted"])
async def test_a_clip_that_is_not_what_was_remembered_is_rendered_again(tmp_path: Path, damage: str) -> None:
    run = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=1))
    clip = run.candidates[0].clip.path
    if damage == "changed":
        clip.write_text("something else|10")
    else:
        clip.unlink()
    parts = Parts(tmp_path)
    assert await parts.refine(make_run(tmp_path, max_iterations=1)) == run
    assert [seed for _, seed in parts.generator.started] == [10]


@pytest.mark.parametrize("text", ["", "{", '{"value": {"seed": 1}}', "[]"])
async def test_a_damaged_record_is_not_believed(tmp_path: Path, text: str) -> None:
    run = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=1))
    for record in (tmp_path / "memory").glob("*.json"):
        record.write_text(text)
    parts = Parts(tmp_path)
    assert await parts.refine(make_run(tmp_path, max_iterations=1)) == run
    assert len(parts.generator.started) == 2


async def test_records_hold_no_absolute_path(tmp_path: Path) -> None:
    await Parts(tmp_path).refine(make_run(tmp_path))
    for record in (tmp_path / "memory").glob("*.json"):
        assert str(tmp_path) not in record.read_text()
        assert json.loads(record.read_text())["key"] in record.name


class Watched(Memory):
    """Notes which clips bear their own name when a record is written."""

    named: ClassVar[list[list[str]]] = []

    def _write(self, step: Step, key: str, record: dict[str, Any]) -> None:
        self.named.append([p.name for p in (self.folder / "clips").glob("[!.]*")])
        super()._write(step, key, record)


async def test_a_clip_bears_its_name_only_when_it_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    memory = Watched(tmp_path, Recorder())
    clip = await RememberedGenerator(ScriptedGenerator(), memory).render(
        "a", SPEC, seed=1, to=tmp_path / "clips" / "a.mp4"
    )
    assert memory.named == [[]]
    assert clip.path.exists()


async def test_a_clip_that_was_delivered_and_not_written_down_is_adopted(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    to = tmp_path / "clips" / "a.mp4"
    inner = ScriptedGenerator()
    clip = await inner.render("a", SPEC, seed=1, to=tmp_path / "clips" / "made")
    deliver(tmp_path / "clips" / "made", clip.model_copy(update={"path": aside(to)}), "a")
    generator = RememberedGenerator(inner, Memory(tmp_path, Recorder()))
    assert await generator.render("a", SPEC, seed=1, to=to) == clip.model_copy(update={"path": to})
    assert len(inner.started) == 1
    assert [p.name for p in (tmp_path / "clips").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("other", ["prompt", "seed", "spec", "id"])
async def test_another_requests_delivery_is_not_adopted(tmp_path: Path, other: str) -> None:
    (tmp_path / "clips").mkdir()
    to = tmp_path / "clips" / "a.mp4"
    inner = ScriptedGenerator()
    clip = await inner.render("a", SPEC, seed=1, to=tmp_path / "clips" / "made")
    deliver(tmp_path / "clips" / "made", clip.model_copy(update={"path": aside(to)}), "a")
    inner.id = "scripted/2" if other == "id" else inner.id
    spec = SPEC.model_copy(update={"fps": 12}) if other == "spec" else SPEC
    prompt, seed = "b" if other == "prompt" else "a", 2 if other == "seed" else 1
    await RememberedGenerator(inner, Memory(tmp_path, Recorder())).render(prompt, spec, seed=seed, to=to)
    assert len(inner.started) == 2


@pytest.mark.parametrize("record", ['{"failure": 5}', '{"failure": {"type": "Odd", "message": "x"}}', "[" * 5000])
async def test_an_odd_record_is_not_believed(tmp_path: Path, record: str) -> None:
    run = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=1))
    for path in (tmp_path / "memory").glob("*.json"):
        path.write_text(record)
    assert await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=1)) == run


async def test_whatever_decides_a_critique_is_in_its_key(tmp_path: Path) -> None:
    clips = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    frames = [tmp_path / "a.png", tmp_path / "b.png"]
    for number, path in enumerate((*clips, *frames)):
        path.write_text(f"{number}|1")
    inner = ScriptedCritic(lambda prompt, seed: 0.5)
    critic = RememberedCritic(inner, Memory(tmp_path, Recorder()))
    asked = [(clips[0], "x", None), (clips[1], "x", None), (clips[0], "y", None), (clips[0], "x", frames[0])]
    asked += [(clips[0], "x", frames[1])]
    for clip, prompt, frame in [*asked, *asked]:
        await critic.judge(clip, prompt, frame)
    assert len(inner.judged) == 5


async def test_whatever_decides_a_comparison_is_in_its_key(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4", "a.png", "b.png")]
    for path in paths:
        path.write_text(path.name)
    a, b, c, frame, other = paths
    asked = [(a, b, "x", None), (b, a, "x", None), (a, c, "x", None), (a, b, "y", None), (a, b, "x", frame)]
    asked += [(a, b, "x", other)]
    inner = ScriptedComparer(lambda first, second: 0.9 if first < second else 0.1)
    found = []
    for _ in range(2):  # another session
        comparer = RememberedComparer(inner, Memory(tmp_path, Recorder()))
        found.append([await comparer.compare(*pair) for pair in asked])
    assert len(inner.compared) == 6
    assert found[0] == found[1]
    assert [c.outcome for c in found[0]] == ["first", "second", "first", "first", "first", "first"]
    inner.id = "scripted/2"
    await RememberedComparer(inner, Memory(tmp_path, Recorder())).compare(*asked[0])
    assert len(inner.compared) == 7


async def test_a_moved_clip_is_not_compared_again_and_a_failure_is_final(tmp_path: Path) -> None:
    one, two, moved = (tmp_path / name for name in ("one.mp4", "two.mp4", "moved.mp4"))
    for path in (one, two):
        path.write_text(path.stem)
    recorder = Recorder()
    inner = ScriptedComparer(lambda first, second: JudgeError("unreadable reply"))
    comparer = RememberedComparer(inner, Memory(tmp_path, recorder))
    with pytest.raises(JudgeError, match="unreadable reply"):
        await comparer.compare(one, two, "x", None)
    one.rename(moved)
    with pytest.raises(JudgeError, match="unreadable reply"):
        await comparer.compare(moved, two, "x", None)
    assert len(inner.compared) == 1
    assert [e.step for e in recorder.events if isinstance(e, StepRecalled)] == ["compare"]


async def test_whatever_decides_a_rewrite_is_in_its_key(tmp_path: Path) -> None:
    run = await Parts(tmp_path).refine(make_run(tmp_path, max_iterations=2))
    inner = ScriptedReasoner()
    reasoner = RememberedReasoner(inner, Memory(tmp_path, Recorder()))
    request, told = run.request.caption_request(), history(run).revisions
    slower = [r.model_copy(update={"caption": r.caption.model_copy(update={"seconds": 9.0})}) for r in told]
    await reasoner.rewrite(request, told, 0)
    await reasoner.rewrite(request, slower, 0)
    assert len(inner.asked) == 1
    await reasoner.rewrite(request, told, 1)
    await reasoner.rewrite(request.model_copy(update={"prompt": "other"}), told, 0)
    assert len(inner.asked) == 3


async def test_half_written_files_are_cleaned_away(tmp_path: Path) -> None:
    await Parts(tmp_path).refine(make_run(tmp_path))
    (tmp_path / "posters").mkdir()
    before = sorted(tmp_path.rglob("*"))
    slip = "clips/.unremembered-01-seed-7.mp4.slip"  # of a clip that was renamed in the moment of the kill
    halves = (".report.html.12.tmp", ".run.json.12.tmp", "memory/.judge-x.json.12.tmp", "posters/.01-seed-7.jpg.12.tmp")
    for name in (
        slip,
        *halves,
        "clips/..unremembered-01-seed-9.mp4.part",
    ):  # the last, of a render that is given up now
        (tmp_path / name).write_text("half")
    Memory(tmp_path, Recorder()).clean()
    assert sorted(tmp_path.rglob("*")) == before


class ScriptedRubrics:
    """Writes one question, and counts how often it was asked to."""

    def __init__(self, id: str = "scripted/1") -> None:  # noqa: A002 - the Protocol's name
        self.id = id
        self.written = 0

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        self.written += 1
        question = Criterion(name=f"q{self.written}", title="q", axis="adherence", definition=f"Is it {prompt}?")
        return WrittenRubric(
            rubric=Rubric(name="scripted", version=1, criteria=(question,)), by=self.id, usage=Usage(calls=1)
        )


async def test_a_request_is_asked_the_same_questions_after_a_kill(tmp_path: Path) -> None:
    memory = Memory(tmp_path, Recorder())
    frame = tmp_path / "frame.png"
    frame.write_bytes(b"one")
    first = await RememberedRubric(ScriptedRubrics(), memory).write("a boat", frame)
    assert first.usage.calls == 1
    later = ScriptedRubrics(id="another/1")
    remembered = RememberedRubric(later, memory)
    again = await remembered.write("a boat", frame)
    assert (again.rubric, later.written) == (first.rubric, 0)
    assert again.usage.calls == 0, "what writing it took was counted in the first session"
    assert again.notes == ("The questions are those that this run began with, by scripted/1.",)
    for prompt, image in (("a car", frame), ("a boat", None)):
        await remembered.write(prompt, image)
    frame.write_bytes(b"two")
    await remembered.write("a boat", frame)
    assert later.written == 3


async def test_critics_that_share_a_memory_ask_their_own_questions(tmp_path: Path) -> None:
    memory = Memory(tmp_path, Recorder(), shared=True)
    one, other = ScriptedRubrics(), ScriptedRubrics(id="another/1")
    first = await RememberedRubric(one, memory).write("a boat", None)
    second = await RememberedRubric(other, memory).write("a boat", None)
    again = await RememberedRubric(one, memory).write("a boat", None)
    assert (first.by, second.by) == ("scripted/1", "another/1")
    assert (again.rubric, one.written) == (first.rubric, 1)
    assert other.written == 1


async def test_what_is_done_takes_no_memory(tmp_path: Path) -> None:
    memory = Memory(tmp_path, Recorder())
    critic = RememberedCritic(ScriptedCritic(lambda prompt, seed: 0.5), memory)
    (tmp_path / "clip").write_text("a boat|1")
    for prompt in "abc":
        await critic.judge(tmp_path / "clip", prompt, None)
    assert len(memory._turns) == 0
