"""fal's dialect over the real queue and engine, in this process: lives of requests, refusals, the stream, the proxy."""

import asyncio
import base64
import io
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from starlette.types import Message

from agent.server.context import Context
from agent.server.fal import requests
from agent.server.types import Caller
from tests.serving import in_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "nvidia/cosmos-3-super/text-to-video"
IMAGE = "nvidia/cosmos-3-super/image-to-video"
SMALL = {"prompt": "A red ball", "num_frames": 5, "image_size": {"width": 256, "height": 256}, "seed": 7}
LONG = {"prompt": "A red ball", "image_size": "landscape_16_9"}
LIFECYCLE = "x-fal-object-lifecycle-preference"
Server = tuple[httpx.AsyncClient, Context]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with in_process(tmp_path_factory.mktemp("fal") / "runs", "server.limits.max_running=1") as (client, context):
        yield client, context


def picture() -> str:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


async def submitted(client: httpx.AsyncClient, body: dict[str, Any], endpoint: str = TEXT, **more: Any) -> Any:
    response = await client.post(f"/fal/queue/{endpoint}", json=body, **more)
    assert response.status_code == 200, response.text
    return response.json()


async def finished(client: httpx.AsyncClient, request: Any) -> httpx.Response:
    async with asyncio.timeout(30):
        while (answer := await client.get(request["status_url"], params={"logs": "true"})).status_code == 202:
            await asyncio.sleep(0.02)
    return answer


