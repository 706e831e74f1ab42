"""The official openai client, unchanged, and curl, against `retake serve` as a process."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from openai import (
    APIConnectionError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from openai.types import Video
from PIL import Image

from tests.serving import QUICK, Process, serving

pytestmark = [
    pytest.mark.thorough,
    # the client says so of its whole `videos` since the hosted models were closed
    pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning"),
]
LOOP = {"agentic_max_iterations": 2, "agentic_samples_per_iteration": 1, "agentic_early_stop": False, "accept_at": 0.99}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("serve") / "runs") as process:
        yield process


@pytest.fixture
def client(server: Process) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="nobody asks") as made:
        yield made


def png(color: str = "steelblue") -> bytes:
    data = BytesIO()
    Image.new("RGB", (320, 320), color).save(data, "PNG")
    return data.getvalue()


def frames(video: bytes) -> tuple[int, int, int]:
    """Frames, width and height."""
    with av.open(BytesIO(video), "r") as container:
        pictures = list(container.decode(video=0))
    return len(pictures), pictures[0].width, pictures[0].height


def said(video: Video) -> dict[str, Any]:
    """What the loop did: a field that the client passes through."""
    told: dict[str, Any] = video.to_dict()["agentic"]  # type: ignore[assignment]
    return told


def test_a_video_from_bytes_through_the_whole_loop(client: OpenAI, tmp_path: Path) -> None:
    video = client.videos.create(
        model="sora-2",
        prompt="A red lighthouse at dusk; the camera pushes in",
        seconds="1",  # type: ignore[arg-type]
        size="300x300",  # type: ignore[arg-type]
        input_reference=png(),
        extra_body={"seed": 7, "num_inference_steps": 12, **LOOP},
    )
    assert (video.status, video.progress, video.model) in {
        ("queued", 0, "cosmos-3-super"),
        ("in_progress", 0, "cosmos-3-super"),
    }
    assert (video.size, video.seconds) == ("256x256", "1")
    assert said(video)["requested"] == {"size": "300x300", "seconds": "1"}
    seen = [0]
    while video.status in {"queued", "in_progress"}:
        raw = client.videos.with_raw_response.retrieve(video.id)
        video = raw.parse()
        seen.append(video.progress)
        if video.status == "in_progress":
            assert 500 <= int(raw.headers["openai-poll-after-ms"]) <= 10_000
        time.sleep(0.05)
    assert (video.status, video.error, seen[-1]) == ("completed", None, 100)
    assert seen == sorted(seen)
    told = said(video)
    assert (told["iterations"], told["stop_reason"], told["threshold"]) == (2, "iterations", 0.99)
    assert [c["seed"] for c in told["candidates"]] == [7, 7]
    assert told["score"] == max(c["score"] for c in told["candidates"])
    assert told["prompt"] in told["prompts"]
    assert {c["url"].rpartition("/")[2] for c in told["candidates"]} == {"01-seed-7.mp4", "02-seed-7.mp4"}
    for candidate in told["candidates"]:
        assert frames(httpx.get(candidate["url"], timeout=60).content) == (25, 256, 256)
    assert "<html" in httpx.get(told["report_url"], timeout=60).text
    content = client.videos.download_content(video.id)
    content.write_to_file(tmp_path / "video.mp4")
    assert frames((tmp_path / "video.mp4").read_bytes()) == (25, 256, 256)
    thumbnail = client.videos.download_content(video.id, variant="thumbnail").read()
    assert (Image.open(BytesIO(thumbnail)).format, Image.open(BytesIO(thumbnail)).size) == ("WEBP", (256, 256))
    sheet = Image.open(BytesIO(client.videos.download_content(video.id, variant="spritesheet").read()))
    assert (sheet.format, sheet.size) == ("JPEG", (1280, 1280))

    remix = client.videos.poll(client.videos.remix(video.id, prompt="The same at night").id, poll_interval_ms=100)
    assert (remix.status, remix.remixed_from_video_id, remix.prompt) == ("completed", video.id, "The same at night")
    assert (remix.size, remix.seconds, said(remix)["iterations"]) == ("256x256", "1", 2)
    first = [_first_frame(client.videos.download_content(which.id).read()) for which in (video, remix)]
    assert max(abs(a - b) for a, b in zip(*first, strict=True)) < 12  # the same first frame

    assert [video.id for video in client.videos.list(limit=1)][:2] == [remix.id, video.id]
    assert client.videos.delete(remix.id).deleted
    with pytest.raises(NotFoundError):
        client.videos.retrieve(remix.id)
    assert client.videos.retrieve(video.id).status == "completed"


def _first_frame(video: bytes) -> tuple[float, ...]:
    """Mean red, green and blue of it."""
    with av.open(BytesIO(video), "r") as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return tuple(picture.mean(axis=(0, 1)))


def test_create_and_poll_without_a_file(client: OpenAI) -> None:
    video = client.videos.create_and_poll(
        prompt="Waves", poll_interval_ms=100, extra_body={"enable_agentic_generation": False, "format": "webm"}
    )
    assert (video.status, len(said(video)["candidates"])) == ("completed", 1)
    content = client.videos.download_content(video.id)
    assert content.response.headers["content-type"] == "video/webm"
    assert frames(content.read())[0] == 13


async def test_the_asynchronous_client_takes_a_video_back(server: Process) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x") as client:
        video = await client.videos.create(prompt="Waves", extra_body={"agentic_max_iterations": 20, "accept_at": 1})
        seen = [0]
        while not seen[-1]:  # it is to make so many clips that it is somewhere between them for long
            told = await client.videos.retrieve(video.id)
            assert told.status in {"queued", "in_progress"}
            seen.append(told.progress)
        assert 0 < seen[-1] < 99
        assert (await client.videos.delete(video.id)).deleted
        with pytest.raises(NotFoundError):
            await client.videos.retrieve(video.id)
        assert video.id not in [other.id async for other in client.videos.list()]
    until = time.monotonic() + 100
    while (server.folder / video.id).exists():
        assert time.monotonic() < until, "its folder is still there"
        await asyncio.sleep(0.1)


def test_errors_are_the_client_s_classes(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as wrong:
        client.videos.create(prompt="x", extra_body={"agentic_max_iteration": 2})
    assert (wrong.value.code, wrong.value.param) == ("unknown_parameter", "agentic_max_iteration")
    assert "'agentic_max_iterations'" in wrong.value.message
    with pytest.raises(BadRequestError) as wrong:
        client.videos.create(prompt="x", input_reference=b"no picture")
    assert wrong.value.param == "input_reference"
    with pytest.raises(BadRequestError) as wrong:
        client.videos.create(prompt="x", extra_body={"input_reference": {"image_url": "ftp://example.com/a.png"}})
    assert str(wrong.value.param).startswith("input_reference")
    with pytest.raises(NotFoundError) as gone:
        client.videos.create(prompt="x", model="sora-3")
    assert (gone.value.code, gone.value.param) == ("model_not_found", "model")
    private = {"input_reference": {"image_url": f"{client.base_url}models"}}
    failed = client.videos.create_and_poll(prompt="x", poll_interval_ms=100, extra_body=private)
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("file_download_error", "input_reference")
    with pytest.raises(InternalServerError) as missing:
        client.videos.edit(prompt="x", video=b"y")
    assert (missing.value.status_code, missing.value.code) == (501, "not_implemented")
    assert missing.value.response.request.headers["x-stainless-retry-count"] == "0"  # it was not asked again
    assert client.models.retrieve("sora-2").id == "cosmos-3-super"
    assert "cosmos-3-nano" in [model.id for model in client.models.list()]


def test_an_upload_by_its_id_and_by_its_address(client: OpenAI, server: Process) -> None:
    answer = httpx.post(f"{server.url}/v1/uploads", files={"file": ("bay.png", png("olive"))}, timeout=60)
    told = answer.json()
    for reference in ({"file_id": told["id"]}, {"image_url": told["url"]}):
        video = client.videos.create_and_poll(
            prompt="Waves",
            poll_interval_ms=100,
            extra_body={"input_reference": reference, "enable_agentic_generation": False},
        )
        assert (video.status, video.error) == ("completed", None)
        red, green, blue = _first_frame(client.videos.download_content(video.id).read())
        assert abs(red - 128) + abs(green - 128) + blue < 60  # olive


def test_curl(server: Process, tmp_path: Path) -> None:
    picture = tmp_path / "bay.png"
    picture.write_bytes(png())

    def curl(*args: str) -> Any:
        done = subprocess.run(["curl", "-sS", *args], capture_output=True, check=True, timeout=100)
        return done.stdout

    fields = ("prompt=Waves", "seconds=0.5", "size=256x256", "enable_agentic_generation=false", "model=cosmos-3-nano")
    form = [word for field in (*fields, f"input_reference=@{picture}") for word in ("-F", field)]
    video = json.loads(curl(f"{server.url}/v1/videos", *form))
    while video["status"] in {"queued", "in_progress"}:
        time.sleep(0.1)
        video = json.loads(curl(f"{server.url}/v1/videos/{video['id']}"))
    assert (video["status"], video["model"]) == ("completed", "cosmos-3-nano")
    content = f"{server.url}/v1/videos/{video['id']}/content"
    assert curl("-r", "4-7", content) == b"ftyp"
    assert frames(curl(content)) == (13, 256, 256)


def test_a_kill_in_the_middle_of_a_server_with_keys(tmp_path: Path) -> None:
    mine, theirs = "my-own-key-0123456789", "their-key-0123456789"
    server = Process(tmp_path / "runs", QUICK, {"RETAKE_API_KEYS": f"{mine},{theirs}"}).start()
    try:
        client = OpenAI(base_url=f"{server.url}/v1", api_key=mine, max_retries=0)
        body = {"seed": 3, "agentic_max_iterations": 2, "agentic_samples_per_iteration": 2, "accept_at": 1.0}
        key = {"Idempotency-Key": "once"}
        video = client.videos.create(prompt="Waves", extra_body=body, extra_headers=key)
        with pytest.raises(AuthenticationError) as nobody:
            client.with_options(api_key="sk-wrong").videos.retrieve(video.id)
        assert nobody.value.code == "invalid_api_key"
        other = client.with_options(api_key=theirs).videos
        with pytest.raises(NotFoundError):
            other.download_content(video.id)
        assert other.list().data == []
        # the clips that are remembered: a render that was not yet (.unremembered-...) may be asked again
        while not (known := list((server.folder / video.id / "clips").glob("[!.]*.mp4"))):
            assert client.videos.retrieve(video.id).status in {"queued", "in_progress"}
            time.sleep(0.05)
        clips = {path.name: path.stat().st_mtime_ns for path in known}
        server.kill()
        with pytest.raises(APIConnectionError):
            client.videos.retrieve(video.id)
        server.start()
        again = client.videos.create(prompt="Waves", extra_body=body, extra_headers=key)
        assert again.id == video.id
        done = client.videos.poll(video.id, poll_interval_ms=100)
        assert (done.status, done.error) == ("completed", None)
        assert (said(done)["iterations"], len(said(done)["candidates"])) == (2, 4)
        for name, made in clips.items():  # what was rendered before the kill was not rendered again
            assert (server.folder / video.id / "clips" / name).stat().st_mtime_ns == made
        assert frames(client.videos.download_content(video.id).read())[0] == 13
    finally:
        server.kill()
