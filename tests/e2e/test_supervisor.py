"""Starting, finding and stopping a model server, with a stand-in for `vllm` that is a process like it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.errors import ServingError
from agent.serving import served, warden
from generator.config import ServeOmniConfig
from reasoner.chat.config import ServeConfig
from tests.e2e.process import retake
from tests.ports import free_port

ROOT = Path(__file__).parents[2]

# Has what makes vLLM hard to stop: a child that left the process group and, if asked for, ignores SIGTERM.
VLLM = """#!{python}
import json, os, signal, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

model, words = sys.argv[2], sys.argv[3:]
port = int(words[words.index("--port") + 1])
key = os.environ.get("VLLM_API_KEY")
deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if "--deaf-child" in words else ""
sleeper = "import signal, time; " + deaf + " time.sleep(300)"


def linger():
    while not os.path.exists({mark!r} + "/go"):
        time.sleep(0.05)
    os._exit(0)


child = subprocess.Popen([sys.executable, "-c", sleeper, {mark!r}], start_new_session=True)
if "--lingers" in words:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=linger).start())
if "--stubborn" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("key", key, flush=True)
storage = os.environ.get("VLLM_OMNI_SERVER_STORAGE__PATH")
print("\\033[0;36mloading\\033[0;0m", model, *words, "storage", storage, flush=True)
if "--fail" in words:
    print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", flush=True)
    sys.exit(1)
time.sleep(300 if "--slow" in words else 0.3)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, b""
        if self.path == "/version":
            body = b'{{"version": "0.99"}}'
        elif self.path == "/v1/models":
            if key and self.headers.get("Authorization") != "Bearer " + key:
                status, body = 401, b'{{"error": "Unauthorized"}}'
            else:
                body = json.dumps({{"data": [{{"id": "served", "root": model}}]}}).encode()
        elif self.path.startswith("/v1/videos") and "--omni" in words:
            body = b'{{"data": []}}'
        elif self.path != "/health":
            status = 404
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    script = tmp_path / "bin" / "vllm"
    script.parent.mkdir()
    script.write_text(VLLM.format(python=sys.executable, mark=str(tmp_path)))
    script.chmod(0o755)
    return script


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Callable[[], list[int]]]:
    """The living processes whose command line names this test's folder: the warden's, the server's, its child's."""

    def look() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(tmp_path).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return [p for p in found if p != os.getpid()]

    yield look
    for pid in look():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def config(script: Path, port: int, *extra: str, **keys: Any) -> ServeConfig:
    return ServeConfig(model="a/model", port=port, executable=str(script), extra_args=extra, **keys)


def omni(script: Path, port: int, *extra: str, **keys: Any) -> ServeOmniConfig:
    return ServeOmniConfig(model="a/model", port=port, executable=str(script), extra_args=extra, **keys)


def nothing(_seconds: float, _line: str) -> None:
    pass


async def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


