"""A web server that misbehaves on purpose, and the wire that makes it look like any host of the Internet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpcore

TLS_HANDSHAKE = b"\x16"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HostileServer:
    """What the server on loopback saw."""

    port: int = 0
    requests: list[str] = field(default_factory=list)
    """The head of each request, decoded."""
    sent: int = 0
    """Bytes that `endless` could get rid of."""


@asynccontextmanager
async def serve(answers: Mapping[str, Answer]) -> AsyncIterator[HostileServer]:
    """Answer each path by its function; any other path is a 404."""
    seen = HostileServer()
    busy: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            # the one who cancels is `serve`, and asyncio before 3.12 prints a trace for a cancelled conversation
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                first = await reader.readexactly(1)
                if first == TLS_HANDSHAKE:
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                seen.requests.append(head)
                await answers.get(head.split(" ")[1], reply(404))(writer)
                await writer.drain()
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


class Wire(httpcore.AsyncNetworkBackend):
    """Carries every connection to one port on loopback, and notes which address it was meant for."""

    def __init__(self, port: int, *, dead: Iterable[str] = ()) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._port = port
        self._dead = set(dead)
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self._dead:
            raise httpcore.ConnectError("connection refused")
        return await self._sockets.connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A whole answer with a true length. Header names are written with underscores."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        if "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    return answer


def redirect(location: str, status: int = 302) -> Answer:
    return reply(status, Location=location)


def endless(server: Callable[[], HostileServer], start: bytes) -> Answer:
    """A body without length or end."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + start)
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            server().sent += 65536

    return answer


def slow(start: bytes) -> Answer:
    """A body that promises much and drips a byte now and then, each in time for any limit on one read."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + start)
        while True:
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"\0")

    return answer


def raw(data: bytes) -> Answer:
    """Any bytes in place of an answer."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


async def silent(writer: asyncio.StreamWriter) -> None:
    """No answer at all."""
    await asyncio.sleep(3600)
