"""`retake run` from outside: files, lines, JSON and exit codes."""

import json
import resource
import shlex
import signal
import subprocess
from pathlib import Path
from statistics import median

import av
import pytest
import yaml
from PIL import Image

from agent.cli import main
from tests.e2e.process import SMALL, command, environment, leaves, retake, start, stop, wait_for

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
KEYS = ["run_dir", "video", "score", "accepted", "stop_reason", "iterations", "renders", "seed", "prompt"]
KEYS += ["tier", "drafts", "choice", "critic_auc", "critic_trusted"]
KEYS += ["calibrated", "threshold", "precision_at_least", "needs_human"]


def test_the_main_job(tmp_path: Path) -> None:
    done = retake("run", QUICKSTART, *SMALL, "-s", "critic.accept_at=null", "--out", tmp_path / "run", "--json")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert list(facts) == KEYS
    assert len(done.out.splitlines()) == 1
    assert (facts["iterations"], facts["renders"], facts["stop_reason"]) == (2, 4, "iterations")
    assert facts["run_dir"] == str(tmp_path / "run")
    assert [facts[key] for key in KEYS[-9:]] == ["target", 0, None, None, True, False, None, None, False]
    with av.open(facts["video"]) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 320, 192)
        assert sum(1 for _ in video.decode(stream)) == 9

    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [len(i["candidates"]) for i in run["iterations"]] == [2, 2]
    assert run["iterations"][0]["caption"]["source"] == "upsample"
    assert all(c["critique"]["scores"] for i in run["iterations"] for c in i["candidates"])
    assert max(c["critique"]["overall"] for i in run["iterations"] for c in i["candidates"]) == facts["score"]
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["type"] for event in events[:2]] == ["run_started", "forecast_made"]
    assert events[1]["forecast"] == run["forecast"]
    assert [event["type"] for event in events[-3:]] == ["run_finished", "export_started", "video_exported"]
    files = leaves(tmp_path / "run")
    assert {"config.yaml", "run.json", "events.jsonl", "report.html"} <= set(files)
    assert {"video.mp4", "poster.jpg", "thumbnail.jpg"} <= set(files)
    assert len([f for f in files if f.startswith("clips/") and f.endswith(".mp4")]) == 4
    assert not [f for f in files if "unremembered" in f or f.endswith(".tmp")]

    planned = retake("plan", QUICKSTART, *SMALL, "-s", f"output.dir={tmp_path}", "--json")
    (place,) = json.loads(planned.out)["places"]
    took = [c["clip"]["seconds"] for i in run["iterations"] for c in i["candidates"]]
    assert place["seconds_per_render"] == {"expected": pytest.approx(median(took)), "worst": max(took)}
    assert place["basis"] == "4 renders of earlier runs by animatic/1"
    assert run["forecast"]["places"][0]["basis"] == "measured by the benchmark"


@pytest.mark.thorough
def test_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    done = retake(
        "run",
        QUICKSTART,
        *SMALL,
        "-s",
        "budget.max_iterations=1",
        "--out",
        tmp_path / "run",
        "-s",
        "request.size=640x360",
    )
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == f"Run {tmp_path / 'run'}"
    assert any("Note: Size 640x360 was snapped to" in line for line in lines)
    assert any(line.startswith("Iteration 1 of 1") for line in lines)
    assert sum("lowest:" in line for line in lines) == 2
    assert lines[-1].startswith("report ")
    assert sum(line.startswith("Forecast: 2 renders, ") for line in lines[:4]) == 1
    assert lines[-2].startswith("spent ")
    assert lines[-3].startswith("video ")
    assert "uncalibrated" in lines[-4]
    assert "\x1b" not in done.out


@pytest.mark.thorough
def test_quiet_says_only_the_verdict(tmp_path: Path) -> None:
    done = retake("run", QUICKSTART, *SMALL, "-s", "budget.max_iterations=1", "--out", tmp_path / "run", "--quiet")
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["rules", "score", "video", "spent", "report"]


