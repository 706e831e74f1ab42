"""What stands before every answer of `retake serve`: names, origins, bodies, headers, and its log."""

import asyncio
import json
import logging
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from agent.server import bodies, documents, logs
from agent.server.config import LimitsConfig, ServerConfig
from agent.server.gate import gated
from tests.gates import BASE, KEY, as_json, as_key, asking, deep, keys

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "scheme": "http",
    "path": "/v1/videos/video_1",
    "raw_path": b"/v1/videos/video_1",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1"), (b"authorization", b"Key " + KEY.encode()), (b"accept", b"*/*")],
    "client": ("127.0.0.1", 1),
}

# --- names and origins


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost:9000", "LOCALHOST", "[::1]:8000", "app.localhost", "192.168.1.4:8000"),
        *("fal.run", "queue.fal.run", "rest.fal.ai", "v3.fal.media", "queue.localhost:8000"),
        *("studio.example", "queue.studio.example", "cosmos.lan:80"),
    ],
)
async def test_our_own_names_are_taken(host: str) -> None:
    async with asking(hosts=("cosmos.lan",), public_url="https://studio.example/x") as client:
        assert (await client.get("/v1/videos", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "queue.evil.example", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("fal.run.evil.example", "evil.example:8000", "127.1", "2130706433"),
    ],
)
async def test_a_name_that_somebody_else_may_let_point_here_is_refused(host: str) -> None:
    async with asking() as client:
        reply = await client.get("/v1/videos", headers={"Host": host})
        assert reply.status_code == 403
        assert "server.hosts" in reply.text
    async with asking(keys()) as client:  # who must send a key is no web page
        assert (await client.get("/v1/videos", headers={"Host": host, **as_key(KEY)})).status_code == 200
    async with asking(keys(), hosts=("cosmos.lan",)) as client:
        assert (await client.get("/v1/videos", headers={"Host": host, **as_key(KEY)})).status_code == 403


@pytest.mark.parametrize(
    "host",
    ["", " ", 'a"><b', "a b", "a/b", "a@b", "a:b", "-", "a\tb", "localhost:123456", "[::1", "a" * 300, "..", "é"],
)
async def test_a_host_header_that_is_no_name_is_refused_with_and_without_keys(host: str) -> None:
    for known, headers in ((None, {}), (keys(), as_key(KEY))):
        async with asking(known, hosts=("*",)) as client:
            sent = [(b"host", host.encode("latin-1")), *((k.encode(), v.encode()) for k, v in headers.items())]
            reply = await client.get("/v1/videos", headers=sent)
            assert reply.status_code == 400, host
            assert "<b" not in reply.text


async def test_two_host_headers_are_refused() -> None:
    async with asking() as client:
        reply = await client.get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])
        assert reply.status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "https://127.0.0.1.evil.example", "file://"])
async def test_another_sites_page_may_not_change_anything(origin: str) -> None:
    async with asking(cors_origins=("https://studio.example",)) as client:
        for method in ("POST", "PUT", "DELETE"):
            reply = await client.request(method, "/v1/videos", headers={"Origin": origin})
            assert reply.status_code == 403
            assert "access-control-allow-origin" not in reply.headers
        read = await client.get("/v1/videos", headers={"Origin": origin})
        assert "access-control-allow-origin" not in read.headers


async def test_our_own_page_and_listed_ones_may() -> None:
    async with asking(cors_origins=("https://studio.example",), public_url="https://cosmos.example") as client:
        for origin in (BASE, "https://studio.example", "https://cosmos.example"):
            assert (await client.post("/v1/videos", headers={"Origin": origin})).status_code == 200
        reply = await client.post("/v1/videos", headers={"Origin": "https://studio.example"})
        assert reply.headers["access-control-allow-origin"] == "https://studio.example"
        exposed = reply.headers["access-control-expose-headers"].split(", ")
        assert {"x-fal-request-id", "x-fal-request-timeout-type", "x-should-retry"} <= set(exposed)
        assert "access-control-allow-credentials" not in reply.headers


async def test_a_browser_may_find_out_what_it_may_ask_without_a_key() -> None:
    asked = {
        "Origin": "https://studio.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-fal-target-url",
    }
    async with asking(keys(), cors_origins=("https://studio.example",)) as client:
        reply = await client.options("/fal/queue/a/b", headers=asked)
        assert reply.status_code == 200
        assert "authorization" in reply.headers["access-control-allow-headers"]
        assert (await client.options("/x", headers={**asked, "Origin": "https://evil.example"})).status_code == 400
        refused = await client.get("/v1/videos", headers={"Origin": "https://studio.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://studio.example"


async def test_every_answer_has_safe_headers() -> None:
    async with asking(keys()) as client:
        for path, headers in (("/", {}), ("/v1/videos", {}), ("/v1/videos", as_key(KEY)), ("/x", {"Host": "a b"})):
            reply = await client.get(path, headers=headers)
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
            assert reply.headers["cache-control"] == "no-store"
            assert "server" not in reply.headers


async def test_an_endless_head_and_unreadable_addresses_are_refused() -> None:
    async with asking() as client:
        assert (await client.get("/" + "a" * 20_000)).status_code == 414
        assert (await client.get("/x", params={"q": "a" * 20_000})).status_code == 414
        assert (await client.get("/x", headers={f"x-{n}": "1" for n in range(80)})).status_code == 431
        assert (await client.get("/x", headers={"x": "a" * 40_000})).status_code == 431
        for path in ("/a%00b", "/a%0d%0ab", "/a%1b[2J", "/x?a=%00"):
            assert (await client.get(path)).status_code == 400


# --- bodies


@pytest.mark.parametrize(
    "body",
    [
        deep(65),
        deep(100_000),
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"9" * 100 + b"}",
        b'{"a":0.' + b"1" * 100 + b"}",
        b'{"a":' + b"9" * 100_000 + b"}",
        b'{"a":' + b"A" * 100_000 + b"}",
        b'{"a":"' + b"A" * 100_000 + b'","b":NaN}',
        b'{"a":"' + b"A" * 100_000 + b'","b":"\\ud800"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"a":"\\u0000"}',
        b"{",
        b"[" + b"0," * 200_000 + b"0]",
        b"{" + b",".join(b'"%d":0' % n for n in range(300)) + b"}",
        b"[" + b'"",' * 200_000 + b"0]",
        b'\xff\xfe{\x00"\x00',
    ],
    ids=lambda body: repr(body[:16]),
)
async def test_json_that_cannot_be_held_is_refused(body: bytes) -> None:
    async with asking() as client:
        for kind in ("application/json", "application/problem+json; charset=utf-8"):
            reply = await client.post("/x", content=body, headers={"Content-Type": kind})
            assert reply.status_code == 400
            assert len(reply.content) < 500


@pytest.mark.parametrize(
    "document",
    [
        {"prompt": "a \\u0000 b", "twice": '\\"', "n": [1, 2.5, 1e300, None]},
        {"prompt": "😀 \U0001f3ac"},
        {"image_url": "data:image/png;base64," + "QUFB" * 50_000, "note": "NaN, Infinity, {[{[{["},
        {"caption": json.dumps({"shots": [{"at": n, "words": ["a", "b"]} for n in range(900)]})},
        json.loads(deep(64)),
        [],
        "text",
    ],
    ids=lambda document: repr(document)[:16],
)
async def test_json_that_is_meant_is_taken_byte_by_byte(document: object) -> None:
    async with asking() as client:
        sent = as_json(document)
        reply = await client.post("/x", **sent)
        assert reply.status_code == 200
        assert reply.json()["bytes"] == len(sent["content"])
    text = json.dumps(document, ensure_ascii=False).encode()
    assert documents.fault(text) == ""


async def test_bodies_are_counted_as_they_arrive() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    limits = LimitsConfig(max_body_bytes=1 << 16, max_upload_bytes=1 << 17)
    async with asking(limits=limits) as client:
        for path in ("/v1/videos", "/v1/uploads", "/fal/cdn/files/upload"):
            reply = await client.post(path, content=endless())
            assert reply.status_code == 413, path
        assert (await client.post("/v1/videos", content=b"x" * (1 << 16))).status_code == 200
        assert (await client.post("/v1/uploads", content=b"x" * (1 << 17))).status_code == 200
        lying = {"Content-Length": "10"}
        assert (await client.post("/v1/videos", content=endless(), headers=lying)).status_code == 413
        big = {"Content-Length": "999999999999"}
        assert (await client.post("/v1/videos", content=b"", headers=big)).status_code == 413


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3600)
        yield b"}"

    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.02)
    async with asking() as client:
        for path in ("/v1/videos", "/v1/uploads"):
            reply = await client.post(path, content=stalled())
            assert reply.status_code == 408


async def test_all_bodies_together_are_bounded() -> None:
    held, there = asyncio.Event(), list[int]()

    async def large() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        there.append(1000)
        await held.wait()

    async with asking(limits=LimitsConfig(max_body_bytes=1024)) as client:
        sent = [asyncio.create_task(client.post("/x", content=large())) for _ in range(16)]
        while len(there) < 16:
            await asyncio.sleep(0.001)
        reply = await client.post("/x", content=b"x" * 1000)
        assert reply.status_code == 503
        assert reply.headers["retry-after"]
        held.set()
        assert {reply.status_code for reply in await asyncio.gather(*sent)} == {200}
        assert (await client.post("/x", content=b"x" * 1000)).status_code == 200


async def test_a_body_that_was_handed_over_is_not_held() -> None:
    large = b"x" * 10_000_000
    held = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        held.append(tracemalloc.get_traced_memory()[0])

    async def receive() -> Message:
        return {"type": "http.request", "body": large, "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    tracemalloc.start()
    try:
        scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await bodies.Bodies(app, LimitsConfig(), streams=lambda _: False)(scope, receive, send)
    finally:
        tracemalloc.stop()
    assert held[0] < 1_000_000


async def test_forms_and_encodings_that_are_traps_are_refused() -> None:
    async with asking() as client:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await client.post("/x", content=b"a=1&" * 5000, headers=form)).status_code == 400
        assert (await client.post("/x", content=b"a=1&b=2", headers=form)).status_code == 200
        odd = {"Content-Type": "multipart/form-data; boundary=x; charset=unicode_escape"}
        assert (await client.post("/x", content=b"--x--", headers=odd)).status_code == 415
        packed = {"Content-Encoding": "gzip"}
        assert (await client.post("/x", content=b"x", headers=packed)).status_code == 415


async def test_what_streams_out_is_not_held_back() -> None:
    sent: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(2):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % n, "more_body": True})
            assert len(sent) == n + 2  # each piece is through before the next is made

    async def hear(message: Message) -> None:
        sent.append(message.get("body", b"start"))

    async def empty() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {**SCOPE, "method": "POST"}
    await gated(app, ServerConfig(), None, host="127.0.0.1")(scope, empty, hear)
    assert sent == [b"start", b"data: 0\n\n", b"data: 1\n\n"]


# --- the log


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Key SECRETSECRETSECRET-1",
        "'authorization': 'Bearer SECRETSECRETSECRET-1'",
        "(b'authorization', b'Key SECRETSECRETSECRET-1')",
        "GET /x?token=SECRET&fal_webhook=https://u:SECRET@host/?key=SECRET",
        "x-api-key=SECRET",
        '{"password": "SECRET"}',
        "/media/SECRET/video.mp4 and /uploads/SECRET/SECRET.png, /fal/rest/files/in/SECRET/SECRET",
        "/fal/cdn/files/SECRET/SECRET/multipart/SECRET/1",
        "a key rtk_SECRETSECRETSECRETSECRET0 was given",
        "data:image/png;base64," + "SECRET" * 100,
    ],
)
def test_secrets_are_taken_out_of_what_is_logged(text: str) -> None:
    assert "SECRET" not in logs.scrubbed(text)


def test_what_is_no_secret_stays() -> None:
    for text in ("the key 'image_url' is missing", "GET /v1/videos/video_0123 200", "prompt: a monkey turns a key"):
        assert logs.scrubbed(text) == text


async def test_a_request_is_one_line_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="retake.access")
    async with asking(keys()) as client:
        hook = "https://u:SECRET1@host/?SECRET2"
        await client.get("/media/SECRET3/x", params={"fal_webhook": hook, "token": "SECRET4"}, headers=as_key(KEY))
        await client.get("/a%0aFAKE 127.0.0.1 GET / 200", headers=as_key(KEY))
        await client.get("/%1b]0;x%07", headers=as_key("SECRET5-0123456789"))
    lines = [
        logs.Scrubbing("%(message)s").format(record) for record in caplog.records if record.name == "retake.access"
    ]
    assert len(lines) == 3
    text = "\n".join(lines)
    assert "SECRET" not in text
    assert KEY not in text
    assert "fal_webhook=…" in text
    assert "ann GET /media/…" in lines[0]
    assert all(len(line.splitlines()) == 1 and "\x1b" not in line for line in lines)


def test_a_message_of_many_lines_is_written_as_one() -> None:
    record = logging.LogRecord("retake", logging.WARNING, "", 1, "a\nb\r\x1b[2J %s", ("c\nd",), None)
    assert logs.Scrubbing("%(message)s").format(record) == "a\\nb\\r\\x1b[2J c\\nd"


async def test_the_gate_is_cheap() -> None:
    """A status poll must leave most of a core to the handlers: it takes about 15 microseconds."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(message: Message) -> None: ...

    async def empty() -> Message:
        return {"type": "http.request"}

    gate = gated(app, ServerConfig(limits=LimitsConfig(requests_per_second=1e6)), keys(), host="127.0.0.1")
    began = time.process_time()
    for _ in range(1000):
        await gate(dict(SCOPE), empty, nothing)
    assert time.process_time() - began < 0.3
