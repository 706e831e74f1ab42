"""Attacks by requests themselves: heads, bodies and forms that no client sends."""

import base64
import json

import pytest

from tests.e2e.victim import ANN, APP, SMALL, T2V, Victim
from tests.gates import deep
from tests.raw_http import answer, endless, head, statuses

pytestmark = pytest.mark.thorough
JSON = [("Content-Type", "application/json")]
POST, GET = b"POST /v1/videos HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"

# --- heads


@pytest.mark.parametrize(
    "host",
    [
        *('a"><script>', "127.0.0.1\r\nHost: evil.example", "a b", "", "evil.example/x", "u@evil.example"),
        *("127.0.0.1:99999999", "a" * 400),
    ],
    ids=lambda host: repr(host)[:30],
)
def test_no_host_header_gets_into_an_address(victim: Victim, host: str) -> None:
    body = json.dumps({"prompt": "a", **SMALL}).encode()
    lines = [*JSON, ("Content-Length", str(len(body))), ("Connection", "close"), *ANN.items()]
    found = answer(victim.port, head("POST", T2V, lines, host=host) + body)
    assert found.startswith(b"HTTP/1.1 400")
    assert b"script" not in found


def test_headers_of_a_proxy_that_is_not_trusted_change_nothing(victim: Victim) -> None:
    lying = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example",
        "X-Original-URL": "/v1/metrics",
        "X-Rewrite-URL": "/",
    }
    reply = victim.ask("POST", T2V, json={"prompt": "a", **SMALL}, headers={**ANN, **lying})
    assert "evil" not in reply.text
    assert reply.json()["status_url"].startswith(victim.process.url)
    victim.take_back(reply.content)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\nX: secret\r\nConnection: close\r\n\r\n",
        GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n",
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
        b"\x00" * 1000,
    ],
    ids=lambda request: repr(request)[2:60],
)  # fmt: skip
def test_garbled_and_smuggled_requests_get_no_second_answer(victim: Victim, request_: bytes) -> None:
    found = statuses(victim.port, request_, seconds=3)
    assert len(found) <= 1, found
    assert not found or found[0] in {200, 400, 401, 404, 405, 413, 426}, found


def test_endless_heads_and_bodies_are_cut_off(victim: Victim) -> None:
    chunked = [*JSON, ("Transfer-Encoding", "chunked")]
    for start, piece in (
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"x: aaaa\r\n" * 8000),
        (head("POST", T2V, [*chunked, *ANN.items()]), b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (head("POST", "/v1/uploads", [*chunked, *ANN.items()]), b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    ):
        before = victim.memory(engine=False)
        found, sent = endless(victim.port, start, piece, most=300_000_000)
        assert not found or int(found.split(b" ")[1]) in {400, 413, 431}, found[:200]
        assert sent < 90_000_000, start
        assert victim.memory(engine=False) - before < 25e6, start


def test_a_length_that_lies_is_not_believed(victim: Victim) -> None:
    lines = [*JSON, ("Content-Length", "99999999999"), *ANN.items()]
    assert statuses(victim.port, head("POST", T2V, lines) + b"{}") == [413]
    assert statuses(victim.port, head("POST", "/v1/uploads", lines) + b"x") == [413]


# --- bodies

BODIES = {
    "deep lists": deep(100_000),
    "deep objects": b'{"a":' * 100_000,
    "deep but closed": deep(900),
    "nan": b'{"prompt":"x","guidance_scale":NaN}',
    "infinity": b'{"prompt":"x","seed":1e400}',
    "huge integer": b'{"prompt":"x","num_output_frames":1,"steps":"no","seed":' + b"9" * 4000 + b"}",
    "larger integer": b'{"prompt":"x","num_frames":' + b"9" * 100_000 + b"}",
    "surrogate": b'{"prompt":"\\ud800","model":"\\udfff"}',
    "raw surrogate": b'{"prompt":"\xed\xa0\x80"}',
    "nul": b'{"prompt":"a\\u0000b"}',
    "not utf-8": b'{"prompt":"\xff"}',
    "utf-16": '{"prompt":"x"}'.encode("utf-16"),
    "a bom": b"\xef\xbb\xbf{}",
    "many values": b"[" + b"0," * 500_000 + b"0]",
    "many keys": b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}",
    "keys twice": b'{"prompt":"a","prompt":["b"],"prompt":{"c":1}}',
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a string": b'"x"',
    "wrong types": b'{"prompt":{"a":1},"image_url":[1],"seed":"x","model":[],"input_reference":{"a":[]},"size":{}}',
    "html": b'{"prompt":"","image_url":"<script>alert(1)</script>","model":"<img src=x onerror=alert(1)>"}',
    "prototype": b'{"prompt":"","__proto__":{"a":1},"__class__":"y","constructor":{}}',
    "long prompt": b'{"prompt":"' + b"x" * 1_500_000 + b'"}',
    "half": b'{"prompt":"x',
}


