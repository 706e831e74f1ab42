"""The chosen clip handed over: in the form that was asked for, once, and again when that changes."""

import asyncio
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from agent import ConfigError, Run, refine_and_generate, resume
from agent.api import refine_and_generate_async
from agent.events import Event, RenderStarted, RunFinished
from agent.journal import load
from generator.probe import probe
from tests.e2e.process import SMALL, retake
from tests.parts import Recorder

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


def config(**output: object) -> dict[str, Any]:
    """A run of one small clip."""
    return {
        "request": {
            "prompt": "A sailing boat on a lake. The camera pans right.",
            "size": "320x192",
            "num_frames": 9,
            "num_inference_steps": 20,
            "seed": 7,
        },
        "budget": {"max_iterations": 1, "samples_per_iteration": 1},
        "output": output,
    }


def clips(run: Run) -> dict[str, str]:
    """What lies in clips/, by name and content."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (run.folder / "clips").glob("*.mp4")}


def ask(run: Run, **output: object) -> None:
    """Change the output section of a run's config."""
    path = run.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["output"].update(output)
    path.write_text(yaml.safe_dump(settings))


def names(run: Run) -> set[str]:
    """The files that an export leaves."""
    return {p.name for p in run.folder.iterdir() if p.name.startswith((".video", "video", ".poster", ".thumb"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with nothing asked of its output. Not to be written to."""
    return refine_and_generate(config=config(), out=tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy of it."""
    shutil.copytree(finished.folder, tmp_path / "run")
    return load(tmp_path / "run")


def test_by_default_the_chosen_clip_is_copied(finished: Run) -> None:
    export, best = finished.export, finished.best
    assert export is not None
    assert best is not None
    assert finished.video == finished.folder / "video.mp4" == export.path
    assert (export.copied, export.seed, export.iteration, export.clip) == (True, best.seed, 0, best.clip.path)
    assert export.effective == best.clip.effective == probe(export.path)
    data = export.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with Image.open(finished.folder / "poster.jpg") as poster, Image.open(finished.folder / "thumbnail.jpg") as small:
        assert (poster.size, small.size) == ((320, 192), (320, 192))
    facts = json.loads((finished.folder / "run.json").read_text())
    assert facts["result"]["video"] == "video.mp4"
    assert facts["export"]["path"] == "video.mp4"
    assert facts["export"]["clip"] == f"clips/{best.clip.path.name}"
    assert str(finished.folder) not in json.dumps(facts["export"])
    assert load(finished.folder) == finished


@pytest.mark.thorough
def test_the_command_line_asks_for_another_form(tmp_path: Path) -> None:
    asked = {"format": "webm", "quality": "low", "export_fps": "48", "interpolation": "flow"}
    overrides = [part for key, value in asked.items() for part in ("-s", f"output.{key}={value}")]
    one = ("-s", "budget.max_iterations=1", "-s", "budget.samples_per_iteration=1")
    done = retake("run", QUICKSTART, *SMALL, *one, *overrides, "--out", tmp_path / "run")
    assert (done.code, done.err) == (0, "")
    video = tmp_path / "run" / "video.webm"
    lines = done.out.splitlines()
    assert "Exporting the chosen clip as webm" in lines
    assert f"video    {video}" in lines
    found = probe(video)
    assert (found.codec, found.num_frames, found.fps) == ("vp9", 18, 48.0)
    run = load(tmp_path / "run")
    assert run.export is not None
    assert run.export.interpolation_psnr_db is not None
    assert run.best is not None
    assert run.best.clip.path.suffix == ".mp4"
    assert probe(run.best.clip.path).num_frames == 9  # what was judged stays


def test_a_finished_run_with_its_video_is_left_as_it_is(run: Run) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")}
    told = Recorder()
    assert resume(run.folder, told) == run
    assert told.events == []
    assert {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")} == before


def test_another_form_is_made_of_the_same_clip(run: Run) -> None:
    before, spent = clips(run), run.seconds
    ask(run, format="gif", quality="low")
    told = Recorder()
    again = resume(run.folder, told)
    assert told.types() == ["export_started", "video_exported"]
    assert again.video == run.folder / "video.gif"
    assert names(run) == {"video.gif"}  # nothing is left of the other form
    assert (clips(run), again.seconds, again.ending) == (before, spent, run.ending)
    assert load(run.folder) == again
    assert any("8 frames a second" in note for note in again.notes)


@pytest.mark.parametrize("lost", ["video.mp4", "poster.jpg", "thumbnail.jpg"])
def test_a_lost_file_is_made_again(run: Run, lost: str) -> None:
    whole = (run.folder / lost).read_bytes()
    (run.folder / lost).unlink()
    assert resume(run.folder).video == run.video
    assert (run.folder / lost).read_bytes() == whole


def test_a_damaged_video_is_made_again(run: Run) -> None:
    video = run.folder / "video.mp4"
    whole = video.read_bytes()
    video.write_bytes(whole[:100])
    (run.folder / ".video.webm.part").write_bytes(b"of a killed export")
    resume(run.folder)
    assert video.read_bytes() == whole
    assert names(run) == {"video.mp4"}


def test_a_run_killed_before_its_export_gets_it(run: Run) -> None:
    lines = (run.folder / "events.jsonl").read_text().splitlines(keepends=True)
    assert '"video_exported"' in lines[-1]
    (run.folder / "events.jsonl").write_text("".join(lines[:-1]))
    facts = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps({**facts, "export": None}))
    (run.folder / "video.mp4").unlink()
    killed = load(run.folder)
    assert killed.best is not None
    assert killed.video == killed.best.clip.path
    told = Recorder()
    again = resume(run.folder, told)
    assert again.video == run.folder / "video.mp4"
    assert told.types() == ["export_started", "video_exported"]


def test_an_export_made_long_after_is_no_time_of_the_run(run: Run) -> None:
    from agent.journal import Journal

    spent = Journal(run).seconds_spent()
    ask(run, quality="low")
    resume(run.folder)
    assert Journal(run).seconds_spent() == spent


def test_going_on_exports_what_is_chosen_then(run: Run) -> None:
    path = run.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["budget"]["samples_per_iteration"] = 3
    settings["critic"]["accept_at"] = None
    path.write_text(yaml.safe_dump(settings))
    told = Recorder()
    again = resume(run.folder, told)
    assert again.best is not None
    assert again.export is not None
    assert sum(isinstance(e, RenderStarted) for e in told.events) == 2
    assert again.export.clip == again.best.clip.path
    assert again.video == run.folder / "video.mp4"
    assert (told.types().count("video_exported") == 1) is (again.export != run.export)


def test_an_export_that_fails_costs_the_run_nothing(run: Run) -> None:
    ask(run, format="webm")
    (run.folder / "video.webm").mkdir()
    told = Recorder()
    again = resume(run.folder, told)
    assert told.types() == ["export_started", "export_failed"]
    assert again.best is not None
    assert again.video == again.best.clip.path
    (note,) = (note for note in again.notes if "exporting the chosen clip as webm" in note)
    assert note.endswith("The video is the clip as it was rendered.")
    assert not [name for name in names(run) if name.endswith(".part")]
    assert load(run.folder) == again
    assert "exporting the chosen clip as webm" in (run.folder / "report.html").read_text()

    (run.folder / "video.webm").rmdir()
    mended = resume(run.folder)
    assert mended.video == run.folder / "video.webm"
    assert names(run) == {"video.webm"}
    assert not any("exporting" in note for note in mended.notes)


async def test_a_cancelled_export_leaves_the_run_finished(tmp_path: Path) -> None:
    task: asyncio.Task[Run]

    def listen(event: Event) -> None:
        if isinstance(event, RunFinished):
            asyncio.get_running_loop().call_soon(task.cancel)

    settings = config(format="mov", quality="maximum", export_fps=192, interpolation="flow")
    task = asyncio.create_task(refine_and_generate_async(config=settings, out=tmp_path / "run", on_event=listen))
    with pytest.raises(asyncio.CancelledError):
        await task
    run = load(tmp_path / "run")
    assert run.stop_reason in {"iterations", "accepted"}
    assert run.export is None
    assert names(run) == set()


def test_a_rate_that_no_export_gives_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"output\.export_fps: 200 .* at most 192"):
        refine_and_generate(config=config(export_fps=200), out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_flow_without_a_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"output\.interpolation: flow makes frames for a higher rate"):
        refine_and_generate(config=config(interpolation="flow"), out=tmp_path / "run")
