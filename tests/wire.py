"""A chat server's double that speaks HTTP on the loopback: what it says is scripted, what it hears is kept.

It answers as vLLM 0.30 does where nothing else is said: /health, /version, /v1/models, /metrics, and
/v1/chat/completions from a function of the request's body. Runs in the test's own event loop, or in a thread of its own
for tests that call a process or are not async::

    async def test_caption(...):
        async with Wire(lambda body: "a red ball") as server:          # body -> text
            ...  # base_url=server.url
            assert server.chats[0]["messages"][0]["role"] == "system"  # bodies asked, in order

    def test_command_line(...):
        with Wire(lambda body: completion("Yes", first={"Yes": 0.9, "No": 0.1})) as server:
            subprocess.run([..., server.url])

A reply is text (a stop after it), a `completion(...)` with more in it, or any `Answer`, and its function may be async.
One that raises is a 500 that says what was raised. What should happen once, before the function is asked again, is
scripted; what another path says is set::

    server.script(error(429, "slow down", headers={"Retry-After": "1"}), Answer(drop="before"))
    server.paths["/v1/models"] = Answer(404, {"detail": "Not Found"})
    server.cache = (1000, 640)          # of /metrics: tokens looked up and found; None: no such metrics
    server.served = {"tiny": "/models/tiny", "alias": "/models/tiny"}    # root by id
    server.most_at_once                 # chat requests that were open at the same time
    server.heard                        # every request: method, path, headers, body
"""

import asyncio
import inspect
import json
import math
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Self

MODEL = "tiny-cosmos3-reasoner"
CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: bytes | str | Mapping[str, Any] | list[Any] = b""
    """Bytes and text go as they are, the rest as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before it is sent; math.inf: never (a server that hangs)."""
    after: asyncio.Event | None = None
    """What it waits for before it is sent."""
    drop: Literal["before", "middle", "after"] | None = None
    """Close the connection instead of answering, half-way through the body, or after the answer without having said so
    (as vLLM does after a 500: the next request on the pooled connection may find it dead)."""


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    at: float
    """time.monotonic() of its arrival."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


HANG = Answer(delay=math.inf)
DROP = Answer(drop="before")
Reply = Callable[[dict[str, Any]], "str | Answer | Awaitable[str | Answer]"]


def error(status: int, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as vLLM words it."""
    body = {"error": {"message": message, "type": "BadRequestError", "param": param, "code": status}}
    return Answer(status, body, headers or {})


def completion(
    text: str | None,
    *,
    first: Mapping[str, float] | None = None,
    finish_reason: str = "stop",
    model: str = MODEL,
    reasoning: str | None = None,
    usage: Mapping[str, Any] | None = None,
    **message: Any,
) -> Answer:
    """A chat completion.

    Args:
        text: its content.
        first: probabilities of the first token, e.g. {"Yes": 0.9, "No": 0.1}; 0 is a token the grammar forbids (-9999).
        finish_reason: length when it was cut.
        model: as the server names it.
        reasoning: the message's `reasoning`.
        usage: instead of 10 tokens in and 2 out.
        message: further fields of the message.
    """
    logprobs = None
    if first is not None:
        top = [{"token": token, "logprob": math.log(p) if p > 0 else -9999.0} for token, p in first.items()]
        best = max(first, key=lambda token: first[token])
        logprobs = {"content": [{"token": best, "logprob": math.log(first[best]), "top_logprobs": top}]}
    content = {"role": "assistant", "content": text, "reasoning": reasoning, **message}
    choice = {"index": 0, "message": content, "logprobs": logprobs, "finish_reason": finish_reason, "stop_reason": None}
    counted = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "prompt_tokens_details": None}
    return Answer(
        body={"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [choice],
              "usage": counted if usage is None else dict(usage)},
    )  # fmt: skip