@pytest.mark.thorough
async def test_a_whole_life_with_a_first_frame(server: Server) -> None:
    client, _ = server
    loop = {"enable_agentic_generation": True, "agentic_max_iterations": 1, "agentic_samples_per_iteration": 2}
    told = await submitted(client, {**SMALL, **loop, "image_url": picture(), "num_frames": 6}, IMAGE)
    assert told["status"] == "IN_QUEUE"
    assert told["status_url"].startswith("http://127.0.0.1:8000/fal/queue/nvidia/cosmos-3-super/requests/")
    early = await client.get(told["response_url"])
    assert (early.status_code, early.json()["detail"]) == (400, "Request is still in progress")
    assert early.headers["x-fal-request-id"] == told["request_id"]
    stream = await client.get(told["status_url"] + "/stream", params={"logs": "1"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    over = (await finished(client, told)).json()
    assert [event["status"] for event in events][-1] == over["status"] == "COMPLETED"
    lines = [line for event in events for line in event.get("logs") or []]
    assert lines == over["logs"]
    assert len(lines) > 3
    assert over["metrics"]["inference_time"] > 0
    result = await client.get(told["response_url"])
    assert result.headers["x-fal-request-id"] == told["request_id"]
    body = result.json()
    assert len(body["agentic"]["candidates"]) == 2
    assert (body["agentic"]["requested"]["num_frames"], body["agentic"]["effective"]["num_frames"]) == (6, 5)
    assert body["video"]["num_frames"] == 5
    film = await client.get(body["video"]["url"])
    assert (film.headers["content-type"], len(film.content)) == ("video/mp4", body["video"]["file_size"])
    # by what people write, and not by another app's name
    whole = told["response_url"].replace("cosmos-3-super/", "cosmos-3-super/image-to-video/")
    for url in (whole, whole + "/response", told["response_url"] + "/response"):
        assert (await client.get(url)).json() == body
    for other in ("nvidia/other", TEXT, "fal-ai/cosmos-predict-2.5"):
        url = told["response_url"].replace("nvidia/cosmos-3-super", other)
        assert (await client.get(url)).json()["status"] == "NOT_FOUND"
    assert (await client.put(told["cancel_url"])).json() == {"status": "ALREADY_COMPLETED"}


async def test_one_call_with_the_video_in_it_and_nothing_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client, context = server
    monkeypatch.setattr(requests, "AGAIN_SECONDS", 0.05)
    response = await client.post(f"/fal/run/{TEXT}/", json={**SMALL, "sync_mode": True})
    assert response.status_code == 200
    assert response.json()["video"]["url"].startswith("data:video/mp4;base64,")
    id_ = response.headers["x-fal-request-id"]
    async with asyncio.timeout(60):
        while context.desk.find(id_, Caller()) is not None:
            await asyncio.sleep(0.02)
    assert (await client.get(f"/fal/queue/nvidia/cosmos-3-super/requests/{id_}/status")).status_code == 404


async def test_cancelling_what_runs_and_what_waits(server: Server) -> None:
    client, _ = server
    running = await submitted(client, LONG)
    waiting = await submitted(client, LONG, headers={"X-Fal-Queue-Priority": "low"})
    state = await client.get(waiting["status_url"], params={"logs": "0"})
    assert (state.status_code, state.json()["status"], state.json()["queue_position"]) == (202, "IN_QUEUE", 0)
    busy = await client.post(f"/fal/queue/{TEXT}?fal_max_queue_length=0", json=LONG)
    assert (busy.status_code, busy.headers["x-fal-needs-retry"]) == (429, "1")
    first = await client.put(waiting["cancel_url"])
    assert (first.status_code, first.json()["status"]) == (200, "OK")
    assert first.headers["x-fal-request-id"] == waiting["request_id"]
    second = await client.put(running["cancel_url"])
    assert (second.status_code, second.json()["status"]) == (202, "CANCELLATION_REQUESTED")
    for told in (waiting, running):
        over = (await finished(client, told)).json()
        assert (over["status"], over["error_type"]) == ("COMPLETED", "client_cancelled")
        assert (await client.get(told["response_url"])).status_code == 499
    missing = await client.put(running["cancel_url"].replace("requests/", "requests/x"))
    assert (missing.status_code, missing.json()) == (404, {"status": "NOT_FOUND"})


async def test_a_client_that_goes_takes_its_request_with_it(server: Server) -> None:
    client, context = server
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    for key, kept in ((None, False), ("again", True)):
        came: list[Message] = [{"type": "http.request", "body": json.dumps(LONG).encode(), "more_body": False}]
        headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
        headers += [(b"idempotency-key", key.encode())] if key else []
        path = f"/fal/run/{TEXT}"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": headers}
        scope |= {"scheme": "http", "query_string": b"", "http_version": "1.1", "server": ("127.0.0.1", 8000)}
        sent: list[Message] = []

        async def receive(came: list[Message] = came) -> Message:
            if not came:
                await asyncio.sleep(0.05)
            return came.pop() if came else {"type": "http.disconnect"}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        await transport.app({**scope, "root_path": "", "client": ("127.0.0.1", 1)}, receive, send)
        assert sent[0]["status"] == 499
        newest = context.desk.list(Caller(), dialect="fal", limit=1).jobs[0]
        assert (newest.live and not newest.cancelling) is kept
        await context.desk.cancel(newest.id, Caller())
        assert (await context.desk.ended(newest, timeout=30)).state == "cancelled"


@pytest.mark.parametrize("key", [None, "once more"])
async def test_a_call_that_is_given_up_names_its_request(
    server: Server, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, context = server
    monkeypatch.setitem(vars(context.served.server.limits), "sync_seconds", 0.05)
    response = await client.post(f"/fal/run/{TEXT}", json=LONG, headers={"Idempotency-Key": key} if key else {})
    assert (response.status_code, response.headers["x-fal-error-type"]) == (504, "request_timeout")
    assert response.headers["x-fal-request-timeout-type"] == "user"
    job = context.desk.find(response.headers["x-fal-request-id"], Caller())
    assert job is not None
    assert (job.live and not job.cancelling) is (key is not None), "who gave a key finds it again"
    await context.desk.cancel(job.id, Caller())
    assert (await context.desk.ended(job, timeout=30)).state == "cancelled"


@pytest.mark.thorough
async def test_a_call_that_waits_holds_nothing_of_its_body(server: Server) -> None:
    client, context = server
    content = json.dumps({**LONG, "unknown": "x" * 5_000_000}).encode()
    tracemalloc.start()
    try:
        headers = {"content-type": "application/json"}
        call = asyncio.create_task(client.post(f"/fal/run/{TEXT}", content=content, headers=headers))
        job = None
        while job is None or not job.live:
            await asyncio.sleep(0.05)
            job = next(iter(context.desk.list(Caller(), dialect="fal", limit=1).jobs), None)
        await asyncio.sleep(0.2)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    await context.desk.cancel(job.id, Caller())
    assert (await call).status_code == 499
    assert held < len(content)


async def test_the_same_key_is_the_same_request(server: Server) -> None:
    client, _ = server
    headers = {"Idempotency-Key": "once"}
    one, two = [await submitted(client, SMALL, headers=headers) for _ in range(2)]
    assert one["request_id"] == two["request_id"]
    other = await client.post(f"/fal/queue/{TEXT}", json={**SMALL, "seed": 8}, headers=headers)
    assert (other.status_code, other.headers["x-fal-error-type"]) == (422, "idempotency_key_reused")
    assert other.json()["detail"][0]["loc"] == ["header", "idempotency-key"]
    await client.put(one["cancel_url"])
    await finished(client, one)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "prompt"),
        ({**SMALL, "image_size": "big"}, "image_size"),
        ({**SMALL, "image_size": {"width": 0}}, "width"),
        ({**SMALL, "image_size": 3}, "image_size"),
        ({**SMALL, "num_frames": 1000}, "num_frames"),
        ({**SMALL, "guidance_scale": "much"}, "guidance_scale"),
        ({**SMALL, "seed": -1}, "seed"),
    ],
)
async def test_wrong_input(server: Server, body: dict[str, Any], place: str) -> None:
    client, _ = server
    response = await client.post(f"/fal/queue/{TEXT}", json=body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][-1] == place
    assert place in response.json()["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", 400),
        (b'{"prompt": "a", "seed": ' + b"9" * 500 + b"}", 400),
        (b'{"prompt": "a", "guidance_scale": NaN}', 400),
        (b'{"prompt": "\\ud800"}', 400),
        (b'"text"', 422),
    ],
)
async def test_bodies_that_are_none(server: Server, body: bytes, code: int) -> None:
    client, _ = server
    response = await client.post(f"/fal/queue/{TEXT}", content=body, headers={"content-type": "application/json"})
    assert response.status_code == code
    assert response.json()["message"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
async def test_json_that_is_not_called_so(server: Server, kind: str) -> None:
    client, _ = server
    response = await client.post(f"/fal/queue/{TEXT}", json=SMALL, headers={"content-type": kind})
    assert response.status_code == 422
    assert "send it with the header Content-Type: application/json" in response.json()["message"]


@pytest.mark.parametrize(
    ("query", "header", "value", "place"),
    [
        ("", "X-Fal-Queue-Priority", "urgent", "x-fal-queue-priority"),
        ("", "X-Fal-Request-Timeout", "nan", "x-fal-request-timeout"),
        ("", LIFECYCLE, "{", LIFECYCLE),
        ("", LIFECYCLE, '{"expiration_duration_seconds": -1}', LIFECYCLE),
        ("", LIFECYCLE, '{"expiration_duration_seconds": 1%s}' % ("0" * 400), LIFECYCLE),
        ("", "Idempotency-Key", "x" * 300, "idempotency-key"),
        ("?fal_webhook=file:///x", "Accept", "*/*", "fal_webhook"),
        ("?fal_webhook=https://u:p@h/x", "Accept", "*/*", "fal_webhook"),
        ("?fal_max_queue_length=-1", "Accept", "*/*", "fal_max_queue_length"),
    ],
)  # fmt: skip
async def test_wrong_terms(server: Server, query: str, header: str, value: str, place: str) -> None:
    client, _ = server
    response = await client.post(f"/fal/queue/{TEXT}{query}", json=SMALL, headers={header: value})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][-1] == place


