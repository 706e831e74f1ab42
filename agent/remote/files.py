"""The files of a run, from its server into its folder here, each held against its SHA-256."""

import asyncio
import hashlib
import re
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Final

import httpx

from agent.errors import ServingError, StorageError, boundary
from agent.remote.answers import AGAIN, FileList, RemoteFile, read, refusal
from agent.remote.server import STREAMING, Link

AT_ONCE: Final = 4
TRIES: Final = 5
"""Of one file whose bytes are not those that were told."""
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,120}")


async def fetched(link: Link, run: str, folder: Path) -> None:
    """Fetch all that the server gives of a run.

    Args:
        link: to the server.
        run: its id.
        folder: where the files go; it is made.

    Raises:
        ServingError: the server is gone, or gives other bytes than it told of.
        StorageError: the disk failed.
    """
    places = asyncio.Semaphore(AT_ONCE)
    answer = await link.ask("GET", f"/v1/runs/{run}/files")
    files = read(FileList, answer.content, link.server.url).data

    async def fetch(file: RemoteFile) -> None:
        async with places:
            await _fetch(link, run, file, _inside(folder, file.path, link.server.url))

    with boundary(StorageError, f"writing {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        async with asyncio.TaskGroup() as group:
            for file in files:
                group.create_task(fetch(file))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _inside(folder: Path, name: str, server: str) -> Path:
    """Where a file goes: in the folder, whatever the server says."""
    parts = PurePosixPath(name).parts
    if not parts or len(parts) > 4 or any(_PART.fullmatch(part) is None for part in parts):
        raise ServingError(f"{server}: names a file {name!r:.80}, which is none of a run's")
    return folder.joinpath(*parts)


async def _fetch(link: Link, run: str, file: RemoteFile, to: Path) -> None:
    for _ in range(TRIES):
        why = await _attempt(link, f"{link.server.url}/v1/runs/{run}/files/{file.path}", file, to)
        if why is None:
            return
        await link.wait(why)
    raise ServingError(f"{link.server.url}: {file.path} does not come whole: {why}")


async def _attempt(link: Link, url: str, file: RemoteFile, to: Path) -> str | None:
    """Fetch a file once. Returns why it did not come."""
    aside = to.with_name(f".{to.name}.part")
    try:
        async with link.client.stream("GET", url, headers=link.headers, timeout=STREAMING) as response:
            if response.status_code in AGAIN or response.status_code == 500:
                return f"HTTP {response.status_code}"
            if response.status_code != 200:
                await response.aread()
                raise refusal(response, link.server.url, link.server.key_env)
            link.heard()
            with _disk(to):
                to.parent.mkdir(parents=True, exist_ok=True)
                out = aside.open("wb")
            with out:
                size, digest = await _written(response, out, file.bytes, to)
            if size != file.bytes or digest != file.sha256:
                return f"its bytes are not those of the SHA-256 that was told ({size:,} of {file.bytes:,})"
            with _disk(to):
                aside.replace(to)
            return None
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    finally:
        aside.unlink(missing_ok=True)


async def _written(response: httpx.Response, out: IO[bytes], most: int, to: Path) -> tuple[int, str]:
    """The body's size and SHA-256, once it is written; of one that is too long the beginning."""
    digest, size = hashlib.sha256(), 0
    async for chunk in response.aiter_bytes():
        digest.update(chunk)
        size += len(chunk)
        if size > most:
            break
        with _disk(to):
            out.write(chunk)
    with _disk(to):
        out.flush()
    return size, digest.hexdigest()


def _disk(to: Path) -> AbstractContextManager[None]:
    return boundary(StorageError, f"writing {to}")