class Wire:
    """The server, on a port of its own while its context lasts; see the module's docstring.

    Args:
        reply: what chat requests are answered, from their body.
        key: asked for on /v1/*; None: anybody may ask.
        max_model_len: told by /v1/models.
    """

    def __init__(
        self, reply: Reply = lambda body: "ok", *, key: str | None = None, max_model_len: int = 32_768
    ) -> None:
        self.reply, self.key, self.max_model_len = reply, key, max_model_len
        self.served: dict[str, str] = {MODEL: "/models/tiny"}
        self.cache: tuple[int, int] | None = (0, 0)
        self.paths: dict[str, Answer] = {}
        self.heard: list[Heard] = []
        self.most_at_once = 0
        self.port = 0
        self._scripted: deque[Answer] = deque()
        self._open = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._done: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without /v1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def chats(self) -> list[dict[str, Any]]:
        """Bodies of the chat requests, in order, repeats included."""
        return [heard.json for heard in self.heard if heard.path == CHAT]

    def script(self, *answers: Answer) -> None:
        """Answer the next chat requests so, in order, before `reply` is asked again."""
        self._scripted.extend(answers)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(60), "the double did not start"
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._thread is not None
        assert self._done is not None
        loop, done = self._done
        loop.call_soon_threadsafe(done.set)
        self._thread.join(60)

    async def _serve(self, ready: threading.Event) -> None:
        self._done = asyncio.get_running_loop(), asyncio.Event()
        async with self:
            ready.set()
            await self._done[1].wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while (heard := await _request(reader)) is not None and await self._answered(heard, reader, writer):
                    pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answered(self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        self.heard.append(heard)
        chat = heard.path == CHAT
        self._open += chat
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            answer = await self._answer(heard)
            if answer.delay:
                await (asyncio.Event().wait() if math.isinf(answer.delay) else asyncio.sleep(answer.delay))
            if answer.after is not None:
                await answer.after.wait()
        finally:
            self._open -= chat
        if answer.drop == "before":
            return False
        body = answer.body if isinstance(answer.body, bytes | str) else json.dumps(answer.body)
        content = body if isinstance(body, bytes) else body.encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        content = content[: len(content) // 2] if answer.drop == "middle" else content
        writer.write("\r\n".join(lines).encode() + content)
        await writer.drain()
        if answer.drop == "middle":
            await asyncio.sleep(0.02)  # an abort at once may overtake what was written
        if answer.drop == "after":
            await reader.read(1)  # the connection dies under the next request that is sent on it, by a reset
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return answer.drop is None

    async def _answer(self, heard: Heard) -> Answer:
        if self.key and heard.path.startswith("/v1/") and heard.headers.get("authorization") != f"Bearer {self.key}":
            return Answer(401, {"error": "Unauthorized"})
        if heard.path in self.paths:
            return self.paths[heard.path]
        if heard.path != CHAT:
            return self._aside(heard.path)
        if self._scripted:
            return self._scripted.popleft()
        try:
            said = self.reply(heard.json)
            said = await said if inspect.isawaitable(said) else said
        except Exception as failure:  # noqa: BLE001 - the test reads it where the request fails
            return error(500, repr(failure))
        return completion(said) if isinstance(said, str) else said

    def _aside(self, path: str) -> Answer:
        match path:
            case "/health":
                return Answer()
            case "/version":
                return Answer(body={"version": "0.30.0"})
            case "/metrics":
                return Answer(body=self._metrics(), headers={"Content-Type": "text/plain; charset=utf-8"})
            case "/v1/models":
                data = [
                    {"id": name, "object": "model", "root": root, "parent": None, "max_model_len": self.max_model_len}
                    for name, root in self.served.items()
                ]
                return Answer(body={"object": "list", "data": data})
        return Answer(404, {"detail": "Not Found"})

    def _metrics(self) -> str:
        lines = ["# TYPE process_open_fds gauge", "process_open_fds 12.0"]
        labels = f'{{engine="0",model_name="{next(iter(self.served))}"}}'
        for name, count in zip(("queries", "hits"), self.cache or (), strict=False):
            metric = f"vllm:prefix_cache_{name}_total"
            lines += [f"# TYPE {metric} counter", f"{metric}{labels} {count}.0"]
        return "\n".join(lines) + "\n"


async def _request(reader: asyncio.StreamReader) -> Heard | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while header := (await reader.readline()).decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(method, path, headers, body, time.monotonic())
