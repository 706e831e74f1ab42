"""How this program talks to servers: time limits, and what is repeated."""

import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import getproxies, proxy_bypass

import httpx
from httpx_retries import Retry, RetryTransport

_REPEATS = 3
_BACKOFF_SECONDS = 0.5
"""Doubles with each repeat: at most 1, 2 and 4 s, drawn at random from the upper half."""
_LONGEST_WAIT_SECONDS = 60.0
_DROPPED = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.CloseError,
    httpx.RemoteProtocolError,
)  # fmt: skip
"""Not a read that timed out: the server is at work, and asked twice it works twice."""
_SAFE = ("GET", "HEAD", "OPTIONS")


_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
)


@asynccontextmanager
async def http_client(
    *,
    repeat_posts: bool = True,
    backoff_seconds: float = _BACKOFF_SECONDS,
    longest_wait_seconds: float = _LONGEST_WAIT_SECONDS,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose transport repeats what found no server or a busy one; nobody above it repeats.

    Repeated three times: connections refused or dropped, and 429, 502, 503, 504, after what Retry-After says (at most a
    minute). Never a 500. Proxies are taken from the environment, but never for a server on this machine.

    Args:
        repeat_posts: a POST may be sent again: true of chat, which changes nothing. False for one that starts work,
            such as a render, which a dropped connection may have started already.
        backoff_seconds: scale of the waits between repeats.
        longest_wait_seconds: before one repeat, whatever Retry-After says.
    """
    retry = Retry(
        total=_REPEATS,
        allowed_methods=(*_SAFE, "POST") if repeat_posts else _SAFE,
        status_forcelist=(429, 502, 503, 504),
        retry_on_exceptions=_DROPPED,
        backoff_factor=backoff_seconds,
        backoff_jitter=0.5,
        max_backoff_wait=longest_wait_seconds,
        validate_response=_read if repeat_posts else None,
    )
    # who reads sets the time limit over the whole question: a long answer has long silences
    timeout = httpx.Timeout(connect=10.0, read=None, write=60.0, pool=None)
    transport = RetryTransport(_Routes(), retry=retry)
    async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
        yield client


async def _read(response: httpx.Response) -> None:
    # reads the body where the transport still sees it, so that an answer cut off in its middle is repeated too
    await response.aread()


class _Routes(httpx.AsyncBaseTransport):
    """The environment's proxies, and straight connections for the rest. httpx reads them only for its own transport."""

    def __init__(self) -> None:
        # callers bound what is in flight; servers close idle connections after 5 s, so they are dropped before that
        self._limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=4.0)
        # a render may be silent for half an hour: without this, a router on the way forgets the connection
        self._straight = httpx.AsyncHTTPTransport(limits=self._limits, socket_options=_KEEP_ALIVE)
        self._proxies = getproxies()
        self._by_scheme: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        straight = _on_this_machine(host) or proxy_bypass(host)
        route = self._straight if straight else self._route(request.url.scheme)
        return await route.handle_async_request(request)

    def _route(self, scheme: str) -> httpx.AsyncHTTPTransport:
        """Built on first use: a proxy that cannot be used is no matter where nothing goes through it.

        Raises:
            httpx.ProxyError: what its kind needs is not installed.
            httpx.UnsupportedProtocol: its address is none that httpx knows.
        """
        name = scheme if self._proxies.get(scheme) else "all"
        address = self._proxies.get(name)
        if scheme not in ("http", "https") or not address:
            return self._straight
        if scheme not in self._by_scheme:
            # never the address itself: it may hold a password
            cure = "set it to http://host:port, unset it, or name the server in NO_PROXY"
            try:
                self._by_scheme[scheme] = httpx.AsyncHTTPTransport(limits=self._limits, proxy=_proxy(address))
            except ImportError:
                why = f"the proxy in {_variable(name)} speaks SOCKS, for which the package socksio is missing"
                raise httpx.ProxyError(f"{why}: pip install 'httpx[socks]', or {cure}") from None
            except (ValueError, httpx.InvalidURL):
                why = f"the proxy in {_variable(name)} has an address that cannot be used"
                raise httpx.UnsupportedProtocol(f"{why}: {cure}") from None
        return self._by_scheme[scheme]

    async def aclose(self) -> None:
        for route in (self._straight, *self._by_scheme.values()):
            await route.aclose()


def _variable(name: str) -> str:
    """The environment variable that a proxy comes from; the lower-case one is what counts where both are set."""
    lower = f"{name}_proxy"
    return lower if os.environ.get(lower) else lower.upper()


def _proxy(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def is_localhost(name: str) -> bool:
    """Whether a name, in small letters and without a final dot, is this machine's whoever is asked (RFC 6761, 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


def _on_this_machine(host: str) -> bool:
    if is_localhost(host):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
