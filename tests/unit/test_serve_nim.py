"""NIM's dialect: what bodies are taken, what they become, and what is answered."""

import asyncio
import base64
import io
import json
import re
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from starlette.requests import Request

from agent.server import waiting
from agent.server.agentic import agentic
from agent.server.context import Context
from agent.server.loading import load
from agent.server.nim.errors import names_of, read
from agent.server.nim.forms import V1, Predict, Transfer
from agent.server.nim.rate import exact, rendered, retime
from agent.server.nim.reply import answered
from agent.server.nim.wish import UNSAID, new_job
from agent.server.types import ANYBODY, Caller, Job, NewJob, Problem, Refused, Result, RunRequest, Video
from generator.encode import ClipWriter
from generator.nim.dialect import fields, told_by_fields
from generator.probe import probe
from tests.serving import in_process

pytestmark = pytest.mark.asyncio(loop_scope="module")
BASE = "http://127.0.0.1:8000"
SMALL = {"prompt": "a red ball rolls", "resolution": "256", "num_output_frames": 25}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[httpx.AsyncClient, Context]]:
    async with in_process(tmp_path_factory.mktemp("served"), "request.num_inference_steps=8") as (client, context):
        yield client, context


def picture(kind: str = "PNG") -> str:
    held = io.BytesIO()
    Image.new("RGB", (320, 192), (200, 30, 30)).save(held, kind)
    return base64.b64encode(held.getvalue()).decode()


def filmed(path: Path, fps: int, frames: int = 9) -> Path:
    dice = np.random.default_rng(fps)
    with ClipWriter(path, 64, 64, fps) as writer:
        for _ in range(frames):
            writer.write(dice.integers(0, 255, (64, 64, 3), np.uint8))
    return path


