"""A Cosmos NIM's double that speaks HTTP on the loopback: four dialects, each as strict as the real one is.

Runs in the test's own event loop, or in a thread of its own for tests that call a process (see `tests.wire`)::

    async with NIMServer("v2") as server:              # v1, v2, predict or transfer
        ...                                            # endpoints: [server.url]
        assert server.asked[0]["model_mode"] == "text2video"     # bodies of /v1/infer, in order

What the next renders are answered instead, or how they are made, is set::

    server.script(envelope(500, "CUDA out of memory"), HANG, DROP)
    server.makes = replace(server.makes, fps=25)       # a server that lies
    server.seconds = 0.05                              # how long a render takes at least
    server.go.clear()                                  # renders begin, and go on until it is set
    server.paths["/openapi.json"] = Answer(404)
"""

import asyncio
import base64
import hashlib
import json
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from agent.http import http_client
from generator.config import NIMConfig
from generator.nim import NIM
from generator.nim.dialect import Dialect
from generator.types import Generator, Tell
from tests.nim_forms import FORMS, INFER, Made, Maker, openapi
from tests.wire import Answer, Heard, Wire

GONE: Any = object()
"""A field that is taken away."""


def envelope(status: int, message: str, kind: str = "invalid_request_error", **headers: str) -> Answer:
    """An error of the Cosmos3 NIMs; `_` in a header's name stands for `-`."""
    body = {"error": {"message": message, "type": kind, "code": status}}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class NIMServer(Wire):
    """The server, on a port of its own while its context lasts; see the module's docstring.

    Args:
        dialect: what it speaks.
        key: asked for on /v1/*; None: anybody may ask.
    """

    def __init__(self, dialect: Dialect = "v1", *, key: str | None = None) -> None:
        super().__init__(key=key)
        self.dialect: Dialect = dialect
        self.makes = Maker()
        self.seconds = 0.0
        self.seconds_per_frame = 0.0
        self.ready = True
        self.go = asyncio.Event()
        self.go.set()
        self.answer: dict[str, Any] = {}
        """Further fields of each 200; `GONE` takes one away."""
        self.metadata = _METADATA[dialect]
        self.release = {"v1": "1.0.0", "v2": "2.1.0", "predict": "1.0.0", "transfer": "1.1.0"}[dialect]
        self.most_renders_at_once = 0
        self.ended = 0
        """Renders that were finished, whether or not somebody still waited."""
        self._rendering = 0
        self._answers: deque[Answer] = deque()
        self._lock = threading.Lock()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Bodies of the render requests, in order, repeats included."""
        return [heard.json for heard in self.heard if heard.path == INFER]

    def script(self, *answers: Answer) -> None:
        """Answer the next renders so, in order, before any is made."""
        self._answers.extend(answers)

    async def _answer(self, heard: Heard) -> Answer:
        if self.key and heard.path.startswith("/v1/") and heard.headers.get("authorization") != f"Bearer {self.key}":
            return Answer(401, {"detail": "Unauthorized"})
        if heard.path in self.paths:
            return self.paths[heard.path]
        if heard.path != INFER:
            return self._described(heard.path)
        if heard.method != "POST":
            return envelope(405, "Method Not Allowed", "method_not_allowed")
        if self._answers:
            return self._answers.popleft()
        self._rendering += 1
        self.most_renders_at_once = max(self.most_renders_at_once, self._rendering)
        try:
            return await self._infer(heard.body)
        finally:
            self._rendering -= 1

    async def _infer(self, body: bytes) -> Answer:
        try:
            json.loads(body)
        except ValueError as error:
            return envelope(400, f"Malformed JSON in the request body: {error}")
        try:
            asked = FORMS[self.dialect].model_validate_json(body)
        except ValidationError as error:
            return self._invalid(error)
        await asyncio.sleep(self.seconds + self.seconds_per_frame * asked.made.frames)
        await self.go.wait()
        key = f"{asked.prompt} {asked.negative_prompt} {asked.seed} {hashlib.sha256(body).hexdigest()}"
        video = await asyncio.to_thread(self._make, asked.made, key)
        self.ended += 1
        said: dict[str, Any] = {"b64_video": base64.b64encode(video).decode()}
        if self.dialect == "v2":
            said |= {"action": None, "b64_image": None}
        elif self.dialect != "v1":
            said |= {"seed": asked.seed}
        return Answer(body={name: value for name, value in (said | self.answer).items() if value is not GONE})

    def _make(self, asked: Made, key: str) -> bytes:
        with self._lock:  # one after the other, as the real one does
            return self.makes.clip(asked, key)

    def _invalid(self, error: ValidationError) -> Answer:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if self.dialect in {"predict", "transfer"}:
            return Answer(422, {"detail": [{**each, "loc": ["body", *each["loc"]]} for each in found]})
        said = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found)
        return envelope(422, said)

    def _described(self, path: str) -> Answer:
        older = self.dialect in {"predict", "transfer"}
        live = {"object": "health.response", "message": "Service is live", "status": "live"}
        ready = {"description": "Triton readiness check", "status": "ready"}
        if not older:
            ready = live | {"message": "Service is ready", "status": "ready"}
        if path == "/v1/health/ready" and not self.ready:
            return envelope(503, "Service is not ready", "service_unavailable")
        told: dict[str, dict[str, Any]] = {
            "/v1/health/live": live,
            "/v1/health/ready": ready,
            "/v1/metadata": self.metadata,
            "/v1/manifest": {"manifest_file": "profiles: {}", "repository_override": ""},
            "/v1/license": dict.fromkeys(("name", "path", "sha", "size", "url", "type", "content"), ""),
            "/v1/models": {"object": "list", "data": [{"id": "cosmos", "object": "model"}]},
        }
        if not older:
            told |= {"/v1/version": {"release": self.release, "api": "1.0.0"}, "/openapi.json": openapi(self.dialect)}
        return Answer(body=told[path]) if path in told else envelope(404, f"Not Found: {path}", "not_found")


def _metadata(name: str, **more: str) -> dict[str, Any]:
    return {
        "assetInfo": [],
        "licenseInfo": {},
        "version": "1.0.0",
        "repository_override": "",
        **more,
        "selectedModelProfileId": "0" * 64,
        "modelInfo": [{"shortName": name, "modelUrl": f"ngc://{name}"}],
    }


_GENERATOR = {"model_type": "generator", "inference_endpoint": INFER, "checkpoint": "default"}
_METADATA: dict[Dialect, dict[str, Any]] = {
    "v1": _metadata("nvidia/cosmos3-generator:1.0.0", model_variant="nano", **_GENERATOR),
    "v2": _metadata("nvidia/cosmos3:2.1.0", model_variant="super", **_GENERATOR),
    "predict": _metadata("nvidia/cosmos-predict1-7b-text2world:1.0.0"),
    "transfer": _metadata("nvidia/cosmos-transfer2.5-2b:1.1.0"),
}


@asynccontextmanager
async def generator(dialect: Dialect = "v2", tell: Tell = lambda _progress: None) -> AsyncIterator[Generator]:
    """A connected NIM backend against a double of its own. Cosmos3 dialects take 25 frames and more."""
    async with NIMServer(dialect) as server, http_client(repeat_posts=False) as client:
        server.seconds_per_frame = 0.002  # a long clip can be cancelled
        nim = NIM(NIMConfig(endpoints=(server.url,)), client, [server.url], tell=tell)
        await nim.connect()
        yield nim
        await nim.close()
