"""`retake serve` killed, drained, crowded and without room on its disk: what it has accepted comes to its end, once."""

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from agent.errors import ConfigError
from agent.server import serve
from agent.server.engine.__main__ import NICE
from agent.server.loading import load
from benchmarks.server.kills import killed
from benchmarks.server.load import FAL, Load, Loaded, Plan
from benchmarks.server.serving import Serving
from tests.e2e.process import retake
from tests.scripted_servers import Render, Scripted, scripted, wire_config
from tests.serving import Process

pytestmark = pytest.mark.thorough
FAL_PATH = "/fal/queue/nvidia/cosmos-3-super/text-to-video"
OVER = {"completed", "failed", "cancelled", "COMPLETED"}


class Server:
    """The server's process before scripted servers, in words of every dialect."""

    def __init__(self, process: Process, servers: Scripted) -> None:
        self.process, self.servers = process, servers
        self.marks = 0

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, self.process.url + path, timeout=60, trust_env=False, **more)

    def prompt(self) -> str:
        self.marks += 1
        return f"A red kite rises over a beach, mark-{self.marks}"

    def submit(self, prompt: str | None = None, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"prompt": prompt or self.prompt(), "seed": 7, **more}
        return self.ask("POST", "/v1/runs", json=body, headers=headers)

    def fal(self, prompt: str | None = None, **headers: str) -> httpx.Response:
        asked = {"prompt": prompt or self.prompt(), "num_frames": 5, "enable_agentic_generation": True}
        asked |= {"agentic_max_iterations": 1, "agentic_samples_per_iteration": 1}
        return self.ask("POST", FAL_PATH, json=asked, headers=headers)

    def openai(self, prompt: str | None = None, **headers: str) -> httpx.Response:
        asked = {"prompt": prompt or self.prompt(), "seconds": "1", "size": "320x192"}
        return self.ask("POST", "/v1/videos", json=asked, headers=headers)

    def status(self, where: str) -> str:
        """Of a job, by its address in any dialect."""
        answer = self.ask("GET", where)
        assert answer.is_success, answer.text
        told = answer.json()
        return str(told.get("state") or told["status"])

    def end(self, *addresses: str) -> list[str]:
        until(lambda: all(self.status(where) in OVER for where in addresses))
        return [self.status(where) for where in addresses]

    def render(self, mark: int) -> Render | None:
        """What the scripted servers know of a prompt's render."""
        return next((r for r in self.servers.counts().renders if shows(r.prompt, mark)), None)

    def rendering(self, *marks: int) -> None:
        """Wait until renders are in work whose slips lie on the disk."""
        until(lambda: all((render := self.render(mark)) is not None and render.known for mark in marks))


def shows(prompt: str, mark: int) -> bool:
    return re.search(rf"\bmark-{mark}\b", prompt) is not None