def refusal(body: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        read(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value.problem.status, caught.value.problem.message


# --- bodies


async def test_the_examples_of_nvidias_page_are_taken_as_they_stand() -> None:
    examples = json.loads((Path(__file__).parents[1] / "fixtures" / "requests" / "nim-cosmos.json").read_bytes())
    forms = [type(read(json.dumps(body).encode())) for body in examples]
    assert forms == [Predict, Predict, Predict, Transfer, V1, V1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "prompt: is needed"),
        ({"prompt": " "}, "prompt: is needed"),
        ({"prompt": "x", "steps": "35"}, "steps: Input should be a valid integer"),
        ({"prompt": "x", "steps": 35.0}, "steps: Input should be a valid integer"),
        ({"prompt": "x", "steps": True}, "steps: Input should be a valid integer"),
        ({"prompt": "x", "steps": 0}, "steps: .* greater than or equal to 1"),
        ({"prompt": "x", "steps": 101}, "steps: .* less than or equal to 100"),
        ({"prompt": "x", "guidance_scale": 7.5}, "guidance_scale: .* less than or equal to 7"),
        ({"prompt": "x", "guidance_scale": True}, "guidance_scale: "),
        ({"prompt": "x", "fps": 60.5}, "fps: .* less than or equal to 60"),
        ({"prompt": "x", "fps": 0.5}, "fps: .* greater than or equal to 1"),
        ({"prompt": "x", "seed": -1}, "seed: .* greater than or equal to 0"),
        ({"prompt": "x", "resolution": 480}, "resolution: Input should be a valid string"),
        ({"prompt": "x", "resolution": "1080"}, "resolution: must be one of 256, 480, 720, 256_16_9, "),
        ({"prompt": "x", "num_output_frames": 1}, "1 frame asks for an image, and this server makes videos; give 25"),
        ({"prompt": "x", "num_output_frames": 21}, "21 is not 1 \\+ 4k between 25 and 197 "),
        ({"prompt": "x", "num_output_frames": 26}, "26 is not 1 \\+ 4k between 25 and 197 "),
        ({"prompt": "x", "num_output_frames": 201}, "201 is not 1 \\+ 4k between 25 and 197 "),
        ({"prompt": "x", "num_output_frames": 301, "resolution": "480_1_1"}, "between 25 and 297 "),
        ({"prompt": "x", "num_output_frames": 401, "resolution": "256_9_16"}, "between 25 and 397 "),
        ({"prompt": "x" * 20_001}, "prompt: .* at most 20000 characters"),
        ({"prompt": "x", "image": "a", "video": "b"}, "image, video: a clip goes on from one of them"),
        ({"prompt": "x", "num_frames": 25}, "num_frames: unknown field; without model_mode it is called num_output_f"),
        ({"prompt": "x", "sampler": "unipc"}, "sampler: unknown field; there are prompt, negative_prompt, seed, "),
        ({"model_mode": "text2video", "prompt": "x", "steps": 3}, "with model_mode it is called num_inference_steps"),
        ({"model_mode": "text2video", "prompt": "x", "video_params": {}}, "video_params: unknown field"),
        ({"model_mode": "text2video", "prompt": "x", "input_reference": "AAAA"}, "text2video takes none"),
        ({"model_mode": "text2video"}, "prompt: text2video needs one"),
        ({"model_mode": "image2video", "prompt": "x", "input_reference": " "}, "image2video needs one"),
        ({"model_mode": "text2image", "prompt": "x"}, "text2image is not done here; use one of text2video, image2vi"),
        ({"model_mode": "policy"}, "policy is not done here; use one of text2video, image2video, video2video"),
        ({"model_mode": "dream"}, "model_mode: Input should be 'text2image', "),
        ({"prompt": "x", "video_params": {"width": 1281}}, "video_params.width: .* multiple of 8"),
        ({"prompt": "x", "video_params": {"height": 700}}, "video_params.height: .* multiple of 8"),
        (
            {"prompt": "x", "video_params": {"frames": 9}},
            "video_params.frames: unknown field; in video_params there are height, width, ",
        ),
        ({"prompt": "x", "video": "a", "edge": {"control": "a", "weight": 1}}, "in edge there are control, control_we"),
        ({"prompt": "x", "prompt_upsampling": "true"}, "prompt_upsampling: Input should be a valid boolean"),
        ({"prompt": "x", "edge": {"control": "a"}}, "video: Field required"),
        ({"prompt": "x", "video": "a", "edge": None}, "edge, depth, vis, seg: give at least one"),
        ({"prompt": "x", "video": "a", "seg": {"control": "a", "control_weight": 1.5}}, "seg.control_weight: "),
        ([], "body: must be a JSON object"),
        ("text", "body: must be a JSON object"),
    ],
)
async def test_a_body_that_is_refused(body: Any, said: str) -> None:
    status, message = refusal(body)
    assert status == 422
    assert re.search(said, message), message


