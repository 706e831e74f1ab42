"""What the shared HTTP client repeats, and which way it goes."""

import asyncio
from typing import Any

import httpx
import pytest

from agent.http import http_client
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from reasoner.chat.types import ServerDown
from tests.wire import CHAT, DROP, Answer, Wire, error


async def test_a_post_that_starts_work_is_sent_once() -> None:
    async with Wire(lambda _: DROP) as server, http_client(repeat_posts=False, backoff_seconds=0.0) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(server.url + CHAT, json={})
        assert len(server.chats) == 1
        server.script(error(503, "busy"))
        assert (await client.post(server.url + CHAT, json={})).status_code == 503
        server.paths["/jobs"] = DROP
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url + "/jobs")
        assert sum(heard.path == "/jobs" for heard in server.heard) == 4, "but looking is repeated"


@pytest.mark.parametrize("status", [400, 404, 500, 501])
async def test_other_statuses_are_final(status: int) -> None:
    async with Wire(lambda _: Answer(status)) as server, http_client(backoff_seconds=0.0) as client:
        assert (await client.post(server.url + CHAT, json={})).status_code == status
        assert len(server.chats) == 1


@pytest.mark.parametrize(
    ("told", "least"), [("3600", 0.1), ("Wed, 01 Jan 2098 00:00:00 GMT", 0.1), ("soon", 0.0), ("-1", 0.0), ("", 0.0)]
)
async def test_retry_after_is_believed_up_to_a_point(told: str, least: float) -> None:
    async with Wire() as server, http_client(backoff_seconds=0.0, longest_wait_seconds=0.1) as client:
        server.script(error(429, "slow down", headers={"Retry-After": told}))
        assert (await client.post(server.url + CHAT, json={})).status_code == 200
        first, second = (heard.at for heard in server.heard)
    assert second - first >= least * 0.95


async def test_more_than_httpx_would_hold_open_at_once() -> None:
    everybody = asyncio.Barrier(120)

    async def reply(body: dict[str, Any]) -> str:
        await everybody.wait()
        return "ok"

    async with Wire(reply) as server, http_client(backoff_seconds=0.0) as client, asyncio.timeout(20):
        answers = await asyncio.gather(*(client.post(server.url + CHAT, json={}) for _ in range(120)))
    assert {answer.status_code for answer in answers} == {200}


def test_the_double_serves_a_test_that_is_not_async() -> None:
    with Wire() as server:
        assert httpx.get(server.url + "/v1/models", trust_env=False).json()["data"][0]["max_model_len"] == 32_768
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_proxy_for_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Wire() as proxy, Wire() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with http_client(backoff_seconds=0.0) as client:
            assert (await client.get(f"http://{host}:{server.port}/health")).status_code == 200
        assert not proxy.heard


@pytest.mark.parametrize(("passed", "through"), [("", 1), ("example.org", 0)])
async def test_the_environments_proxy_for_others(passed: str, through: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Wire() as proxy:
        proxy.paths["http://gpu.example.org/health"] = Answer(200, "by the proxy")
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        monkeypatch.setenv("no_proxy", passed)
        async with http_client(backoff_seconds=0.0) as client:
            try:
                said = (await client.get("http://gpu.example.org/health", timeout=30 if through else 1)).text
            except (httpx.HTTPError, RuntimeError):  # straight: no such host, or the test's own lock
                said = ""
        assert said == ("by the proxy" if through else "")
        assert len(proxy.heard) == through


@pytest.mark.parametrize("address", ["socks5://me:hush@127.0.0.1:1", "ftp://me:hush@proxy:1", "http://me:hush@proxy:x"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
async def test_a_proxy_that_cannot_be_used(address: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, address)
    async with Wire() as server, http_client(backoff_seconds=0.0) as client:
        assert (await client.get(server.url + "/health")).status_code == 200, "nothing goes through it"
        chat = Chat(client, EndpointConfig(base_url="http://gpu.example.org"))
        with pytest.raises(ServerDown, match=rf"the proxy in {variable} .*unset it") as caught:
            await chat.connect()
    assert "hush" not in str(caught.value)
