"""Fetches a finished file from wherever fal put it: bounded in bytes and time, without the key."""

import asyncio
import base64
import binascii
from pathlib import Path

import httpx

from generator.fal.faults import unusable_proxy
from generator.types import BackendError, RenderError

MOST_BYTES = 512 * 1024 * 1024
MOST_SECONDS = 600.0
"""For one file, its repeats included."""
_TRIES = 3
_REDIRECTS = 5


def file_client() -> httpx.AsyncClient:
    """A client for file hosts. It is not the one that holds the key.

    Raises:
        BackendError: the environment names a proxy that cannot be used.
    """
    timeout = httpx.Timeout(connect=10.0, read=60.0, write=10.0, pool=None)
    try:
        return httpx.AsyncClient(timeout=timeout, follow_redirects=True, max_redirects=_REDIRECTS)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise unusable_proxy(error) from None


async def download(
    client: httpx.AsyncClient, url: str, to: Path, *, most_bytes: int = MOST_BYTES, pause_seconds: float = 1.0
) -> None:
    """Write the file at `url` (http, https, or a base64 data URI) into `to`.

    What fails is fetched again, three times in all: the render is paid already.

    Raises:
        RenderError: no such address, or more than `most_bytes`.
        BackendError: the host did not give it.
        OSError: the disk failed.
    """
    if url.startswith("data:"):
        to.write_bytes(_decoded(url, most_bytes))
        return
    where = _shown(url)
    try:
        async with asyncio.timeout(MOST_SECONDS):
            for left in reversed(range(_TRIES)):
                try:
                    await _fetch(client, url, to, most_bytes)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    if not left or isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
                        raise BackendError(
                            f"The finished clip could not be downloaded from {where} ({_reason(error)}). "
                            "Check the way there; fal keeps it for a while."
                        ) from None
                    await asyncio.sleep(pause_seconds)
                else:
                    return
    except TimeoutError:
        raise BackendError(f"The finished clip at {where} was not downloaded within {MOST_SECONDS:g} s.") from None


async def _fetch(client: httpx.AsyncClient, url: str, to: Path, most_bytes: int) -> None:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        with to.open("wb") as file:
            got = 0
            async for chunk in response.aiter_bytes():
                got += len(chunk)
                if got > most_bytes:
                    raise RenderError(_too_large(_shown(url), most_bytes))
                file.write(chunk)


def _decoded(uri: str, most_bytes: int) -> bytes:
    head, _, content = uri.partition(",")
    if not head.endswith(";base64"):
        raise RenderError("fal answered with a data URI that is not base64. Ask again.")
    if len(content) // 4 * 3 > most_bytes:
        raise RenderError(_too_large("the data URI", most_bytes))
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise RenderError("fal answered with a data URI that does not decode. Ask again.") from None


def _too_large(where: str, most_bytes: int) -> str:
    return f"The clip at {where} is larger than {most_bytes / 2**20:g} MiB. Ask for fewer frames."


def _shown(url: str) -> str:
    """An address without what may be secret in it: user, password, query."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.host}{parts.path}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return type(error).__name__