@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": x}', b'{"prompt": "x", "fps": NaN}', b"\xff", b"[" * 9999])
async def test_a_body_that_is_no_json(body: bytes) -> None:
    status, message = refusal(body)
    assert status == 400
    assert message.startswith("Malformed JSON")


async def test_many_faults_are_told_briefly() -> None:
    _, message = refusal({"prompt": "x", **{f"field_{n}": n for n in range(50)}})
    assert message.endswith("; and 42 more")


# --- what a body becomes


async def wished(context: Context, **body: Any) -> NewJob:
    return await new_job(read(json.dumps(body).encode()), Caller(owner=ANYBODY), context, base_url=BASE)


async def test_the_defaults_are_nims(server: tuple[httpx.AsyncClient, Context]) -> None:
    new = await wished(server[1], prompt="a boat")
    asked = new.request
    assert (asked.size, asked.num_frames, asked.fps) == ("1280x720", 189, 24)
    assert (asked.negative_prompt, asked.seed, asked.agentic, asked.format) == (None, None, False, "mp4")
    assert new.dialect == "nim"
    assert asked.notes == ()


async def test_a_default_of_nims_that_the_model_cannot_have_is_not_asked_for(
    server: tuple[httpx.AsyncClient, Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "a:b")
    served = load(None, ["generator.backend=fal", "generator.model=fal-ai/cosmos-predict-2.5/text-to-video"])
    context = replace(server[1], served=served)
    found = [(await wished(context, prompt="a boat", **more)).request for more in ({}, {"fps": 24.0})]
    assert [(asked.fps, asked.num_frames) for asked in found] == [(16, None), (24, None)]  # the second is refused


async def test_both_forms_of_cosmos3_come_to_the_same(server: tuple[httpx.AsyncClient, Context]) -> None:
    shared = {
        "prompt": "a boat", "negative_prompt": "", "seed": 7, "guidance_scale": 5.5, "resolution": "480_9_16",
        "fps": 23.976,
    }  # fmt: skip
    one = await wished(server[1], **shared, image=picture(), num_output_frames=121, steps=20)
    two = await wished(
        server[1], **shared, model_mode="image2video", num_frames=121, num_inference_steps=20,
        input_reference=f"data:image/png;base64,{picture()}",
    )  # fmt: skip
    assert one.request == two.request
    assert one.inputs == two.inputs
    asked = one.request
    assert (asked.size, asked.num_frames, asked.fps, asked.num_inference_steps) == ("480x832", 121, 24, 20)
    assert (asked.negative_prompt, asked.seed, asked.guidance_scale) == ("", 7, 5.5)
    assert one.wire == {"fps": "24000/1001", "requested": {"fps": 23.976}}
    assert asked.notes == ("The video was rendered at 24 fps, and its file plays it at 24000/1001 (23.976).",)


async def test_the_older_form(server: tuple[httpx.AsyncClient, Context]) -> None:
    params = {"height": 704, "width": 1280, "frames_count": 121, "frames_per_sec": 24}
    new = await wished(server[1], image=picture("WEBP"), guidance_scale=7.5, steps=35, seed=4, video_params=params)
    asked = new.request
    assert (asked.size, asked.num_frames, asked.fps, asked.guidance_scale) == ("1280x704", 121, 24, 7.5)
    assert asked.prompt == UNSAID
    assert asked.enable_prompt_expansion is None
    assert new.wire["seed"] == 4


@pytest.mark.parametrize(("seed", "taken"), [(2**31, 0), (2**32 + 5, 5), (10**50, 10**50 % 2**31)])
async def test_seeds_beyond_a_runs(server: tuple[httpx.AsyncClient, Context], seed: int, taken: int) -> None:
    asked = (await wished(server[1], prompt="a boat", seed=seed)).request
    assert asked.seed == taken
    assert asked.notes[0].endswith(f"its remainder {taken} was taken.")


async def test_an_address_is_fetched_later_unless_the_operator_forbids(
    server: tuple[httpx.AsyncClient, Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://example.com/a.png"
    assert (await wished(server[1], image=url)).request.image_url == url
    monkeypatch.setenv("NIM_ALLOW_URL_INPUT", "0")
    with pytest.raises(Refused, match=r"image: URLs are not taken here \(NIM_ALLOW_URL_INPUT=0\); give the image in b"):
        await wished(server[1], image=url)
    assert (await wished(server[1], image=picture())).inputs


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": "x", "video": "AAAA"}, "video: the model of this server does not do video2video; it does text2"),
        ({"model_mode": "video2video", "input_reference": "AAAA"}, "model_mode: .* does not do video2video"),
        ({"prompt": "x", "video": "AAAA", "depth": {"control": "AAAA"}}, "depth: .* does not do transfer"),
        ({"prompt": "x", "image": "not base64!"}, "image: "),
        ({"prompt": "x", "image": "AAAA" * 9}, "image: "),
        ({"prompt": "x", "image": "file:///etc/passwd"}, "image: "),
    ],
)
async def test_what_the_model_or_the_media_forbid(
    server: tuple[httpx.AsyncClient, Context], body: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        await wished(server[1], **body)
    assert caught.value.problem.status == 422


@pytest.mark.parametrize(
    ("body", "found", "said"),
    [
        ({"prompt": "x"}, "num_frames", "num_output_frames: no"),
        ({"prompt": "x"}, "num_inference_steps", "steps: no"),
        ({"prompt": "x", "model_mode": "text2video"}, "num_inference_steps", "num_inference_steps: no"),
        ({"model_mode": "image2video", "input_reference": "AAAA"}, "image", "input_reference: no"),
        ({"prompt": "x", "video_params": {}}, "fps", "video_params.frames_per_sec: no"),
        ({"prompt": "x", "video": "AAAA", "edge": {"control": "AAAA"}}, "controls", "edge, depth, vis, seg: no"),
        ({"prompt": "x"}, "video", "video: no"),
    ],
)
async def test_a_runs_fault_is_told_of_the_forms_own_field(body: dict[str, Any], found: str, said: str) -> None:
    problem = Problem(status=422, type="value_error", message=f"{found}: no", loc=(found,))
    assert problem.called(names_of(read(json.dumps(body).encode()))).message == said


async def test_what_was_moved_is_kept_as_it_was_asked(server: tuple[httpx.AsyncClient, Context]) -> None:
    slow = await wished(server[1], prompt="a boat", fps=1.5)
    assert (slow.request.fps, slow.wire["requested"]) == (2, {"fps": 1.5})
    assert slow.request.notes == ("The video was rendered at 2 fps, and its file plays it at 1.5, 25% slower.",)
    long = await wished(server[1], prompt="a boat", video_params={"frames_count": 397})
    assert (long.request.num_frames, long.wire["requested"]) == (197, {"num_frames": 397})


async def test_controls_become_the_runs_own(server: tuple[httpx.AsyncClient, Context], tmp_path: Path) -> None:
    film = base64.b64encode(filmed(tmp_path / "a.mp4", 10).read_bytes()).decode()
    body = {
        "prompt": "two arms", "video": film, "resolution": "480", "edge": {"control_weight": 0.5, "control": film},
        "vis": {"control": "https://example.com/vis.mp4"},
    }  # fmt: skip
    form = read(json.dumps(body).encode())
    assert isinstance(form, Transfer)
    served = load(None, [f"output.dir={tmp_path}", "generator.backend=vllm_omni"])
    new = await new_job(form, Caller(), replace(server[1], served=served), base_url=BASE)
    asked = new.request
    assert (asked.size, asked.num_frames, asked.fps) == ("480p", None, None)
    assert [(c.kind, c.weight, c.url) for c in asked.controls] == [
        ("edge", 0.5, None),
        ("blur", 1.0, "https://example.com/vis.mp4"),
    ]
    assert set(new.inputs) == {"video", "control-edge"}


# --- rates


@pytest.mark.parametrize(
    ("fps", "rate", "whole"),
    [
        (24.0, Fraction(24), 24),
        (23.976, Fraction(24000, 1001), 24),
        (29.97, Fraction(30000, 1001), 30),
        (59.94, Fraction(60000, 1001), 60),
        (12.5, Fraction(25, 2), 13),
        (7.3, Fraction(73, 10), 7),
        (59.9999, Fraction(60), 60),
        (1.0, Fraction(1), 1),
    ],
)
async def test_a_rate_is_told_exactly(fps: float, rate: Fraction, whole: int) -> None:
    assert exact(fps) == rate
    assert rendered(rate) == whole


@pytest.mark.parametrize("fps", [23.976, 7.3])
async def test_retiming_keeps_every_picture(tmp_path: Path, fps: float) -> None:
    rate = exact(fps)
    before = filmed(tmp_path / "before.mp4", rendered(rate))
    after = tmp_path / "after.mp4"
    with before.open("rb") as source:
        retime(source, after, Fraction(rendered(rate)), rate)
    assert after.read_bytes().find(b"moov") < after.read_bytes().find(b"mdat")  # a player need not have all of it
    with av.open(str(before)) as one, av.open(str(after)) as two:
        assert two.streams.video[0].average_rate == rate
        pairs = list(zip(one.decode(video=0), two.decode(video=0), strict=True))
    assert [Fraction(two.time or 0).limit_denominator(100_000) * rate for _, two in pairs] == list(range(9))
    assert all((one.to_ndarray() == two.to_ndarray()).all() for one, two in pairs)
    assert probe(after).num_frames == 9


# --- answers


@pytest.mark.thorough
async def test_a_video_in_base64_with_its_rate(server: tuple[httpx.AsyncClient, Context], tmp_path: Path) -> None:
    client, _ = server
    answer = await client.post("/v1/infer", json={**SMALL, "seed": 5, "fps": 29.97, "flow_shift": 10.0})
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert list(answer.json()) == ["b64_video"]
    (tmp_path / "a.mp4").write_bytes(base64.b64decode(answer.json()["b64_video"], validate=True))
    found = probe(tmp_path / "a.mp4")
    assert (found.width, found.height, found.num_frames, found.codec) == (320, 192, 25, "h264")
    assert found.fps == pytest.approx(30000 / 1001)
    assert answer.headers["x-retake-seed"] == "5"
    notes = json.loads(answer.headers["x-retake-notes"])
    assert notes[1] == "flow_shift was left out: this model has none to set."
    run = answer.headers["x-retake-run-id"]
    job = server[1].desk.find(run, Caller())
    assert job is not None
    assert job.result is not None
    assert job.result.renders == 1
    told = agentic(job, BASE)
    assert (told["requested"]["fps"], told["effective"]["fps"]) == (29.97, 30)

    figures = (await client.get("/v1/metrics")).text
    assert 'retake_runs_total{dialect="nim",state="completed"} 1.0' in figures
    assert 'retake_renders_total{dialect="nim"} 1.0' in figures
    assert 'retake_score_count{dialect="nim"} 1.0' in figures
    assert 'retake_queue_wait_seconds_count{dialect="nim"} 1.0' in figures
    assert 'retake_http_requests_total{method="POST",route="/v1/infer",status="200"} 1.0' in figures
    assert 'retake_model_ready{model="cosmos-3-super"} 1.0' in figures


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nowhere", 404, "not_found_error"),
        ("GET", "/v1/infer", 405, "method_not_allowed"),
        ("GET", "/v1/health/ready?model=gone", 404, "not_found_error"),
        ("POST", "/v1/infer", 422, "invalid_request_error"),
    ],
)
async def test_errors_are_in_nims_envelope(
    server: tuple[httpx.AsyncClient, Context], method: str, path: str, status: int, kind: str
) -> None:
    answer = await server[0].request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "code"]
    assert (error["type"], error["code"]) == (kind, status)


