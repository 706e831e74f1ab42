"""uvicorn's HTTP connection with two limits that it lacks: on the length of a request's head, and on silence before it.

Without them one connection can be kept open for ever by a byte now and then, and fill the memory with a header that
never ends: no application sees such a request, since it never becomes one.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 64 * 2**10
"""Bytes before a request's head, or between two pieces of its body, beyond the last that was read."""
HEAD_SECONDS: Final = 20.0
"""For a request's head to come, and for the rest of a body that was answered without it …"""
MAX_REST: Final = 64 * 2**20
"""… which is thrown away up to so many bytes: a client that sends on reads its answer only then."""


class Protocol(HttpToolsProtocol):
    """One connection. Give it to `uvicorn.Config(http=Protocol)`."""

    _unheard = 0
    _since = 0.0
    _in_body = False
    _unanswered = 0
    _rest = 0
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """A client has connected."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch = self.loop.call_later(HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._unheard > MAX_HEAD:
            self.send_400_response("The head of the request is too long.")
            return
        self._unheard += len(data)
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those after a body are nobody's."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unheard, self._since, self._in_body = 0, self.loop.time(), True
        self._unanswered += 1
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._unheard = 0
        if not self._unanswered:
            self._rest += len(body)
            if self._rest > MAX_REST:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._unheard, self._in_body, self._rest = 0, False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered."""
        self._since = self.loop.time()
        self._unanswered -= 1
        super().on_response_complete()

    def _look(self) -> None:
        """Close a connection on which nothing is being answered and no new request has come for too long."""
        waiting = self._unanswered == 0
        left = self._since + HEAD_SECONDS - self.loop.time()
        if waiting and left <= 0:
            self.transport.close()
        else:
            self._watch = self.loop.call_later(max(1.0, left) if waiting else HEAD_SECONDS, self._look)
