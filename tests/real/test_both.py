"""`retake run` with two real servers: vLLM writes and judges, vLLM-Omni renders."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from agent.http import http_client
from agent.serving import served
from generator.config import ServeOmniConfig
from generator.probe import probe
from tests.e2e.process import command, environment
from tests.ports import free_port
from tests.real.conftest import CPU, KEY, MARK, MODEL, Server, marked
from tests.real.provision import Provided

OMNI_CPU = ("--dtype", "float32", "--no-guardrails")
"""What vLLM-Omni without a GPU, and without the guardrails' gated weights, needs besides Retake's own arguments."""
KEY_NAME = "RETAKE_TEST_REASONER_KEY"


def chat_serve(provided: Provided) -> dict[str, Any]:
    return {
        "model": str(provided.reasoner),
        "port": free_port(),
        "gpu_memory_utilization": None,
        "max_model_len": None,
        "served_model_name": MODEL,
        "extra_args": list(CPU),
        "executable": str(provided.vllm),
        "ready_seconds": 240,
    }


def omni_serve(provided: Provided, **more: object) -> dict[str, Any]:
    return {
        "model": str(provided.models / "cosmos3"),
        "port": free_port(),
        "extra_args": list(OMNI_CPU),
        "executable": str(provided.vllm),
        "ready_seconds": 240,
        **more,
    }


def write_config(
    folder: Path, reasoner: dict[str, Any], generator: dict[str, Any], iterations: int = 2, samples: int = 2
) -> Path:
    """A small run with everything a GPU config has, on this processor."""
    config = {
        "request": {
            "prompt": "A red lighthouse over a bay at dusk, the camera pushes in",
            "size": "320x192",
            "num_frames": 9,
            "num_inference_steps": 4,
            "seed": 7,
        },
        "reasoner": {"backend": "openai", "sampling": {"max_tokens": 1500}, **reasoner},
        "generator": {"backend": "vllm_omni", **generator},
        "critic": {"backend": "vlm", "accept_at": 0.99, "feedback": False},  # the gates of hybrid would stop noise
        "budget": {"max_iterations": iterations, "samples_per_iteration": samples},
        "output": {"dir": str(folder / "runs")},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def start(provided: Provided, log: Path, *words: str | Path) -> subprocess.Popen[bytes]:
    """As a user does, in a process group of its own. What it starts is found by its mark."""
    env = environment() | provided.variables() | {MARK: str(log), KEY_NAME: KEY}
    with log.open("ab") as file:
        return subprocess.Popen(command(*words), env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "out.log"


def the_run(folder: Path) -> Path:
    (found,) = (folder / "runs").glob("[!.]*")
    return found


def clips_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [candidate["clip"] for i in run["iterations"] for candidate in i["candidates"]]


def test_a_whole_run(provided: Provided, tmp_path: Path, log: Path) -> None:
    began = time.monotonic()
    config = write_config(tmp_path, {"serve": chat_serve(provided)}, {"serve": omni_serve(provided)})
    code = start(provided, log, "run", config).wait(280)
    said = log.read_text()
    print(said, f"{time.monotonic() - began:.0f} s")
    assert code == 0, said
    assert marked(str(log)) == [], "processes were left behind"
    folder = the_run(tmp_path)
    run = json.loads((folder / "run.json").read_text())
    clips = clips_of(run)
    assert len(clips) == 4
    for clip in clips:
        effective = probe(folder / clip["path"])
        assert (effective.width, effective.height, effective.num_frames, effective.fps) == (320, 192, 9, 24)
        assert clip["rendering"]["guardrails"] == "off"  # as the server was started
        assert clip["rendering"]["version"].endswith("0.30.0")
        assert clip["rendering"]["job"].startswith("video_gen_")
    assert len({(folder / clip["path"]).read_bytes() for clip in clips}) > 1
    assert MODEL in json.dumps(run)
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "reasoner-server.log").exists()
    assert (folder / "generator-server.log").exists()


@pytest.fixture
def renderer(provided: Provided, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A vLLM-Omni that outlives the run that asks it: its address and its log."""
    log = tmp_path / "omni.log"
    config = ServeOmniConfig.model_validate(omni_serve(provided))
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as loop:
        for name, value in (provided.variables() | {MARK: f"renderer of {tmp_path}"}).items():
            patch.setenv(name, value)
        stack = contextlib.AsyncExitStack()

        async def begin() -> str:
            client = await stack.enter_async_context(http_client())
            server = await stack.enter_async_context(served(config, None, client, log, lambda *_: None))
            return server.root

        url = loop.run(begin())
        try:
            yield url, log
        finally:
            loop.run(stack.aclose())
    assert marked(f"renderer of {tmp_path}") == []


