"""What stands before every answer: whose browser page asks, how long a request's head may be, and safe headers.

Where no key is needed, a web page that the user has open could ask as well. Two ways are closed: under a name of its
own that it lets point here (DNS rebinding, by the Host header), and across origins (by Origin, which browsers send with
everything but plain reads, whose answers a foreign page does not get to see).
"""

import re
import time
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent import browsers
from agent.browsers import READS, complete, encoded, header
from agent.http import is_localhost
from agent.server import logs
from agent.server.answers import answer
from agent.server.config import ServerConfig
from agent.server.hosts import SERVICES
from agent.server.types import Problem

EXPOSED: Final = (
    "x-fal-request-id",
    "x-fal-error-type",
    "x-fal-request-timeout-type",  # fal's client repeats a 504 without it
    "x-fal-needs-retry",
    "x-should-retry",  # openai's repeats by its code alone without it
    "x-spritesheet-frames",
    "x-spritesheet-columns",
    "x-spritesheet-rows",
    "x-retake-run-id",
    "x-retake-seed",
    "x-retake-notes",
    "openai-poll-after-ms",
    "retry-after",
    "etag",
    "content-range",
)
"""Headers of an answer that a page of another origin may read."""
POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Of what is not a page: nothing is loaded, run or framed."""
MAX_URL: Final = 16 * 2**10
"""Bytes of a path with its query."""
MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 32 * 2**10
_HOST: Final = re.compile(r"(?P<name>[a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_IP: Final = re.compile(r"\[.*\]|[0-9]{1,3}(\.[0-9]{1,3}){3}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Shield:
    """Refuses what no client of ours sends, and completes every answer's headers.

    Args:
        app: what is asked then.
        config: names, origins.
        host: the address that the server listens on.
        needs_key: whether requests must carry a key. Then any name will do, unless `server.hosts` lists some.
    """

    def __init__(self, app: ASGIApp, config: ServerConfig, *, host: str, needs_key: bool) -> None:
        self._plain = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=config.cors_origins,
            allow_methods=_METHODS,
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
        self._origins = frozenset(config.cors_origins)
        public = urlsplit(config.public_url or "")
        self._public = f"{public.scheme}://{public.netloc}".lower()
        self._names = {name.lower().rstrip(".") for name in (host, public.hostname or "", *config.hosts)} - {""}
        self._any = "*" in config.hosts or (needs_key and not config.hosts)
        self._needs_key = needs_key
        self._headers = encoded({"content-security-policy": POLICY, **browsers.HEADERS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._plain(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        began = time.monotonic()
        status = size = 0

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                complete(message, self._headers)
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        problem = self._refusal(scope)
        try:
            if problem is not None:
                await answer(scope, problem)(scope, receive, sent)
            elif self._origins or any(name == b"origin" for name, _ in scope["headers"]):
                await self._cors(scope, receive, sent)
            else:
                await self._plain(scope, receive, sent)
        finally:
            if logs.ACCESS.isEnabledFor(logs.INFO):
                logs.tell(scope, status, size, time.monotonic() - began)

    def _refusal(self, scope: Scope) -> Problem | None:
        if fault := _fault(scope):
            return fault
        headers = scope["headers"]
        host = (header(headers, b"host") or "").lower()
        match = _HOST.fullmatch(host)
        if match is None:
            return _problem(400, "the Host header must be one name, with a port or not")
        if not (self._any or self._is_ours(match["name"])):
            return _problem(403, "this server is not asked under that name; list it in server.hosts if it is yours")
        if not self._needs_key and scope["method"] not in READS and not self._from_ours(headers, host):
            return _problem(403, "pages of that origin may not ask here; list it in server.cors_origins if it is yours")
        return None

    def _is_ours(self, name: str) -> bool:
        """Whether a page of another site cannot have this name: an address, or one that only we know to be ours."""
        bare = name.rstrip(".").removeprefix("queue.")
        if is_localhost(bare) or _IP.fullmatch(name) is not None:
            return True
        return bare in self._names or name.rstrip(".") in self._names or name in SERVICES

    def _from_ours(self, headers: browsers.Raw, host: str) -> bool:
        """Whether a request comes from no browser, from our own page, or from an origin that the config lets in."""
        if not any(name == b"origin" for name, _ in headers):
            return True
        origin = (header(headers, b"origin") or "null").lower()
        if "*" in self._origins or origin in self._origins or origin == self._public:
            return True
        return origin.partition("://")[2] == host and origin.startswith(("http://", "https://"))


def _fault(scope: Scope) -> Problem | None:
    """What no client of ours sends."""
    headers, path, query = scope["headers"], scope["path"], scope["query_string"]
    if len(scope.get("raw_path") or path) + len(query) > MAX_URL:
        return _problem(414, f"the address is over {MAX_URL // 1024} KiB long")
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        return _problem(431, f"it has over {MAX_HEADERS} headers, or over {MAX_HEADER_BYTES // 1024} KiB of them")
    if _CONTROL.search(path) is not None or b"%00" in query:
        return _problem(400, "the address has control characters")
    return None


def _problem(status: int, why: str) -> Problem:
    return Problem(status=status, type="forbidden" if status == 403 else "bad_request", message=why)
