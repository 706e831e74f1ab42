"""Who may ask: this machine's own browser, with the address that was printed, from our own page.

The checks are those that a server on the loopback interface needs: the `Host` header against DNS rebinding, `Origin`
against other sites' requests, a secret against other users of the machine, and headers that let no page of a run act.
The secret is in the address that the browser is started with, which who may list this user's processes can read.
"""

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent import browsers
from agent.browsers import LOOPBACK, READS

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {"content-security-policy": POLICY, **browsers.HEADERS}
"""On every answer that does not say otherwise itself."""
STALE: Final = (
    "This page needs the address that `retake mark` printed, with its token; open that one. "
    "Each start of `retake mark` has a token of its own."
)


class Guard:
    """Lets in who has the token, or the cookie that the page sets in its place.

    Args:
        app: what is guarded.
        port: the server's own; names the cookie, since cookies do not tell ports apart.
        open_path: paths below it are let in without either: their address holds a secret of its own.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str, open_path: str) -> None:
        self._app = app
        self._token = token.encode()
        self._cookie = f"retake-mark-{port}"
        self._open = open_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        set_cookie = ""
        refusal = self._foreign(scope, headers)
        if refusal is None and not scope["path"].startswith(self._open):
            asked = _asked(scope)
            if asked is not None and self._right(asked):
                set_cookie = f"{self._cookie}={asked}; HttpOnly; SameSite=Strict; Path=/"
            elif not self._right(_kept(headers, self._cookie)):
                refusal = _refused(scope, 403, STALE)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    told.setdefault(name, value)
                if set_cookie:
                    told.append("set-cookie", set_cookie)
            await send(message)

        await (refusal or self._app)(scope, receive, guarded)

    def _right(self, word: str | None) -> bool:
        return word is not None and secrets.compare_digest(word.encode(errors="replace"), self._token)

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        """Why a request is not from this machine's own page."""
        host = (browsers.header(scope["headers"], b"host") or "").lower()
        if LOOPBACK.fullmatch(host) is None:
            return _refused(scope, 403, "This server answers on 127.0.0.1 and localhost only.")
        if scope["method"] not in READS and headers.getlist("origin") != [f"http://{host}"]:
            return _refused(scope, 403, "Marks are taken from this server's own page only (Origin).")
        return None


def _asked(scope: Scope) -> str | None:
    words = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
    return words[0] if len(words) == 1 else None


def _kept(headers: Headers, name: str) -> str | None:
    try:
        kept = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if kept is None else kept.value


def _refused(scope: Scope, status: int, why: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": why}, status)
    return PlainTextResponse(why + "\n", status)
