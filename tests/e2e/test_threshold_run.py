"""A run that stops at a threshold that people stand behind, from outside: the command, its folder, its exit codes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent import refine_and_generate_async, resume_async
from agent.building import foretold
from agent.cli import main
from agent.errors import ConfigError
from agent.files import file_hash
from agent.journal import load
from agent.marks import Mark, append
from agent.reading import load_config
from agent.types import Entrant
from critic.instrument import Instrument
from critic.threshold import read
from tests.e2e.process import SMALL, retake
from tests.seeing import seeing
from tests.thresholds import threshold, write
from tests.wire import Wire

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
WORTH = "at or above which people take at least 80% (95% confidence: 46 of 48 labelled clips)"
OTHER = Instrument(critic="vlm/1", model="some-model", rubric="signals/1")
DIFFERS = "critic: vlm/1 there, signals/1 here; model: some-model there, none here"
ONE = [*SMALL, "-s", "budget.max_iterations=1", "-s", "budget.samples_per_iteration=1"]


class Said:
    """What the command says in this process: a run's own second is spared."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str | Path) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


@pytest.mark.thorough
def test_it_stops_at_the_files_threshold_and_its_folder_is_whole(tmp_path: Path, command: Said) -> None:
    file = write(tmp_path / "t.yaml", threshold(0.5, 0.4))
    done = retake("run", QUICKSTART, *SMALL, "-s", f"critic.threshold_file={file}", "--out", tmp_path / "run", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["stop_reason"], told["accepted"]) == ("accepted", True)
    assert told["renders"] < 4
    assert [told[k] for k in ("calibrated", "threshold", "precision_at_least", "needs_human")] == [
        *(True, 0.5, 0.8, False)
    ]
    written = facts(tmp_path / "run")
    assert written["result"]["calibrated"]
    assert (written["accept_at"], written["calibration"]["differs"]) == (0.5, [])
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (config["critic"]["threshold_file"], "accept_at" in config["critic"]) == ("threshold.yaml", False)

    file.unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    assert read(tmp_path / "moved" / "threshold.yaml") == threshold(0.5, 0.4)
    code, out, _ = command("run", "--resume", tmp_path / "moved", "--quiet")
    assert code == 0
    assert f"(accepted; threshold 0.50, {WORTH}; seed 7)" in out
    assert "uncalibrated" not in out + (tmp_path / "moved" / "report.html").read_text()


def test_another_critics_file_is_refused_before_anything_is_written(tmp_path: Path, command: Said) -> None:
    file = write(tmp_path / "t.yaml", threshold(0.5, instrument=OTHER))
    args: list[str | Path] = ["run", QUICKSTART, *ONE, "-s", f"critic.threshold_file={file}", "--out", tmp_path / "run"]
    code, out, err = command(*args)
    assert (code, out) == (2, "")
    assert (
        f"{file}: is for another critic (there) than the one that judges (here):\n  {DIFFERS.partition(';')[0]}\n"
        in err
    )
    assert "retake bench calibrate" in err
    assert "critic.threshold_must_match: false" in err
    assert not (tmp_path / "run").exists()
    code, out, _ = command(*args, "--json")
    assert (code, list(json.loads(out))) == (2, ["error"])

    code, out, err = command(*args, "-s", "critic.threshold_must_match=false")
    assert (code, err) == (0, "")
    why = f"uncalibrated: the threshold file is for another critic ({DIFFERS})"
    assert f"Note: The threshold is {why}." in out
    assert "at or above the threshold of 0.50 (uncalibrated), and every floor held." in out
    assert f"(accepted; threshold 0.50, {why}; seed 7)" in out
    report = (tmp_path / "run" / "report.html").read_text()
    assert report.count(why.partition(": ")[2]) >= 3
    assert "Accept at</th><td>0.50, uncalibrated" in report
    assert facts(tmp_path / "run")["result"]["calibrated"] is False
    code, out, _ = command("run", "--resume", tmp_path / "run", "--json")
    assert [json.loads(out)[k] for k in ("calibrated", "precision_at_least", "needs_human")] == [False, None, False]


