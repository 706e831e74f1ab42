"""The other commands, the package's surface, and how quickly it starts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.e2e.process import SMALL, command, environment, retake

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
COMMANDS = ["run", "plan", "report", "config", "schema", "doctor"]


@pytest.mark.parametrize("args", [["--help"], *([c, "--help"] for c in COMMANDS)])
def test_help_teaches(args: list[str]) -> None:
    done = retake(*args)
    assert done.code == 0
    assert done.out.startswith("usage: retake")


def test_help_without_a_command() -> None:
    done = retake()
    assert done.code == 2
    assert "exit codes:" in done.out


def test_config_prints_every_key(tmp_path: Path) -> None:
    done = retake("config", QUICKSTART, "-s", "budget.max_iterations=7")
    assert done.code == 0
    (tmp_path / "c.yaml").write_text(done.out)
    assert yaml.safe_load(done.out)["budget"]["max_iterations"] == 7
    assert retake("config", tmp_path / "c.yaml").out == done.out


def test_schema_is_one() -> None:
    done = retake("schema")
    schema = json.loads(done.out)
    sections = {"request", "reasoner", "generator", "critic", "budget", "search", "output", "server"}
    assert set(schema["properties"]) == sections


def test_doctor_says_all_is_well(tmp_path: Path) -> None:
    done = retake("doctor", QUICKSTART, "-s", f"output.dir={tmp_path}")
    assert done.code == 0
    assert "All is well." in done.out
    assert "animatic/" in done.out


def test_doctor_says_what_the_run_must_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "hush")
    done = retake("doctor", QUICKSTART.parent / "fal.yaml", "-s", f"output.dir={tmp_path}")
    assert done.code == 0, done.out
    assert "All is well, once the run is given an image (--image)." in done.out


def test_doctor_names_the_cure(tmp_path: Path) -> None:
    done = retake("doctor", QUICKSTART, "-s", "output.dir=/proc/x", "-s", f"request.image={tmp_path / 'nowhere.png'}")
    assert done.code == 2
    assert "choose another output.dir" in " ".join(done.out.split())
    assert "nowhere.png" in done.out.replace("\n", "")


@pytest.mark.thorough
def test_report_is_rebuilt(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    retake("run", QUICKSTART, *SMALL, "-s", "budget.max_iterations=1", "--out", folder)
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    done = retake("report", folder)
    assert (done.code, done.out.strip()) == (0, str(folder / "report.html"))
    assert (folder / "report.html").read_text() == before


@pytest.mark.parametrize("statement", ["import agent", "import agent.cli; agent.cli.main(['config'])"])
def test_nothing_heavy_is_imported(statement: str) -> None:
    heavy = {"torch", "cv2", "av", "fastapi", "numpy", "PIL", "jinja2", "httpcore", "httpx", "rich"}
    code = "\n".join(
        [
            "import sys, contextlib, io",
            "with contextlib.redirect_stdout(io.StringIO()):",
            f"    {statement}",
            f"print(*sorted({heavy!r} & set(sys.modules)))",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.split() == []


def test_a_foreign_package_of_the_same_name_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text("")  # `python -m` puts the current folder first
    done = subprocess.run(
        command("config"), capture_output=True, text=True, check=False, env=environment(), cwd=tmp_path
    )
    assert done.returncode == 2
    assert str(tmp_path / "critic.py") in done.stderr
    assert "virtual environment" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_public_names() -> None:
    import agent

    assert sorted(agent.__all__) == [
        "Candidate",
        "ConfigError",
        "Controller",
        "CriticError",
        "Failure",
        "GeneratorError",
        "IntakeError",
        "Iteration",
        "NoCandidateError",
        "ReasonerError",
        "Request",
        "RetakeError",
        "Run",
        "RunConfig",
        "RunFolderError",
        "StorageError",
        "load_config",
        "refine_and_generate",
        "refine_and_generate_async",
        "resume",
        "resume_async",
    ]
