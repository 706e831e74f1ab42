"""A real vLLM-Omni on this machine's processor, with the tiny Cosmos3."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.http import http_client
from generator.config import VLLMOmniConfig
from generator.types import Tell
from generator.vllm_omni import Limits, VLLMOmni
from tests.ports import free_port
from tests.real.conftest import KEY, MARK, marked
from tests.real.provision import Provided

MODEL = "tiny-cosmos3"
READY_SECONDS = 240.0
GUARD = '''
class _Guard:
    models = []

class CosmosSafetyChecker:
    """Refuses a word, and lets every frame pass."""

    text_guardrail = video_guardrail = _Guard()

    def check_text_safety(self, prompt):
        return "forbidden" not in prompt

    def check_video_safety(self, frames):
        return frames
'''
"""Stands in for the `cosmos_guardrail` package, whose weights are gated."""


@dataclass(frozen=True)
class OmniServer:
    """A server that runs."""

    url: str
    key: str
    process: subprocess.Popen[bytes]

    @contextlib.asynccontextmanager
    async def generator(
        self, *others: "OmniServer", tell: Tell = lambda _progress: None, limits: Limits | None = None, **config: Any
    ) -> AsyncIterator[VLLMOmni]:
        """The backend, connected to this server and the others."""
        urls = [server.url for server in (self, *others)]
        async with http_client(repeat_posts=False) as client:
            settings = VLLMOmniConfig(endpoints=tuple(urls), **config)
            omni = VLLMOmni(settings, client, urls, self.key, tell, limits=limits)
            await omni.connect()
            try:
                yield omni
            finally:
                await omni.close()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request of one's own."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, trust_env=False, **more)

    def job(self, **fields: str) -> httpx.Response:
        """Submit a job without our backend."""
        form = {"prompt": "a red ball", "size": "96x64", "num_frames": "9", "num_inference_steps": "2", "seed": "1"}
        return self.ask("POST", "/v1/videos", files={name: (None, value) for name, value in (form | fields).items()})

    def ended(self, job: str) -> tuple[int, dict[str, Any]]:
        """Status and record of a job, once it has ended."""
        while True:
            answer = self.ask("GET", f"/v1/videos/{job}")
            record = answer.json()
            if record.get("status") in (None, "completed", "failed"):
                return answer.status_code, record
            time.sleep(0.05)

    def renders(self) -> int:
        """Renders that the engine has finished since it was started, told by its metrics."""
        told = self.ask("GET", "/metrics").text
        found = re.findall(r"^vllm_omni:diffusion_exec_s_count\{.*\} (\d+)", told, re.MULTILINE)
        return sum(map(int, found))

    def kill(self) -> None:
        """As the machine's memory killer does, all of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextlib.contextmanager
def serving(provided: Provided, folder: Path, *, guarded: bool = False) -> Iterator[OmniServer]:
    """Start a server in a session of its own, and leave no process of it behind."""
    port, mark = free_port(), f"omni-{os.getpid()}-{time.monotonic_ns()}"
    (folder / "cosmos_guardrail.py").write_text(GUARD, encoding="utf-8")
    variables = {
        **os.environ, **provided.variables(), MARK: mark, "VLLM_API_KEY": KEY,
        "VLLM_OMNI_SERVER_STORAGE__PATH": str(folder / "videos"), "PYTHONPATH": str(folder) if guarded else "",
    }  # fmt: skip
    command = [
        str(provided.vllm), "serve", str(provided.models / "cosmos3"), "--omni",
        "--model-class-name", "Cosmos3OmniDiffusersPipeline", *(() if guarded else ("--no-guardrails",)),
        "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port), "--served-model-name", MODEL,
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=variables, cwd=folder, start_new_session=True
        )
    server = OmniServer(f"http://127.0.0.1:{port}", KEY, process)
    try:
        _wait(server, log)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        left = marked(mark)
        for each in left:
            each.kill()
    assert not left, f"the server left {left}"


def _wait(server: OmniServer, log: Path) -> None:
    started = time.monotonic()
    while time.monotonic() - started < READY_SECONDS:
        if server.process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            if server.ask("GET", "/health").status_code == 200:
                print(f"vLLM-Omni was ready after {time.monotonic() - started:.0f} s")
                return
        time.sleep(0.2)
    pytest.fail(f"vLLM-Omni did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def omni(provided: Provided, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OmniServer]:
    """The tiny Cosmos3 without safety checks, for the whole session."""
    with serving(provided, tmp_path_factory.mktemp("omni")) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(provided: Provided, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OmniServer]:
    """A second one, with safety checks that stand in for the real ones. The last test of a module may kill it."""
    with serving(provided, tmp_path_factory.mktemp("guarded"), guarded=True) as server:
        yield server
