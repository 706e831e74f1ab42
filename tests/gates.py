"""The gate of `retake serve` before a small application, and what is asked of it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.server import answers
from agent.server.config import ServerConfig
from agent.server.gate import gated
from agent.server.keys import Keys, required
from agent.server.types import Caller

KEY = "a-key-of-anns-0123456789"
OTHER = "a-key-of-bobs-0123456789"
KEYS = f"ann={KEY},bob:read={OTHER}"
BASE = "http://127.0.0.1:8000"


async def echo(request: Request) -> Response:
    """Who asks, and what arrived."""
    caller: Caller = request.scope["retake.caller"]
    body = await request.body()
    return JSONResponse({"owner": caller.owner, "scopes": sorted(caller.scopes), "bytes": len(body)})


def keys(text: str = KEYS, **config: Any) -> Keys:
    """Those of an environment variable."""
    found = required(ServerConfig(**config), "127.0.0.1", {"RETAKE_API_KEYS": text})
    assert found is not None
    return found


def asking(
    known: Keys | None = None,
    *,
    host: str = "127.0.0.1",
    client: str = "127.0.0.1",
    token: Callable[[str], Caller | None] = lambda _: None,
    handler: Callable[[Request], Any] = echo,
    **config: Any,
) -> httpx.AsyncClient:
    """A client of an application that tells who asked, behind the gate."""
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    app = Starlette(
        routes=[Route("/{path:path}", handler, methods=methods)], exception_handlers={HTTPException: answers.on_http}
    )
    gate = gated(app, ServerConfig(**config), known, host=host, token=token)
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate, client=(client, 5000)), base_url=BASE)


def as_key(key: str, scheme: str = "Key") -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"{scheme} {key}"}


def deep(depth: int, inner: str = "1") -> bytes:
    """Lists within one another."""
    return ("[" * depth + inner + "]" * depth).encode()


def as_json(document: object) -> Mapping[str, Any]:
    """A body and its type, as httpx takes them."""
    return {"content": json.dumps(document).encode(), "headers": {"Content-Type": "application/json"}}
