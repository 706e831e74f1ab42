"""Files in and out of `retake serve` as a process: official clients, kills, and a receiver that checks."""

import hashlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.clients import node, node_clients, python
from tests.clips import write_clip
from tests.ports import free_port
from tests.serving import Process, serving

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
KEY, OTHER = "a-key-of-tests-for-uploads-1", "a-key-of-tests-for-uploads-2"
MINE = {"Authorization": f"Key {KEY}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    limits = ("server.limits.max_upload_bytes=100000000", "server.webhooks.hours=0.1", "server.webhooks.attempts=100")
    with serving(
        tmp_path_factory.mktemp("storage") / "runs",
        *limits,
        "server.webhooks.allow_private_addresses=true",
        environment={"RETAKE_API_KEYS": f"{KEY},{OTHER}"},
    ) as process:
        yield process


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "harbour 1.png"
    Image.effect_noise((160, 90), 60).convert("RGB").save(path)
    return path


def test_every_upload_of_the_python_client(server: Process, picture: Path) -> None:
    said = python("fal_uploads.py", server.url, str(picture), environment={"FAL_KEY": KEY})
    assert set(said["same"].values()) == {True}, said
    assert len(set(said["urls"].values())) == len(said["urls"])
    assert "100,000,000 bytes" in said["refused"] or "MiB" in said["refused"], said["refused"]
    assert "FalClientHTTPError" in said["refused"]


def test_every_upload_of_the_javascript_client(server: Process, picture: Path, request: pytest.FixtureRequest) -> None:
    folder = node_clients(request.config.cache.mkdir("node-clients"))
    said = node(folder, "fal_uploads.mjs", server.url, str(picture), KEY)
    assert set(said["same"].values()) == {True}, said


def test_uploads_outlive_a_kill_in_their_middle(server: Process, tmp_path: Path) -> None:
    data = random.Random(7).randbytes(6_000_000)
    begun = httpx.post(
        f"{server.url}/fal/rest/storage/upload/initiate-multipart",
        json={"file_name": "a.mp4", "content_type": "video/mp4"},
        headers=MINE,
        timeout=60,
    ).json()
    to, found_at = begun["upload_url"], begun["file_url"]
    first = httpx.put(f"{to}/1", content=data[:3_000_000], timeout=60).json()
    whole = httpx.post(f"{server.url}/v1/uploads", content=data, headers=MINE, timeout=60).json()["url"]
    half = httpx.Client(timeout=60)

    def slowly() -> Iterator[bytes]:
        yield data[:2_000_000]
        server.kill()
        yield data[2_000_000:]

    with pytest.raises(httpx.TransportError):
        half.put(f"{to}/2", content=slowly())
    server.start()
    second = httpx.put(f"{to}/2", content=data[3_000_000:], timeout=60).json()
    assert httpx.post(f"{to}/complete", json={"parts": [second, first]}, timeout=60).status_code == 200
    for url in (found_at, whole):
        assert hashlib.sha256(httpx.get(url, timeout=60).content).digest() == hashlib.sha256(data).digest()
    others = httpx.get(
        f"{server.url}/v1/uploads/{whole.split('/')[-2]}", headers={"Authorization": f"Key {OTHER}"}, timeout=60
    )
    assert others.status_code == 404
    left = [path.name for path in (server.folder / ".server" / "uploads").rglob("*.part")]
    assert left == []


def test_a_webhook_outlives_a_kill_and_verifies_at_the_receiver_of_the_docs(server: Process, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "serving.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Receiver" in block)
    port = free_port()
    script = tmp_path / "receiver.py"
    script.write_text(code.replace("http://127.0.0.1:8000", server.url).replace("9000", str(port)))

    queue = f"{server.url}/fal/queue/nvidia/cosmos-3-super/text-to-video"
    hook = f"http://127.0.0.1:{port}/hook"
    asked = {"prompt": "A boat crosses the bay.", "enable_agentic_generation": False, "num_frames": 13}
    told = httpx.post(queue, params={"fal_webhook": hook}, json=asked, headers=MINE, timeout=60)
    assert told.status_code == 200, told.text
    until = time.monotonic() + 100
    while httpx.get(told.json()["status_url"], headers=MINE, timeout=60).status_code == 202:
        assert time.monotonic() < until
        time.sleep(0.1)
    time.sleep(0.3)  # a first attempt, at nobody
    server.kill()
    server.start()
    receiver = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert receiver.stdout is not None
        line = receiver.stdout.readline()
        assert re.fullmatch(rf"(OK|ERROR) {told.json()['request_id']}\n", line), line
        forged = {f"X-Fal-Webhook-{name}": "1" for name in ("Request-Id", "User-Id", "Timestamp", "Signature")}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(hook, json={"status": "OK"}, headers=forged, timeout=60)
    finally:
        receiver.kill()
        receiver.wait()
        assert receiver.stdout is not None
        receiver.stdout.close()


@pytest.mark.browser
def test_a_clips_address_plays_in_a_tab_and_within_anothers_page(
    server: Process, browser: Browser, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4").path.read_bytes()
    sent = httpx.post(
        f"{server.url}/v1/uploads", files={"file": ("a.mp4", clip, "video/mp4")}, headers=MINE, timeout=60
    )
    url = sent.json()["url"]
    plays = "document.querySelector('video')?.readyState >= 2"
    (tmp_path / "page.html").write_text(f"<video src='{url}' muted autoplay></video>")
    pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=pages.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(url)
    page.wait_for_function(plays, timeout=60_000)
    page.goto(f"http://127.0.0.1:{pages.server_port}/page.html")
    page.wait_for_function(plays, timeout=60_000)
    page.close()
    pages.shutdown()
    pages.server_close()
