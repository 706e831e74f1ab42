"""A run on a server, from its submission to its folder here."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent import journal
from agent.config import RunConfig
from agent.errors import ConfigError, RunFolderError, ServingError, StorageError, boundary
from agent.events import Emit
from agent.reading import expand
from agent.remote import media
from agent.remote.answers import Told, failure, read
from agent.remote.files import fetched
from agent.remote.following import Listener, follow
from agent.remote.server import Link, Server
from agent.remote.wish import wished
from agent.run import Run

CANCELLING: Final = 15.0
"""Seconds for which a cancelled run is followed to its end, so that what was done can be fetched."""


async def refine(
    server: Server,
    config: RunConfig,
    prompt: str | None = None,
    image: str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
) -> Run:
    """Let a server do what `agent.refine_and_generate` does here, and fetch what came of it.

    Args:
        server: whom.
        config: what of it a request carries is sent: the keys that it names. The rest is as the server's config has it.
        prompt: None: the config's.
        image: a path, a URL or a data URI. None: the config's.
        out: the folder, new or empty. None: one in the config's `output.dir`, named as the server names the run.
        on_event: called with each event of the run, as it happens.

    Returns:
        The run; its clips, video, report and first frame lie in `.folder`.

    Raises:
        ConfigError, IntakeError: the wish is wrong, or names what is the server's to decide.
        RunFolderError, StorageError: the folder is taken, or the disk failed.
        ServingError: the server cannot be reached, refuses, or the run failed there; or it was cancelled by another.
        NoCandidateError: nothing could be rendered and judged; what was tried lies in `folder`.
    """
    async with server.connected() as link:
        return await refined(link, config, prompt, image, out, on_event)


async def refined(
    link: Link,
    config: RunConfig,
    prompt: str | None = None,
    image: str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
) -> Run:
    """`refine` over a connection that is there."""
    server = link.server
    body = wished(config)
    body["prompt"] = config.request.prompt if prompt is None else prompt
    if not body["prompt"].strip():
        raise ConfigError(
            "request.prompt: is empty; say what should happen in the video, in the config or with --prompt"
        )
    if server.model is not None:
        body["model"] = server.model
    wanted = None if out is None else _free(expand(out, "--out").resolve())
    await _with_media(link, body, config, image)
    async with _taken_back(Handed(link, body)) as handed:
        told = await handed.submitted()
        folder = handed.folder = wanted or _free((config.output.folder / told.id).resolve())
        told = await follow(link, told.id, Listener(server.url, folder, on_event))
        await fetched(link, told.id, folder)
    return _outcome(told, server, folder)


async def _with_media(link: Link, body: dict[str, Any], config: RunConfig, image: str | Path | None) -> None:
    wish = config.request
    source = wish.image if image is None else str(image)
    if source is not None:
        body["image"] = await media.image(link, source, wish.image_fetch)
    if wish.video is not None:
        body["video"] = await media.video(link, wish.video)
    if wish.controls:
        body["controls"] = [
            {"kind": one.kind, "weight": one.weight, "video": await media.video(link, one.path)}
            for one in wish.controls
        ]


@dataclass
class Handed:
    """A submission, which may be made again: the same number goes with each, and it is run once."""

    link: Link
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    id: str | None = None
    folder: Path | None = None

    async def submitted(self, link: Link | None = None) -> Told:
        """Hand it in."""
        link = link or self.link
        headers = {"idempotency-key": self.key}
        answer = await link.ask("POST", "/v1/runs", json=self.body, headers=headers)
        told = read(Told, answer.content, link.server.url)
        self.id = told.id
        return told


def _free(folder: Path) -> Path:
    """A folder that nothing lies in.

    Raises:
        RunFolderError: it is taken.
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be used ({error.strerror}); choose another --out") from error
    if taken:
        raise RunFolderError(f"{folder}: is there already and not empty; choose another --out")
    if blocked := next((p for p in folder.parents if p.exists() and not p.is_dir()), None):
        raise RunFolderError(f"{folder}: cannot be made, since {blocked} is a file; choose another --out")
    return folder


@asynccontextmanager
async def _taken_back(handed: Handed) -> AsyncIterator[Handed]:
    """What is cancelled here is so on the server, and what was done by then is fetched."""
    try:
        yield handed
    except asyncio.CancelledError:
        with suppress(Exception):
            async with asyncio.timeout(CANCELLING):
                await _cancelled(handed, handed.link.impatient(3.0))
        raise


async def _cancelled(handed: Handed, link: Link) -> None:
    id_ = handed.id or (await handed.submitted(link)).id  # it may have arrived, its answer not
    await link.ask("POST", f"/v1/runs/{id_}/cancel")
    if handed.folder is not None:
        await follow(link, id_)
        await fetched(link, id_, handed.folder)


def _outcome(told: Told, server: Server, folder: Path) -> Run:
    """The run as it lies here.

    Raises:
        RetakeError: it failed there, or was cancelled.
    """
    if told.problem is not None and told.state == "failed":
        raise failure(told.problem, server.url, folder)
    if told.state != "completed":
        error = ServingError(f"{server.url}: the run was {told.state} on the server; ask whoever runs it")
        error.folder = folder if (folder / journal.RUN).exists() else None
        raise error
    with boundary(StorageError, f"reading {folder}"):
        return journal.load(folder)
