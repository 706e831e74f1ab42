"""What a request brings: no longer than allowed, in time, and JSON that everything behind can hold and say again."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.browsers import header
from agent.server.answers import answer
from agent.server.config import LimitsConfig
from agent.server.documents import fault
from agent.server.types import Problem, Refused, refused

GRACE_SECONDS: Final = 60.0
"""For a body to begin and go on, beyond what it needs at …"""
SLOWEST: Final = 1024.0
"""… bytes a second on average."""
MAX_FIELDS: Final = 1000
"""Of a form."""
HELD: Final = 16
"""Bodies of the largest size that are held at the same time, all requests together."""
_WITHOUT: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Bodies:
    """Reads bodies whole, within their limits, before anything is asked; what streams is counted as it is read.

    Args:
        app: what is asked then.
        limits: how much.
        streams: whether a path takes files: its handler reads them in pieces, and they have the uploads' limit.
    """

    def __init__(self, app: ASGIApp, limits: LimitsConfig, *, streams: Callable[[str], bool]) -> None:
        self._app, self._streams = app, streams
        self._most, self._most_upload = limits.max_body_bytes, limits.max_upload_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT:
            await self._app(scope, receive, send)
            return
        streams = self._streams(scope["path"])
        reading = _Reading(receive, self._most_upload if streams else self._most, _declared(scope))
        taken = 0
        try:
            _check_head(scope)
            reading.check_declared()
            if streams:
                await self._app(scope, reading.message, send)
                return
            body = bytearray()
            while reading.more:
                message = await reading.message()
                if message["type"] == "http.disconnect":
                    return
                piece = message.get("body", b"")
                self._held += len(piece)
                taken += len(piece)
                body += piece
                if self._held > HELD * self._most:
                    raise refused(503, "busy", "too much is being sent to this server just now", retry_after=2)
            _check_body(scope, body)
        except Refused as error:
            await answer(scope, error.problem, error.retry_after)(scope, receive, send)
            return
        except _Refusal as error:
            await answer(scope, error.problem)(scope, receive, send)
            return
        finally:
            self._held -= taken
        replayed = _replayed(bytes(body), receive)
        body.clear()  # what is handed over is not held here: whoever asked may wait for an hour
        await self._app(scope, replayed, send)


class _Refusal(HTTPException):
    """A refusal that is raised within a handler's reading too, where the framework knows only its own exceptions."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(status, message)
        self.problem = Problem(status=status, type=kind, message=message)


class _Reading:
    """A body as it arrives."""

    def __init__(self, receive: Receive, most: int, declared: int | None) -> None:
        self._receive, self._most, self._declared = receive, most, declared
        self._began = asyncio.get_running_loop().time()
        self._count = 0
        self.more = True

    def check_declared(self) -> None:
        if self._declared is not None and self._declared > self._most:
            raise self._too_large()

    async def message(self) -> Message:
        if not self.more:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._began + GRACE_SECONDS + self._count / SLOWEST):
                message = await self._receive()
        except TimeoutError:
            raise _Refusal(408, "request_timeout", "the body came too slowly, or not at all; send it again") from None
        self._count += len(message.get("body", b""))
        self.more = message["type"] == "http.request" and bool(message.get("more_body", False))
        if self._count > self._most:
            raise self._too_large()
        return message

    def _too_large(self) -> _Refusal:
        return _Refusal(
            413,
            "file_too_large",
            f"the body is over {_size(self._most)}; send less, or upload the file and give its URL",
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body in one piece, once, then what else comes."""
    told = False

    async def replay() -> Message:
        nonlocal told, body
        if told:
            return await receive()
        told, whole, body = True, body, b""
        return {"type": "http.request", "body": whole, "more_body": False}

    return replay


def _declared(scope: Scope) -> int | None:
    length = header(scope["headers"], b"content-length")
    return int(length) if length is not None and length.isascii() and length.isdigit() and len(length) < 20 else None


def _check_head(scope: Scope) -> None:
    if (header(scope["headers"], b"content-encoding") or "identity").lower() != "identity":
        raise _Refusal(415, "bad_request", "a compressed body is not taken; send it as it is")
    kind = _kind(scope)
    if kind.startswith("multipart/") and "charset" in kind and "utf-8" not in kind and "utf8" not in kind:
        raise _Refusal(415, "bad_request", "a form's text must be UTF-8")


def _check_body(scope: Scope, body: bytearray) -> None:
    kind = _kind(scope)
    if kind.startswith("application/x-www-form-urlencoded"):
        if body.count(b"&") >= MAX_FIELDS:
            raise _Refusal(400, "bad_request", f"the form has over {MAX_FIELDS} fields")
        return
    media = kind.partition(";")[0].strip()
    said = media == "application/json" or media.endswith("+json")
    if body and (said or (not media.startswith("multipart/") and bytes(body[:64]).lstrip()[:1] in {b"{", b"["})):
        why = fault(body)
        if why:
            raise _Refusal(400, "bad_request", f"the body {why}")


def _kind(scope: Scope) -> str:
    return (header(scope["headers"], b"content-type") or "").lower()


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count} bytes"