def submitted(log: Path) -> int:
    """Renders that the server was given, by its own access log."""
    return len(re.findall(r'"POST /v1/videos HTTP', log.read_text(errors="replace")))


def in_flight(folder: Path, process: "subprocess.Popen[bytes]", url: str) -> bool:
    """Hold the session still, and say whether the server has jobs of it and each one's slip lies there."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)  # what it has just sent arrives
    jobs = {job["id"] for job in httpx.get(f"{url}/v1/videos", timeout=60).json()["data"]}
    slips = {json.loads(path.read_text())["id"] for path in folder.glob("runs/*/clips/.*.job")}
    if jobs and jobs <= slips:
        return True
    process.send_signal(signal.SIGCONT)
    return False


def test_after_kill_9_no_render_is_asked_for_twice(
    provided: Provided, server: Server, renderer: tuple[str, Path], tmp_path: Path, log: Path
) -> None:
    url, access = renderer
    reasoner = {"base_url": server.root, "api_key_env": KEY_NAME}
    config = write_config(tmp_path, reasoner, {"endpoints": [url]}, iterations=2, samples=4)
    process = start(provided, log, "run", config)
    end = time.monotonic() + 240
    while not (list(tmp_path.glob("runs/*/clips/[!.]*.mp4")) and in_flight(tmp_path, process, url)):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    finished = sorted(tmp_path.glob("runs/*/clips/[!.]*.mp4"))
    before = submitted(access)
    assert 1 <= len(finished) < 8, log.read_text()
    kept = {clip: clip.read_bytes() for clip in finished}
    assert start(provided, log, "run", "--resume", the_run(tmp_path)).wait(240) == 0, log.read_text()
    run = json.loads((the_run(tmp_path) / "run.json").read_text())
    again = submitted(access) - before
    print(f"finished before the kill: {len(finished)}; submitted before: {before}, after: {again}")
    assert len(clips_of(run)) == 8
    assert again <= 8 - len(finished), "a finished render was asked for again"
    assert before + again == 8, "the one in flight was asked for again"
    assert not list(tmp_path.glob("runs/*/clips/.*"))
    assert all(clip.read_bytes() == content for clip, content in kept.items())
    assert marked(str(log)) == []


@pytest.mark.skipif(
    not os.environ.get("RETAKE_REAL_ALL"),
    reason="four starts of servers take two minutes; tests/e2e does the same with ones that start at once",
)
def test_two_servers_take_turns(provided: Provided, tmp_path: Path, log: Path) -> None:
    generator = {"serve": omni_serve(provided, time_share=True)}
    config = write_config(tmp_path, {"serve": chat_serve(provided)}, generator, iterations=1, samples=2)
    began = time.monotonic()
    process = start(provided, log, "run", config)
    most = 0
    while process.poll() is None:
        assert time.monotonic() - began < 280, log.read_text()
        served_now = [p for p in marked(str(log)) if is_server(p)]
        most = max(most, len(served_now))
        time.sleep(0.2)
    said = log.read_text()
    print(said, f"{time.monotonic() - began:.0f} s")
    assert process.returncode == 0, said
    assert most == 1, "both servers were there at the same time"
    assert marked(str(log)) == []
    events = [json.loads(line) for line in (the_run(tmp_path) / "events.jsonl").read_text().splitlines()]
    ready = [event["part"] for event in events if event["type"] == "server_ready"]
    assert ready == ["generator", "reasoner", "generator", "reasoner"]
    assert len(clips_of(json.loads((the_run(tmp_path) / "run.json").read_text()))) == 2


def is_server(process: Any) -> bool:
    """Whether this is one of the two wardens: the servers rename their own processes."""
    with contextlib.suppress(Exception):
        return "warden.py" in " ".join(process.cmdline())
    return False