def test_between_its_bounds_a_run_asks_people_until_one_has_spoken(tmp_path: Path, command: Said) -> None:
    file, folder = write(tmp_path / "t.yaml", threshold(0.99, 0.4)), tmp_path / "run"
    code, out, _ = command("run", QUICKSTART, *ONE, "-s", f"critic.threshold_file={file}", "--out", folder)
    assert code == 0
    assert "(undecided; threshold 0.99, at or above which people take" in out
    asked = f"people   between 0.40 and 0.99 this critic cannot tell; look at it and mark it: retake mark {folder}"
    assert asked in out.splitlines()
    assert "A person is asked." in (folder / "report.html").read_text()
    code, out, _ = command("run", "--resume", folder, "--json")
    assert json.loads(out)["needs_human"] is True

    clip = load(folder).candidates[0].clip.path
    place = Entrant(iteration=0, seed=7)
    append(
        folder,
        Mark(kind="rating", first=place, clip_sha256=file_hash(clip), label=4, rater="Ann", at=datetime.now(UTC)),
    )
    code, out, _ = command("run", "--resume", folder, "--quiet")
    assert "people   marked 4 of 5 by Ann" in out.splitlines()
    assert "retake mark" not in out
    code, out, _ = command("run", "--resume", folder, "--json")
    assert json.loads(out)["needs_human"] is False
    assert command("report", folder)[0] == 0
    report = (folder / "report.html").read_text()
    assert "✎ marked 4 of 5 by Ann" in report
    assert "A person is asked." not in report

    # the file may change as the threshold may: nothing is rendered again, and the words are those of the new one
    write(folder / "threshold.yaml", threshold(0.5, 0.4))
    code, out, _ = command("run", "--resume", folder, "--json")
    told = json.loads(out)
    assert (told["stop_reason"], told["calibrated"], told["threshold"], told["renders"]) == ("accepted", True, 0.5, 1)
    write(folder / "threshold.yaml", threshold(0.5, 0.3))  # the same threshold, another file
    assert command("run", "--resume", folder, "--quiet")[0] == 0
    assert load(folder).calibration is not None
    assert facts(folder)["calibration"]["threshold"]["reject_below"] == 0.3
    before = (folder / "run.json").read_bytes()
    write(folder / "threshold.yaml", threshold(0.5, instrument=OTHER))
    code, _, err = command("run", "--resume", folder)
    assert (code, "is for another critic" in err, (folder / "run.json").read_bytes() == before) == (2, True, True)
    (folder / "threshold.yaml").unlink()
    code, _, err = command("run", "--resume", folder)
    assert (code, "threshold.yaml: there is no such file" in err) == (2, True)


@pytest.mark.thorough
async def test_the_model_that_answers_is_held_against_the_file(tmp_path: Path) -> None:
    async with Wire(seeing()) as server:
        path = tmp_path / "config.yaml"
        path.write_text(
            "request: {prompt: A boat on a lake., size: 320x192, num_frames: 9, seed: 1}\n"
            f"critic: {{backend: vlm, endpoint: {{base_url: '{server.url}'}}, threshold_file: t.yaml}}\n"
            "budget: {max_iterations: 1, samples_per_iteration: 1}\n"
        )
        write(tmp_path / "t.yaml", threshold(0.5))
        with pytest.raises(ConfigError, match="critic: signals/1 there, vlm/1 here"):
            await refine_and_generate_async(config=path, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()
        assert not server.heard

        own, _ = foretold(load_config(path).critic)
        names = {"model": "another-model", "rubric": "checklist/1 another-model"}
        write(tmp_path / "t.yaml", threshold(0.5, instrument=own.model_copy(update=names)))
        with pytest.raises(ConfigError) as caught:
            await refine_and_generate_async(config=path, out=tmp_path / "run")
        assert "model: another-model there, tiny-cosmos3-reasoner here" in str(caught.value)
        assert str(caught.value).endswith(f"then: retake run --resume {tmp_path / 'run'}")
        assert not server.chats
        assert not load(tmp_path / "run").calibrated
        assert not list((tmp_path / "run" / "clips").iterdir())

        names = {"model": "tiny-cosmos3-reasoner", "rubric": "checklist/1 tiny-cosmos3-reasoner"}
        write(tmp_path / "run" / "threshold.yaml", threshold(0.5, instrument=own.model_copy(update=names)))
        run = await resume_async(tmp_path / "run")
    assert (run.calibrated, run.accepted, run.stop_reason) == (True, True, "accepted")
