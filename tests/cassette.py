"""Replies of a real server, kept by the hash of what was asked: recorded once, replayed without a server."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parent / "cassettes"
MODEL = "tiny-cosmos3-reasoner"
_DATA = re.compile(rb'data:[\w/.+-]+;base64,[^"]*')


def key_of(body: bytes) -> str:
    """What was asked: the JSON with its media left out, whose bytes differ with the codec's version."""
    asked = json.loads(_DATA.sub(b"data:", body))
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class Recorder(httpx.AsyncBaseTransport):
    """Asks the server behind it and keeps what it answered."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.replies: dict[str, Any] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        await response.aread()
        if request.method == "POST":
            self.replies[key_of(request.content)] = {"status": response.status_code, "body": _bare(response.json())}
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()

    def save(self, name: str) -> None:
        """As one small file."""
        FOLDER.mkdir(exist_ok=True)
        text = json.dumps(self.replies, indent=1, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


class Player(httpx.AsyncBaseTransport):
    """Answers as recorded. What was not asked then fails the test."""

    def __init__(self, name: str) -> None:
        self.replies = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        self.name = name

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/models":
            listed = {"id": MODEL, "object": "model", "owned_by": "vllm", "root": MODEL, "max_model_len": 32768}
            return httpx.Response(200, json={"object": "list", "data": [listed]})
        if path == "/version":
            return httpx.Response(200, json={"version": "0.30.0"})
        if request.method != "POST":
            return httpx.Response(404)
        reply = self.replies.get(key_of(request.content))
        if reply is None:
            raise AssertionError(
                f"cassette {self.name}: nobody asked this when it was recorded; if the question was changed on "
                "purpose, record again: python -m tests.real.record"
            )
        return httpx.Response(reply["status"], json=reply["body"])


def _bare(body: dict[str, Any]) -> dict[str, Any]:
    """Without what changes from server to server."""
    body.pop("system_fingerprint", None)
    return body | {"id": "chatcmpl-recorded", "created": 0}
