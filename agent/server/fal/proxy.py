"""fal's proxy protocol: a request for one of fal's hosts, named in a header, is answered by this server itself."""

from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from agent.server.hosts import SERVICES

TARGET: Final = "x-fal-target-url"
LONGEST: Final = 8192
ALLOWED: Final = {"fal.run": "/", "queue.fal.run": "/", "rest.fal.ai": "/storage/upload/"}
"""What may be asked for, as fal's own proxy has it: runs, the queue, and beginning an upload."""
KEPT: Final = ("type", "asgi", "http_version", "server", "client", "scheme", "root_path", "state", "extensions")
"""Of the request's scope; all else is found out anew for the address that is asked for."""


class Proxy:
    """The route. It opens no connection: whatever is not ours is refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        target = _target(Headers(scope=scope).getlist(TARGET))
        if target is None:
            hosts = ", ".join(ALLOWED)
            why = f"Invalid request: {TARGET} must be a URL of {hosts}"
            refusal = JSONResponse({"detail": "Invalid request", "message": why}, 400)
            await refusal(scope, receive, send)
            return
        path, query = target
        inner = {key: scope[key] for key in KEPT if key in scope}
        inner |= {key: value for key, value in scope.items() if key.startswith("retake.")}
        inner |= {
            "method": scope["method"],
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name, value) for name, value in scope["headers"] if name != TARGET.encode()],
        }
        await scope["app"](inner, receive, send)


def _target(given: list[str]) -> tuple[str, str] | None:
    """Path, still quoted, and query of the service that is asked for; None: it is none of ours."""
    url = given[0] if len(given) == 1 else ""
    if not url or len(url) > LONGEST or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host, path = parts.hostname or "", parts.path or "/"
    plain = parts.username is None and parts.password is None and not parts.fragment
    if parts.scheme != "https" or port not in {None, 443} or not plain or host not in ALLOWED:
        return None
    bare = unquote(path)
    if not path.startswith(ALLOWED[host]) or ".." in bare.split("/") or not bare.isprintable():
        return None
    return SERVICES[host] + path, parts.query
