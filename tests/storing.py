"""The application over its disk without an engine: for what needs files and addresses, and no run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx

from agent.server.app import application
from agent.server.context import Context
from agent.server.loading import load
from agent.server.metrics import Metrics
from agent.server.places import Places
from agent.server.queue import Queue
from agent.server.readiness import Readiness
from agent.server.store import Store
from agent.server.types import Caller, Job, RunRequest

BASE = "http://127.0.0.1:8000"
ME, YOU = (
    Caller(owner="me", scopes=frozenset({"run", "read", "upload"})),
    Caller(owner="you", scopes=frozenset({"run"})),
)


class As:
    """Lets requests in as whoever the header X-As names, as `agent.server.access` does by key."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        owner = dict(scope["headers"]).get(b"x-as")
        if owner is not None:
            scope["retake.caller"] = Caller(owner=owner.decode(), scopes=frozenset({"run", "read", "upload"}))
        await self._app(scope, receive, send)


@asynccontextmanager
async def stored(
    folder: Path, *overrides: str, needs_key: bool = False
) -> AsyncIterator[tuple[httpx.AsyncClient, Context, Store]]:
    """A client, the server's parts, and the jobs."""
    served = load(None, [f"output.dir={folder}", *(f"server.{key}" for key in overrides)])
    places = Places(served.folder)
    places.own.mkdir(parents=True, exist_ok=True)
    store = Store(places.jobs)
    context = Context(
        served=served,
        desk=Queue(served, store),
        needs_key=needs_key,
        metrics=Metrics("0"),
        readiness=Readiness(served),
    )
    transport = httpx.ASGITransport(As(application(context)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client, context, store
    store.close()


def job(id: str = "j1", **more: Any) -> Job:  # noqa: A002
    """A job that is over."""
    request = RunRequest(model="cosmos-3-super", prompt="A boat.")
    facts: dict[str, Any] = {"owner": "me", "dialect": "fal", "endpoint": "nvidia/x", "created_at": datetime.now(UTC)}
    return Job(**{**facts, "id": id, "request": request, "state": "completed", "media_key": f"key-of-{id}", **more})


async def plainly(client: httpx.AsyncClient, target: str) -> tuple[int, bytes]:
    """Status and body of a GET whose path is asked for as it stands: no client takes its dots out before."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    path = unquote_to_bytes(target)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode(),
        "raw_path": target.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000")],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await transport.app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
