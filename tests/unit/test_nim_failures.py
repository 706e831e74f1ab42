"""What every error of a NIM becomes, what is sent again, and what is not."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from generator.config import NIMConfig
from generator.nim import NIM
from generator.nim.dialect import Dialect
from generator.nim.failures import RefusedError, failure, words
from generator.types import BackendError, BlockedError, Progress, RenderError, RenderSpec
from tests.limits import limit
from tests.nim import NIMServer, envelope
from tests.wire import DROP, HANG, Answer

SPEC = RenderSpec(width=320, height=192, num_frames=25, fps=24)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates takes longer than most tests


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        yield client


@pytest.fixture
async def server() -> AsyncIterator[NIMServer]:
    async with NIMServer("v1") as server:
        yield server


@pytest.fixture
def told() -> list[Progress]:
    return []


async def connected(client: httpx.AsyncClient, told: list[Progress], *servers: NIMServer, **more: Any) -> NIM:
    urls = [server.url for server in servers]
    nim = NIM(NIMConfig(**more), client, urls, tell=told.append, patience=0.05, first_probe=0.01)
    await nim.connect()
    return nim


def detail(status: int, *found: dict[str, Any]) -> Answer:
    return Answer(status, {"detail": list(found)})


TOO_MANY = {"loc": ["body", "guidance_scale"], "msg": "Input should be less than or equal to 7", "type": "less_than",
            "input": "A" * 5000}  # fmt: skip
BLOCKED = "The prompt was blocked by the guardrail"

ANSWERS: list[tuple[Answer, type[Exception], str]] = [
    # the request, for good
    (envelope(422, "resolution: must be one of 256, 480, 720"), RenderError, r"answered 422: resolution: must be one"),
    (detail(422, TOO_MANY), RenderError, r"guidance_scale: Input should be less than or equal to 7\. Change"),
    (envelope(422, "image cannot be decoded"), RenderError, "image cannot be decoded"),
    (Answer(422, {"detail": "video is larger than 75 MB"}), RenderError, "video is larger than 75 MB"),
    (envelope(400, "Malformed JSON in the request body"), RenderError, "answered 400: Malformed JSON"),
    (Answer(400, {"detail": "height/width must be multiples of 8"}), RenderError, "multiples of 8"),
    (Answer(413, "<html>Request Entity Too Large"), RenderError, "Too Large. Give a smaller image or video"),
    # guardrails
    (envelope(422, BLOCKED), BlockedError, r"guardrails refused this render \(The prompt was blocked"),
    (envelope(422, "Guardrail check failed: unsafe prompt", "guardrail_violation"), BlockedError, "Change the prompt"),
    (Answer(400, {"detail": "Unsafe content detected in the input image"}), BlockedError, "Unsafe content"),
    (envelope(422, "Output rejected by content safety"), BlockedError, "content safety"),
    (envelope(422, "The input violates our usage policy", "guardrail_violation"), BlockedError, "usage policy"),
    # the deployment
    (Answer(401, {"detail": "Unauthorized"}), BackendError, r"answered 401: Unauthorized\. .* generator\.api_key_env"),
    (Answer(403, b""), BackendError, r"answered 403: nothing\. .* generator\.api_key_env"),
    (envelope(404, "Not Found: /v1/infer", "not_found"), BackendError, r"answered 404.*generator\.endpoints"),
    (envelope(405, "Method Not Allowed"), BackendError, r"answered 405.*generator\.dialect"),
    (Answer(302, b"", {"Location": "http://127.0.0.1:1/"}), BackendError, "answered 302"),
    # the moment
    (Answer(507, b"no room"), BackendError, r"answered 507: no room\. Look into its log"),
]


@pytest.mark.parametrize(("answer", "kind", "said"), ANSWERS, ids=lambda value: str(getattr(value, "body", value))[:50])
async def test_errors_of_the_request_and_the_deployment_are_not_sent_again(
    answer: Answer,
    kind: type[Exception],
    said: str,
    server: NIMServer,
    client: httpx.AsyncClient,
    told: list[Progress],
    tmp_path: Path,
) -> None:
    nim = await connected(client, told, server, resubmit=2)
    server.script(answer)
    with pytest.raises(kind, match=said) as caught:
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert type(caught.value) is kind
    assert "AAAA" not in str(caught.value)
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []
    assert [each.stage for each in told] == ["queued", "rendering"]
    clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")  # and the next one is rendered
    assert clip.rendering.attempts == 1


@pytest.mark.parametrize(("speaks", "asked"), [("v1", "v2"), ("v2", "v1"), ("predict", "v1"), ("v1", "predict")])
async def test_dialects_refuse_one_another_and_the_setting_is_named(
    speaks: Dialect, asked: Dialect, client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer(speaks) as server:
        nim = await connected(client, told, server, dialect=asked)
        with pytest.raises(BackendError, match=r"answered 422: .*set generator\.dialect to the one it does"):
            await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    "said",
    ["prompt: Field required; steps: Input should be a valid integer", "image cannot be decoded",
     "guidance_scale: Input should be less than or equal to 7", "num_frames: unexpected value 27, must be 1+4k",
     "steps: field required to be at most 100", "Unsupported parameter value for steps: 200"],
)  # fmt: skip
def test_an_error_of_the_request_is_not_taken_for_another_dialect(said: str) -> None:
    assert type(failure(422, said.encode(), {}, "http://x")) is RenderError


@pytest.mark.parametrize(
    "said",
    ["guardrails: Extra inputs are not permitted", "Safety factor must be below 2", "image is blocked by a lock file"],
)
def test_guardrails_are_not_seen_where_none_spoke(said: str) -> None:
    assert not isinstance(failure(422, said.encode(), {}, "http://x"), BlockedError)


def test_words_of_an_error_are_short() -> None:
    assert words(b'{"error": "out of memory"}') == "out of memory"
    assert words(b'{"error": {"code": 500}}') == "nothing"
    assert words(b"\xff\xfe") == "��"
    assert len(words(b"x" * 10_000)) == 401
    many = [{"loc": ["body", f"f{n}"], "msg": "bad"} for n in range(100)]
    assert words(str({"detail": many}).replace("'", '"').encode()) == "f0: bad; f1: bad; f2: bad; f3: bad; f4: bad"


@pytest.mark.parametrize(
    "found",
    [
        {"error": {"message": "Request rejected.", "type": "GuardrailError", "code": 422}},
        {
            "error": {
                "message": "Request rejected.",
                "type": "invalid_request_error",
                "code": "content_policy_violation",
            }
        },
        {
            "error": {
                "message": "no",
                "details": [{"loc": ["body", "prompt"], "msg": "no", "type": "moderation_blocked"}],
            }
        },
        {"detail": [{"loc": ["body", "prompt"], "msg": "not accepted", "type": "safety_violation"}]},
        {"detail": "Prompt did not pass the guardrails"},
        {"detail": "Guardrail check: content not allowed"},
    ],
)
def test_guardrails_are_told_by_the_type_of_an_error_and_else_by_its_words(found: dict[str, Any]) -> None:
    assert type(failure(422, json.dumps(found).encode(), {}, "http://x")) is BlockedError


@pytest.mark.parametrize(
    ("message", "field", "kind", "expected"),
    [
        ("Extra inputs are not permitted", "num_frames", "extra_forbidden", BackendError),
        ("Field required", "model_mode", "missing", BackendError),
        ("extra fields not permitted", "steps", "value_error.extra", BackendError),
        ("a parameter that is new to it", "steps", "extra_forbidden", BackendError),
        ("Field required", "prompt", "missing", RenderError),
        ("unexpected field, Field required", "num_frames", "value_error", RenderError),
    ],
)
def test_another_dialect_is_told_by_type_and_place_where_there_are_any(
    message: str, field: str, kind: str, expected: type[Exception]
) -> None:
    found = {"detail": [{"loc": ["body", field], "msg": message, "type": kind}]}
    assert type(failure(422, json.dumps(found).encode(), {}, "http://x")) is expected


@pytest.mark.parametrize(
    "said",
    ["num_output_frames: Extra inputs are not permitted", "Unexpected keyword argument 'num_frames'",
     "model_mode is required", "video_params: field required", "unknown request field: steps"],
)  # fmt: skip
def test_another_dialect_is_told_by_words_where_there_are_no_types(said: str) -> None:
    found = {"error": {"message": said, "type": "invalid_request_error", "code": 422}}
    assert type(failure(422, json.dumps(found).encode(), {}, "http://x")) is BackendError


def test_a_key_is_taken_out_before_a_message_is_cut() -> None:
    key = "nvapi-" + "K" * 60
    said = str(failure(500, f"{'x' * 380} bad key {key}".encode(), {}, "http://x", key))
    assert "KK" not in said
    assert "bad key ***" in said


def test_an_error_nested_without_end_is_read_to_some_depth() -> None:
    assert words(b'{"error":' * 500 + b"1" + b"}" * 500) == "nothing"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_request_that_was_not_accepted_is_sent_again_when_the_server_says(
    status: int, server: NIMServer, client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    nim = await connected(client, told, server, resubmit=1)
    server.script(envelope(status, "busy", "rate_limit", Retry_After="0.03"))
    clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert server.heard[-1].at - server.heard[-2].at >= 0.03
    assert (clip.rendering.attempts, clip.rendering.lost_seconds) == (2, 0)
    assert clip.rendering.queue_seconds >= 0.03
    server.script(*[envelope(status, "busy", Retry_After="0")] * 2)
    with pytest.raises(BackendError, match=rf"answered {status}: busy\. It is full: wait, or name more servers"):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "b.mp4")
    assert len(server.asked) == 4


async def test_a_full_server_is_left_for_another(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as a, NIMServer("v1") as b:
        nim = await connected(client, told, a, b)
        a.script(envelope(429, "busy", Retry_After="60"))
        assert (await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")).rendering.endpoint == b.url


@pytest.mark.parametrize(
    ("status", "told_to_wait", "after"),
    [
        (429, None, 1.0),
        (429, "7", 7.0),
        (429, "-3", 0.0),
        (429, "nonsense", 1.0),
        (429, "1000", None),
        (503, None, None),
        (503, "2.5", 2.5),
        (500, "2", None),
        (429, "Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        (429, "Wed, 01 Jan 2120 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_honoured_within_bounds(status: int, told_to_wait: str | None, after: float | None) -> None:
    headers = {} if told_to_wait is None else {"retry-after": told_to_wait}
    found = failure(status, b"busy", headers, "http://x")
    assert (found.after if isinstance(found, RefusedError) else None) == after


LOST = {
    "dropped": DROP,
    "dropped half-way": Answer(200, {"b64_video": "A" * 1000}, drop="middle"),
    "hung": HANG,
}


@pytest.mark.parametrize("how", LOST)
async def test_a_lost_render_is_sent_again_as_often_as_configured(
    how: str,
    server: NIMServer,
    client: httpx.AsyncClient,
    told: list[Progress],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nim = await connected(client, told, server, resubmit=1, timeout_seconds=1234, stall_seconds=1234)
    server.script(LOST[how])
    passing = limit(1234, monkeypatch)
    work = asyncio.create_task(nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4"))
    while not server.asked:
        await asyncio.sleep(0.002)
    if how == "hung":
        await asyncio.sleep(0.01)
        passing.reschedule(0)
    clip = await work
    assert clip.rendering.attempts == 2
    if how == "hung":
        assert clip.rendering.lost_seconds >= 0.01
    assert [each.stage for each in told] == ["queued", "rendering", "resubmitted", "queued", "rendering", "delivering"]
    assert told[2].note.startswith(f"The NIM at {server.url}")


@pytest.mark.parametrize(
    ("how", "setting", "said"),
    [
        ("dropped", "", "dropped the connection in the middle of a render"),
        ("hung", "timeout_seconds", r"not ended a render in 0\.1 s"),
        ("hung", "stall_seconds", r"not ended a render in 0\.1 s"),
    ],
)
async def test_a_lost_render_that_is_not_sent_again_is_an_error(
    how: str,
    setting: str,
    said: str,
    server: NIMServer,
    client: httpx.AsyncClient,
    told: list[Progress],
    tmp_path: Path,
) -> None:
    nim = await connected(client, told, server, resubmit=0, **({setting: 0.1} if how == "hung" else {}))
    server.script(LOST[how])
    with pytest.raises(BackendError, match=said):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert [each.stage for each in told] == ["queued", "rendering", "abandoned"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_failed_is_set_aside_and_its_render_sent_elsewhere(
    status: int, client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as a, NIMServer("v1") as b:
        nim = await connected(client, told, a, b)
        a.script(replace(envelope(status, "dying"), delay=0.002))  # what is lost is told in thousandths of a second
        clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert (clip.rendering.endpoint, clip.rendering.attempts) == (b.url, 2)
        assert clip.rendering.lost_seconds > 0
    assert [each.stage for each in told] == ["queued", "rendering", "resubmitted", "queued", "rendering", "delivering"]
    assert told[2].note == f"The NIM at {a.url} answered {status}: dying. Look into its log."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (envelope(500, "CUDA out of memory", "internal_error"), r"answered 500: CUDA out of memory\. Look"),
        (Answer(502, "<html>Bad Gateway"), "answered 502: <html>Bad Gateway"),
        (envelope(503, "The model is loading"), "answered 503: The model is loading"),
        (envelope(500, BLOCKED), "answered 500: The prompt was blocked"),
    ],
)
async def test_one_that_fails_every_time_is_asked_as_often_as_configured(
    answer: Answer, said: str, server: NIMServer, client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    nim = await connected(client, told, server, resubmit=1)
    server.script(*[replace(answer, delay=0.002)] * 2)  # what is lost is told in thousandths of a second
    with pytest.raises(BackendError, match=said):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert len(server.asked) == 2
    assert [each.stage for each in told][2:] == ["resubmitted", "queued", "rendering", "abandoned"]
    assert told[-1].seconds > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [408, 504])
async def test_a_render_that_a_proxy_gave_up_is_told_and_counted_as_load(
    status: int, server: NIMServer, client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    nim = await connected(client, told, server, resubmit=2)
    server.script(Answer(status, b"", delay=0.1))
    with pytest.raises(BackendError, match=f"answered {status}.*raise that time limit"):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert len(server.asked) == 1
    assert [each.stage for each in told] == ["queued", "rendering", "abandoned"]
    assert told[-1].seconds >= 0.1
    assert list(tmp_path.iterdir()) == []
    # it is taken to be half-way: the next one waits for as long again
    clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert clip.rendering.attempts == 1
    first, second = (heard.at for heard in server.heard if heard.method == "POST")
    assert second - first > 0.19


async def test_a_lost_render_goes_to_another_server(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as a, NIMServer("v1") as b:
        nim = await connected(client, told, a, b)
        a.script(DROP)
        clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert (clip.rendering.endpoint, clip.rendering.attempts) == (b.url, 2)


async def test_a_render_that_never_left_goes_to_another_server_at_no_cost(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as b:
        async with NIMServer("v1") as a:
            nim = await connected(client, told, a, b, resubmit=0)
        clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert (clip.rendering.endpoint, clip.rendering.attempts, clip.rendering.lost_seconds) == (b.url, 1, 0)


async def test_a_server_that_died_is_waited_for_and_then_given_up(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as server:
        nim = await connected(client, told, server)
    with pytest.raises(BackendError, match=r"No rendering server has answered for 0\.05 s .*cannot be reached"):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")


async def test_a_server_that_came_back_with_another_model_gets_no_render(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as server:
        nim = await connected(client, told, server, resubmit=0)
        server.script(envelope(500, "dying"))
        with pytest.raises(BackendError, match="dying"):
            await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
        server.metadata = server.metadata | {"checkpoint": "another"}
        with pytest.raises(BackendError, match=r"No rendering server .*nano another \(v1\), others serve"):
            await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert len(server.asked) == 1