@pytest.mark.thorough
async def test_a_server_is_started_and_nothing_is_left(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    log = tmp_path / "logs" / "server.log"
    async with httpx.AsyncClient() as client:
        async with served(config(fake, port, "--deaf-child"), "hush", client, log, nothing) as server:
            assert (server.base_url, server.model, server.version) == (f"http://127.0.0.1:{port}/v1", "served", "0.99")
            assert not server.reused
            assert len(left()) == 3
        assert left() == []
    assert "a/model --host 127.0.0.1" in log.read_text()
    assert "storage None" in log.read_text()


async def test_a_renderer_is_started_and_nothing_is_left(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VLLM_OMNI_SERVER_STORAGE__PATH", raising=False)
    log = tmp_path / "server.log"
    wanted = omni(fake, port)
    async with httpx.AsyncClient() as client:
        async with served(wanted, "hush", client, log, nothing) as server:
            assert (server.root, server.model, server.version) == (f"http://127.0.0.1:{port}", "served", "0.99")
            assert server.guardrails == "on"
            storage = Path(log.read_text().split("storage ")[1].split()[0])
            assert storage.is_dir()  # of its own: the clips that it keeps go with it
            async with served(wanted, "hush", client, log, nothing) as again:
                assert (again.reused, again.guardrails) == (True, "unknown")
        assert left() == []
        assert not storage.exists()
        monkeypatch.setenv("VLLM_OMNI_SERVER_STORAGE__PATH", str(tmp_path / "mine"))
        async with served(omni(fake, port, "--no-guardrails"), None, client, log, nothing) as server:
            assert server.guardrails == "off"
    assert f"storage {tmp_path}/mine" in log.read_text()
    assert "a/model --omni --host 127.0.0.1" in log.read_text()


async def test_a_reasoners_server_is_not_taken_for_a_renderer(fake: Path, port: int, tmp_path: Path) -> None:
    """Both list the same checkpoint."""
    async with httpx.AsyncClient() as client, served(config(fake, port), None, client, tmp_path / "log", nothing):
        with pytest.raises(ServingError, match=r"^generator\.serve\.port: .* without --omni; choose another"):
            async with served(omni(fake, port), None, client, tmp_path / "log", nothing):
                pass


async def test_a_renderer_that_does_not_start_tells_its_cause(fake: Path, port: int, tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ServingError, match="a/model --omni ended with code 1") as caught:
            async with served(omni(fake, port, "--fail"), None, client, tmp_path / "log", nothing):
                pass
    assert "generator.serve.time_share" in str(caught.value)


async def test_a_server_that_answers_is_used_and_left_alone(fake: Path, port: int, tmp_path: Path) -> None:
    log, other = tmp_path / "server.log", tmp_path / "other.log"
    async with httpx.AsyncClient() as client, served(config(fake, port), "k", client, log, nothing):
        async with served(config(fake, port), "k", client, other, nothing) as again:
            assert again.reused
        assert (await client.get(f"http://127.0.0.1:{port}/health", timeout=60)).status_code == 200
        assert not other.exists()


async def test_another_model_on_the_port_is_named(fake: Path, port: int, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with httpx.AsyncClient() as client, served(config(fake, port), None, client, log, nothing):
        wanted = ServeConfig(model="b/model", port=port, executable=str(fake))
        with pytest.raises(
            ServingError, match=r"already serves served, not b/model; choose another reasoner\.serve\.port"
        ):
            async with served(wanted, None, client, log, nothing):
                pass


async def test_a_server_with_another_key_is_named(fake: Path, port: int, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with httpx.AsyncClient() as client, served(config(fake, port), "hush", client, log, nothing):
        with pytest.raises(ServingError, match="api_key_env") as caught:
            async with served(config(fake, port), "wrong", client, log, nothing):
                pass
        assert "wrong" not in str(caught.value)


async def test_another_program_on_the_port_is_named(fake: Path, port: int, tmp_path: Path) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port), httpx.AsyncClient() as client:
        with pytest.raises(ServingError, match=f"port {port} another program listens"):
            async with served(config(fake, port), None, client, tmp_path / "log", nothing):
                pass


async def test_a_failed_start_tells_its_cause_and_the_log(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    log = tmp_path / "server.log"
    log.write_text("port: Address already in use\n")  # of an earlier start: not this one's cause
    async with httpx.AsyncClient() as client:
        with pytest.raises(ServingError, match="ended with code 1") as caught:
            async with served(config(fake, port, "--fail"), "hush", client, log, nothing):
                pass
    words = str(caught.value)
    assert "the GPU's memory ran out" in words
    assert "| torch.OutOfMemoryError" in words
    assert str(log) in words
    assert "| key ***" in words
    assert "hush" not in words
    assert left() == []


@pytest.mark.thorough
async def test_a_slow_start_is_told_and_given_up(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    loading = asyncio.Event()

    def tell(seconds: float, line: str) -> None:
        assert seconds >= 2
        if line.startswith("loading a/model"):  # nothing stands in the log before its Python has started
            loading.set()

    async with httpx.AsyncClient() as client:

        async def wait(seconds: float) -> None:
            slow = config(fake, port, "--slow", ready_seconds=seconds)
            async with served(slow, None, client, tmp_path / "log", tell):
                pass

        patient = asyncio.create_task(wait(300))
        async with asyncio.timeout(60):
            await loading.wait()
        patient.cancel()
        await asyncio.wait([patient])
        assert patient.cancelled()
        with pytest.raises(ServingError, match=r"serve\.ready_seconds \(0\.5 s\)"):
            await wait(0.5)
    assert left() == []


async def test_cancelled_while_waiting(fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]) -> None:
    async def wait() -> None:
        async with (
            httpx.AsyncClient() as client,
            served(config(fake, port, "--slow"), None, client, tmp_path / "log", nothing),
        ):
            pass

    task = asyncio.create_task(wait())
    await until(lambda: len(left()) == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left() == []


async def test_no_such_command(port: int, tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ServingError, match=r"serve\.executable: there is no command"):
            async with served(config(tmp_path / "vllm", port), None, client, tmp_path / "log", nothing):
                pass


PARENT = """
import asyncio, sys
from pathlib import Path
import httpx
from agent.serving import served
from reasoner.chat.config import ServeConfig

async def main():
    config = ServeConfig(model="a/model", port=int(sys.argv[1]), executable=sys.argv[2], extra_args=tuple(sys.argv[4:]))
    async with httpx.AsyncClient() as client, served(config, None, client, Path(sys.argv[3]), lambda *told: None):
        print("ready", flush=True)
        await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "extra"), [(signal.SIGKILL, ["--deaf-child"]), (signal.SIGKILL, ["--slow"]), (signal.SIGINT, [])]
)
async def test_when_we_are_killed_nothing_is_left(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]], how: signal.Signals, extra: list[str]
) -> None:
    command = [sys.executable, "-c", PARENT, str(port), str(fake), str(tmp_path / "log"), *extra]
    with subprocess.Popen(  # noqa: ASYNC220 - what is tested is a process
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        if "--slow" in extra:
            await until(lambda: len(left()) == 4)  # the parent's command line names the folder too
        else:
            assert await asyncio.to_thread(parent.stdout.readline) == b"ready\n"
        parent.send_signal(how)
    await until(lambda: left() == [])


@pytest.mark.thorough
async def test_the_server_of_a_killed_run_is_waited_for_and_not_used(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    """It still answers while it is being stopped; and the next one starts when it is gone."""
    command = [sys.executable, "-c", PARENT, str(port), str(fake), str(tmp_path / "log"), "--lingers"]
    with subprocess.Popen(  # noqa: ASYNC220 - what is tested is a process
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        assert await asyncio.to_thread(parent.stdout.readline) == b"ready\n"
        before = left()
        parent.kill()  # and not waited for: a dead process may stand in the table for long
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/health", timeout=60)).status_code == 200

            def tell(_seconds: float, line: str) -> None:
                if "still ends" in line:  # it is waited for: now it may go
                    (tmp_path / "go").touch()

            async with served(config(fake, port), None, client, tmp_path / "again.log", tell) as server:
                assert (tmp_path / "go").exists()
                assert not server.reused
                assert not set(before) & set(left())
    assert left() == []


async def test_a_server_that_does_not_end_is_killed(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    log = tmp_path / "log"
    command = [
        sys.executable,
        "-I",
        "-S",
        warden.__file__,
        "0.5",
        str(fake),
        "serve",
        "m",
        "--port",
        str(port),
        "--stubborn",
    ]
    with log.open("wb") as file, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=file) as process:  # noqa: ASYNC220 - what is tested is a process
        await until(lambda: "loading" in log.read_text())  # by then it is deaf to SIGTERM
        assert process.stdin is not None
        began = time.monotonic()
        process.stdin.close()
        process.wait(60)
        assert time.monotonic() - began >= 0.5
    assert left() == []


async def test_when_the_warden_is_killed_the_server_is_told(
    fake: Path, port: int, tmp_path: Path, left: Callable[[], list[int]]
) -> None:
    command = [sys.executable, "-I", "-S", warden.__file__, "5", str(fake), "serve", "m", "--port", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:  # noqa: ASYNC220 - what is tested is a process
        await until(lambda: len(left()) == 3)
        process.kill()
    await until(lambda: not [p for p in left() if b"serve" in Path(f"/proc/{p}/cmdline").read_bytes()])


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_the_warden_ends_with_the_servers_code(command: str, code: int) -> None:
    words = [sys.executable, "-I", "-S", warden.__file__, "5", "sh", "-c", command]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        assert process.wait(60) == code


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `nvidia-smi` of one large GPU."""
    script = tmp_path / "smi" / "nvidia-smi"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho '0, NVIDIA H100, 81000, 81559'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def wrapper(fake: Path) -> Path:
    """A command behind which no Python can be asked for vLLM-Omni's version."""
    script = fake.with_name("wrapper")
    script.write_text(f'#!/bin/sh\nexec {fake} "$@"\n')
    script.chmod(0o755)
    return script


@pytest.mark.thorough
@pytest.mark.usefixtures("gpu")
def test_doctor_explains_two_servers_to_start_and_starts_none(
    wrapper: Path, port: int, left: Callable[[], list[int]]
) -> None:
    asked = (
        *("doctor", ROOT / "configs" / "cosmos3-nano.yaml"),
        *("-s", f"reasoner.serve.port={port}", "-s", f"reasoner.serve.executable={wrapper}"),
        *("-s", "generator.serve.port=1", "-s", f"generator.serve.executable={wrapper}"),
        *("-s", f"output.dir={wrapper.parent}"),
    )
    done = retake(*asked)
    assert done.code == 0, done.out
    assert f"vllm serve nvidia/Cosmos3-Nano will be started at http://127.0.0.1:{port}/v1" in done.out
    assert "vllm serve nvidia/Cosmos3-Nano --omni will be started at http://127.0.0.1:1/v1" in done.out
    assert str(wrapper) in done.out
    assert "asks the reasoner's server" in done.out
    assert "GPU 0 is shared: the reasoner takes 0.35 of 86 GB, and the generator needs 32 GB of the 56 left" in done.out
    greedy = retake(*asked, "-s", "reasoner.serve.gpu_memory_utilization=0.9")
    assert greedy.code == 2
    assert (
        "lower reasoner.serve.gpu_memory_utilization to 0.62, or set generator.serve.time_share to true" in greedy.out
    )
    turns = retake(
        *asked, *("-s", "reasoner.serve.gpu_memory_utilization=0.9", "-s", "generator.serve.time_share=true")
    )
    assert turns.code == 0, turns.out
    assert "in turn with the reasoner's (first: minutes)" in turns.out
    assert left() == []


@pytest.mark.thorough
async def test_doctor_asks_servers_that_run(fake: Path, port: int, tmp_path: Path) -> None:
    second = free_port()
    async with (
        httpx.AsyncClient() as client,
        served(config(fake, port), None, client, tmp_path / "log", nothing),
        served(omni(fake, second), None, client, tmp_path / "log2", nothing),
    ):
        asked = (
            *("doctor", ROOT / "configs" / "cosmos3-nano.yaml", "-s", f"output.dir={tmp_path}"),
            *("-s", f"reasoner.base_url=http://127.0.0.1:{port}", "-s", "generator.serve=null"),
        )
        done = await asyncio.to_thread(retake, *asked, "-s", f"generator.endpoints=[http://127.0.0.1:{second}/v1]")
        assert done.code == 0, done.out
        assert "(from reasoner.base_url); version 0.99" in done.out
        assert f"served at http://127.0.0.1:{second}; version 0.99" in done.out
        turns = await asyncio.to_thread(
            retake,
            *("doctor", ROOT / "configs" / "cosmos3-nano.yaml", "-s", f"output.dir={tmp_path}"),
            *("-s", "reasoner.serve.model=a/model", "-s", f"reasoner.serve.port={port}"),
            *("-s", "generator.serve.model=a/model", "-s", f"generator.serve.port={second}"),
            *("-s", "generator.serve.time_share=true"),
        )
        assert turns.code == 2
        assert turns.out.count("one that Retake did not start cannot take turns") == 2, turns.out
        wrong = await asyncio.to_thread(retake, *asked, "-s", f"generator.endpoints=[http://127.0.0.1:{port}]")
        assert wrong.code == 2
        assert f"http://127.0.0.1:{port} is no vLLM-Omni that renders videos" in wrong.out


@pytest.mark.thorough
def test_doctor_names_a_server_that_is_not_there(port: int, tmp_path: Path) -> None:
    done = retake(
        *("doctor", "-s", "reasoner.backend=openai", "-s", f"reasoner.base_url=http://127.0.0.1:{port}"),
        *("-s", f"output.dir={tmp_path}"),
    )
    assert done.code == 2
    assert "start that server" in done.out