@pytest.mark.thorough
def test_an_image_starts_the_clip_and_the_folder_keeps_it(tmp_path: Path) -> None:
    Image.effect_mandelbrot((400, 300), (-2, -1, 1, 1), 60).convert("RGB").save(tmp_path / "photo.jpg")
    args = [
        "--prompt",
        "The camera pans right.",
        "--image",
        "photo.jpg",
        "--out",
        "run",
        "-s",
        "budget.max_iterations=1",
    ]
    done = retake("run", QUICKSTART, *SMALL, *args, "--json", cwd=tmp_path)
    assert done.code == 0
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert config["request"]["image"] == "first_frame.png"
    with Image.open(tmp_path / "run/first_frame.png") as frame:
        assert frame.size == (320, 192)
    run = json.loads((tmp_path / "run/run.json").read_text())
    assert run["request"]["spec"]["first_frame"] == "first_frame.png"
    names = [s["criterion"] for s in run["iterations"][0]["candidates"][0]["critique"]["scores"]]
    assert "first_frame" in names

    (tmp_path / "photo.jpg").unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    again = retake("run", "--resume", tmp_path / "moved", "--json")
    assert again.code == 0
    assert json.loads(again.out)["score"] == json.loads(done.out)["score"]

    # finished, it needs its image no more; to go on it does, and without its config nobody knows how
    (tmp_path / "moved" / "first_frame.png").rename(tmp_path / "frame")
    assert retake("run", "--resume", tmp_path / "moved", "--json").out == again.out
    config = tmp_path / "moved" / "config.yaml"
    config.write_text(config.read_text().replace("max_iterations: 1", "max_iterations: 2"))
    gone = retake("run", "--resume", tmp_path / "moved")
    assert (gone.code, "first_frame.png is gone or another" in gone.err) == (2, True)
    Image.new("RGB", (320, 192), "red").save(tmp_path / "moved" / "first_frame.png")
    other = retake("run", "--resume", tmp_path / "moved")
    assert (other.code, "first_frame.png is gone or another" in other.err) == (2, True)
    (tmp_path / "frame").rename(tmp_path / "moved" / "first_frame.png")
    assert json.loads(retake("run", "--resume", tmp_path / "moved", "--json").out)["iterations"] == 2
    config.unlink()
    lost = retake("run", "--resume", tmp_path / "moved")
    assert (lost.code, "config.yaml is gone" in lost.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "nowhere.yaml"], "there is no such config file"),
        (["run", QUICKSTART, "-s", "budget.max_iteration=3"], "did you mean max_iterations"),
        (["run", QUICKSTART, "--prompt", ""], "request.prompt: is empty"),
        (["run", QUICKSTART, "--prompt", "x" * 20_001], "at most 20,000"),
        (["run", QUICKSTART, "--image", "nowhere.png"], "request.image"),
        (["run", QUICKSTART, "-s", "request.num_frames=999"], "request.num_frames"),
        (["run", QUICKSTART, "-s", "request.seed=-1"], "request.seed"),
        (["run", QUICKSTART, "-s", f"request.seed={'9' * 5000}"], "-s request.seed: input should be a valid integer"),
        (["run", QUICKSTART, "--prompt", "\u200b\u200b"], "request.prompt: is empty"),
        (["run", QUICKSTART, "--prompt", '{"subjects": ['], "begins like a JSON caption and is no JSON"),
        (["run", QUICKSTART, "--out", "~nosuchuser/x"], "--out: '~nosuchuser/x' cannot be a path"),
        (["run", QUICKSTART, "--out", "x" * 300], "cannot be a path: File name too long"),
        (["run", "~nosuchuser/c.yaml"], "cannot be a path"),
        (["run", QUICKSTART, "--retry-failed"], "--retry-failed goes with --resume"),
        (["run", QUICKSTART, "-s", "generator.backend=cosmos3"], "this version has 'animatic'"),
        (["run", "--resume", "."], "is not a run folder"),
        (["run", QUICKSTART, "--resume", "."], "leave out CONFIG"),
        (["report", "."], "is not a run folder"),
        (["run", "--nonsense"], "unrecognized arguments"),
        (["dance"], "invalid choice"),
    ],
)
def test_wrong_input_is_a_sentence_and_leaves_nothing(
    tmp_path: Path,
    args: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = ["-s", "output.dir=runs"] if args[0] == "run" and "--resume" not in args else []
    try:
        code: object = main([*map(str, args), *inside])
    except SystemExit as ended:  # as argparse leaves
        code = ended.code
    assert code == 2
    assert words in capsys.readouterr().err
    assert leaves(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_wrong_input_in_json(tmp_path: Path) -> None:
    done = retake("run", QUICKSTART, "-s", "request.seed=-1", "--json", cwd=tmp_path)
    assert done.code == 2
    assert "request.seed" in json.loads(done.out)["error"]


def test_a_taken_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    done = retake("run", QUICKSTART, *SMALL, "--out", tmp_path / "run")
    assert (done.code, leaves(tmp_path)) == (2, ["run/mine.txt"])
    assert "not empty" in done.err


def test_an_unwritable_folder(tmp_path: Path) -> None:
    # /proc takes no folder from anybody, root included
    done = retake("run", QUICKSTART, *SMALL, "--out", "/proc/retake/run")
    assert done.code == 1
    assert "making the run folder /proc/retake/run" in done.err
    assert "Traceback" not in done.err


@pytest.mark.thorough
def test_a_disk_that_fills_up_keeps_what_was_done(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    folder = tmp_path / "run"
    done = retake("run", QUICKSTART, *SMALL, "-s", "critic.accept_at=null", "--out", folder, preexec=limit)
    assert done.code == 1
    assert "retake: " in done.err
    assert "Traceback" not in done.err
    assert f" run --resume {folder}" in done.err
    assert json.loads((folder / "run.json").read_text())["id"] == "run"
    assert not [f for f in leaves(folder) if f.endswith(".tmp")]

    again = retake("run", "--resume", folder, "--json")
    assert again.code == 0
    assert json.loads(again.out)["renders"] == 4


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.thorough)]
)
def test_an_interrupt_is_clean_and_can_be_resumed(tmp_path: Path, how: signal.Signals, code: int) -> None:
    log, folder = tmp_path / "log", tmp_path / "run"
    args: list[str | Path] = [
        "run",
        QUICKSTART,
        *SMALL,
        "-s",
        "budget.max_iterations=30",
        "-s",
        "critic.accept_at=null",
    ]
    process = start(*args, "--out", folder, log=log)
    wait_for(log, "Iteration 2 of 30", process)
    assert stop(process, how) == code
    text = log.read_text()
    assert "Traceback" not in text
    assert "Interrupted. The best clip so far scores" in text
    assert f" run --resume {folder}" in text
    run = json.loads((folder / "run.json").read_text())
    assert run["ending"]["reason"] == "cancelled"
    assert len(run["iterations"][0]["candidates"]) == 2
    assert not [f for f in leaves(folder) if "unremembered" in f or f.endswith(".tmp")]

    more = len(run["iterations"]) + 1
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("max_iterations: 30", f"max_iterations: {more}"))
    done = retake("run", "--resume", folder, "--json")
    assert done.code == 0
    assert json.loads(done.out)["iterations"] == more


