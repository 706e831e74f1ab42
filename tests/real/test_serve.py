"""`retake serve` before two real servers, asked by fal's own client in a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import httpx
import pytest
import yaml
from PIL import Image

from agent.server.results import SHOWN
from tests.real.conftest import KEY, MODEL, Server
from tests.real.omni_server import OmniServer, omni
from tests.real.test_both import KEY_NAME
from tests.serving import Process

__all__ = ["omni"]
OURS = "a-key-of-fals-client"
CLIENT = """
import json, sys
import fal_client.client as client

url, image = sys.argv[1:]
client.RUN_URL_FORMAT, client.QUEUE_URL_FORMAT = f"{url}/fal/run/", f"{url}/fal/queue/"
client.REST_URL, client.CDN_URL = f"{url}/fal/rest", f"{url}/fal/cdn"
import fal_client

states, lines = [], []

def hear(status):
    if not states or states[-1] != type(status).__name__:
        states.append(type(status).__name__)
    if getattr(status, "logs", None):
        lines[:] = [line["message"] for line in status.logs]

result = fal_client.subscribe(
    "nvidia/cosmos-3-super/image-to-video",
    arguments={
        "prompt": "A red lighthouse over a bay at dusk, the camera pushes in",
        "image_url": fal_client.upload_file(image),
        "image_size": {"width": 300, "height": 180},
        "num_frames": 11,
        "num_inference_steps": 4,
        "seed": 7,
        "enable_agentic_generation": True,
        "agentic_max_iterations": 2,
        "agentic_samples_per_iteration": 2,
    },
    with_logs=True,
    on_queue_update=hear,
)
print(json.dumps({"result": result, "states": states, "lines": lines}))
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "first.png"
    Image.effect_mandelbrot((320, 192), (-2, -1, 1, 1), 80).convert("RGB").save(path)
    return path


def test_an_agentic_request_of_fals_client_end_to_end(
    server: Server, omni: OmniServer, tmp_path: Path, image: Path
) -> None:
    config = tmp_path / "server.yaml"
    settings = {
        "request": {"prompt": "none"},
        "reasoner": {
            "backend": "openai", "sampling": {"max_tokens": 1500}, "base_url": server.root, "api_key_env": KEY_NAME,
        },
        "generator": {"backend": "vllm_omni", "endpoints": [omni.url], "api_key_env": "RETAKE_TEST_OMNI_KEY"},
        "critic": {"backend": "vlm", "accept_at": 0.99, "feedback": False},
        # whether a model of random weights finds a prompt harmless is a matter of luck
        "server": {"safety": {"reasoner": "never"}},
    }  # fmt: skip
    config.write_text(yaml.safe_dump(settings))
    keys = {KEY_NAME: KEY, "RETAKE_TEST_OMNI_KEY": omni.key, "RETAKE_API_KEYS": OURS}
    began, renders = time.monotonic(), omni.renders()
    process = Process(tmp_path / "runs", environment=keys, config=str(config)).start()
    try:
        env = {**os.environ, "FAL_KEY": OURS}
        command = [sys.executable, "-c", CLIENT, process.url, str(image)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, "\n".join([done.stderr, *process.output])
        told = json.loads(done.stdout)
        print(f"{time.monotonic() - began:.0f} s", told["lines"])
        result = told["result"]
        video, agentic = result["video"], result["agentic"]
        clip = httpx.get(video["url"], trust_env=False, timeout=60)
        assert clip.is_success
        (tmp_path / "video.mp4").write_bytes(clip.content)
        candidates = [httpx.get(each["url"], trust_env=False, timeout=60).content for each in agentic["candidates"]]
    finally:
        process.stop()

    assert told["states"][-1] == "Completed"
    assert len(told["lines"]) > 4
    with av.open(str(tmp_path / "video.mp4")) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    height, width, _ = frames[0].shape
    assert (width, height, len(frames)) == (320, 192, 9) == (video["width"], video["height"], video["num_frames"])
    assert (video["content_type"], video["file_size"]) == ("video/mp4", len(clip.content))

    assert omni.renders() - renders == len(candidates) == agentic["renders"] == 4
    made = agentic["candidates"]
    assert [each["iteration"] for each in made] == [0, 0, 1, 1]
    assert [each["seed"] for each in made[:2]] == [7, 8]  # and new ones where the model has no better words
    assert all(0 <= each["score"] <= 1 and not each["error"] and each["scores"] for each in made)
    assert len(set(candidates)) > 1
    assert (result["seed"], agentic["score"]) in [(each["seed"], each["score"]) for each in made]
    assert agentic["stop_reason"] == "iterations"
    asked, came = ({name: agentic[which][name] for name in SHOWN} for which in ("requested", "effective"))
    assert (asked, came) == (
        {"width": 300, "height": 180, "num_frames": 11, "fps": 24},
        {"width": 320, "height": 192, "num_frames": 9, "fps": 24},
    )
    assert any("300x180" in note for note in agentic["notes"])
    assert any("11 frames" in note for note in agentic["notes"])
    assert agentic["effective"]["guardrails"] == "unknown"  # the server was started by others, and does not say
    assert (agentic["safety"]["requested"], agentic["safety"]["effective"]) == (True, "passed")
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if (path / "run.json").exists())
    assert MODEL in (folder / "run.json").read_text()
    assert not any(key in "\n".join(process.output) + done.stdout for key in (KEY, omni.key, OURS))