async def test_what_comes_with_a_request_reaches_its_job(server: Server) -> None:
    client, context = server
    headers = {
        "X-Fal-Queue-Priority": "low",
        "X-Fal-Request-Timeout": "90",
        "X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 60, "initial_acl": {"default": "hide"}}',
    }
    told = await submitted(client, SMALL, f"{TEXT}?fal_webhook=https%3A%2F%2Fexample.com%2Fdone", headers=headers)
    job = context.desk.find(told["request_id"], Caller())
    assert job is not None
    assert job.webhook is not None
    assert (job.priority, job.webhook.url) == (-1, "https://example.com/done")
    assert job.start_by is not None
    assert (job.start_by - job.created_at).total_seconds() == 90
    assert job.keep_until is not None
    assert "initial_acl" in job.request.notes[0]
    await client.put(told["cancel_url"])
    await finished(client, told)


async def test_models_that_are_not_here(server: Server) -> None:
    client, _ = server
    for path in ("/fal/run/fal-ai/flux/dev", "/fal/queue/nvidia/cosmos-3-super", "/fal/queue/workflows/me/x"):
        response = await client.post(path, json=SMALL)
        assert (response.status_code, response.headers["x-fal-error-type"]) == (404, "not_found")
        assert f"this server has {IMAGE}, {TEXT}, fal-ai/" in response.json()["detail"]
    for path in ("", "/status", "/status/stream"):
        none = await client.get(f"/fal/queue/nvidia/cosmos-3-super/requests/none{path}")
        assert (none.status_code, none.headers["x-fal-error-type"]) == (404, "not_found")
        assert none.json()["error_type"] == "not_found"


async def test_by_host_and_by_proxy(server: Server) -> None:
    client, _ = server
    mapped = await client.post(f"/{TEXT}", json=LONG, headers={"host": "queue.fal.run"})
    assert mapped.json()["status_url"].startswith("https://queue.fal.run/nvidia/cosmos-3-super/requests/")
    place = mapped.json()["status_url"]
    told = await client.get("/fal/proxy", headers={"x-fal-target-url": f"{place}?logs=1"})
    assert (told.status_code, told.json()["request_id"]) == (202, mapped.json()["request_id"])
    assert told.json()["status_url"].startswith("http://127.0.0.1:8000/fal/queue/")
    cancelled = await client.put("/fal/proxy", headers={"x-fal-target-url": mapped.json()["cancel_url"]})
    assert cancelled.status_code in {200, 202}
    await finished(client, told.json())
    refused = await client.post("/fal/proxy", json={}, headers={"x-fal-target-url": "https://example.com/"})
    assert (refused.status_code, refused.json()["detail"]) == (400, "Invalid request")


async def test_a_path_that_is_none_tells_where_to_look(server: Server) -> None:
    client, _ = server
    for path in ("/docs", "/v1/run", "/fal"):
        assert "/openapi.json tells what there is" in (await client.get(path)).text
    assert "this path takes POST, not GET" in (await client.get("/v1/infer")).text


async def test_the_served_openapi_knows_every_field(server: Server) -> None:
    client, _ = server
    served = (await client.get("/openapi.json")).json()
    body = served["paths"][f"/fal/queue/{IMAGE}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields = served["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]
    assert fields["num_frames"]["maximum"] == 189
    assert all(field.get("description") for field in fields.values())
    assert {"fps", "frames_per_second", "agentic_early_stop", "sync_mode", "image_url"} <= set(fields)
