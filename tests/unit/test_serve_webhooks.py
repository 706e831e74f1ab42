"""The end of a job told to an address: what is signed, to whom it goes, and how often."""

import asyncio
import base64
import hashlib
import json
import stat
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.server.config import WebhookConfig
from agent.server.receivers import webhook_of
from agent.server.signing import Signer
from agent.server.types import Job, Refused, Webhook
from agent.server.webhooks import PER_HOST, PER_OWNER, Webhooks, envelope
from tests.hostile import Wire, serve, silent
from tests.storing import job, stored

PUBLIC = "93.184.216.34"
OPEN = WebhookConfig(allow_private_addresses=True, timeout_seconds=60)


@dataclass
class Receiver:
    """An HTTP server that answers each path with the statuses it is given, the last for ever; 0: once it may `go`."""

    answers: dict[str, list[int]]
    port: int = 0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    open: int = 0
    most: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """What an answer of 0 waits for, before it is a 200."""

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def until(self, number: int) -> None:
        async with asyncio.timeout(60):
            while len(self.got) < number:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def receiving(**answers: list[int]) -> AsyncIterator[Receiver]:
    receiver = Receiver({f"/{name}": statuses for name, statuses in answers.items()})

    busy: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        receiver.open += 1
        receiver.most = max(receiver.most, receiver.open)
        receiver.got.append((f"{method} {path}", headers, body))
        statuses = receiver.answers.get(path, [200])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == 0:
            await receiver.go.wait()
        writer.write(f"HTTP/1.1 {status or 200} X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        receiver.open -= 1
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.go.set()
        server.close()
        await asyncio.gather(*busy, return_exceptions=True)


def over(url: str, id: str = "j1", **more: object) -> Job:  # noqa: A002
    return job(id, webhook=Webhook(url=url), **more)


def answer_of(job: Job) -> tuple[int, object]:
    return (200, {"video": {"url": f"http://h/{job.id}"}}) if job.state == "completed" else (422, {"detail": "no"})


@asynccontextmanager
async def at_work(folder: Path, config: WebhookConfig = OPEN, **more: object) -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(folder, config, answer_of, **more)  # type: ignore[arg-type]
    running = asyncio.create_task(webhooks.run())
    try:
        yield webhooks
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        webhooks.close()


def verified(keys: object, headers: dict[str, str], body: bytes) -> bool:
    """As fal's receivers do it: four lines, any of the keys, not older than five minutes."""
    request, user, at, signature = (
        headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp", "signature")
    )
    if abs(time.time() - int(at)) > 300:
        return False
    message = f"{request}\n{user}\n{at}\n{hashlib.sha256(body).hexdigest()}".encode()
    for key in keys["keys"]:  # type: ignore[index]
        point = base64.urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4))
        try:
            Ed25519PublicKey.from_public_bytes(point).verify(bytes.fromhex(signature), message)
        except InvalidSignature:
            continue
        return True
    return False


async def test_the_end_of_a_job_is_told_and_verifies(tmp_path: Path) -> None:
    async with stored(tmp_path) as (client, _, _), receiving() as receiver:
        published = await client.get("/fal/rest/.well-known/jwks.json")
        assert published.status_code == 200
        (key,) = published.json()["keys"]
        assert {name: key[name] for name in ("kty", "crv")} == {"kty": "OKP", "crv": "Ed25519"}
        async with at_work(tmp_path / ".server") as webhooks:
            await webhooks.announce(over(receiver.url("/hook?token=1"), owner="Ann\r\nX-Evil: 1"))
            await receiver.until(1)
            await webhooks.announce(over(receiver.url(), "j2", state="failed"))
            await receiver.until(2)
            await webhooks.announce(job("j3"))  # without a webhook: nothing
        line, headers, body = receiver.got[0]
        assert line == "POST /hook?token=1"
        assert verified(published.json(), headers, body)
        assert not verified(published.json(), headers, body + b" ")
        assert not verified(published.json(), {**headers, "x-fal-webhook-user-id": "you"}, body)
        assert headers["x-fal-webhook-user-id"] == "Ann-X-Evil:-1"
        assert "x-evil" not in headers
        told = {"request_id": "j1", "gateway_request_id": "j1", "status": "OK", "payload": answer_of(job("j1"))[1]}
        assert json.loads(body) == told
        error = json.loads(receiver.got[1][2])
        assert (error["status"], error["error"]) == ("ERROR", "Invalid status code: 422")
        assert error["payload"] == {"detail": "no"}
        assert stat.S_IMODE((tmp_path / ".server" / "webhook-ed25519.key").stat().st_mode) == 0o600
        assert len(receiver.got) == 2


