"""A run's folder: made whole, written down as it happens, read back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent import journal
from agent.config import RunConfig
from agent.errors import RunFolderError, StorageError
from agent.events import CandidateReady, CaptionReady, RunFinished, RunStarted, ServerReady, ServerWaiting, StepRecalled
from agent.journal import Journal
from agent.reading import load_config
from agent.run import Run
from agent.types import Candidate, Ending
from generator.types import Clip, Effective
from reasoner.types import Caption
from tests.parts import SPEC, make_critique, make_run


def fresh(folder: Path) -> Run:
    with TemporaryDirectory() as elsewhere:
        return make_run(Path(elsewhere)).model_copy(update={"folder": folder, "id": folder.name})


def test_a_folder_is_made_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er" / "run"
    journal.create(folder, RunConfig(), fresh(folder), {"first_frame.png": b"png"})
    assert sorted(p.name for p in folder.iterdir()) == ["clips", "config.yaml", "first_frame.png", "run.json"]
    assert journal.load(folder) == fresh(folder)
    # its image is its own
    (folder / "config.yaml").write_text("request: {image: first_frame.png}")
    assert load_config(folder / "config.yaml").request.image == str(folder / "first_frame.png")


def test_nothing_is_left_of_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="is a file"):
        journal.create(tmp_path / "file" / "run", RunConfig(), fresh(tmp_path / "file" / "run"), {})
    long = tmp_path / "deep" / ("x" * 300)
    with pytest.raises(StorageError, match="making the run folder"):
        journal.create(long, RunConfig(), fresh(long), {})
    with pytest.raises(RunFolderError, match="not empty"):
        journal.create(tmp_path / "file", RunConfig(), fresh(tmp_path / "file"), {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_empty_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    journal.create(tmp_path / "run", RunConfig(), fresh(tmp_path / "run"), {})
    assert (tmp_path / "run" / "run.json").exists()


def test_a_folder_with_a_run_names_the_cure(tmp_path: Path) -> None:
    journal.create(tmp_path / "run", RunConfig(), fresh(tmp_path / "run"), {})
    with pytest.raises(RunFolderError, match=f"--resume {tmp_path / 'run'}"):
        journal.create(tmp_path / "run", RunConfig(), fresh(tmp_path / "run"), {})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 3}'])
def test_a_damaged_run_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match="is damaged"):
        journal.load(tmp_path)


def test_one_writer(tmp_path: Path) -> None:
    with (
        journal.only_writer(tmp_path),
        pytest.raises(RunFolderError, match="another process"),
        journal.only_writer(tmp_path),
    ):
        pass
    with journal.only_writer(tmp_path):
        pass


def test_the_run_is_on_disk_after_every_candidate(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    diary = Journal(run)
    diary(RunStarted(run=run))
    diary(CaptionReady(iteration=0, caption=Caption(prompt="c", source="raw", reasoner="r"), seeds=(10, 11)))
    effective = Effective(width=320, height=192, num_frames=9, fps=24, codec="h264")
    clip = Clip(path=run.clip_path(0, 10), seed=10, spec=SPEC, effective=effective, seconds=1, generator="g")
    diary(CandidateReady(iteration=0, candidate=Candidate(clip=clip, critique=make_critique(0.5))))
    assert journal.load(tmp_path) == diary.run
    assert journal.load(tmp_path).score == 0.5
    diary(StepRecalled(step="judge", key="k"))
    diary(RunFinished(ending=Ending(reason="cancelled")))
    assert journal.load(tmp_path).stop_reason == "cancelled"
    types = [json.loads(line)["type"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert types == ["run_started", "caption_ready", "candidate_ready", "step_recalled", "run_finished"]


def test_seconds_of_earlier_sessions_add_up_without_the_pause_between(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    diary = Journal(run)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    for start, end in ((0, 7), (100, 105)):
        diary(RunStarted(run=run, at=at + timedelta(seconds=start)))
        diary(StepRecalled(step="judge", key="k", at=at + timedelta(seconds=end)))
    assert Journal(run).seconds_spent() == 12.0


def test_a_prompt_with_separators_of_its_own_is_one_line(tmp_path: Path) -> None:
    run = fresh(tmp_path)
    odd = run.model_copy(update={"request": run.request.model_copy(update={"prompt": "one\u2028two\x85three"})})
    Journal(odd)(RunStarted(run=odd))
    (event,) = journal.read_events(tmp_path)
    assert isinstance(event, RunStarted)
    assert event.run.request.prompt == "one\u2028two\x85three"


def test_a_line_cut_off_by_a_kill_is_skipped(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    Journal(run)(RunStarted(run=run))
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"type": "run_fin')
    assert [e.type for e in journal.read_events(tmp_path)] == ["run_started"]


@pytest.mark.parametrize(
    ("prompt", "start"),
    [
        ("A red Car, fast!", "20260102-030405-a-red-car-fast-"),
        ("../../etc/passwd", "20260102-030405-etc-passwd-"),
        ("雪の山", "20260102-030405-"),
        ("x" * 500, "20260102-030405-" + "x" * 40 + "-"),
    ],
)
def test_ids_are_safe_names(prompt: str, start: str) -> None:
    name = journal.new_id(prompt, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert name.startswith(start)
    assert len(name) == len(start) + 4
    assert name.replace("-", "").isalnum()


def test_servers_are_waited_for_before_a_session_starts(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    at = datetime(2026, 1, 2, tzinfo=UTC)

    def seconds(n: float) -> datetime:
        return at + timedelta(seconds=n)

    for start in (0, 1000):
        diary = Journal(run)  # a session each
        diary(ServerWaiting(part="reasoner", seconds=1, line="Loading", at=seconds(start)))
        ready = ServerReady(part="reasoner", url="http://127.0.0.1:1", model="m", at=seconds(start + 50))
        diary(ready)
        diary(RunStarted(run=run, at=seconds(start + 60)))
        diary(StepRecalled(step="judge", key="k", at=seconds(start + 67)))
    assert [e.type for e in journal.read_events(tmp_path)] == 2 * [
        "server_waiting",
        "server_ready",
        "run_started",
        "step_recalled",
    ]
    assert ready in journal.read_events(tmp_path)
    assert Journal(run).seconds_spent() == 14.0, "neither the waits nor the pause between"
    (tmp_path / "run.json").write_text("{")
    assert journal.load(tmp_path) == run


def test_a_server_after_a_line_cut_off_by_a_kill_is_not_swallowed(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    Journal(run)(RunStarted(run=run))
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"type": "run_fin')
    diary = Journal(run)
    diary(ServerWaiting(part="critic", seconds=0))
    diary(RunStarted(run=run))
    assert [e.type for e in journal.read_events(tmp_path)] == ["run_started", "server_waiting", "run_started"]
