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
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
DEADLINE = 250
USUAL = 8000


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Serve it")[1]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def its_port() -> int:
    """The commands name none: it is the usual one, or another where somebody else's server listens there."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", USUAL))
        return USUAL
    return free_port()


@pytest.mark.thorough
def test_the_three_commands(tmp_path: Path) -> None:
    install, serve, ask = commands()
    assert install == "pip install -q '.[server]'"  # what .ci/run has done for the whole suite
    name, *args = serve.removesuffix(" &").split()
    assert name == "retake"
    port = its_port()
    if port != USUAL:
        args += ["--port", str(port)]
    assert f"http://127.0.0.1:{USUAL}/" in ask
    url = f"http://127.0.0.1:{port}"
    ask = ask.replace(f"http://127.0.0.1:{USUAL}", url)
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
        assert server.stdout.readline().startswith(f"Retake serves at {url}")
        asked = subprocess.run(ask, shell=True, capture_output=True, text=True, timeout=100, check=True)  # noqa: S602
        run = httpx.Response(200, content=asked.stdout).json()
        until = time.monotonic() + DEADLINE
        while run["state"] in {"queued", "running"} and time.monotonic() < until:
            time.sleep(0.2)
            run = httpx.get(f"{url}/v1/runs/{run['id']}", timeout=60).json()
        assert run["state"] == "completed", run
        assert httpx.get(f"{url}/", timeout=60).headers["content-type"].startswith("text/html")
    finally:
        server.terminate()
        server.wait(100)
        if server.stdout is not None:
            server.stdout.close()
