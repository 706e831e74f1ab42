"""`Chat`: one OpenAI-compatible server, asked politely."""

import asyncio
import os
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from reasoner.chat.config import EndpointConfig
from reasoner.chat.failing import START_IT, error_for, is_too_long, lowered
from reasoner.chat.reading import document, fault_of, is_dated, prefix_cache, reply_of, shown
from reasoner.chat.types import ChatError, Message, Reply, Sampling, ServerDown, ServerFailed, Usage, WrongModel
from reasoner.chat.wire import base_of, body_of, encoded, root_of

_T = TypeVar("_T")
_ASIDE_SECONDS = 10.0
"""For what is good to know but not needed: the version and the metrics."""


class Chat:
    """One server and one of its models. Questions in flight are bounded by `config.concurrency`.

    Args:
        client: makes the requests; its transport repeats what may be repeated (`agent.http`).
        config: `base_url` must be set; the composition root has decided it.
        key: the API key, or None.

    Raises:
        ValueError: `base_url` is missing or no plain http(s) address, or the key cannot stand in a header.
    """

    def __init__(self, client: httpx.AsyncClient, config: EndpointConfig, key: str | None = None) -> None:
        if config.base_url is None:
            raise ValueError("base_url is not set")
        self.url = base_of(config.base_url)
        self.model, self.version, self.context = config.model or "", "", None
        self._client, self._config, self._key = client, config, (key or "").strip() or None
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise ValueError(f"The key in {config.api_key_env} has characters that no header can carry.")
        self._slots = asyncio.Semaphore(config.concurrency)
        self._served: dict[str, str | None] = {}  # root by id
        self._counted: tuple[int, int] | None = None
        self._counting = asyncio.Lock()

    model: str
    """The model asked; known after `connect`."""
    version: str
    """Of the server ("" where it does not say); known after `connect`."""
    context: int | None
    """max_model_len in tokens, where the server says it; known after `connect`."""
    url: str
    """The base, ending in /v1 unless the config names a whole endpoint without."""

    async def connect(self) -> None:
        """Find out the model, its context and the server's version.

        Raises:
            ChatError: with the cure.
        """
        response = await self._send("GET", "/models", f"Asking {self.url} for its models")
        if response.status_code == 200:
            self._choose(document(response))
        elif response.status_code not in {404, 405} or not self._config.model:  # some gateways list no models
            raise self._error(response, f"Asking {self.url} for its models")
        self.version = await self._told_version()
        async with self._counting:
            self._counted = await self.cache()

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        schema: Mapping[str, Any] | None = None,
        choices: Sequence[str] = (),
        top_logprobs: int | None = None,
    ) -> Reply:
        """Ask one question.

        Args:
            messages: the conversation.
            sampling: how the reply is drawn.
            schema: JSON schema that the reply is bound to (`response_format`).
            choices: words that the reply is bound to (vLLM's `structured_outputs.choice`).
            top_logprobs: how many of the likeliest first tokens to give, at most 20.

        Raises:
            ChatError: one of its kinds.
        """
        if not self.model:
            raise RuntimeError("ask() before connect(): the model is not known yet")
        body = body_of(self.model, messages, sampling, schema, choices, top_logprobs)
        if self.context and body.get("max_tokens", 0) > self.context // 2:
            body["max_tokens"] = max(1, self.context // 2)
        asked = f"Asking {self.model} at {self.url}"
        async with self._slots:
            return await self._in_time(self._answer(body, asked), asked)

    async def cache(self) -> tuple[int, int] | None:
        """(queries, hits) in tokens of the server's prefix cache since it started; None where it tells no metrics."""
        page = await self._aside("/metrics")
        # vLLM counts under a model's first name, whichever of its names was asked
        return None if page is None else prefix_cache(page.text, frozenset(self._names()))

    async def cache_since(self) -> Usage:
        """What the prefix cache was asked and had since this was last called in this process (0 the first time)."""
        async with self._counting:
            now, before = await self.cache(), self._counted
            if now is None:
                return Usage()
            self._counted = now
        if before is None:
            return Usage()
        if now[0] < before[0] or now[1] < before[1]:  # the server was started anew
            before = (0, 0)
        return Usage(cache_queries=now[0] - before[0], cache_hits=now[1] - before[1])

    async def _answer(self, body: dict[str, Any], asked: str) -> Reply:
        began = time.monotonic()
        response = await self._request("POST", "/chat/completions", asked, encoded(body))
        if response.status_code == 400 and is_too_long(fault := fault_of(response, self._key)):
            shorter = lowered(fault, body.get("max_tokens", 0), self.context)
            if shorter is not None:
                response = await self._request(
                    "POST", "/chat/completions", asked, encoded({**body, "max_tokens": shorter})
                )
        if response.status_code != 200:
            raise self._error(response, asked)
        reply = reply_of(document(response), time.monotonic() - began, self.model)
        if reply is None:
            said = shown(response.text, self._key) or "nothing"
            raise ServerFailed(f"{asked} got an answer that is no chat completion: {said}. Check base_url.")
        if not self._is_asked(reply.model):
            raise WrongModel(f"{asked} was answered by {shown(reply.model, self._key)!r}. {self._known()}")
        return reply

    def _choose(self, body: object) -> None:
        items = body.get("data") if isinstance(body, Mapping) else None
        listed = [
            item for item in (items if isinstance(items, list) else [])
            if isinstance(item, Mapping) and isinstance(item.get("id"), str)
        ]  # fmt: skip
        if not listed:
            raise ServerFailed(f"Asking {self.url} for its models gave no list of models. Check base_url.")
        self._served = {item["id"]: item["root"] if isinstance(item.get("root"), str) else None for item in listed}
        wanted = self._config.model or listed[0]["id"]
        chosen = next((item for item in listed if item["id"] == wanted), None)
        if chosen is None:
            raise WrongModel(f"{self.url} has no model {wanted!r}. {self._known()}")
        context = chosen.get("max_model_len")
        self.model, self.context = wanted, context if isinstance(context, int) and context > 0 else None

    def _names(self) -> set[str]:
        """The ids under which the server has the model."""
        root = self._served.get(self.model)
        return {self.model, *(name for name, its in self._served.items() if root is not None and its == root)}

    def _is_asked(self, model: str) -> bool:
        return model in self._names() or model == self._served.get(self.model) or is_dated(model, self.model)

    def _known(self) -> str:
        if not self._served:
            return "Set model to one that it has."
        names = ", ".join(sorted(self._served)[:10])
        return f"It has {shown(names, self._key)}: set model to one of these."

    async def _told_version(self) -> str:
        page = await self._aside("/version")
        match None if page is None else document(page):
            case {"version": str(version)}:
                return shown(version, self._key)
        return ""

    async def _aside(self, path: str) -> httpx.Response | None:
        try:
            async with asyncio.timeout(_ASIDE_SECONDS):
                response = await self._client.get(root_of(self.url) + path, headers=self._headers())
        except (httpx.HTTPError, TimeoutError):
            return None
        return response if response.status_code == 200 else None

    async def _send(self, method: str, path: str, asked: str) -> httpx.Response:
        return await self._in_time(self._request(method, path, asked), asked)

    async def _in_time(self, call: Coroutine[Any, Any, _T], asked: str) -> _T:
        limit = self._config.timeout_seconds
        try:
            async with asyncio.timeout(limit):
                return await call
        except TimeoutError:
            cure = "Start it anew if it hangs, or raise timeout_seconds"
            raise ServerDown(f"{asked} got no answer within {limit:g} s. {cure}.") from None

    async def _request(self, method: str, path: str, asked: str, content: bytes | None = None) -> httpx.Response:
        try:
            return await self._client.request(method, self.url + path, content=content, headers=self._headers())
        except httpx.DecodingError:
            raise ServerFailed(f"{asked} got an answer that cannot be unpacked.") from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ServerDown(f"{asked} reached nobody: {shown(why, self._key)}. {START_IT}.") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        return headers | {"Authorization": f"Bearer {self._key}"} if self._key else headers

    def _error(self, response: httpx.Response, asked: str) -> ChatError:
        name = self._config.api_key_env
        if name is None:
            credential = "Set api_key_env to the name of the variable that holds the key."
        elif self._key is None:
            is_set = "is empty" if name in os.environ else "is not set"
            credential = f"The variable {name}, which api_key_env names, {is_set}."
        else:
            credential = f"The variable {name}, which api_key_env names, is set, but its key is not taken."
        return error_for(response, fault_of(response, self._key), asked, credential, self._known())
