"""README's three commands that serve, as they stand there."""

import re
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import command, environment

ROOT = Path(__file__).parents[2]
DEADLINE = 250


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Serve it")[1]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def wait_for_its_port() -> None:
    """The commands name none, so it is the usual one, which another session on this machine may be using."""
    until = time.monotonic() + DEADLINE
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 8000))
            return
        assert time.monotonic() < until, "another program listens on port 8000"
        time.sleep(0.2)


@pytest.mark.thorough
def test_the_three_commands(tmp_path: Path) -> None:
    install, serve, ask = commands()
    assert install == "pip install -q '.[server]'"  # what .ci/run has done for the whole suite
    name, *args = serve.removesuffix(" &").split()
    assert name == "retake"
    wait_for_its_port()
    quick = ["-s", f"output.dir={tmp_path}", "-s", "request.size=256x256", "-s", "request.num_frames=13"]
    server = subprocess.Popen(
        [*command(*args), *quick],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Retake serves at http://127.0.0.1:8000")
        asked = subprocess.run(ask, shell=True, capture_output=True, text=True, timeout=100, check=True)  # noqa: S602
        run = httpx.Response(200, content=asked.stdout).json()
        until = time.monotonic() + DEADLINE
        while run["state"] in {"queued", "running"} and time.monotonic() < until:
            time.sleep(0.2)
            run = httpx.get(f"http://127.0.0.1:8000/v1/runs/{run['id']}", timeout=60).json()
        assert run["state"] == "completed", run
        assert httpx.get("http://127.0.0.1:8000/", timeout=60).headers["content-type"].startswith("text/html")
    finally:
        server.terminate()
        server.wait(100)
        if server.stdout is not None:
            server.stdout.close()
