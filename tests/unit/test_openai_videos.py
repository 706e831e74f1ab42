"""The OpenAI Videos dialect in this process, before the real queue; what its engine says, a script says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from agent.config import RunConfig
from agent.server.app import application
from agent.server.config import Served, ServerConfig
from agent.server.context import Context
from agent.server.engine.messages import Over, Told
from agent.server.metrics import Metrics
from agent.server.openai_videos.errors import put
from agent.server.openai_videos.stills import layout
from agent.server.queue import Queue
from agent.server.readiness import Readiness
from agent.server.store import Store
from agent.server.types import Caller, Job, NewJob, Problem, Result, RunRequest, Shot, State, Video
from generator.types import RenderSpec
from tests.clips import write_clip
from tests.engines import Scripted

SPEC = RenderSpec(width=256, height=256, num_frames=13, fps=24)
ME = Caller()


@dataclass
class Desk:
    """The dialect, and the real queue behind it."""

    client: httpx.AsyncClient
    queue: Queue
    engine: Scripted

    def job(self, body: dict[str, Any]) -> Job:
        found = self.queue.find(body["id"], ME, "openai")
        assert found is not None
        return found

    async def create(self, **fields: Any) -> dict[str, Any]:
        answer = await self.client.post("/v1/videos", json={"prompt": "A lighthouse", **fields})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def refused(self, status: int = 400, **asked: Any) -> dict[str, Any]:
        answer = await self.client.post("/v1/videos", **asked)
        assert answer.status_code == status, answer.text
        assert answer.headers["x-should-retry"] == "false"
        error: dict[str, Any] = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error

    async def end(self, body: dict[str, Any], *, problem: Problem | None = None, cancelled: bool = False) -> None:
        """As the engine tells the end of a run."""
        folder = self.queue.folder(self.job(body))
        video = None
        if problem is None and not cancelled:
            write_clip(folder / "clips" / "01-seed-7.mp4", SPEC)
            video = Video(
                file="clips/01-seed-7.mp4",
                content_type="video/mp4",
                bytes=1,
                width=256,
                height=256,
                fps=24,
                num_frames=13,
                duration=13 / 24,
            )
        made = None if video is None else result(video)
        state: State = "cancelled" if cancelled else "failed" if problem else "completed"
        self.engine.hear(Over(id=body["id"], state=state, result=made, problem=problem))
        await self.queue.ended(self.job(body), timeout=60)


def result(video: Video) -> Result:
    shot = Shot(iteration=0, seed=7, tier="target", file=video.file, score=0.8, prompt="{caption}", feedback="dark")
    lost = Shot(iteration=1, seed=8, tier="target", file=None, score=None, error="lost", prompt="{other}")
    return Result(
        video=video,
        seed=7,
        prompt="{caption}",
        score=0.8,
        accept_at=0.9,
        accepted=False,
        calibrated=False,
        stop_reason="iterations",
        stop_sentence="All used.",
        iterations=2,
        renders=2,
        shots=(shot, lost),
    )


@asynccontextmanager
async def desk(folder: Path, **limits: int) -> AsyncIterator[Desk]:
    server = ServerConfig.model_validate({"limits": limits})
    base = RunConfig.model_validate({"output": {"dir": str(folder)}})
    served = Served(base=base, server=server, models=dict.fromkeys(server.models, base))
    store = Store(folder / "jobs.sqlite")
    engines: list[Scripted] = []

    def make(hear: Callable[[Told | Over], None], died: Callable[[], None]) -> Scripted:
        engines.append(Scripted(hear, died))
        return engines[0]

    queue = Queue(served, store, make_engine=make)
    await queue.start()
    app = application(
        Context(served=served, desk=queue, needs_key=False, metrics=Metrics("0"), readiness=Readiness(served))
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield Desk(client, queue, engines[0])
    await queue.stop()
    store.close()


def png(width: int = 64, height: int = 48) -> bytes:
    data = BytesIO()
    Image.new("RGB", (width, height), "steelblue").save(data, "PNG")
    return data.getvalue()


async def test_every_parameter_in_a_form_s_text(tmp_path: Path) -> None:
    asked = {
        "prompt": "A lighthouse",
        "model": "sora-2",
        "seconds": "2",
        "size": "1792x1024",
        "seed": "5",
        "fps": "12",
        "num_inference_steps": "20",
        "guidance_scale": "4.5",
        "negative_prompt": "",
        "enable_prompt_expansion": "false",
        "enable_agentic_generation": "true",
        "agentic_max_iterations": "3",
        "agentic_samples_per_iteration": "1",
        "agentic_early_stop": "false",
        "accept_at": "0.7",
        "max_renders": "2",
        "max_seconds": "900",
        "patience": "",
    }
    async with desk(tmp_path) as it:
        answer = await it.client.post("/v1/videos", data=asked, files={"input_reference": ("upload", png())})
        body = answer.json()
        request, inputs = it.job(body).request, it.job(body).inputs
        assert inputs == {"image": "image"}
        kept = (tmp_path / ".server/inputs" / body["id"] / "image").read_bytes()
    assert kept == png()
    assert answer.status_code == 200
    told = request.model_dump(exclude_none=True, exclude={"notes", "safety_checker", "controls"})
    assert told == {
        "model": "cosmos-3-super",
        "prompt": "A lighthouse",
        "size": "1792x1024",
        "num_frames": 25,  # 24, on the model's grid
        "fps": 12,
        "num_inference_steps": 20,
        "guidance_scale": 4.5,
        "negative_prompt": "",
        "enable_prompt_expansion": False,
        "agentic": True,
        "max_iterations": 3,
        "samples_per_iteration": 1,
        "early_stop": False,
        "accept_at": 0.7,
        "max_renders": 2,
        "max_seconds": 900,
        "seed": 5,
    }
    assert body["size"] == "1280x720"
    assert body["seconds"] == "2"
    assert body["agentic"]["requested"] == {"size": "1792x1024", "seconds": "2", "fps": 12}
    assert "25 (2.08 s)" in body["agentic"]["notes"][0]


async def test_json_with_numbers_is_the_same_as_text(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        first = await it.create(seconds=4, seed=1, agentic_early_stop=False, patience=None)
        again = await it.create(seconds="4", seed="1", agentic_early_stop="false")
        assert it.job(first).request == it.job(again).request
        plain = await it.create()
        assert plain["seconds"] == "7.88"
        assert plain["size"] == "832x480"
        both = await it.create(seconds="4", num_frames=25)
        assert it.job(both).request.num_frames == 25
        assert both["seconds"] == "1.04"
        assert both["agentic"]["notes"] == ["num_frames (25) went before seconds (4)."]


async def test_a_reference_however_it_is_sent(tmp_path: Path) -> None:
    address = "https://example.com/bay.png"
    async with desk(tmp_path) as it:
        form = await it.client.post(
            "/v1/videos", data={"prompt": "x", "input_reference[image_url]": address}, files=None
        )
        as_json = await it.create(input_reference={"image_url": address})
        as_text = await it.create(input_reference=address)
        for body in (form.json(), as_json, as_text):
            assert it.job(body).request.image_url == address
            assert body["size"] == "auto"  # the picture's shape decides
        clip = write_clip(tmp_path / "bay.mp4", SPEC).path.read_bytes()
        files = {"input_reference": ("upload", clip, "image/png")}
        answer = await it.client.post("/v1/videos", data={"prompt": "x"}, files=files)
        assert answer.status_code == 400  # seen as the video that it is, which the embedded renderer cannot go on from
        assert "video" in answer.json()["error"]["message"]


WRONG: Sequence[tuple[dict[str, Any], str, str, str]] = [
    ({}, "prompt", "missing_required_parameter", "Missing required parameter: 'prompt'"),
    ({"prompt": ""}, "prompt", "invalid_value", "at least 1"),
    ({"prompt": 5}, "prompt", "invalid_type", "string"),
    ({"prompt": "x", "nun_frames": 9}, "nun_frames", "unknown_parameter", "Did you mean 'num_frames'?"),
    ({"prompt": "x", "n": {"a": [1]}}, "n", "unknown_parameter", "Unknown parameter: 'n'."),
    ({"prompt": "x", "seconds": "soon"}, "seconds", "invalid_type", "number"),
    ({"prompt": "x", "seconds": True}, "seconds", "invalid_value", "not true or false"),
    ({"prompt": "x", "seconds": 1e300}, "seconds", "invalid_value", "600"),
    ({"prompt": "x", "seconds": 12, "size": "1280x720"}, "seconds", "invalid_value", "197 (8.21 s)"),
    ({"prompt": "x", "num_frames": 300, "size": "1280x720"}, "num_frames", "invalid_value", "197"),
    ({"prompt": "x", "size": "big"}, "size", "invalid_value", "WxH"),
    ({"prompt": "x", "seed": -1}, "seed", "invalid_value", "0"),
    ({"prompt": "x", "flow_shift": 3}, "flow_shift", "invalid_value", "takes none"),
    (
        {"prompt": "x", "agentic_max_iterations": 100, "agentic_samples_per_iteration": 64},
        "agentic_samples_per_iteration",
        "invalid_value",
        "renders",
    ),
    ({"prompt": "\ud800"}, "prompt", "invalid_value", "surrogate"),
    ({"prompt": "x", "input_reference": [1]}, "input_reference", "invalid_type", "a file"),
    ({"prompt": "x", "input_reference": {}}, "input_reference", "invalid_value", "either"),
    ({"prompt": "x", "input_reference": {"url": "x"}}, "input_reference.url", "unknown_parameter", "Unknown"),
    ({"prompt": "x", "input_reference": {"file_id": "../x"}}, "input_reference.file_id", "file_not_found", "no"),
]


async def test_wrong_input_is_told_with_its_parameter(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        headers = {"content-type": "application/json"}
        for fields, param, code, words in WRONG:
            error = await it.refused(content=json.dumps(fields), headers=headers)
            assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error"), fields
            assert words in error["message"], error


HOSTILE: Sequence[tuple[int, bytes, str]] = [
    (400, b"{", "application/json"),
    (400, b"[]", "application/json"),
    (400, b'{"prompt": NaN}', "application/json"),
    (400, b"[" * 100_000, "application/json"),
    (400, b'{"seed": ' + b"9" * 5000 + b"}", "application/json"),
    (400, b"\xff\xfe", "application/json"),
    (415, b"prompt", "text/plain"),
    (400, b"x", "multipart/form-data"),
    (400, b"--b\r\nnothing", "multipart/form-data; boundary=b"),
    (400, b"prompt=a&prompt=b", "application/x-www-form-urlencoded"),
    (400, b"prompt[a]=a&prompt[]=b", "application/x-www-form-urlencoded"),
    (400, b"a[b][c][d][e][f]=1", "application/x-www-form-urlencoded"),
    (400, b"[a]=1&]=2", "application/x-www-form-urlencoded"),
    (400, b"prompt=x&n[a][]=1&n[a][]=2", "application/x-www-form-urlencoded"),
    (413, b'{"prompt": "' + b"x" * 200_000 + b'"}', "application/json"),
]


async def test_json_that_curl_calls_a_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        error = await it.refused(content=b' {"prompt": "x"}', headers=kind)
        assert error["message"] == "send JSON with the header Content-Type: application/json"


async def test_hostile_bodies(tmp_path: Path) -> None:
    async with desk(tmp_path, max_body_bytes=200_000) as it:
        for status, body, kind in HOSTILE:
            error = await it.refused(status, content=body, headers={"content-type": kind})
            assert len(error["message"]) < 500


async def test_a_file_is_what_its_bytes_are(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        for data, words in ((b"", "empty"), (b"%PDF-1.7", "a PDF document"), (b"hello", "not an image")):
            error = await it.refused(data={"prompt": "x"}, files={"input_reference": ("a.png", data, "image/png")})
            assert words in error["message"]
        film = {"input_reference": ("a.bin", b"\0\0\0\x18ftypisom" + bytes(64), "application/octet-stream")}
        error = await it.refused(data={"prompt": "x"}, files=film)
        assert error["param"] == "input_reference"
        assert error["message"].startswith("input_reference: animatic cannot use it")
        error = await it.refused(files={"prompt": ("a", b"x")})
        assert error["param"] == "prompt"
        error = await it.refused(data={"prompt": "x"}, files={"mask": ("a", png())})
        assert error["code"] == "unknown_parameter"


async def test_an_idempotency_key_makes_one_video(tmp_path: Path) -> None:
    headers = {"idempotency-key": "one"}
    async with desk(tmp_path) as it:
        made = [await it.client.post("/v1/videos", json={"prompt": "x"}, headers=headers) for _ in range(2)]
        assert made[0].json()["id"] == made[1].json()["id"]
        other = await it.refused(json={"prompt": "y"}, headers=headers)
        assert other["code"] == "idempotency_key_reused"
        error = await it.refused(json={"prompt": "x"}, headers={"idempotency-key": "x" * 256})
        assert "Idempotency-Key" in error["message"]


async def test_a_video_s_life(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        body = await it.create(size="256x256", num_frames=13)
        id_ = body["id"]
        assert id_.startswith("video_")
        live = await it.client.get(f"/v1/videos/{id_}")
        assert live.json()["status"] in {"queued", "in_progress"}
        assert live.json()["progress"] == 0
        assert live.headers["openai-poll-after-ms"] == "1000"
        early = await it.client.get(f"/v1/videos/{id_}/content")
        assert (early.status_code, early.json()["error"]["code"]) == (400, "video_not_ready")
        await it.end(body)
        done = await it.client.get(f"/v1/videos/{id_}")
        assert "openai-poll-after-ms" not in done.headers
        video = done.json()
        told = video.pop("agentic")
        job = it.job(body)
        assert job.ended_at is not None
        assert video == {
            "id": id_,
            "object": "video",
            "model": "cosmos-3-super",
            "status": "completed",
            "progress": 100,
            "created_at": int(job.created_at.timestamp()),
            "completed_at": int(job.ended_at.timestamp()),
            "expires_at": int((job.ended_at + timedelta(days=7)).timestamp()),
            "size": "256x256",
            "seconds": "0.54",
            "prompt": "A lighthouse",
            "remixed_from_video_id": None,
            "error": None,
        }
        candidate, lost = told["candidates"]
        assert candidate["url"] == f"http://127.0.0.1:8000/media/{job.media_key}/clips/01-seed-7.mp4"
        assert (candidate["score"], candidate["feedback"], candidate["error"]) == (0.8, "dark", None)
        assert (lost["url"], lost["score"], lost["error"]) == (None, None, "lost")
        assert told["prompts"] == ["{caption}", "{other}"]
        assert told["report_url"] == f"http://127.0.0.1:8000/media/{job.media_key}/report.html"
        gone = await it.client.delete(f"/v1/videos/{id_}")
        assert gone.json() == {"id": id_, "object": "video.deleted", "deleted": True}
        for method in ("GET", "DELETE"):
            answer = await it.client.request(method, f"/v1/videos/{id_}")
            assert (answer.status_code, answer.json()["error"]["param"]) == (404, "video_id")


async def test_content(tmp_path: Path) -> None:
    accept = {"accept": "application/binary"}
    async with desk(tmp_path) as it:
        body = await it.create()
        await it.end(body)
        at = f"/v1/videos/{body['id']}/content"
        whole = await it.client.get(at, headers=accept)
        assert whole.headers["content-type"] == "video/mp4"
        part = await it.client.get(at, headers={**accept, "range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, whole.content[4:8])
        head = await it.client.head(at)
        assert head.headers["content-length"] == str(len(whole.content))
        asked = [it.client.get(at, params={"variant": "thumbnail"}, headers=accept) for _ in range(4)]
        thumbnail, *others = await asyncio.gather(*asked)
        assert [other.content for other in others] == [thumbnail.content] * 3
        picture = Image.open(BytesIO(thumbnail.content))
        assert (picture.format, picture.size) == ("WEBP", (256, 256))
        sheet = await it.client.get(at, params={"variant": "spritesheet"}, headers=accept)
        told = [sheet.headers[f"x-spritesheet-{name}"] for name in ("frames", "columns", "rows")]
        page = Image.open(BytesIO(sheet.content))
        assert told == ["13", "5", "3"]
        assert (page.format, page.size) == ("JPEG", (5 * 256, 3 * 256))
        assert [max(page.getpixel((256 * n + 128, 640))) > 40 for n in range(5)] == [True, True, True, False, False]  # type: ignore[arg-type]
        kept = sorted(path.name for path in (it.queue.folder(it.job(body)) / "previews").iterdir())
        assert kept == ["01-seed-7.sheet.jpg", "01-seed-7.thumbnail.webp"]
        wrong = await it.client.get(at, params={"variant": "poster"})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "variant")
        (it.queue.folder(it.job(body)) / "clips/01-seed-7.mp4").unlink()
        lost = await it.client.get(at)
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "video_expired")


async def test_failed_and_cancelled(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        one, other = await it.create(), await it.create()
        blocked = Problem(status=422, type="content_policy_violation", message="No such words.", loc=("prompt",))
        await it.end(one, problem=blocked)
        await it.end(other, cancelled=True)
        failed = (await it.client.get(f"/v1/videos/{one['id']}")).json()
        assert failed["status"] == "failed"
        assert failed["error"] == {
            "code": "moderation_blocked",
            "message": "No such words.",
            "param": "prompt",
            "type": "invalid_request_error",
        }
        cancelled = (await it.client.get(f"/v1/videos/{other['id']}")).json()
        assert (cancelled["status"], cancelled["error"]["code"]) == ("failed", "cancelled")
        answer = await it.client.get(f"/v1/videos/{one['id']}/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "video_failed")
        answer = await it.client.post(f"/v1/videos/{one['id']}/remix", json={"prompt": "x"})
        assert answer.status_code == 400


async def test_lists_hold_this_dialect_s_videos(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        made = [(await it.create(seed=n))["id"] for n in range(3)]
        other = NewJob(dialect="nim", endpoint="/v1/infer", request=RunRequest(model="cosmos-3-super", prompt="x"))
        strange = await it.queue.submit(other, ME)
        first = (await it.client.get("/v1/videos", params={"limit": 2})).json()
        assert [video["id"] for video in first["data"]] == made[:0:-1]
        assert (first["first_id"], first["last_id"], first["has_more"]) == (made[2], made[1], True)
        assert "candidates" not in first["data"][0]["agentic"]
        rest = (await it.client.get("/v1/videos", params={"after": made[1]})).json()
        assert ([video["id"] for video in rest["data"]], rest["has_more"]) == ([made[0]], False)
        upward = (await it.client.get("/v1/videos", params={"order": "asc"})).json()
        assert [video["id"] for video in upward["data"]] == made
        none = (await it.client.get("/v1/videos", params={"after": made[0]})).json()
        assert none == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        for wrong in ({"limit": 0}, {"limit": "many"}, {"order": "up"}, {"after": strange.id}):
            answer = await it.client.get("/v1/videos", params=wrong)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, *wrong)
            assert answer.json()["error"]["code"] in {"invalid_value", "invalid_type"}
        assert (await it.client.get(f"/v1/videos/{strange.id}")).status_code == 404


async def test_a_remix_keeps_settings_first_frame_and_seed(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        asked = {"prompt": "A lighthouse", "size": "256x256", "seconds": "0.54", "guidance_scale": "3"}
        body = (await it.client.post("/v1/videos", data=asked, files={"input_reference": png()})).json()
        early = await it.client.post(f"/v1/videos/{body['id']}/remix", json={"prompt": "At night"})
        assert (early.status_code, early.json()["error"]["code"]) == (400, "video_not_ready")
        await it.end(body)
        frame = it.queue.folder(it.job(body)) / "first_frame.png"
        frame.write_bytes(png(256, 256))
        answer = await it.client.post(f"/v1/videos/{body['id']}/remix", json={"prompt": "At night", "max_renders": 1})
        remix = answer.json()
        assert remix["remixed_from_video_id"] == body["id"]
        assert (remix["size"], remix["seconds"]) == ("256x256", "0.54")
        job = it.job(remix)
        assert (job.request.prompt, job.request.seed, job.request.max_renders) == ("At night", 7, 1)
        assert (job.request.guidance_scale, job.request.num_frames) == (3, 13)
        assert (tmp_path / ".server/inputs" / job.id / job.inputs["image"]).read_bytes() == frame.read_bytes()
        wrong = await it.client.post(f"/v1/videos/{body['id']}/remix", json={"prompt": "x", "size": "1x1"})
        assert wrong.json()["error"]["param"] == "size"


async def test_models_and_what_there_is_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        models = (await it.client.get("/v1/models")).json()
        assert models["object"] == "list"
        assert {model["id"] for model in models["data"]} >= {"cosmos-3-super", "cosmos-3-nano"}
        for name in ("sora-2", "nvidia/cosmos-3-super"):
            assert (await it.client.get(f"/v1/models/{name}")).json()["id"] == "cosmos-3-super"
        for answer in (
            await it.client.get("/v1/models/none/such"),
            await it.client.post("/v1/videos", json={"prompt": "x", "model": "none"}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        for path in ("characters", "edits", "extensions"):
            answer = await it.client.post(f"/v1/videos/{path}")
            assert (answer.status_code, answer.headers["x-should-retry"]) == (501, "false")
        put = await it.client.put("/v1/videos")
        assert (put.status_code, put.headers["allow"]) == (405, "GET, POST")
        assert put.json()["error"]["message"] == "this path takes GET, POST, not PUT"


async def test_a_full_queue_may_be_asked_again(tmp_path: Path) -> None:
    async with desk(tmp_path, max_queued=0, max_running=1) as it:
        await it.create()
        answer = await it.client.post("/v1/videos", json={"prompt": "x"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "rate_limit_error")
    assert int(answer.headers["retry-after"]) >= 1
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize(
    ("status", "answered", "retry", "kind", "code"),
    [
        (401, 401, False, "invalid_request_error", "invalid_api_key"),
        (409, 400, False, "invalid_request_error", "unauthorized_no"),
        (429, 429, True, "rate_limit_error", "queue_full"),
        (500, 500, False, "server_error", "internal_server_error"),
        (503, 503, True, "server_error", "runner_scheduling_failure"),
    ],
)
def test_refusals(status: int, answered: int, retry: bool, kind: str, code: str) -> None:
    given = "unauthorized" if status == 401 else code
    response = put(Problem(status=status, type=given, message="why", loc=("image_url",)), [])
    error = json.loads(bytes(response.body))["error"]
    assert response.status_code == answered
    assert ("x-should-retry" not in response.headers) == retry
    assert error == {"message": "why", "type": kind, "param": "input_reference", "code": code}


async def test_polling_is_told_a_twentieth_of_what_the_last_video_took(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        body = await it.create()
        job = it.job(body)
        entry = it.queue._entries.live(job.id)
        assert entry is not None
        entry.job = job.model_copy(update={"started_at": datetime.now(UTC) - timedelta(seconds=60)})
        await it.end(body)
        later = await it.create()
        answer = await it.client.get(f"/v1/videos/{later['id']}")
    assert 2900 <= int(answer.headers["openai-poll-after-ms"]) <= 3100


def test_sheets_of_large_frames_have_fewer_tiles() -> None:
    assert layout(189, 1280, 720) == (25, 5, 5)
    assert layout(7, 832, 480) == (7, 5, 2)
    assert layout(3, 832, 480) == (3, 3, 1)
    assert layout(500, 4096, 2304).frames == 9
