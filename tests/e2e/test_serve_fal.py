"""fal's own clients against `retake serve` as a process: Python by every way in, JavaScript by both."""

import base64
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.clients import node, node_clients, python
from tests.ports import free_port
from tests.serving import Process, serving

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
REQUESTS = ROOT / "tests" / "fixtures" / "requests"
FAL = ("fal.run", "queue.fal.run", "rest.fal.ai", "v3.fal.media")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("fal") / "runs", quick=False) as process:
        yield process


@pytest.fixture(scope="module")
def scripts(request: pytest.FixtureRequest) -> Path:
    return node_clients(request.config.cache.mkdir("node-clients"))


def picture() -> str:
    file = io.BytesIO()
    Image.effect_noise((1280, 720), 60).convert("RGB").save(file, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def check_output(body: Any, base: str) -> None:
    """Theirs, and the loop's beside it; the video is really there."""
    video, loop = body["video"], body["agentic"]
    assert video["url"].startswith(base + "/media/")
    assert (video["content_type"], video["width"], video["num_frames"]) == ("video/mp4", 256, 13)
    assert loop["score"] is not None
    # one whose sibling was accepted first may have been given up
    assert any((candidate["url"] or "").startswith(base + "/media/") for candidate in loop["candidates"])


def fetched(url: str) -> bytes:
    answer = httpx.get(url, timeout=60)
    assert answer.status_code == 200
    return answer.content


def test_python_by_its_module_constants(server: Process) -> None:
    said = python("fal_life.py", server.url)
    check_output(said["subscribed"], server.url)
    check_output(said["asynchronous"], server.url)
    video = said["subscribed"]["video"]
    assert len(fetched(video["url"])) == video["file_size"]
    assert len(said["subscribed"]["agentic"]["candidates"]) == 2
    assert b"<html" in fetched(said["subscribed"]["agentic"]["report_url"])
    last = said["updates"][-1]
    assert last["status"] == "Completed"
    assert last["metrics"]["inference_time"] > 0
    assert any("Iteration 1" in line for line in last["lines"])
    assert said["run"]["video"]["url"].startswith("data:video/mp4;base64,")
    assert (said["invalid"]["status"], said["invalid"]["error_type"]) == (422, "less_than_equal")
    assert said["invalid"]["message"][0]["loc"] == ["body", "num_frames"]
    assert (said["foreign"]["status"], said["late"]["status"]) == (404, 422)
    assert (said["gone"]["status"], said["gone"]["error_type"]) == (499, "client_cancelled")
    assert (said["cancelled"]["status"], said["cancelled"]["error_type"]) == ("Completed", "client_cancelled")
    assert (said["twice"]["status"], said["unknown"]["status"]) == (400, 404)


@pytest.mark.parametrize("way", ["middleware", "proxy"])
def test_javascript_by_both_of_its_options(server: Process, scripts: Path, way: str) -> None:
    said = node(scripts, "fal_life.mjs", server.url, way)
    for name in ("polled", "streamed"):
        check_output(said[name]["data"], server.url)
        assert said[name]["requestId"] == said[name]["data"]["agentic"]["run_id"]
    assert said["updates"][-1]["status"] == said["events"][-1]["status"] == "COMPLETED"
    # the client strings the streamed lines together: none may come twice
    lines = said["events"][-1]["lines"]
    assert len(lines) == len(set(lines)) > 3
    assert said["run"]["data"]["video"]["url"].startswith("data:video/mp4;base64,")
    assert (said["invalid"]["name"], said["invalid"]["status"]) == ("ValidationError", 422)
    assert said["invalid"]["fields"][0]["type"] == "less_than_equal"
    assert said["invalid"]["message"] == "num_frames: Input should be less than or equal to 189"
    assert (said["foreign"]["status"], said["early"]["status"]) == (404, 400)
    assert (said["cancelled"]["status"], said["cancelled"]["error_type"]) == ("COMPLETED", "client_cancelled")
    assert (said["gone"]["status"], said["twice"]["status"], said["unknown"]["status"]) == (499, 400, 404)


def test_the_body_of_cosmos3s_page_unchanged(server: Process) -> None:
    """The quickest of the four pages' (11 s of two cores); the others, of 20 to 26 s, were run by hand."""
    body = json.loads((REQUESTS / "fal-cosmos-3-super-image-to-video.json").read_bytes())
    body["image_url"] = picture()
    answer = httpx.post(f"{server.url}/fal/run/nvidia/cosmos-3-super/image-to-video", json=body, timeout=250)
    assert answer.status_code == 200
    video = answer.json()["video"]
    assert (video["width"], video["height"], video["num_frames"], video["fps"]) == (832, 480, 189, 24)
    assert len(answer.json()["agentic"]["candidates"]) == 1


def test_python_unchanged_by_a_proxy(server: Process, tmp_path: Path) -> None:
    certify(tmp_path, *(f"DNS:{name}" for name in FAL))
    with tls(server.port, tmp_path, free_port(), proxy := free_port()):
        way = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy}", "SSL_CERT_FILE": str(tmp_path / "cert.pem")}
        said = python("fal_life.py", "", "short", environment=way)
    check_output(said["subscribed"], "https://queue.fal.run")


def test_python_by_environment_alone(tmp_path: Path) -> None:
    """Hosts with a path in them; the server is told how it is reached."""
    certify(tmp_path, "IP:127.0.0.1")
    inside, outside = free_port(), free_port()
    public = f"https://127.0.0.1:{outside}"
    with (
        serving(tmp_path / "runs", f"server.public_url={public}", quick=False, port=inside),
        tls(inside, tmp_path, outside, free_port()),
    ):
        way = {
            "FAL_RUN_HOST": f"127.0.0.1:{outside}/fal/run",
            "FAL_QUEUE_RUN_HOST": f"127.0.0.1:{outside}/fal/queue",
            "SSL_CERT_FILE": str(tmp_path / "cert.pem"),
        }
        said = python("fal_life.py", "", "short", environment=way)
    check_output(said["subscribed"], public)


def certify(folder: Path, *names: str) -> None:
    """cert.pem and key.pem, as docs/serving.md has it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=fal"]
    command += ["-addext", "subjectAltName=" + ",".join(names), "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@contextmanager
def tls(to: int, folder: Path, outside: int, proxy: int) -> Iterator[None]:
    """docs/fal_tls.py as a process."""
    command = [sys.executable, str(ROOT / "docs" / "fal_tls.py"), "--to", str(to), "--tls", str(outside)]
    command += ["--proxy", str(proxy), "--cert", "cert.pem", "--key", "key.pem"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("TLS at")
        try:
            yield
        finally:
            process.terminate()
