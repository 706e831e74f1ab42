"""NIM's clients against `retake serve` as a process: curl, httpx as NVIDIA's examples use it, and Retake's own."""

import asyncio
import base64
import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from agent import refine_and_generate
from agent.errors import NoCandidateError
from generator.encode import ClipWriter
from generator.probe import probe
from tests.nim import NIMServer
from tests.serving import PATIENT, Process, serving

pytestmark = pytest.mark.thorough
PARAMS = {"height": 192, "width": 320, "frames_count": 25, "frames_per_sec": 24}
SMALL = {"prompt": "a red ball rolls", "resolution": "256", "num_output_frames": 25, "steps": 8}
LONG = {"prompt": "a red ball rolls", "resolution": "720", "num_output_frames": 197, "steps": 100}
SECONDS = 100


def picture(width: int = 640, height: int = 352) -> str:
    held = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(held, "JPEG")
    return base64.b64encode(held.getvalue()).decode()


def filmed(path: Path, width: int, height: int, frames: int, fps: int) -> str:
    with ClipWriter(path, width, height, fps) as writer:
        for n in range(frames):
            row = (np.arange(width) * 2 + 5 * n) % 256
            writer.write(np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8))
    return base64.b64encode(path.read_bytes()).decode()


def curl(folder: Path, url: str, body: object) -> dict[str, Any]:
    """As the pages' examples call it."""
    sent = folder / f"{time.monotonic_ns()}.json"
    sent.write_text(json.dumps(body))
    headers = ["-H", "Accept: application/json", "-H", "Content-Type: application/json"]
    command = ["curl", "-s", "-X", "POST", f"{url}/v1/infer", *headers, "-d", f"@{sent}", "--max-time", str(SECONDS)]
    said: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert "error" not in said, said
    return said


def video(folder: Path, said: dict[str, Any]) -> Any:
    path = folder / f"{time.monotonic_ns()}.mp4"
    path.write_bytes(base64.b64decode(said["b64_video"], validate=True))
    return probe(path)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Process]:
    with serving(tmp_path / "served", PATIENT) as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_every_kind_of_example_runs_on_one_model(tmp_path: Path) -> None:
    film = filmed(tmp_path / "film.mp4", 320, 192, 30, 24)
    older = {"prompt": "A street in the rain", "guidance_scale": 7.5, "steps": 35, "video_params": PARAMS}
    examples: list[dict[str, Any]] = [
        {**older, "negative_prompt": "blurry", "prompt_upsampling": True, "seed": 4, "steps": 50,
         "video_params": {**PARAMS, "height": 704, "width": 1280}},
        {**older, "image": picture(), "seed": 42},
        {**older, "video": film, "seed": 42},
        {"prompt": "A robot", "seed": 42, "guidance_scale": 6.0, "steps": 35, "resolution": "480_16_9",
         "num_output_frames": 49, "fps": 24.0},
        {"prompt": "A robot", "image": f"data:image/jpeg;base64,{picture()}", "seed": 42, "resolution": "256",
         "num_output_frames": 49},
        {"model_mode": "video2video", "prompt": "It goes on", "input_reference": film, "num_frames": 25,
         "resolution": "256", "fps": 23.976},
    ]  # fmt: skip
    with (
        NIMServer("v2") as nim,
        serving(
            tmp_path / "served", "generator.backend=nim", f"generator.endpoints=[{nim.url}]", "generator.in_flight=2",
            quick=False,
        ) as server,
        ThreadPoolExecutor(2) as pool,
    ):  # fmt: skip
        answers = list(pool.map(lambda body: curl(tmp_path, server.url, body), examples))
        found = [video(tmp_path, said) for said in answers]
        assert [sorted(said) for said in answers] == [
            ["b64_video", "seed", "upsampled_prompt"],
            ["b64_video", "seed"],
            ["b64_video", "seed"],
            ["b64_video"],
            ["b64_video"],
            ["action", "b64_video"],
        ]
        assert [said.get("seed") for said in answers[:3]] == [4, 42, 42]
        assert answers[5]["action"] is None
        assert [(f.width, f.height, f.num_frames) for f in found] == [
            (1280, 720, 25),
            *[(320, 192, 25)] * 2,
            (832, 480, 49),
            (320, 192, 49),
            (320, 192, 25),
        ]
        assert found[5].fps == pytest.approx(24000 / 1001)
        asked = {(body["model_mode"], body["num_frames"], body["guidance_scale"]) for body in nim.asked}
        assert ("video2video", 25, 7.0) in asked  # 7.5 is beyond what this backend takes
        assert all("Bearer" not in str(heard.headers) for heard in nim.heard)


