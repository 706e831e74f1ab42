"""`retake run` with a real server as its reasoner and critic: started by the run, and gone afterwards."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.process import command, environment, wait_for
from tests.ports import free_port
from tests.real.conftest import CPU, MARK, MODEL, marked
from tests.real.provision import Provided


def write_config(folder: Path, provided: Provided) -> Path:
    """A small run with everything a GPU config has, on this processor."""
    path = folder / "run.yaml"
    config = {
        "request": {
            "prompt": "A red lighthouse over a bay at dusk, the camera pushes in",
            "size": "320x192",
            "num_frames": 25,
            "num_inference_steps": 20,
            "seed": 7,
        },
        "reasoner": {
            "backend": "openai",
            "sampling": {"max_tokens": 3000},
            "serve": {
                "model": str(provided.reasoner),
                "port": free_port(),
                "gpu_memory_utilization": None,
                "max_model_len": None,
                "served_model_name": MODEL,
                "extra_args": list(CPU),
                "executable": str(provided.vllm),
                "ready_seconds": 240,
            },
        },
        "generator": {"backend": "animatic"},
        "critic": {"backend": "hybrid", "accept_at": 0.99},
        "budget": {"max_iterations": 2, "samples_per_iteration": 2},
        "output": {"dir": str(folder / "runs")},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def start(config: Path, provided: Provided, log: Path) -> subprocess.Popen[bytes]:
    """As a user does, in a process group of its own. What it starts is found by its mark."""
    env = environment() | provided.variables() | {MARK: str(log)}
    with log.open("wb") as file:
        return subprocess.Popen(
            command("run", config), env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "out.log"


def test_a_whole_run(provided: Provided, tmp_path: Path, log: Path) -> None:
    process = start(write_config(tmp_path, provided), provided, log)
    code = process.wait(280)
    said = log.read_text()
    assert code == 0, said
    assert marked(str(log)) == [], "processes were left behind"
    (folder,) = (tmp_path / "runs").glob("[!.]*")
    run = json.loads((folder / "run.json").read_text())
    assert (folder / "report.html").stat().st_size > 10_000
    total = run["result"]["ledger"]["total"]
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
        assert total[name] == tokens(run["iterations"], name) > 100, "the ledger is the sum of its parts"
    written = json.dumps(run)
    assert '"logprobs"' in written, "the model was asked about no clip"
    assert MODEL in written
    print(said)


@pytest.mark.parametrize("what", ["loading", "rendering"])
def test_a_run_that_is_interrupted_leaves_no_process(provided: Provided, tmp_path: Path, log: Path, what: str) -> None:
    process = start(write_config(tmp_path, provided), provided, log)
    if what == "loading":
        (server_log,) = wait_for_server(tmp_path, process)
        wait_for(server_log, "EngineCore pid", process, 100)
        assert "startup complete" not in server_log.read_text()
    else:
        wait_for_clip(tmp_path, process)
    assert process.poll() is None, log.read_text()
    assert len(marked(str(log))) >= 2, "no server runs"
    process.send_signal(signal.SIGINT)
    assert process.wait(100) != 0, log.read_text()
    assert marked(str(log)) == [], log.read_text()


def wait_for_server(folder: Path, process: subprocess.Popen[bytes]) -> list[Path]:
    return wait_until(folder, "runs/**/*-server.log", process)


def wait_for_clip(folder: Path, process: subprocess.Popen[bytes]) -> list[Path]:
    return wait_until(folder, "runs/**/*.mp4*", process)


def wait_until(folder: Path, pattern: str, process: subprocess.Popen[bytes]) -> list[Path]:
    """Until a file is there whose name fits, hidden ones too."""
    end = time.monotonic() + 240
    while time.monotonic() < end and process.poll() is None:
        if found := sorted(folder.glob(pattern)):
            return found
        time.sleep(0.05)
    raise AssertionError(f"there is no {pattern}")


def tokens(node: object, name: str) -> int:
    """The sum of a figure, wherever it stands in a run."""
    if isinstance(node, dict):
        return sum(value if key == name else tokens(value, name) for key, value in node.items())
    return sum(tokens(item, name) for item in node) if isinstance(node, list) else 0