def test_what_cannot_be_told_as_json_is_said_to_be_so() -> None:
    deep: list[object] = []
    deep.append(deep)
    for payload in ({"a": float("nan")}, {"a": object()}, deep):
        told = json.loads(envelope(job(), 200, payload))
        assert told["payload"] is None
        assert told["payload_error"]
        assert told["status"] == "OK"


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.thorough
async def test_it_is_tried_again_until_it_is_taken(tmp_path: Path) -> None:
    quick = OPEN.model_copy(update={"attempts": 4, "hours": 5.0 / 3600})
    async with receiving(hook=[500, 302, 204]) as receiver, at_work(tmp_path, quick) as webhooks:
        await webhooks.announce(over(receiver.url()))
        await receiver.until(3)
        assert [line for line, _, _ in receiver.got] == ["POST /hook"] * 3, "no redirect is followed"
        stamps = [int(headers["x-fal-webhook-timestamp"]) for _, headers, _ in receiver.got]
        assert stamps[2] > stamps[0], "signed anew each time"
        await webhooks.announce(over(receiver.url()))  # as after a kill between the telling and the job's last write
        await asyncio.sleep(0.05)
        assert len(receiver.got) == 3


def test_it_is_tried_ever_farther_apart_within_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    webhooks = Webhooks(tmp_path, WebhookConfig(), answer_of)
    webhooks._table.add("j1", "me", "http://h/", b"{}", 1000.0)
    now, gaps = 1000.0, []
    monkeypatch.setattr(time, "time", lambda: now)
    while found := webhooks._table.due(now):
        due = webhooks._next(found[0])
        webhooks._table.failed("j1", due)
        if due is None:
            break
        gaps.append(due - now)
        now = due
    webhooks.close()
    assert len(gaps) == 9, "ten attempts"
    assert gaps == sorted(gaps)
    assert 20 < gaps[0] < 30
    assert 6000 < sum(gaps) <= 7200


async def test_a_restart_goes_on_where_the_last_one_was_killed(tmp_path: Path) -> None:
    async with receiving() as receiver:
        first = Webhooks(tmp_path, OPEN, answer_of)  # announced, and killed before its loop ran
        for number in range(5):
            await first.announce(over(receiver.url(), f"j{number}"))
        async with at_work(tmp_path):
            await receiver.until(5)
            await eventually(lambda: not first._table.due(time.time()))
        async with at_work(tmp_path):
            await asyncio.sleep(0.05)
        first.close()
        assert sorted(headers["x-fal-webhook-request-id"] for _, headers, _ in receiver.got) == [
            f"j{number}" for number in range(5)
        ]
        assert len({headers["x-fal-webhook-user-id"] for _, headers, _ in receiver.got}) == 1


async def resolve(host: str, port: int) -> Sequence[str]:
    return {"pub.test": [PUBLIC], "mixed.test": [PUBLIC, "127.0.0.1"], "inside.test": ["10.0.0.7"]}.get(host) or [host]