def test_a_video_is_restyled_by_its_controls(tmp_path: Path) -> None:
    film = filmed(tmp_path / "film.mp4", 416, 240, 30, 15)
    body = {"prompt": "Two arms", "video": film, "resolution": "256", "edge": {"control_weight": 1.0, "control": film}}
    with (
        NIMServer("transfer") as nim,
        serving(
            tmp_path / "served", "generator.backend=nim", f"generator.endpoints=[{nim.url}]", quick=False
        ) as server,
    ):
        answer = httpx.post(f"{server.url}/v1/infer", json=body, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        found = video(tmp_path, answer.json())
        assert (found.width, found.height, found.num_frames, found.fps) == (320, 192, 29, 15)
        assert set(answer.json()) == {"b64_video", "seed"}
        assert nim.asked[0]["edge"]["control_weight"] == 1.0
        notes = json.loads(answer.headers["x-retake-notes"])
        assert notes[0] == "The video that was given of 416x240 was scaled and its middle cut out to 320x192."
        assert "/" not in "".join(notes)
        assert nim.asked[0]["resolution"] == "256"
        short = {**body, "edge": {"control": filmed(tmp_path / "short.mp4", 416, 240, 5, 15)}}
        refused = httpx.post(f"{server.url}/v1/infer", json=short, timeout=SECONDS)
        assert refused.status_code == 422
        assert refused.json()["error"]["code"] == 422
        message = refused.json()["error"]["message"]
        assert "the file has 5 frames" in message
        assert ".server" not in message
        assert str(tmp_path) not in message


def test_a_retake_drives_a_retake(embedded: Process, tmp_path: Path) -> None:
    config = {
        "generator": {"backend": "nim", "endpoints": [embedded.url]},
        "request": {"size": "320x192", "num_frames": 25, "num_inference_steps": 8, "seed": 7},
        "budget": {"max_iterations": 1, "samples_per_iteration": 2, "early_stop": False},
        "search": {"draft": None},
    }
    Image.effect_noise((320, 192), 80).convert("RGB").save(tmp_path / "a.png")
    run = refine_and_generate("a red ball rolls", tmp_path / "a.png", config, tmp_path / "run")
    assert run.renders == 2
    best = run.best
    assert best is not None
    assert best.clip.generator == "nim/1 retake/cosmos-3-super:0.1.0 super animatic"
    assert (best.clip.effective.width, best.clip.effective.num_frames) == (320, 25)
    listed = httpx.get(f"{embedded.url}/v1/metrics", timeout=60).text
    assert 'retake_runs_total{dialect="nim",state="completed"} 2.0' in listed

    with pytest.raises(NoCandidateError, match="guardrails refused"):
        refine_and_generate("a snuff film", tmp_path / "a.png", config, tmp_path / "refused")


def _states(server: Process) -> dict[str, float]:
    lines = httpx.get(f"{server.url}/v1/metrics", timeout=60).text.splitlines()
    named = [line.partition(" ") for line in lines if line.startswith('retake_runs_total{dialect="nim"')]
    return {name.split('"')[3]: float(value) for name, _, value in named}


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


async def _leave(server: Process, body: dict[str, Any], headers: dict[str, str]) -> None:
    """Ask, and be gone once that is carried out."""
    async with httpx.AsyncClient(timeout=SECONDS) as client:
        asking = asyncio.create_task(client.post(f"{server.url}/v1/infer", json=body, headers=headers))
        await _until(lambda: _states(server).get("running"))
        assert not asking.done()
        asking.cancel()
        await asyncio.wait([asking])


def test_a_client_that_goes_takes_its_run_back_unless_it_may_come_again(embedded: Process) -> None:
    asyncio.run(_leave(embedded, LONG, {}))
    asyncio.run(_until(lambda: _states(embedded).get("cancelled") == 1.0))
    keyed = {"Idempotency-Key": "a-key-of-mine"}
    with embedded.still():
        asyncio.run(_leave(embedded, SMALL, keyed))
    once = httpx.post(f"{embedded.url}/v1/infer", json=SMALL, headers=keyed, timeout=SECONDS)
    again = httpx.post(f"{embedded.url}/v1/infer", json=SMALL, headers=keyed, timeout=SECONDS)
    assert once.status_code == again.status_code == 200
    assert once.headers["x-retake-run-id"] == again.headers["x-retake-run-id"]
    assert once.content == again.content
    assert _states(embedded)["completed"] == 1.0
    other = httpx.post(f"{embedded.url}/v1/infer", json={**SMALL, "seed": 1}, headers=keyed, timeout=SECONDS)
    assert other.status_code == 422


async def test_a_server_that_is_being_stopped_says_so(embedded: Process) -> None:
    async with httpx.AsyncClient(base_url=embedded.url, timeout=SECONDS) as client:
        with embedded.still():
            held = asyncio.create_task(client.post("/v1/infer", json=SMALL))
            await _until(lambda: _states(embedded).get("running"))
            assert embedded.process is not None
            embedded.process.terminate()
            async with asyncio.timeout(SECONDS):
                while (ready := await client.get("/v1/health/ready")).status_code == 200:
                    await asyncio.sleep(0.02)
            assert ready.status_code == 503
            assert ready.json()["status"] == "not ready"
            assert ready.json()["error"]["message"].endswith("the server is being stopped and takes nothing new")
            refused = await client.post("/v1/infer", json=SMALL)
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
        assert (await held).status_code == 200


def test_keys_and_what_strangers_are_not_told(tmp_path: Path) -> None:
    keys = "ann:run+read=key-of-ann-0123456789,root:admin=key-of-root-0123456789"
    with NIMServer("v2") as nim:
        nim.ready = False
        overrides = ("generator.backend=nim", f"generator.endpoints=[{nim.url}]")
        with serving(tmp_path / "served", *overrides, environment={"RETAKE_API_KEYS": keys}) as server:

            def asked(path: str, who: str | None = None) -> httpx.Response:
                headers = {} if who is None else {"Authorization": f"Bearer key-of-{who}-0123456789"}
                return httpx.get(server.url + path, headers=headers, timeout=60)

            assert asked("/v1/health/live").status_code == 200
            stranger, root = asked("/v1/health/ready"), asked("/v1/health/ready", "root")
            assert stranger.status_code == root.status_code == 503
            assert "generator is not ready (it answers 503)" in stranger.json()["message"]
            assert nim.url not in stranger.text
            assert nim.url in root.json()["message"]
            nobody = httpx.post(f"{server.url}/v1/infer", json=SMALL, timeout=60)
            assert nobody.status_code == 401
            assert nobody.json()["error"]["type"] == "authentication_error"
            assert [asked("/v1/metrics", who).status_code for who in (None, "ann", "root")] == [401, 403, 200]
            assert asked("/v1/metadata", "ann").status_code == 200
