"""A real vLLM on this machine's processor, once a session."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from agent.http import http_client
from agent.serving import served
from generator.types import RenderSpec
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig, ServeConfig
from tests.clips import write_clip
from tests.ports import free_port
from tests.real.provision import Provided, provide

KEY = "test-key"
MODEL = "tiny-cosmos3-reasoner"
MARK = "RETAKE_REAL_SESSION"
"""Environment variable that every process below this one has: what is left behind is found by it."""
CPU = (
    "--dtype", "float32", "--enforce-eager", "--max-num-seqs", "16", "--block-size", "32",
    "--kv-cache-memory-bytes", "268435456", "--seed", "0",
    # a seeded request whose prompt is taken in pieces ends the engine: "CPU Generator does not use offset"
    "--no-enable-chunked-prefill", "--max-num-batched-tokens", "32768",
)  # fmt: skip
"""What a server without a GPU needs besides Retake's own arguments."""


@dataclass(frozen=True)
class Server:
    """The server that the session's tests ask."""

    root: str
    config: EndpointConfig

    @contextlib.asynccontextmanager
    async def chat(self, **changes: object) -> AsyncIterator[Chat]:
        """The public client, connected."""
        async with http_client() as client:
            chat = Chat(client, self.config.model_copy(update=changes), KEY)
            await chat.connect()
            yield chat


def serve_config(provided: Provided, port: int, *more: str) -> ServeConfig:
    """How the tiny model is served."""
    return ServeConfig(
        model=str(provided.reasoner),
        port=port,
        gpu_memory_utilization=None,
        max_model_len=None,
        served_model_name=MODEL,
        extra_args=(*CPU, *more),
        executable=str(provided.vllm),
        ready_seconds=240,
    )


def marked(mark: str) -> list[psutil.Process]:
    """Living processes that have the mark in their environment, but for this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


@pytest.fixture(scope="session")
def provided() -> Provided:
    return provide()


@pytest.fixture(scope="session")
def server(provided: Provided, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started and stopped by the same supervisor that a run uses."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "vllm.log"
    mark = f"session-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as loop:
        for name, value in (provided.variables() | {MARK: mark}).items():
            patch.setenv(name, value)
        stack = contextlib.AsyncExitStack()

        async def start() -> None:
            client = await stack.enter_async_context(http_client())
            await stack.enter_async_context(served(serve_config(provided, port), KEY, client, log, _tell))

        loop.run(start())
        try:
            config = EndpointConfig(base_url=f"http://127.0.0.1:{port}", model=MODEL, timeout_seconds=280)
            yield Server(f"http://127.0.0.1:{port}", config)
        finally:
            loop.run(stack.aclose())
    left = marked(mark)
    assert not left, f"the server's supervisor left {left}"


@pytest.fixture
async def chat(server: Server) -> AsyncIterator[Chat]:
    async with server.chat() as connected:
        yield connected


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds that no other test shows: the prefix cache knows nothing of it."""
    path = tmp_path / "clip.mp4"
    zoom = 0.1 + int.from_bytes(os.urandom(2), "big") / 100_000
    write_clip(path, RenderSpec(width=320, height=192, num_frames=49, fps=24), zoom=zoom)
    return path


def _tell(seconds: float, line: str) -> None:
    print(f"{seconds:5.0f} s  {line[:150]}", file=sys.stderr)