async def test_what_a_nim_tells_of_itself(server: tuple[httpx.AsyncClient, Context]) -> None:
    told = {
        path: (await server[0].get(f"/v1/{path}")).json() for path in ("metadata", "manifest", "license", "version")
    }
    about = told["metadata"]
    assert about["model_type"] == "generator"
    assert about["inference_endpoint"] == "/v1/infer"
    assert about["model_variant"] == "super"
    assert about["checkpoint"] == "animatic"
    assert about["modelInfo"][0]["shortName"].startswith("retake/cosmos-3-super:")
    assert {"assetInfo", "licenseInfo", "version", "repository_override", "selectedModelProfileId"} < about.keys()
    assert json.loads(told["manifest"]["manifest_file"])["models"]["cosmos-3-super"]["default"] is True
    assert set(told["license"]) == {"name", "path", "sha", "size", "url", "type", "content"}
    assert set(told["version"]) == {"release", "api"}
    for path, status in (("live", "live"), ("ready", "ready")):
        health = (await server[0].get(f"/v1/health/{path}")).json()
        assert (health["object"], health["status"]) == ("health.response", status)
        assert {"message", "description"} <= health.keys()


async def test_our_own_client_finds_the_dialect_out(server: tuple[httpx.AsyncClient, Context]) -> None:
    document = (await server[0].get("/openapi.json")).json()
    named = fields(document)
    assert named is not None
    assert told_by_fields(named) == "v2"
    assert {"num_output_frames", "video_params", "edge", "input_reference"} < named
    told = document["paths"]["/v1/infer"]["post"]
    assert [parameter["name"] for parameter in told["parameters"]] == ["Idempotency-Key"]
    assert told["responses"]["200"]["headers"].keys() == {"X-Retake-Run-Id", "X-Retake-Seed", "X-Retake-Notes"}


