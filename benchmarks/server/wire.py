"""HTTP/1.1 with as little as a load generator needs: one connection that is kept, one request at a time."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answered:
    """One answer."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Line(asyncio.Protocol):
    """One kept connection to one server.

    Args:
        url: the server's, http://host:port.
        headers: sent with every request.
    """

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        told = {"Host": f"{self._host}:{self._port}", **(headers or {})}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answered] | None = None
        self._read = bytearray()
        self.reconnects = 0
        """Connections made anew after the first."""

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        """A request as it goes over the line."""
        content = b"" if body is None else json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        if body is not None:
            more += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._headers}{more}\r\n".encode() + content

    async def ask(self, request: bytes, seconds: float = 30.0) -> Answered:
        """Send it, on a new connection where there is none, and wait for the whole answer.

        Raises:
            OSError: nobody listens, or the connection broke. TimeoutError: no answer in time.
        """
        if self._transport is None or self._transport.is_closing():
            self.reconnects += self._transport is not None
            await asyncio.get_running_loop().create_connection(lambda: self, self._host, self._port)
        self._read.clear()
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            raise ConnectionResetError("the connection broke")
        self._transport.write(request)
        try:
            async with asyncio.timeout(seconds):
                return await self._answer
        except TimeoutError:
            await self.close()
            raise
        finally:
            self._answer = None

    async def close(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()
            await asyncio.sleep(0)  # it is told then

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def connection_lost(self, exc: Exception | None) -> None:
        """Of `asyncio.Protocol`."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(f"the connection broke ({exc})"))

    def data_received(self, data: bytes) -> None:
        """Of `asyncio.Protocol`."""
        self._read += data
        if self._answer is None or self._answer.done() or (end := self._read.find(b"\r\n\r\n")) < 0:
            return
        head = bytes(self._read[:end]).lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            self._answer.set_exception(ConnectionError("an answer of no told length"))
            return
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        if len(self._read) >= end + 4 + length:
            self._answer.set_result(Answered(int(head[9:12]), bytes(self._read[end + 4 : end + 4 + length])))
