"""`retake serve` for tests: as a process, and its application in this one."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil

from agent.server.app import guarded
from agent.server.context import Context
from agent.server.keys import Keys
from agent.server.loading import load
from agent.server.serve import opened
from tests.ports import free_port

QUICK = ("request.size=256x256", "request.num_frames=13", "search.draft=null")
"""The least that the embedded renderer makes a clip of: half a second's work a candidate."""
PATIENT = "server.limits.engine_silent_seconds=null"
"""For a server whose engine is to stand still: it is not taken for one that hangs, however long that lasts."""


@asynccontextmanager
async def in_process(
    folder: Path, *overrides: str, config: str | None = None, keys: Keys | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Context]]:
    """A client of the application, with the real queue and engine behind it. Answers come whole: no streams."""
    served = load(config, [f"output.dir={folder}", *QUICK, *overrides])
    async with opened(served, needs_key=keys is not None) as context:
        app = guarded(context, keys, host="127.0.0.1")
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
            yield client, context


@dataclass
class Process:
    """`retake serve` as a process."""

    folder: Path
    overrides: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    host: str = "127.0.0.1"
    verbose: bool = False
    port: int = field(default_factory=free_port)
    """A second start keeps it."""
    process: "subprocess.Popen[str] | None" = None
    output: list[str] = field(default_factory=list)
    """What it printed, to either stream."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 100) -> "Process":
        """Start it, and wait until it answers."""
        settings = [word for key in (f"output.dir={self.folder}", *self.overrides) for word in ("-s", key)]
        command = [sys.executable, "-m", "agent", "serve", *([self.config] if self.config else [])]
        command += ["-v"] if self.verbose else []
        begun = len(self.output)
        self.process = subprocess.Popen(
            [*command, "--host", self.host, "--port", str(self.port), *settings],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        Thread(target=self._hear, args=(self.process,), daemon=True).start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in self.output[begun:]:
                if found := re.search(r"serves at http://\S+:(\d+)", line):
                    self.port = int(found[1])
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        raise AssertionError("it did not start:\n" + "\n".join(self.output[begun:]))

    def kill(self) -> None:
        """`kill -9`, of it alone: its engine finds out by itself."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(60)

    @property
    def engine(self) -> psutil.Process:
        """The one that works now."""
        assert self.process is not None
        (engine,) = psutil.Process(self.process.pid).children()
        return engine

    def engine_follows(self, lost: psutil.Process) -> bool:
        """Whether another engine has come after that one."""
        assert self.process is not None
        return [child.pid for child in psutil.Process(self.process.pid).children()] not in ([], [lost.pid])

    @contextmanager
    def still(self) -> Iterator[None]:
        """The engine stands still meanwhile: no run gets on, and the server answers. See PATIENT."""
        engine = self.engine
        engine.suspend()
        try:
            yield
        finally:
            engine.resume()

    def stop(self, seconds: float = 100) -> int:
        """SIGTERM, and wait for it. Returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def _hear(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line.rstrip("\n"))


@contextmanager
def serving(folder: Path, *overrides: str, quick: bool = True, **more: Any) -> Iterator[Process]:
    """The server as a process, stopped at the end."""
    server = Process(folder, (*(QUICK if quick else ()), *overrides), **more)
    server.start()
    try:
        yield server
    finally:
        server.kill()