async def test_nothing_goes_to_addresses_that_are_not_public(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as receiver:
        wire = Wire(receiver.port)
        closed = WebhookConfig(attempts=1)
        async with at_work(tmp_path, closed, resolve=resolve, dial=wire) as webhooks:
            hosts = ("inside.test", "mixed.test", "127.0.0.1", "169.254.169.254", "[::1]", "pub.test:8080", "pub.test")
            for number, host in enumerate(hosts):
                await webhooks.announce(over(f"http://{host}/a-secret-path", f"j{number}"))
            await eventually(lambda: len(caplog.records) == len(hosts) - 1 and len(receiver.got) == 1)
        assert wire.dialled == [(PUBLIC, 80)]
        assert receiver.got[0][1]["host"] == "pub.test"
        assert "a-secret-path" not in caplog.text
        assert "given up" in caplog.text


async def test_an_address_that_nothing_is_sent_to_is_given_up_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As those are that were taken while the config let them through."""
    async with at_work(tmp_path, WebhookConfig(attempts=10)) as webhooks:
        await webhooks.announce(over("http://127.0.0.1/hook"))
        await eventually(lambda: len(caplog.records) == 1)
    assert "leads to this machine" in caplog.text
    assert "given up" in caplog.text


async def test_an_owner_with_many_slow_receivers_keeps_no_other_owner_waiting(tmp_path: Path) -> None:
    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with receiving(slow=[0]) as slow, receiving() as quick, at_work(tmp_path, resolve=here) as webhooks:
        for number in range(40):
            await webhooks.announce(over(f"http://h{number}.test:{slow.port}/slow", f"s{number}"))
        await webhooks.announce(over(quick.url(), "other", owner="you"))
        await quick.until(1)
        assert len(slow.got) <= PER_OWNER
        slow.go.set()


async def test_a_slow_receiver_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with receiving(slow=[0]) as slow, receiving() as quick, at_work(tmp_path) as webhooks:
        for number in range(6):
            await webhooks.announce(over(slow.url("/slow"), f"s{number}"))
        await webhooks.announce(over(quick.url(), "q"))
        await quick.until(1)
        assert len(slow.got) <= PER_HOST, "it overtakes those that wait for the slow one"
        slow.go.set()
        await slow.until(6)
        assert slow.most == PER_HOST


async def test_a_silent_receiver_is_given_up_in_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = WebhookConfig(allow_private_addresses=True, attempts=1, timeout_seconds=0.05)
    async with serve({"/": silent}) as server, at_work(tmp_path, config) as webhooks:
        await webhooks.announce(over(f"http://127.0.0.1:{server.port}/"))
        await eventually(lambda: "took longer than 0.05 s; given up" in caplog.text)


def test_addresses_that_are_none_are_refused() -> None:
    hosts = ["https://u:p@h/", "https://h:8443/", "http://[::1", "http://h:0x/", "http://"]
    hosts += ["http://127.0.0.1/", "https://[::1]/", "http://10.0.0.7/", "http://localhost/", "http://a.localhost./"]
    paths = ["https://h/ü", "https://h/a b", "https://h/\r\nA: b", "https://h/" + "a" * 2048]
    for url in ("", "h/x", "ftp://h/", "javascript:alert(1)", *hosts, *paths):
        with pytest.raises(Refused) as caught:
            webhook_of(url, WebhookConfig(), field="fal_webhook")
        assert caught.value.problem.status == 422
        assert caught.value.problem.message.startswith("fal_webhook: ")


def test_addresses_are_taken() -> None:
    for url in ("https://h.example/x?y=1", "http://h.example:80/"):
        assert webhook_of(url, WebhookConfig(), field="fal_webhook") == Webhook(url=url)
    assert webhook_of("http://127.0.0.1:9000/", OPEN, field="fal_webhook").url == "http://127.0.0.1:9000/"


def test_the_key_is_kept(tmp_path: Path) -> None:
    first, second = Signer.of(tmp_path), Signer.of(tmp_path)
    assert first.jwk == second.jwk
    assert Signer.of(tmp_path / "other").jwk != first.jwk