async def test_a_large_video_is_never_whole_in_memory(
    server: tuple[httpx.AsyncClient, Context], tmp_path: Path
) -> None:
    size = 24 * 2**20 + 1
    with (tmp_path / "video.mp4").open("wb") as file:
        file.truncate(size)
    clip = Video(
        file="video.mp4", content_type="video/mp4", bytes=size, width=64, height=64, fps=24, num_frames=9, duration=0.4
    )
    made = Result(
        video=clip, seed=3, prompt="a boat", score=None, accept_at=None, accepted=False, calibrated=False,
        stop_reason=None, stop_sentence="", iterations=1, renders=1, shots=(),
    )  # fmt: skip
    job = Job(
        id="a-job", owner=ANYBODY, dialect="nim", endpoint="/v1/infer", state="completed", result=made, media_key="k",
        created_at=datetime.now(UTC), wire={"older": True, "seed": 4},
        request=RunRequest(model="cosmos-3-super", prompt="a boat", notes=("line\r\nX-Evil: 1", "é" * 5000)),
    )  # fmt: skip
    answer = await answered(job, tmp_path)
    (tmp_path / "video.mp4").unlink()  # as retention does: who is being answered has it still
    count, ends = 0, [b"", b""]

    async def send(message: Any) -> None:
        nonlocal count
        piece = message.get("body", b"")
        count += len(piece)
        ends[:] = [ends[0] or piece, piece or ends[1]]

    async def receive() -> Any:
        await asyncio.Event().wait()

    tracemalloc.start()
    await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == int(answer.headers["content-length"])
    assert (ends[0], ends[1]) == (b'{"b64_video": "', b'", "seed": 4}')
    assert peak < 4 * 2**20
    notes = answer.headers["x-retake-notes"]
    assert notes.isascii()
    assert "\r" not in notes
    assert len(notes) <= 4000
    assert json.loads(notes)[-1] == "…"


@pytest.mark.parametrize(("gone", "cancel", "status"), [(True, True, 499), (False, True, 504), (False, False, 504)])
@pytest.mark.thorough
async def test_who_waits_no_longer_takes_the_run_back(
    server: tuple[httpx.AsyncClient, Context], gone: bool, cancel: bool, status: int
) -> None:
    desk, caller = server[1].desk, Caller()
    wish = await wished(server[1], prompt="a red ball", resolution="720", num_output_frames=197, steps=100)
    job = await desk.submit(wish, caller)

    async def receive() -> Any:
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    with pytest.raises(Refused) as caught:
        await waiting.ended(Request({"type": "http"}, receive), desk, job, caller, 0.05, cancel=cancel)
    assert caught.value.problem.status == status
    if status == 504:
        assert job.id in caught.value.problem.message
    if not cancel:
        assert not (desk.find(job.id, caller) or job).cancelling
        await desk.cancel(job.id, caller)
    assert (await desk.ended(job, timeout=60)).state == "cancelled"
