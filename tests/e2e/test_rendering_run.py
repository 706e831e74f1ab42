"""The command line with rendering servers: doubles that speak vLLM-Omni's wire, in this process or as `vllm` itself."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.probe import probe
from tests.e2e.process import retake, start, stop
from tests.omni import MODEL, Omni
from tests.ports import free_port
from tests.wire import MODEL as CHAT_MODEL
from tests.wire import Wire

ROOT = Path(__file__).parents[2]
REQUEST = {
    "prompt": "A red lighthouse over a bay at dusk. The camera pushes in.",
    "size": "320x192",
    "num_frames": 9,
    "num_inference_steps": 20,
    "seed": 7,
}


def write_config(folder: Path, generator: dict[str, Any], **sections: dict[str, Any]) -> Path:
    config = {
        "request": REQUEST,
        "generator": {"backend": "vllm_omni", **generator},
        "critic": {"backend": "signals", "accept_at": None},
        "budget": {"max_iterations": 2, "samples_per_iteration": 3},
        "output": {"dir": str(folder / "runs")},
        **sections,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def the_run(folder: Path) -> Path:
    (found,) = (folder / "runs").glob("[!.]*")
    return found


def result(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((the_run(folder) / "run.json").read_text())
    return run


def clips(folder: Path) -> list[dict[str, Any]]:
    return [candidate["clip"] for i in result(folder)["iterations"] for candidate in i["candidates"]]


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (the_run(folder) / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["type"] == kind]


@pytest.mark.thorough
def test_a_run_renders_on_two_servers(tmp_path: Path) -> None:
    with Omni() as one, Omni() as two:
        done = retake("run", write_config(tmp_path, {"endpoints": [one.url, f"{two.url}/v1"]}))
        assert done.code == 0, done.err
        assert one.submits + two.submits == 6
        assert one.submits >= 2
        assert two.submits >= 2
        urls = {one.url, two.url}
    made = clips(tmp_path)
    assert len(made) == 6
    for clip in made:
        assert probe(the_run(tmp_path) / clip["path"]).num_frames == 9
        told = clip["rendering"]
        assert told["endpoint"] in urls
        assert (told["model"], told["version"], told["guardrails"]) == (MODEL, "vllm-omni 0.30.0", "unknown")
    assert {event["url"] for event in events(tmp_path, "server_ready")} == urls
    assert {event["progress"]["seed"] for event in events(tmp_path, "render_progressed")} <= {7, 8, 9}


def test_a_server_that_renders_nothing_is_said_at_once(tmp_path: Path) -> None:
    with Wire() as reasoner:
        done = retake("run", write_config(tmp_path, {"endpoints": [reasoner.url]}))
        assert done.code != 0
        assert f"reaching the generator: No rendering server answers ({reasoner.url}" in done.err
        assert "--omni" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("runs/*/clips/*"))


@pytest.mark.thorough
def test_a_run_whose_servers_are_not_there_says_where_it_lies_and_goes_on(tmp_path: Path) -> None:
    with Omni() as server:
        config = write_config(tmp_path, {"endpoints": [server.url]})
    done = retake("run", config, "--json")  # it has gone
    assert done.code == 1
    assert json.loads(done.out)["run_dir"] == str(the_run(tmp_path))
    assert f"run --resume {the_run(tmp_path)}" in done.err


def test_a_missing_key_is_said_before_anything_is_written(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"endpoints": ["http://127.0.0.1:1"], "api_key_env": "RETAKE_NO_SUCH_KEY"})
    done = retake("run", config)
    assert done.code == 2
    assert "generator.api_key_env: the environment variable RETAKE_NO_SUCH_KEY is not set" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.thorough
def test_a_key_reaches_the_server_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_TEST_KEY", "hush-hush")
    with Omni(key="hush-hush") as server:
        done = retake(
            "run", "-v", write_config(tmp_path, {"endpoints": [server.url], "api_key_env": "RETAKE_TEST_KEY"})
        )
        assert done.code == 0, done.err
        assert server.submits == 6
    assert "hush-hush" not in done.out + done.err
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert b"hush-hush" not in file.read_bytes(), file


@pytest.mark.thorough
def test_after_kill_9_no_render_is_asked_for_twice(tmp_path: Path) -> None:
    with Omni(seconds=0.15) as server:
        server.hold(after=2)
        process = start("run", write_config(tmp_path, {"endpoints": [server.url]}), log=tmp_path / "log")
        end = time.monotonic() + 100
        while len(list(tmp_path.glob("runs/*/clips/[!.]*.mp4"))) < 2 or not (slips := slips_of(tmp_path, server)):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.005)
        stop(process, signal.SIGKILL)
        assert slips_of(tmp_path, server) == slips
        finished = sorted(tmp_path.glob("runs/*/clips/[!.]*.mp4"))
        before, kept = server.submits, {clip: clip.read_bytes() for clip in finished}
        assert 2 == len(finished) < before < 6
        server.release()
        done = retake("run", "--resume", the_run(tmp_path))
        assert done.code == 0, done.err
        assert server.submits == 6  # the one in flight is found again
        assert server.jobs == {}
    assert len(clips(tmp_path)) == 6
    assert not list(tmp_path.glob("runs/*/clips/.*"))
    assert all(clip.read_bytes() == content for clip, content in kept.items())


def slips_of(folder: Path, server: Omni) -> list[Path]:
    """The slips of the jobs that the server is rendering."""
    running = [job.id for job in server.running()]
    found = []
    for path in folder.glob("runs/*/clips/.*.job"):
        with suppress(FileNotFoundError):  # it may just have been delivered
            if json.loads(path.read_text())["id"] in running:
                found.append(path)
    return found


# Either server, as `vllm` would be: on a GPU that holds one at a time if its lock is asked for.
VLLM = """#!{python}
import asyncio, fcntl, json, os, sys, time
sys.path.insert(0, {root!r})
words = sys.argv[1:]
kind = "omni" if "--omni" in words else "chat"
diary = open({folder!r} + "/diary", "a")
print(kind, os.getpid(), file=diary, flush=True)
if {one_gpu}:
    gpu = open({folder!r} + "/gpu", "w")
    try:
        fcntl.flock(gpu, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("both", file=diary, flush=True)
        sys.exit("torch.OutOfMemoryError: CUDA out of memory.")
times = [line.split()[0] for line in open({folder!r} + "/diary")].count(kind)
if times > {starts}.get(kind, times):
    sys.exit("torch.OutOfMemoryError: CUDA out of memory.")
from tests.omni import Omni
from tests.replies import answering, edit
from tests.seeing import seeing
from tests.wire import Wire

sees, writes = seeing(), answering(edit("style_medium", "A film."))

def reply(body):
    keys = body.get("response_format", {{}}).get("json_schema", {{}}).get("schema", {{}}).get("properties", {{}})
    asked = "structured_outputs" in body or not keys or keys.keys() & {{"questions", "defects"}}
    return sees(body) if asked else writes(body)

async def main():
    server = Omni(words[1], seconds=0.05) if kind == "omni" else Wire(reply)
    server.served = {{words[words.index("--served-model-name") + 1]: words[1]}}
    server.port = int(words[words.index("--port") + 1])
    async with server:
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Machine:
    """A folder with a `vllm` in it, and what was started there."""

    def __init__(self, folder: Path, *, one_gpu: bool) -> None:
        self.folder, self.one_gpu = folder, one_gpu
        self.script = folder / "vllm"
        self.install()

    def install(self, **starts: int) -> None:
        """Put the command there. `starts`: how often each kind can be started; more often it fails."""
        facts = {"folder": str(self.folder), "one_gpu": self.one_gpu, "starts": starts}
        self.script.write_text(VLLM.format(python=sys.executable, root=str(ROOT), **facts))
        self.script.chmod(0o755)

    def config(self, **generator: object) -> Path:
        common = {"executable": str(self.script), "ready_seconds": 60}
        return write_config(
            self.folder,
            {"serve": {"model": "g", "served_model_name": "tiny", "port": free_port(), **common, **generator}},
            reasoner={
                "backend": "openai",
                "serve": {"model": "r", "served_model_name": CHAT_MODEL, "port": free_port(), **common},
            },
            critic={"backend": "hybrid", "accept_at": None},
            budget={"max_iterations": 2, "samples_per_iteration": 2},
        )

    @property
    def diary(self) -> list[str]:
        """What was started, in order."""
        return [line.split()[0] for line in (self.folder / "diary").read_text().splitlines()]

    def left(self) -> list[int]:
        """Living processes that were started from here."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(self.script).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    yield from _machine(tmp_path, one_gpu=False)


@pytest.fixture
def small_machine(tmp_path: Path) -> Iterator[Machine]:
    yield from _machine(tmp_path, one_gpu=True)


def _machine(folder: Path, *, one_gpu: bool) -> Iterator[Machine]:
    machine = Machine(folder, one_gpu=one_gpu)
    yield machine
    for pid in machine.left():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.thorough
def test_both_servers_are_started_and_stopped(machine: Machine) -> None:
    done = retake("run", machine.config(extra_args=["--no-guardrails"]))
    assert done.code == 0, done.err + done.out
    assert machine.diary == ["chat", "omni"]
    assert machine.left() == []
    assert len(clips(machine.folder)) == 4
    assert {clip["rendering"]["guardrails"] for clip in clips(machine.folder)} == {"off"}
    ready = events(machine.folder, "server_ready")
    assert [(event["part"], event["model"], event["reused"]) for event in ready] == [
        ("reasoner", CHAT_MODEL, False),
        ("generator", "tiny", False),
    ]
    run = the_run(machine.folder)
    assert (run / "reasoner-server.log").exists()
    assert (run / "generator-server.log").exists()


@pytest.mark.thorough
def test_both_servers_take_turns_on_one_gpu(small_machine: Machine) -> None:
    done = retake("run", small_machine.config(time_share=True))
    assert done.code == 0, done.err + done.out
    assert small_machine.left() == []
    # both are tried first, so that a fault is known; then each iteration renders all, judges all, and rewrites
    assert small_machine.diary == ["omni", "chat", "omni", "chat", "omni", "chat"]
    ready = [event["part"] for event in events(small_machine.folder, "server_ready")]
    assert ready == ["generator", "reasoner"] * 3
    assert len(clips(small_machine.folder)) == 4
    assert {clip["rendering"]["guardrails"] for clip in clips(small_machine.folder)} == {"on"}


@pytest.mark.thorough
def test_a_server_that_fails_at_its_next_turn_ends_in_a_named_failure(small_machine: Machine) -> None:
    small_machine.install(omni=1)
    done = retake("run", small_machine.config(time_share=True))
    said = done.out + done.err
    assert done.code == 3, said
    assert (
        "rendering seed 7: vllm serve g --omni ended with code 1 before it answered: the GPU's memory ran out" in said
    )
    assert "Traceback" not in said
    assert small_machine.diary[:3] == ["omni", "chat", "omni"]
    assert small_machine.left() == []


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "started"), [(signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGINT, 3)])
def test_an_interrupted_run_leaves_neither_server(small_machine: Machine, how: signal.Signals, started: int) -> None:
    process = start("run", small_machine.config(time_share=True), log=small_machine.folder / "log")
    end = time.monotonic() + 100
    while not (small_machine.folder / "diary").exists() or len(small_machine.diary) < started:
        assert process.poll() is None, (small_machine.folder / "log").read_text()
        assert time.monotonic() < end
        time.sleep(0.005)
    stop(process, how)
    assert process.returncode != 0
    end = time.monotonic() + 100
    while small_machine.left():  # a plain SIGTERM is not waited for by us, but by the warden
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "Traceback" not in (small_machine.folder / "log").read_text()


@pytest.mark.thorough
def test_kill_9_leaves_neither_server_and_the_run_goes_on(
    small_machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = small_machine.folder / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    process = start("run", small_machine.config(time_share=True), log=small_machine.folder / "log")
    end = time.monotonic() + 100
    while not (finished := sorted(small_machine.folder.glob("runs/*/clips/[!.]*.mp4"))):
        assert process.poll() is None, (small_machine.folder / "log").read_text()
        assert time.monotonic() < end
        time.sleep(0.01)
    stop(process, signal.SIGKILL)
    kept = {clip: clip.read_bytes() for clip in finished}
    end = time.monotonic() + 100
    while small_machine.left() or any(scratch.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)
    done = retake("run", "--resume", the_run(small_machine.folder))
    assert done.code == 0, done.err + done.out
    assert "both" not in small_machine.diary
    assert all(clip.read_bytes() == content for clip, content in kept.items())
    assert small_machine.left() == []
