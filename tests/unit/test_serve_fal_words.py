"""fal's dialect without a server: what a model's input becomes, refusals and states in its words, hosts, the proxy."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from agent.config import NEGATIVE_PROMPT
from agent.server.answers import answer
from agent.server.config import ServerConfig
from agent.server.context import base_url
from agent.server.fal import answers
from agent.server.fal.mapping import run_request, sync_mode
from agent.server.fal.models import (
    CogVideoXImageToVideo,
    Cosmos3ImageToVideo,
    Cosmos3TextToVideo,
    Input,
    PredictTextToVideo,
)
from agent.server.fal.outputs import CogVideoXOutput, Told, VideoOutput
from agent.server.fal.proxy import Proxy
from agent.server.fal.routes import ENDPOINTS
from agent.server.hosts import Hosts, service_of
from agent.server.types import Job, LogLine, Problem, Result, RunRequest, Shot, Video

REQUESTS = Path(__file__).parents[1] / "fixtures" / "requests"
IMAGE = {"image_url": "https://example.com/a.png"}
QUEUE = "http://here/fal/queue"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def asked(model: type[Input], **fields: Any) -> RunRequest:
    needs = IMAGE if "image_url" in model.model_fields else {}
    return run_request(model.model_validate({"prompt": "a boat", **needs, **fields}), "m")


def job(**more: Any) -> Job:
    made: dict[str, Any] = {
        "id": "7",
        "owner": "me",
        "dialect": "fal",
        "endpoint": "nvidia/cosmos-3-super/image-to-video",
        "request": RunRequest(model="m", prompt="a boat", size="1280x704", num_frames=92, notes=("Said before.",)),
        "created_at": NOW,
        "media_key": "KEY",
    }
    return Job(**{**made, **more})


def over(folder: Path, **more: Any) -> Job:
    (folder / "video.mp4").write_bytes(b"film")
    video = Video(
        file="video.mp4", content_type="video/mp4", bytes=4, width=1280, height=720, fps=24, num_frames=93, duration=3.9
    )
    shots = (
        Shot(iteration=0, seed=7, tier="target", file="clips/a.mp4", score=0.8, accepted=True, prompt="dense"),
        Shot(iteration=0, seed=8, tier="target", file=None, score=None, error="it broke"),
    )
    result = Result(
        video=video,
        seed=7,
        prompt="dense",
        score=0.8,
        accept_at=0.7,
        accepted=True,
        calibrated=False,
        stop_reason="accepted",
        stop_sentence="Accepted.",
        iterations=1,
        renders=2,
        shots=shots,
        requested={"width": 1280, "height": 720, "num_frames": 93, "fps": 24},
    )
    times = {"started_at": NOW + timedelta(seconds=1), "ended_at": NOW + timedelta(seconds=3.5)}
    return job(state="completed", result=result, **times, **more)


@pytest.mark.parametrize("name", sorted(path.name for path in REQUESTS.glob("fal-*.json")))
def test_the_bodies_of_fals_pages_are_what_is_asked_for_where_nothing_is(name: str) -> None:
    body = json.loads((REQUESTS / name).read_bytes())
    (endpoint,) = [e for e in ENDPOINTS if name == f"fal-{e.partition('/')[2].replace('/', '-')}.json"]
    takes, _ = ENDPOINTS[endpoint]
    whole = run_request(takes.model_validate(body), "m")
    bare = run_request(takes.model_validate({k: body[k] for k in ("prompt", "image_url") if k in body}), "m")
    # CogVideoX's page shows a negative prompt in its example and none as its default
    assert whole == bare.model_copy(update={"negative_prompt": whole.negative_prompt})
    assert set(body) <= set(takes.model_fields)


def test_cosmos3s_defaults_are_fals() -> None:
    wish = asked(Cosmos3ImageToVideo)
    assert (wish.size, wish.num_frames, wish.fps) == ("832x480", 189, 24)
    assert (wish.num_inference_steps, wish.guidance_scale, wish.seed) == (28, 6, None)
    assert (wish.negative_prompt, wish.enable_prompt_expansion) == (NEGATIVE_PROMPT, True)
    assert (wish.agentic, wish.max_iterations, wish.safety_checker) == (False, None, True)


def test_the_agentic_fields_drive_the_loop() -> None:
    wish = asked(
        Cosmos3TextToVideo,
        enable_agentic_generation=True,
        agentic_max_iterations=3,
        agentic_samples_per_iteration=1,
        agentic_early_stop=False,
    )
    assert (wish.agentic, wish.max_iterations, wish.samples_per_iteration, wish.early_stop) == (True, 3, 1, False)


@pytest.mark.parametrize(
    ("given", "fps", "notes"),
    [
        ({"fps": 12}, 12, 0),
        ({"frames_per_second": 12}, 12, 0),
        ({"frames_per_second": 12, "fps": 12}, 12, 0),
        ({"frames_per_second": 12, "fps": 30}, 12, 1),
    ],
)
def test_the_rate_has_two_names(given: dict[str, int], fps: int, notes: int) -> None:
    wish = asked(Cosmos3ImageToVideo, **given)
    assert (wish.fps, len(wish.notes)) == (fps, notes)


def test_sizes_by_name_and_by_number() -> None:
    assert asked(Cosmos3TextToVideo, image_size="portrait_16_9").size == "portrait_16_9"
    assert asked(Cosmos3TextToVideo, image_size={"width": 640}).size == "640x512"
    assert asked(CogVideoXImageToVideo).size == "720x480"


def test_a_large_seed_is_taken_and_told() -> None:
    wish = asked(Cosmos3TextToVideo, seed=2**32 + 5)
    assert wish.seed == 5
    assert "4294967301" in wish.notes[0]


def test_predicts_own_fields() -> None:
    wish = asked(PredictTextToVideo, video_output_type="VP9 (.webm)", video_quality="maximum", sync_mode=True)
    assert (wish.size, wish.num_frames, wish.fps) == ("1280x704", 93, 16)
    assert (wish.format, wish.quality) == ("webm", "maximum")
    assert sync_mode(PredictTextToVideo(prompt="x", sync_mode=True))


def test_cogvideoxs_interpolation() -> None:
    smooth, plain = asked(CogVideoXImageToVideo, export_fps=24), asked(CogVideoXImageToVideo, use_rife=False)
    assert (smooth.num_frames, smooth.fps, smooth.export_fps, smooth.interpolation) == (49, 8, 24, "flow")
    assert (plain.num_frames, plain.fps, plain.export_fps, plain.interpolation) == (49, 16, None, None)


@pytest.mark.parametrize(
    ("model", "field", "least", "most"),
    [
        (Cosmos3ImageToVideo, "num_frames", 5, 189),
        (Cosmos3ImageToVideo, "frames_per_second", 4, 60),
        (Cosmos3ImageToVideo, "fps", 4, 60),
        (Cosmos3ImageToVideo, "num_inference_steps", 1, 50),
        (Cosmos3ImageToVideo, "guidance_scale", 0, 20),
        (Cosmos3ImageToVideo, "agentic_max_iterations", 1, 3),
        (Cosmos3ImageToVideo, "agentic_samples_per_iteration", 1, 3),
        (PredictTextToVideo, "num_frames", 9, 93),
        (PredictTextToVideo, "guidance_scale", 1, 20),
        (CogVideoXImageToVideo, "export_fps", 4, 32),
    ],
)
def test_ranges(model: type[Input], field: str, least: int, most: int) -> None:
    for good in (least, most):
        asked(model, **{field: good})
    for bad in (least - 1, most + 1):
        with pytest.raises(ValidationError, match=field):
            asked(model, **{field: bad})


@pytest.mark.parametrize("text", ["", "   ", "\ud800", "x" * 4097])
def test_prompts_that_are_none(text: str) -> None:
    with pytest.raises(ValidationError, match="prompt"):
        asked(Cosmos3ImageToVideo, prompt=text)


@pytest.mark.parametrize(
    ("model", "prompt", "negative"),
    [(Cosmos3ImageToVideo, 4096, 2048), (PredictTextToVideo, 20_000, 20_000), (CogVideoXImageToVideo, 20_000, 20_000)],
)
def test_texts_are_as_long_as_the_page_says_or_as_any_here(model: type[Input], prompt: int, negative: int) -> None:
    asked(model, prompt="x" * prompt, negative_prompt="y" * negative)
    for longer in ({"negative_prompt": "y" * (negative + 1)}, {"prompt": "x" * (prompt + 1)}):
        with pytest.raises(ValidationError) as caught:
            asked(model, **longer)
        (fault,) = caught.value.errors()
        assert (fault["loc"], fault["type"]) == (tuple(longer), "string_too_long")


def test_a_state_has_every_key_that_the_clients_look_for(tmp_path: Path) -> None:
    lines = [LogLine("Iteration 1", "INFO", "2026-11-21T12:00:01+00:00")]
    waiting = answers.status(job(), 3, [], QUEUE)
    assert (waiting["status"], waiting["queue_position"]) == ("IN_QUEUE", 3)
    assert waiting["status_url"] == f"{QUEUE}/nvidia/cosmos-3-super/requests/7/status"
    running = answers.status(job(state="running"), 0, lines, QUEUE)
    assert running["status"] == "IN_PROGRESS"
    assert running["logs"] == [
        {"message": "Iteration 1", "level": "INFO", "source": "USER", "timestamp": lines[0].timestamp}
    ]
    done = answers.status(over(tmp_path), 0, [], QUEUE)
    assert (done["status"], done["logs"], done["metrics"]) == ("COMPLETED", [], {"inference_time": 2.5})
    assert "error" not in done
    broken = answers.status(job(state="failed", problem=Problem(status=500, type="t", message="m")), 0, [], QUEUE)
    assert (broken["status"], broken["error"], broken["error_type"], broken["metrics"]) == ("COMPLETED", "m", "t", {})
    assert answers.status(job(state="cancelled"), 0, [], QUEUE)["error_type"] == "client_cancelled"


def test_an_output_is_theirs_and_the_loops(tmp_path: Path) -> None:
    code, body, headers = answers.outcome(over(tmp_path), "http://here", tmp_path)
    assert (code, headers) == (200, {"x-fal-request-id": "7"})
    VideoOutput.model_validate(body, extra="forbid")
    assert body["video"]["url"] == "http://here/media/KEY/video.mp4"
    assert body["video"]["file_name"] == "video.mp4"
    told = Told.model_validate(body["agentic"], extra="forbid")
    assert (told.run_id, told.notes, told.threshold) == ("7", ["Said before."], 0.7)
    assert told.requested == {"width": 1280, "height": 704, "num_frames": 92, "fps": 24}
    assert [c.url for c in told.candidates] == ["http://here/media/KEY/clips/a.mp4", None]
    assert told.report_url == "http://here/media/KEY/report.html"
    cog = over(tmp_path, endpoint="fal-ai/cogvideox-5b/image-to-video")
    CogVideoXOutput.model_validate(answers.outcome(cog, "http://here", tmp_path).body, extra="forbid")


def test_sync_mode_holds_the_video_and_names_no_address(tmp_path: Path) -> None:
    made = over(tmp_path, ephemeral=True)
    body = answers.outcome(made, "http://here", tmp_path).body
    assert body["video"]["url"] == "data:video/mp4;base64,ZmlsbQ=="
    assert "/media/" not in json.dumps(body)
    (tmp_path / "video.mp4").unlink()
    assert answers.outcome(made, "http://here", tmp_path).status == 404


@pytest.mark.parametrize(
    ("problem", "code", "kind", "place"),
    [
        (Problem(status=422, type="image_load_error", message="image: no", loc=("image",)), 422, "list", "image_url"),
        (Problem(status=422, type="image_load_error", message="image is no", loc=("image",)), 422, "list", "image_url"),
        (Problem(status=422, type="content_policy_violation", message="no"), 422, "list", "body"),
        (Problem(status=500, type="no_media_generated", message="no"), 500, "list", "body"),
        (Problem(status=504, type="request_timeout", message="no"), 504, "text", ""),
        (Problem(status=503, type="runner_disconnected", message="no"), 503, "text", ""),
    ],
)
def test_a_failure_is_the_models_or_the_queues(
    problem: Problem, code: int, kind: str, place: str, tmp_path: Path
) -> None:
    status, body, headers = answers.outcome(job(state="failed", problem=problem), "http://here", tmp_path)
    assert (status, headers["x-fal-error-type"], headers["x-fal-request-id"]) == (code, problem.type, "7")
    assert headers.get("x-fal-request-timeout-type") == ("user" if code == 504 else None)
    if kind == "list":
        (detail,) = body["detail"]
        assert (detail["loc"][-1], detail["type"]) == (place, problem.type)
        assert body["message"].startswith(("image_url: ", "image_url is ") if place == "image_url" else "no")
    else:
        assert (body["detail"], body["error_type"]) == ("no", problem.type)


def test_refusals_before_a_request_is_taken() -> None:
    scope = {"type": "http", "path": "/fal/queue/x/y"}
    wrong = answer(scope, Problem(status=401, type="unauthorized", message="send a key"))
    assert json.loads(bytes(wrong.body))["detail"].endswith("invalid key credentials")
    full = answer(scope, Problem(status=429, type="queue_full", message="later"), 7.2)
    assert (full.headers["x-fal-needs-retry"], full.headers["retry-after"]) == ("1", "7")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "\ud800" + "x" * 10_000, None, True, [1], {}])
def test_what_came_is_given_back_only_where_it_can_be_written(value: object) -> None:
    fault = {"loc": ("body", "image_size", "custom", "width"), "msg": "m", "type": "t", "input": value}
    response = answers.put(Problem(status=422, type="value_error", message="m"), [fault])
    assert len(response.body) < 1000
    (detail,) = json.loads(bytes(response.body))["detail"]
    assert detail["loc"] == ["body", "image_size", "width"]


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("fal.run", "/fal/run"),
        ("fal.run:443", "/fal/run"),
        ("queue.fal.run", "/fal/queue"),
        ("queue.studio.example:8443", "/fal/queue"),
        ("rest.fal.ai", "/fal/rest"),
        ("rest.alpha.fal.ai", "/fal/rest"),
        ("v3.fal.media", "/fal/cdn"),
        ("127.0.0.1:8000", None),
        ("xfal.run", None),
        ("fal.run.example", None),
        ("", None),
    ],
)
def test_hosts(host: str, service: str | None) -> None:
    assert service_of(host) == service


@pytest.mark.parametrize(
    ("host", "public", "base"),
    [
        ("queue.fal.run", "https://studio.example", "https://queue.fal.run"),
        ("Queue.Fal.Run:443", None, "https://Queue.Fal.Run:443"),
        ("queue.studio.example", None, "https://queue.studio.example"),
        ("queue.studio.example", "https://studio.example/x", "https://studio.example/x/fal/queue"),
    ],
)
def test_addresses_are_of_the_host_that_was_asked(host: str, public: str | None, base: str) -> None:
    served = SimpleNamespace(server=ServerConfig(public_url=public))
    app = SimpleNamespace(state=SimpleNamespace(context=SimpleNamespace(served=served)))
    scope = scope_of("/fal/queue/x", host, scheme="https", app=app, **{"retake.mapped": True})
    assert base_url(Request(scope), "/fal/queue") == base


class Seen:
    """An application that keeps the scope it was asked with."""

    def __init__(self) -> None:
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = dict(scope)
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def scope_of(path: str, host: str = "here", **more: Any) -> Scope:
    headers = [(b"host", host.encode()), *more.pop("headers", [])]
    base = {"type": "http", "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode()}
    return {**base, "query_string": b"", "headers": headers, **more}


async def ask(app: Any, scope: Scope) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


async def test_a_mapped_host_changes_the_path_and_says_so() -> None:
    seen = Seen()
    await ask(Hosts(seen), scope_of("/nvidia/cosmos-3-super/x", "Queue.Fal.Run"))
    assert seen.scope["path"] == "/fal/queue/nvidia/cosmos-3-super/x"
    assert seen.scope["raw_path"] == b"/fal/queue/nvidia/cosmos-3-super/x"
    assert (seen.scope["retake.mapped"], seen.scope["scheme"]) == (True, "https")
    # FAL_RUN_HOST=studio.example/fal/run alone: the client puts "queue." before all of it
    await ask(Hosts(seen), scope_of("/fal/run/nvidia/x", "queue.studio.example"))
    assert seen.scope["path"] == "/fal/queue/nvidia/x"
    assert (seen.scope["raw_path"], seen.scope["scheme"]) == (b"/fal/queue/nvidia/x", "http")
    await ask(Hosts(seen), scope_of("/media/KEY/video.mp4", "queue.fal.run"))
    assert seen.scope["path"] == "/media/KEY/video.mp4"
    await ask(Hosts(seen), scope_of("/v1/runs", "127.0.0.1:8000"))
    assert (seen.scope["path"], "retake.mapped" in seen.scope) == ("/v1/runs", False)
    await ask(Hosts(seen), scope_of("/v1/runs", "fal.run", headers=[(b"host", b"other")]))
    assert seen.scope["path"] == "/v1/runs"


async def test_the_proxy_asks_this_server_and_nobody_else() -> None:
    seen = Seen()
    url = b"https://queue.fal.run/nvidia/cosmos-3-super/text-to-video?fal_webhook=http%3A%2F%2Fx%2Fy"
    headers = [(b"x-fal-target-url", url), (b"x-fal-queue-priority", b"low"), (b"authorization", b"Key k")]
    more: dict[str, Any] = {"headers": headers, "method": "POST", "app": seen, "retake.caller": "me", "route": "outer"}
    assert await ask(Proxy(), scope_of("/fal/proxy", **more)) == 299
    asked = seen.scope
    assert (asked["method"], asked["path"]) == ("POST", "/fal/queue/nvidia/cosmos-3-super/text-to-video")
    assert asked["query_string"] == b"fal_webhook=http%3A%2F%2Fx%2Fy"
    assert asked["headers"] == [(b"host", b"here"), *headers[1:]]
    assert (asked["retake.caller"], "route" in asked) == ("me", False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/fal",
        "https://queue.fal.run@example.com/x",
        "https://user:word@queue.fal.run/x",
        "https://queue.fal.run:8443/x",
        "https://queue.fal.run.example.com/x",
        "http://queue.fal.run/x",
        "https://fal.run/../v1/runs",
        "https://fal.run/%2e%2e/v1/runs",
        "https://fal.run\\@example.com/x",
        "https://rest.fal.ai/tokens/",
        "https://v3.fal.media/files/upload",
        "file:///etc/passwd",
        "https://[::1/x",
        "https://fal.run/" + "x" * 10_000,
    ],
)
async def test_what_the_proxy_refuses(url: str) -> None:
    seen = Seen()
    assert await ask(Proxy(), scope_of("/fal/proxy", headers=[(b"x-fal-target-url", url.encode())], app=seen)) == 400
    assert seen.scope == {}