@pytest.mark.thorough
def test_one_writer_a_run(tmp_path: Path) -> None:
    log, folder = tmp_path / "log", tmp_path / "run"
    process = start(
        "run",
        QUICKSTART,
        *SMALL,
        "-s",
        "budget.max_iterations=50",
        "-s",
        "critic.accept_at=null",
        "--out",
        folder,
        log=log,
    )
    try:
        wait_for(log, "Iteration 1 of 50", process)
        process.send_signal(signal.SIGSTOP)  # so that it is not over before the other one has come
        done = retake("run", "--resume", folder)
        assert done.code == 2
        assert "another process is working on this run" in done.err
    finally:
        process.send_signal(signal.SIGCONT)
        stop(process, signal.SIGINT)


def test_a_finished_run_is_not_done_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = retake("run", QUICKSTART, *SMALL, "--out", folder, "--json")
    before = {
        p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name not in {"report.html", ".lock"}
    }
    again = retake("run", "--resume", folder, "--json")
    assert (again.code, again.out) == (0, first.out)
    assert before == {p: p.stat().st_mtime_ns for p in before}


@pytest.mark.thorough
def test_another_request_is_refused_on_resume(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert retake("run", QUICKSTART, *SMALL, "-s", "budget.max_iterations=1", "--out", folder).code == 0
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    config = folder / "config.yaml"
    changed = config.read_text().replace("sailing boat", "tractor")
    config.write_text(changed)
    done = retake("run", "--resume", folder)
    assert done.code == 2
    assert "request.prompt is not what this run was begun with" in done.err
    assert {**before, config: changed.encode()} == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.thorough
@pytest.mark.parametrize("damage", [b"", b"xx"])
def test_a_finished_run_whose_clip_is_lost_is_mended(tmp_path: Path, damage: bytes) -> None:
    folder = tmp_path / "run"
    first = retake("run", QUICKSTART, *SMALL, "--out", folder, "--json")
    video = Path(json.loads(first.out)["video"])
    clip = folder / json.loads((folder / "run.json").read_text())["export"]["clip"]
    whole = {path: path.read_bytes() for path in (clip, video)}
    for path in whole:
        path.unlink()
        if damage:
            path.write_bytes(damage)
    again = retake("run", "--resume", folder, "--json")
    assert (again.code, json.loads(again.out)) == (0, json.loads(first.out))
    assert {path: path.read_bytes() for path in whole} == whole


@pytest.mark.thorough
def test_a_reader_that_leaves_early_disturbs_nothing(tmp_path: Path) -> None:
    line = shlex.join(command("run", QUICKSTART, *SMALL, "--out", tmp_path / "run")) + " | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=environment())
    assert done.stdout == f"Run {tmp_path / 'run'}\n"
    assert done.stderr == ""
    assert json.loads((tmp_path / "run" / "run.json").read_text())["result"]["stop_reason"] in {
        "accepted",
        "iterations",
    }


def test_nothing_could_be_rendered(tmp_path: Path) -> None:
    done = retake("run", QUICKSTART, *SMALL, "-s", "budget.max_seconds=0.01", "--out", tmp_path / "run", "--json")
    assert done.code == 3
    facts = json.loads(done.out)
    assert (facts["video"], facts["score"], facts["stop_reason"]) == (None, None, "deadline")
    assert "nothing could be rendered" in done.err
    assert (tmp_path / "run/report.html").exists()