def until(true: Callable[[], object], seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("durable")
    with Scripted(seconds=0.0, at_once=8, sure=0.6) as servers:
        path = folder / "server.yaml"
        limits = {"max_running": 2, "max_queued": 3, "requests_per_second": None}
        path.write_text(yaml.safe_dump(wire_config(servers.url) | {"server": {"limits": limits}}))
        process = Process(folder / "runs", config=str(path)).start()
        server = Server(process, servers)
        yield server
        server.process.kill()


@pytest.fixture(autouse=True)
def held(server: Server) -> Iterator[None]:
    """Renders begin, and end when the test lets them."""
    assert server.process.process is not None
    if server.process.process.poll() is not None:  # the test before left it so
        server.process.start()
    server.servers.hold()
    yield
    server.servers.release()
    counts = server.servers.counts()
    assert (counts.finished_twice, counts.known_twice, counts.unknown_twice) == (0, 0, 0)


def run(answer: httpx.Response) -> str:
    """The address of a run of ours."""
    assert answer.is_success, answer.text
    return f"/v1/runs/{answer.json()['id']}"


def test_ids_of_every_dialect_answer_after_kill_9_and_what_ran_goes_on(server: Server) -> None:
    first = server.marks + 1
    mine = run(server.submit(prompt := server.prompt(), key="once"))
    once = {"Idempotency-Key": "again"}
    video = server.openai(filmed := server.prompt(), **once)
    assert video.is_success, video.text
    queued = server.fal(waiting := server.prompt(), **{"Idempotency-Key": "queued"})
    addresses = [mine, f"/v1/videos/{video.json()['id']}", queued.json()["status_url"].removeprefix(server.process.url)]
    server.rendering(first, first + 1)
    server.process.kill()
    server.process.start()
    assert [server.status(where) for where in addresses] == ["running", "in_progress", "IN_QUEUE"]
    assert run(server.submit(prompt, key="once")) == mine
    assert server.openai(filmed, **once).json()["id"] == video.json()["id"]
    assert server.fal(waiting, **{"Idempotency-Key": "queued"}).json()["request_id"] == queued.json()["request_id"]
    other = server.submit(key="once")
    assert (other.status_code, other.json()["error"]["type"]) == (422, "idempotency_key_reused")
    server.servers.release()
    assert server.end(*addresses) == ["completed", "completed", "COMPLETED"]
    result = server.ask("GET", queued.json()["response_url"].removeprefix(server.process.url))
    clip = server.ask("GET", result.json()["video"]["url"].removeprefix(server.process.url))
    assert clip.is_success
    assert clip.content[4:8] == b"ftyp"
    assert run(server.submit(prompt, key="once")) == mine


def test_sigterm_lets_what_runs_end_and_keeps_what_waits(server: Server) -> None:
    first = server.marks + 1
    addresses = [run(server.submit()) for _ in range(3)]
    server.rendering(first, first + 1)
    process = server.process.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    until(lambda: server.ask("GET", "/v1/health/ready").status_code == 503)  # asked for runs it might take some more
    assert server.submit().status_code == 503
    refused = server.fal()
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert [server.status(where) for where in addresses] == ["running", "running", "queued"]
    server.servers.release()
    assert process.wait(100) == 0
    assert server.render(first + 2) is None, "it was begun while the server was to stop"
    server.process.start()
    assert server.end(*addresses) == ["completed"] * 3


def test_an_engine_killed_alone_is_another_one_soon_and_its_runs_go_on(server: Server) -> None:
    first = server.marks + 1
    where = run(server.submit())
    server.rendering(first)
    engine = server.process.engine
    until(lambda: engine.nice() == min(19, psutil.Process(engine.ppid()).nice() + NICE))
    engine.kill()
    assert server.status(where) == "running"
    later = run(server.submit())
    until(lambda: server.process.engine_follows(engine))
    server.servers.release()
    assert server.end(where, later) == ["completed", "completed"]


def test_a_full_queue_says_so_in_every_dialect_and_low_priority_waits(server: Server) -> None:
    first = server.marks + 1
    running = [run(server.submit()) for _ in range(2)]
    server.rendering(first, first + 1)
    low = server.fal(**{"X-Fal-Queue-Priority": "low"}).json()["status_url"].removeprefix(server.process.url)
    normal = [run(server.submit()) for _ in range(2)]
    for answer in (server.submit(), server.fal(), server.openai()):
        assert answer.status_code == 429, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert "queue" in answer.text
    assert server.ask("GET", low).json()["queue_position"] == 2
    server.servers.release()
    assert server.end(*running, *normal, low)[-1] == "COMPLETED"
    order = [render.prompt for render in server.servers.counts().renders]
    begun = [next(n for n, prompt in enumerate(order) if shows(prompt, mark)) for mark in range(first, first + 5)]
    assert max(begun) == begun[2]


def test_a_full_disk_is_told_and_costs_nothing_that_was_accepted(server: Server) -> None:
    first = server.marks + 1
    where = run(server.submit())
    server.rendering(first)
    assert server.process.process is not None
    own = psutil.Process(server.process.process.pid)
    _, hard = own.rlimit(psutil.RLIMIT_FSIZE)
    own.rlimit(psutil.RLIMIT_FSIZE, (1000, hard))
    try:
        refusals = [server.submit(key="full"), server.fal(), server.openai()]
        assert [answer.status_code for answer in refusals] == [507] * 3, [answer.text for answer in refusals]
        assert all("disk" in answer.text for answer in refusals)
        assert not any(str(server.process.folder) in answer.text for answer in refusals)
        server.servers.release()
        until(lambda: server.servers.waiting() == 0)
        time.sleep(1)
        assert server.status(where) == "running", "what cannot be written down is not told"
    finally:
        own.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
    assert server.end(where, run(server.submit(key="full"))) == ["completed", "completed"]


async def test_a_second_server_on_the_folder_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LOCKED_SECONDS", 0.1)
    served = load(server.process.config, [f"output.dir={server.process.folder}"])
    with pytest.raises(ConfigError, match="another `retake serve` works on this folder"):
        async with serve.opened(served):
            pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = retake("serve", "--port", "0", "-s", f"output.dir={tmp_path / 'file' / 'runs'}")
    assert done.code == 2, done.err
    assert str(tmp_path / "file") in done.err
    assert "Traceback" not in done.err


def test_an_engine_that_hangs_is_killed_and_its_runs_go_on(server: Server) -> None:
    usual = server.process
    usual.kill()
    server.process = replace(usual, overrides=["server.limits.engine_silent_seconds=3"]).start()
    first = server.marks + 1
    where = run(server.submit())
    server.rendering(first)
    engine = server.process.engine
    engine.suspend()
    until(lambda: server.process.engine_follows(engine))
    server.servers.release()
    assert server.end(where) == ["completed"]
    assert 'retake_engine_lost_total{how="hung"}' in server.ask("GET", "/v1/metrics").text
    server.process.kill()  # no other test's engine is to be that quick with its words
    server.process = usual


def test_what_is_over_goes_once_the_config_keeps_less(server: Server) -> None:
    server.servers.release()
    where = run(server.submit())
    assert server.end(where) == ["completed"]
    folder = server.process.folder / where.rpartition("/")[2]
    assert (folder / "run.json").exists()
    assert server.process.stop() == 0
    usual = server.process
    server.process = replace(usual, overrides=["server.retention.gib=0.00000001"]).start()
    until(lambda: server.ask("GET", where).status_code == 404)
    until(lambda: not folder.exists())
    server.process.kill()
    server.process = usual


def test_killed_at_random_moments_under_submits(tmp_path: Path) -> None:
    with scripted(seconds=0.3, at_once=8) as servers:
        serving = Serving(tmp_path, servers.url, running=4, iterations=1, samples=1)
        try:
            done = asyncio.run(killed(serving, servers, 3, clients=2, pause=0.8, longest_life=2.0, outlived=60.0))
        finally:
            serving.stop()
    assert done.good, done
    assert done.accepted >= 2
    assert done.renders >= done.accepted


def test_no_error_while_many_ask_at_once(tmp_path: Path) -> None:
    with scripted(seconds=0.5, at_once=4) as servers:
        serving = Serving(tmp_path, servers.url, running=4, iterations=1, samples=1)
        try:
            serving.start()
            loaded = asyncio.run(_loaded(serving))
            done = _completed(serving)
        finally:
            serving.stop()
    assert (loaded.errors, loaded.failed) == ({}, 0), loaded
    assert loaded.status.count >= 0.8 * 20 * 10 * 4
    assert loaded.submit.count >= 4
    assert done >= 1


def _completed(serving: Serving) -> int:
    """Runs that are over, once there is one."""

    def done() -> list[object]:
        found: list[object] = httpx.get(f"{serving.url}/v1/runs?states=completed", timeout=60).json()["data"]
        return found

    until(done)
    return len(done())


async def _loaded(serving: Serving) -> Loaded:
    await serving.ready()
    words = FAL.model_copy(
        update={"body": FAL.body | {"agentic_max_iterations": 1, "agentic_samples_per_iteration": 1}}
    )
    plan = Plan(
        server=serving.url, bare=None, words=words, clients=20, rate=10, seconds=4, submits=2, warm_seconds=2
    )  # fmt: skip
    return await Load(plan).run()
