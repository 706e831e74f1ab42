"""The calls to a vLLM-Omni server: each with its time limit, each failure with a name."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from generator.types import BackendError, RenderError
from generator.vllm_omni.failures import BusyError, FaultError, LostError, SilentError, refusal, unauthorized
from generator.vllm_omni.limits import Limits
from generator.vllm_omni.request import Request

JOBS = "/v1/videos"
DOWNLOADS = 3
"""Tries at least to fetch a finished clip."""
LONGEST_PAUSE_SECONDS = 10.0
"""Between two of them."""


class Fault(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(frozen=True)

    code: int | str = ""
    message: str = ""


class Record(BaseModel):
    """A job as the server tells it. What else it says of it is not to be trusted (its times include the queue)."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    model: str | None = None
    error: Fault | None = None


class _Jobs(BaseModel):
    data: list[Record]


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Version(BaseModel):
    version: str


class Wire:
    """Asks servers through one client.

    Args:
        client: one that does not repeat POSTs: a submission may have been accepted.
        key: sent as a bearer token; None: none.
        limits: time limits of the calls.
    """

    def __init__(self, client: httpx.AsyncClient, key: str | None, limits: Limits) -> None:
        self._client, self._limits = client, limits
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._key = (key or "").encode()

    async def health(self, url: str) -> None:
        """Ask whether the model is loaded.

        Raises:
            SilentError: it is not, or nobody answers.
        """
        response = await self._ask("GET", url, "/health")
        if response.status_code != 200:
            raise SilentError(f"it is not ready (HTTP {response.status_code})")

    async def version(self, url: str) -> str:
        """The server's version; "" where it does not say."""
        response = await self._ask("GET", url, "/version")
        try:
            return _Version.model_validate_json(response.content).version
        except ValidationError:
            return ""

    async def models(self, url: str) -> list[str]:
        """Names of what it serves; makes sure that it renders videos.

        Raises:
            SilentError: it does not answer so.
            BackendError: it wants a key, or renders no videos.
        """
        response = await self._ask("GET", url, "/v1/models")
        if response.status_code in (401, 403):
            raise unauthorized(url, response.status_code)
        try:
            names = [model.id for model in _Models.model_validate_json(response.content).data]
        except ValidationError:
            raise SilentError(f"it does not list its models (HTTP {response.status_code})") from None
        if (await self._ask("GET", url, f"{JOBS}?limit=1")).status_code in (404, 405):
            raise BackendError(f"{url} renders no videos: start it with vllm serve … --omni.")
        return names

    async def submit(self, url: str, request: Request) -> Record:
        """Submit a job, once.

        Raises:
            BusyError: nothing was taken.
            LostError: it may have been taken, and nobody can tell.
            RenderError: it was refused.
            FaultError: the server is the wrong one, or broken.
        """
        parts = [(name, (None, value.encode())) for name, value in request.fields.items()]
        files = [(up.name, (up.file_name, up.content, up.content_type)) for up in request.uploads]
        limit = self._limits.submit
        try:
            async with asyncio.timeout(limit):
                response = await self._client.post(
                    url + JOBS, files=[*parts, *files], headers=self._headers, timeout=self._times(limit)
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise BusyError(f"it cannot be reached ({_said(error)})") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise LostError(f"it did not answer the submission ({_said(error)})") from error
        if response.status_code in (200, 201, 202):
            with suppress(ValidationError):
                return Record.model_validate_json(self._told(response))
            raise FaultError(f"{url} did not answer the submission with a job. Is it vLLM-Omni?", "it gave no job")
        raise refusal(url, response.status_code, _message(self._told(response)))

    async def record(self, url: str, job: str) -> Record | None:
        """What became of a job; None: the server does not know it. The record counts, whatever its HTTP status.

        Raises:
            SilentError: no answer, or none that can be read.
            FaultError: it wants another key.
        """
        response = await self._ask("GET", url, f"{JOBS}/{job}")
        with suppress(ValidationError):
            return Record.model_validate_json(self._told(response))
        if response.status_code == 404:
            return None
        if response.status_code in (401, 403):
            raise unauthorized(url, response.status_code)
        raise SilentError(f"it answers HTTP {response.status_code} when asked for a job")

    async def jobs(self, url: str) -> list[Record]:
        """The last hundred jobs, oldest first.

        Raises:
            SilentError: no answer, or none that can be read.
        """
        response = await self._ask("GET", url, f"{JOBS}?limit=100&order=desc")
        try:
            return _Jobs.model_validate_json(response.content).data[::-1]
        except ValidationError:
            raise SilentError(f"it answers HTTP {response.status_code} when asked for its jobs") from None

    async def delete(self, url: str, job: str) -> None:
        """Delete a job: one that waits never runs, one that runs goes on unseen, a finished one's file goes.

        Raises:
            SilentError: nobody says that it is gone.
        """
        response = await self._ask("DELETE", url, f"{JOBS}/{job}")
        if response.status_code not in (200, 202, 204, 404, 410):
            raise SilentError(f"it answers HTTP {response.status_code} when told to delete a job")

    async def download(self, url: str, job: str, to: Path, most_bytes: int) -> None:
        """Write a finished job's clip to `to`, however often the connection breaks within `Limits.away`.

        Raises:
            LostError: the server no longer has it (gone), or does not hand it over.
            RenderError: it is larger than it can be.
            OSError: the disk failed.
        """
        started, pause, tries = time.monotonic(), self._limits.first_probe, 0
        while True:
            tries += 1
            try:
                async with (
                    asyncio.timeout(self._limits.download),
                    self._stream(url, f"{JOBS}/{job}/content") as response,
                ):
                    if response.status_code == 200:
                        return await _write(response, to, most_bytes)
                    why = f"HTTP {response.status_code}"
                    if response.status_code in (404, 410, 422):
                        raise LostError(f"it no longer has the finished clip ({why})")
            except (httpx.HTTPError, TimeoutError) as error:
                why = _said(error)
            if tries >= DOWNLOADS and time.monotonic() - started > self._limits.away:
                raise LostError(f"it did not hand over the finished clip ({why})", gone=False)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _stream(self, url: str, path: str) -> AsyncIterator[httpx.Response]:
        times = self._times(self._limits.ask)
        async with self._client.stream("GET", url + path, headers=self._headers, timeout=times) as response:
            yield response

    async def _ask(self, method: str, url: str, path: str) -> httpx.Response:
        limit = self._limits.ask
        try:
            async with asyncio.timeout(limit):
                return await self._client.request(method, url + path, headers=self._headers, timeout=self._times(limit))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise SilentError(f"it cannot be reached ({_said(error)})", dead=True) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise SilentError(f"it does not answer ({_said(error)})") from error

    def _told(self, response: httpx.Response) -> bytes:
        """What a server says, without the key: an error may quote what it was sent."""
        return response.content.replace(self._key, b"***") if self._key else response.content

    def _times(self, limit: float) -> httpx.Timeout:
        return httpx.Timeout(limit, connect=min(10.0, limit))


async def _write(response: httpx.Response, to: Path, most_bytes: int) -> None:
    written = 0
    with to.open("wb") as file:
        async for chunk in response.aiter_bytes():
            written += len(chunk)
            if written > most_bytes:
                raise RenderError(
                    f"The server's clip is larger than {most_bytes} bytes, more than its frames are unpacked. "
                    "Look at what the server writes."
                )
            file.write(chunk)


def _message(content: bytes) -> str:
    """The error's words: vLLM-Omni has several forms."""
    try:
        body = json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
    found = body.get("error", body.get("detail", "")) if isinstance(body, dict) else body
    return str(found.get("message", found)) if isinstance(found, dict) else str(found)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