@pytest.mark.parametrize("name", BODIES)
def test_no_body_breaks_any_address(victim: Victim, name: str) -> None:
    document = victim.ask("GET", "/openapi.json").json()
    paths = [
        (method, path)
        for path, ways in document["paths"].items()
        for method in ways
        if method in {"post", "put", "patch"}
    ]
    assert len(paths) > 10
    for method, path in paths:
        if path == "/v1/uploads" or "/files/" in path:  # what comes there is a file, whatever is in it
            continue
        asked = path.replace("{owner}", "nvidia").replace("{alias}", "cosmos-3-super").replace("{", "").replace("}", "")
        for kind in ("application/json", "text/plain"):
            reply = victim.ask(method, asked, content=BODIES[name], headers={**ANN, "Content-Type": kind})
            assert reply.status_code < 500 or reply.status_code in {501, 503}, (path, reply.text[:300])
            assert "text/html" not in reply.headers.get("content-type", "")
            if reply.status_code in {200, 201, 202}:
                victim.take_back(reply.content)


def _part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


FORMS = {
    "10,000 parts": b"".join(_part(f"f{n}", b"x") for n in range(10_000)),
    "10,000 files": b"".join(_part(f"f{n}", b"x", '; filename="x"') for n in range(10_000)),
    "one name 5,000 times": _part("prompt", b"x") * 5000,
    "a name of 1 MB": _part("a" * 1_000_000, b"x"),
    "10,000 headers": b"--b\r\n" + b"X: y\r\n" * 10_000 + b"\r\nx\r\n",
    "no end": _part("prompt", b"x")[:-2],
    "no boundary inside": b"x" * 1_000_000,
    "nothing": b"",
    "a path": _part("input_reference", b"\x89PNG", '; filename="../../../etc/passwd"') + _part("prompt", b"x"),
    "a header in a name": _part("input_reference", b"GIF89a", '; filename="a%0d%0aX: y\\"; x=\\""'),
    "nul": _part("prompt", b"a\0b"),
    "not utf-8": _part("prompt", b"\xff\xfe"),
    "numbers": _part("prompt", b"x") + _part("seed", b"9" * 5000) + _part("seconds", b"1e999"),
    "nested": _part("a[b][c][d]" + "[e]" * 5000, b"x") + _part("prompt", b"x"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_no_form_breaks_any_address(victim: Victim, name: str) -> None:
    for kind in (
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 300,
    ):
        for path in ("/v1/videos", "/v1/uploads", T2V):
            reply = victim.ask("POST", path, content=FORMS[name] + b"--b--\r\n", headers={**ANN, "Content-Type": kind})
            assert reply.status_code < 500, (path, kind, reply.text[:300])
            assert "/etc" not in reply.text
            assert ".." not in reply.text
            if reply.status_code in {200, 201}:
                victim.take_back(reply.content)


def test_a_files_name_and_type_get_into_no_header(victim: Victim) -> None:
    for name, kind in (
        ("a\r\nSet-Cookie: x=1", "image/png\r\nX-Injected: 1"),
        ('a"; filename="b.html', "text/html"),
        ("../../../x.png", "image/svg+xml"),
        ("\u202egnp.exe", "application/x-msdownload"),
        ("x" * 5000, "a" * 5000),
    ):
        reply = victim.ask("POST", "/fal/rest/storage/upload/initiate", json={"file_name": name, "content_type": kind})
        assert reply.status_code in {200, 422}
        if reply.status_code != 200:
            continue
        told = reply.json()
        assert victim.client.put(told["upload_url"], content=b"<script>alert(1)</script>").status_code == 200
        assert not [bad for bad in ("\r", "\n", "..", '"', " ") if bad in told["file_url"]]
        found = victim.client.get(told["file_url"])
        assert not {"x-injected", "set-cookie"} & set(found.headers)
        assert found.headers["content-type"] not in {"text/html", "image/svg+xml", "application/x-msdownload"}
        assert found.headers["x-content-type-options"] == "nosniff"


def test_a_ticket_is_good_for_its_file_alone(victim: Victim) -> None:
    begin = "/fal/rest/storage/upload/initiate"
    made = [victim.ask("POST", begin, json={"file_name": "a"}).json()["upload_url"] for _ in range(2)]
    (base, id_, ticket), (_, _, others) = (url.rsplit("/", 2) for url in made)
    for forged in (f"{id_}/{others}", f"{id_}/{ticket[::-1]}", f"{id_}/x", f"{'0' * 32}/{ticket}"):
        assert victim.client.put(f"{base}/{forged}", content=b"x").status_code == 404
    assert victim.client.put(made[0], content=b"x").status_code == 200


def test_an_uploads_token_is_good_for_uploads_alone(victim: Victim) -> None:
    def sent(token: str) -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        return victim.ask("POST", "/fal/cdn/files/upload", content=b"x", headers=bearer).status_code

    token = victim.ask("POST", "/fal/rest/storage/auth/token", json={}).json()["token"]
    assert sent(token) == 200
    bearer = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/videos", f"{APP}/requests/{victim.job}"):
        assert victim.ask("GET", path, headers=bearer).status_code == 403
    assert victim.ask("POST", T2V, headers=bearer, json={"prompt": "x"}).status_code == 403
    again = victim.ask("POST", "/fal/rest/storage/auth/token", headers=bearer, json={})
    assert again.status_code == 403, "it would last for ever"
    said, _, signed = token.removeprefix("retake-cdn.").rpartition(".")
    bobs = base64.urlsafe_b64encode(json.dumps(["bob", 9e99]).encode()).decode()
    for forged in (f"{bobs}.{signed}", f"{said}.", f"{said}.{signed[::-1]}", ".", "A" * 20_000):
        assert sent("retake-cdn." + forged) == 401
