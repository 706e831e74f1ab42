"""README's three commands that serve, as they stand there."""

import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import command, environment

ROOT = Path(__file__).parents[2]
DEADLINE = 100


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Serve it")[1]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.thorough
def test_the_three_commands(tmp_path: Path) -> None:
    install, serve, ask = commands()
    assert install == "pip install -q '.[server]'"  # what .ci/run has done for the whole suite
    name, *args = serve.removesuffix(" &").split()
    assert name == "retake"
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
        asked = subprocess.run(ask, shell=True, capture_output=True, text=True, timeout=30, check=True)  # noqa: S602
        run = httpx.Response(200, content=asked.stdout).json()
        until = time.monotonic() + DEADLINE
        while run["state"] in {"queued", "running"} and time.monotonic() < until:
            time.sleep(0.2)
            run = httpx.get(f"http://127.0.0.1:8000/v1/runs/{run['id']}").json()
        assert run["state"] == "completed", run
        assert httpx.get("http://127.0.0.1:8000/").headers["content-type"].startswith("text/html")
    finally:
        server.terminate()
        server.wait(30)
        if server.stdout is not None:
            server.stdout.close()
