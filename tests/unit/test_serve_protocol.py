"""The server's connections: what uvicorn itself would wait for, or read, for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from agent.server import protocol

CHUNKED = b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
UNREAD = b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    size = 0
    if scope["path"] != "/unread":
        while (message := await receive())["type"] == "http.request":
            size += len(message["body"])
            if not message["more_body"]:
                break
    body = f"{size} bytes, {len(scope['headers'])} headers".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _served() -> AsyncIterator[int]:
    config = uvicorn.Config(
        _app, port=0, http=protocol.Protocol, lifespan="off", ws="none", log_config=None, server_header=False
    )
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


async def _said(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)


async def _ended(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(60):
        with suppress(ConnectionResetError):  # something was on its way when it was closed
            await reader.read()


async def test_a_connection_goes_on_from_request_to_request() -> None:
    async with _served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(3):
            writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000)
            assert b"200000 bytes, 2 headers" in await _said(reader), n
        chunks = b"".join(b"3e8\r\n" + b"y" * 1000 + b"\r\n" for _ in range(300))
        writer.write(
            b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\na: b\r\n\r\n"
        )
        assert b"300000 bytes, 2 headers" in await _said(reader)  # trailers are nobody's
        writer.write(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"0 bytes" in await _said(reader)
        assert b"0 bytes" in await _said(reader)
        writer.close()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /", b"a" * 10_000),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"a" * 10_000),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"x: a\r\n" * 2000),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"x: a\r\n" * 2000),
        (CHUNKED + b"1;x=", b"a" * 10_000),
    ],
    ids=["path", "header", "headers", "trailers", "extension"],
)
async def test_what_never_ends_is_ended(start: bytes, piece: bytes) -> None:
    async with _served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(start)
        sent = 0
        try:
            while sent < 5_000_000 and not reader.at_eof():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
                sent += len(piece)
        except ConnectionError:
            pass
        assert sent < 2_000_000
        writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost", b"\r\n", UNREAD])
async def test_a_request_that_does_not_come_is_not_waited_for(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with _served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)

        async def drip() -> None:
            while True:
                await asyncio.sleep(0.05)
                writer.write(b"\r\n" if said == b"\r\n" else b"a" if said else b"")

        dripping = asyncio.create_task(drip())
        await _ended(reader)
        dripping.cancel()
        writer.close()
