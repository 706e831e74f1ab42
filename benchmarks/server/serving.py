"""`retake serve` as a process of its own, in front of the scripted servers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.server.wire import Line
from tests.ports import free_port
from tests.scripted_servers import wire_config

READY_SECONDS = 60.0
LIMITS = {"max_queued": 10_000, "requests_per_second": None}


class Serving:
    """The server's process: started, killed and started again on one folder and one port.

    Args:
        folder: for its config, its runs and its log.
        servers: address of the scripted servers.
        running: runs at the same time.
        iterations, samples: of each run.
    """

    def __init__(self, folder: Path, servers: str, *, running: int, iterations: int, samples: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self._config = folder / "server.yaml"
        self._process: subprocess.Popen[bytes] | None = None
        config: dict[str, Any] = wire_config(servers, iterations=iterations, samples=samples)
        config["output"] = {"dir": str(folder / "runs")}
        config["server"] = {"limits": {"max_running": running, **LIMITS}, "drain_seconds": 1.0}
        self._config.write_text(yaml.safe_dump(config), encoding="utf-8")

    @property
    def process(self) -> psutil.Process:
        """The server's."""
        if self._process is None:
            raise RuntimeError("not started")
        return psutil.Process(self._process.pid)

    def children(self) -> list[psutil.Process]:
        """What it has started: the engine."""
        with suppress(psutil.Error):
            return self.process.children(recursive=True)
        return []

    def start(self) -> None:
        """Start it, and wait for nothing."""
        command = [sys.executable, "-m", "agent", "serve", str(self._config), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    async def ready(self) -> float:
        """Wait until it answers. Returns the seconds that took."""
        begun = time.monotonic()
        while not await self.answers(5.0):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"retake serve ended:\n{self.log.read_text(errors='replace')[-2000:]}")
            if time.monotonic() - begun > READY_SECONDS:
                raise TimeoutError(f"retake serve does not answer:\n{self.log.read_text(errors='replace')[-2000:]}")
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    async def answers(self, seconds: float = 0.3) -> bool:
        """Whether it answers now, or within some seconds."""
        line = Line(self.url)
        try:
            # it listens before it answers
            return (await line.ask(line.request("GET", "/v1/runs?limit=1"), seconds)).status == 200
        except (OSError, TimeoutError):
            return False
        finally:
            await line.close()

    def signal(self, how: signal.Signals, *, whole: bool = False) -> None:
        """Signal the server, or with it all that it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(self._process.pid, how)

    def wait(self) -> None:
        """Until its process is over."""
        if self._process is not None:
            self._process.wait(READY_SECONDS)

    def stop(self) -> None:
        """Kill it with all that it has started."""
        self.signal(signal.SIGKILL, whole=True)
        self.wait()
