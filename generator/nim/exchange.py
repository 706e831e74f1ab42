"""One question to a NIM: what it is, or a render."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from generator.nim.dialect import INFER, Dialect, Served, fields, model, told_by_fields, told_by_names
from generator.nim.failures import LostError, UnsentError, failure
from generator.nim.reply import Reply, read, video
from generator.types import BackendError

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0
ASK_SECONDS = 15.0
"""For each question but a render."""
LARGEST_ASIDE = 8 * 2**20
"""Bytes of an answer to any question but a render."""

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Exchange:
    """Speaks to NIMs.

    Args:
        client: must not repeat a POST by itself: a render whose connection dropped may be under way.
        key: sent as a bearer token; None: none is. Never in a message.
    """

    def __init__(self, client: httpx.AsyncClient, key: str | None) -> None:
        self._client, self._key = client, key

    async def ready(self, url: str) -> str:
        """Why a server is not ready; "" where it is."""
        try:
            status, _ = await self._get(url, "/v1/health/ready")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return f"does not answer ({self._named(error)})"
        if status in {401, 403}:
            return f"answers {status}: set the variable that generator.api_key_env names to a key it takes"
        return "" if 200 <= status < 300 else f"is not ready (it answers {status} to /v1/health/ready)"

    async def served(self, url: str, wanted: str) -> Served:
        """What a server that is ready renders, and how it is asked.

        Args:
            url: the server's.
            wanted: the dialect of the config; auto: found out.

        Raises:
            BackendError: it does not answer, is no generator, or its dialect cannot be told.
        """
        try:
            openapi, metadata, version = [
                await self._document(url, path) for path in ("/openapi.json", "/v1/metadata", "/v1/version")
            ]
        except (httpx.HTTPError, TimeoutError) as error:
            raise BackendError(f"The NIM at {url} does not say what it is ({self._named(error)}).") from error
        kind, infer = metadata.get("model_type"), metadata.get("inference_endpoint")
        if (kind or "generator") != "generator" or (infer or INFER) != INFER:
            raise BackendError(
                f"The NIM at {url} renders nothing: it says that it is a {kind or 'NIM'}, asked at {infer or INFER}. "
                "Name a Cosmos generator NIM in generator.endpoints."
            )
        names = fields(openapi)
        dialect: Dialect | None
        match wanted:
            case "v1" | "v2" | "predict" | "transfer":
                dialect = wanted
            case _:
                dialect = (names and told_by_fields(names)) or told_by_names(metadata, version)
        if dialect is None:
            raise BackendError(
                f"The dialect of the NIM at {url} cannot be told from /openapi.json, /v1/metadata or /v1/version. "
                "Set generator.dialect to v1, v2, predict or transfer."
            )
        release = version.get("release") or metadata.get("version") or ""
        return Served(dialect=dialect, model=model(metadata), version=f"nim {release}".strip(), fields=names)

    async def infer(self, url: str, body: bytes, *, limit: float, largest: int) -> bytes:
        """One render: the body of a 200. Nothing comes until it is done; cancelled, the connection is dropped.

        Args:
            url: the server's.
            body: the request, JSON.
            limit: seconds for all of it.
            largest: bytes of video that are taken.

        Raises:
            UnsentError: nobody was reached.
            RefusedError: the server is full.
            LostError: no answer came in time, the connection dropped, or the server failed.
            GivenUpError: somebody on the way waited no longer.
            BackendError: another failure of the server.
            RenderError, BlockedError: it refused the request, or its answer is too large.
        """
        timeout = httpx.Timeout(connect=CONNECT_SECONDS, read=None, write=WRITE_SECONDS, pool=None)
        headers = self._headers() | {"Content-Type": "application/json"}
        request = self._client.build_request("POST", url + INFER, content=body, headers=headers, timeout=timeout)
        try:
            async with asyncio.timeout(limit):
                response = await self._client.send(request, stream=True)
                try:
                    content = await read(response, largest)
                finally:
                    await response.aclose()
        except _UNSENT as error:
            raise UnsentError(f"The NIM at {url} cannot be reached ({self._named(error)}).") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise LostError(
                f"The NIM at {url} dropped the connection in the middle of a render ({self._named(error)}). "
                "Look into its log: it may have died."
            ) from error
        except TimeoutError as error:
            raise LostError(
                f"The NIM at {url} has not ended a render in {limit:g} s. Look whether it hangs, or raise "
                "generator.timeout_seconds and generator.stall_seconds."
            ) from error
        if response.status_code == 200:
            return content
        raise failure(response.status_code, content, response.headers, url, self._key)

    def video(self, content: bytes, seed: int) -> Reply:
        """The video of what `infer` returned.

        Raises:
            RenderError: there is none; names what came instead.
        """
        return video(content, seed, self._key)

    def _headers(self) -> dict[str, str]:
        # a connection of its own each: a server may close an idle one in the moment a render is sent on it, and then
        # nobody knows whether it was accepted
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    async def _get(self, url: str, path: str) -> tuple[int, Mapping[str, Any]]:
        timeout = httpx.Timeout(ASK_SECONDS, connect=CONNECT_SECONDS)
        async with asyncio.timeout(ASK_SECONDS):
            async with self._client.stream("GET", url + path, headers=self._headers(), timeout=timeout) as response:
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ASIDE:
                        break
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        return response.status_code, found if isinstance(found, dict) else {}

    async def _document(self, url: str, path: str) -> Mapping[str, Any]:
        """A JSON object, empty where the server has none."""
        status, found = await self._get(url, path)
        if status in {401, 403}:
            raise failure(status, b"", {}, url)
        return found if status == 200 else {}

    def _named(self, error: Exception) -> str:
        said = str(error)
        for key in (self._key, repr(self._key)[1:-1]) if self._key else ():  # a header that cannot be sent is quoted
            said = said.replace(key, "***")
        return f"{type(error).__name__}: {said}" if said else type(error).__name__
