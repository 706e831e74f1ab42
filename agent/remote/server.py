"""A server of ours, asked over a connection that may break and by a server that may be started anew."""

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import httpx

from agent.errors import ConfigError, ServingError
from agent.http import http_client
from agent.remote.answers import AGAIN, refusal

KEY_ENV: Final = "RETAKE_API_KEY"
"""Environment variable that the key is taken from, unless another is named."""
REACHING: Final = 4.0
"""Seconds for which a server that has not answered yet is tried."""
PATIENCE: Final = 600.0
"""Seconds for which one that has answered before may be gone: it is being started anew."""
SILENCE: Final = 60.0
"""Seconds without a byte after which a stream is taken for dead: our server says something every 15."""
LONGEST_WAIT: Final = 10.0
"""Between two attempts."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Server:
    """Where it is and who asks."""

    url: str
    """Without a final slash."""
    key: str | None = field(default=None, repr=False)
    key_env: str = KEY_ENV
    model: str | None = None
    """One that it offers. None: its default."""
    reaching: float = REACHING
    patience: float = PATIENCE

    @classmethod
    def at(cls, url: str, key_env: str | None = None, model: str | None = None) -> Self:
        """A server by what a user gives.

        Args:
            url: http(s)://host[:port][/prefix].
            key_env: name of the environment variable with the key. None: RETAKE_API_KEY, if it is set.
            model: one of the server's.

        Raises:
            ConfigError: the address is none, or the named variable is not set.
        """
        try:
            found = httpx.URL(url.strip())
        except (httpx.InvalidURL, TypeError):
            found = httpx.URL("")
        if found.scheme not in {"http", "https"} or not found.host or found.query or found.fragment:
            raise ConfigError("server: must be an address such as http://127.0.0.1:8000")
        if found.userinfo:
            raise ConfigError(f"server: give no user name or password in it; the key comes from {key_env or KEY_ENV}")
        name = key_env or KEY_ENV
        if _NAME.fullmatch(name) is None:
            raise ConfigError("api_key_env: must be the name of an environment variable, and never the key itself")
        key = os.environ.get(name, "").strip() or None
        if key is None and key_env is not None:
            raise ConfigError(f"api_key_env: the environment variable {name} is not set")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ConfigError(f"api_key_env: the key in {name} holds characters that no header can")
        return cls(str(found).rstrip("/"), key, name, model)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Link"]:
        """A connection to it."""
        async with http_client(repeat_posts=False) as client:
            yield Link(self, client)


class Link:
    """Asks a server, again and again while it is gone for a while.

    Args:
        server: whom.
        client: by which connection.
    """

    def __init__(self, server: Server, client: httpx.AsyncClient) -> None:
        self.server = server
        self.client = client
        self._heard: float | None = None
        """When it last answered."""
        self._since = time.monotonic()
        self._tries = 0

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {} if self.server.key is None else {"authorization": f"Bearer {self.server.key}"}

    def impatient(self, seconds: float) -> "Link":
        """The same, giving up sooner."""
        return Link(replace(self.server, reaching=seconds, patience=seconds), self.client)

    def heard(self) -> None:
        """It answers."""
        self._heard, self._tries = time.monotonic(), 0

    async def wait(self, why: str, seconds: float | None = None, *, busy: bool = False) -> None:
        """Before the next attempt.

        Args:
            why: this one failed.
            seconds: what the server asks to wait. None: it did not say.
            busy: it is there and cannot take more.

        Raises:
            ServingError: it has been tried for long enough.
        """
        known = self._heard is not None or busy
        gone = time.monotonic() - (self._since if self._heard is None else self._heard)
        if gone > (self.server.patience if known else self.server.reaching):
            if busy:
                raise ServingError(f"{self.server.url}: its queue stays full ({why}); ask again later")
            cure = "is it being started anew?" if known else "is it running there (retake serve)?"
            raise ServingError(f"{self.server.url}: cannot be reached ({why}); {cure}")
        self._tries += 1
        pause = min(LONGEST_WAIT, 0.25 * 2 ** min(self._tries - 1, 10)) * random.uniform(0.5, 1.0)
        await asyncio.sleep(min(max(pause, seconds or 0.0), 60.0))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | Callable[[], AsyncIterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """An answer below 400. Only what may be sent twice may be asked so.

        Args:
            method: HTTP's.
            path: below the server's address.
            params: the query.
            json: the body.
            content: the body, as bytes, or what begins to give them.
            headers: beside the key.

        Raises:
            RetakeError: it refused, or cannot be reached.
        """
        sent = {**self.headers, **(headers or {})}
        while True:
            seconds, busy = None, False
            try:
                response = await self.client.request(
                    method,
                    self.server.url + path,
                    params=params,
                    json=json,
                    content=content() if callable(content) else content,
                    headers=sent,
                    timeout=_timeout(120.0),
                )
            except (httpx.TransportError, httpx.InvalidURL) as error:
                why = str(error) or type(error).__name__
            else:
                if response.status_code < 300:
                    self.heard()
                    return response
                if response.status_code not in AGAIN:
                    raise refusal(response, self.server.url, self.server.key_env)
                why, seconds, busy = f"HTTP {response.status_code}", _retry_after(response), response.status_code == 429
            await self.wait(why, seconds, busy=busy)


def _timeout(read: float) -> httpx.Timeout:
    return httpx.Timeout(connect=10.0, read=read, write=120.0, pool=None)


STREAMING: Final = _timeout(SILENCE)
"""Of a stream."""


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
