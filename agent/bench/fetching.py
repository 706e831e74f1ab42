"""The files behind a dataset's rows: local ones where they lie, those of URLs fetched once into a cache."""

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpcore

from agent.errors import IntakeError, boundary
from agent.files import write_atomically
from agent.intake import FetchRules, take_image
from agent.intake.guard import Resolve, system_resolve
from agent.intake.source import shorten

MAX_VIDEO: Final = 512 << 20
"""Bytes of a video that is fetched."""
VIDEO_SECONDS: Final = 600.0
"""For one attempt to fetch a video; the next one goes on where it was."""
AT_ONCE: Final = 4
"""Files that are fetched at the same time."""
_SCHEME: Final = re.compile(r"\s*(?:(https?)://|[a-z][a-z0-9+.-]*://|file:|data:)", re.IGNORECASE)
_FIELD: Final = re.compile(r"^request\.image(?!_fetch)")


@dataclass
class Clips:
    """Finds videos and first frames.

    A path is the user's own and starts from the dataset's folder; it may lead out of it, and `~` is the user's home. An
    http(s) URL is fetched by the rules of `agent.intake`: from public addresses alone unless `rules` allow others,
    which is checked at every redirect. Nothing else is opened: no file://, no data:, no ftp://. Every video must be one
    (MP4, MOV, Matroska, WebM or GIF) to the critic's own decoder, which opens no other file that a playlist names.
    """

    folder: Path
    """`Dataset.folder`."""
    cache: Path
    """What is fetched lies below it, in `clips` and `frames`, by the hash of its URL."""
    rules: FetchRules = field(default_factory=FetchRules)
    """For first frames, and for whether private addresses are open to videos too: a config's `request.image_fetch`."""
    max_bytes: int = MAX_VIDEO
    """Of a video that is fetched."""
    timeout_seconds: float = VIDEO_SECONDS
    at_once: int = AT_ONCE
    resolve: Resolve = system_resolve
    dial: httpcore.AsyncNetworkBackend | None = None
    _slots: asyncio.Semaphore | None = field(default=None, init=False)
    _known: dict[str, Path | str] = field(default_factory=dict, init=False)
    """By what is looked for: the file, or why there is none. A dead link is not asked again for each of its rows."""
    _alone: dict[str, asyncio.Lock] = field(default_factory=dict, init=False)

    async def video(self, place: str) -> Path:
        """The video at a row's path or URL.

        Raises:
            IntakeError: it cannot be had or is none; one sentence without the URL's query and credentials.
            StorageError: the disk failed.
        """

        async def find() -> Path:
            if _is_url(place, "video"):
                return await self._fetched(place.strip())
            return await asyncio.to_thread(self._local, place)

        return await self._once(f"video {place}", find)

    async def first_frame(self, place: str, clip: Path) -> Path:
        """The image at a row's path or URL as a run would give it to a critic: upright, cropped to the clip's size.

        Args:
            place: as the dataset has it.
            clip: the video that it is held against, as `video` gave it.

        Raises:
            IntakeError: it cannot be had or is no image.
            StorageError: the disk failed.
        """

        async def find() -> Path:
            data = await self._image(place)
            return await asyncio.to_thread(_sized, data, clip, self._folder("frames"))

        return await self._once(f"first_frame {place} {clip}", find)

    async def _once(self, key: str, find: Callable[[], Awaitable[Path]]) -> Path:
        """What `find` finds; several who look for the same wait for one another."""
        if key not in self._known:
            async with self._alone.setdefault(key, asyncio.Lock()):
                if key not in self._known:
                    try:
                        with boundary(IntakeError, f"{key.partition(' ')[0]}: cannot be had"):
                            self._known[key] = await find()
                    except IntakeError as error:
                        self._known[key] = _FIELD.sub("first_frame", str(error))
            self._alone.pop(key, None)
        known = self._known[key]
        if isinstance(known, str):
            raise IntakeError(known)
        return known

    def _local(self, place: str) -> Path:
        try:
            path = self.folder / Path(place).expanduser()
            if path.is_file():
                wrong = no_video(path)
            else:
                wrong = "is no file" if path.exists() else "does not exist"
                wrong += f"; paths start from {shorten(str(self.folder.absolute()), 200)}"
        except OSError as error:
            wrong = f"cannot be read ({error.strerror}); check the path"
        except (ValueError, RuntimeError) as error:  # a NUL character, an unknown ~user
            wrong = f"cannot be read ({error}); check the path"
        if wrong:
            raise IntakeError(f"video: {shorten(place)} {wrong}")
        return path

    async def _fetched(self, url: str) -> Path:
        from agent.intake.download import download  # noqa: PLC0415  httpx is slow to import, and most clips are files

        into = self._folder("clips") / _named(url)
        if not into.exists():
            rules = FetchRules(
                allow_private_addresses=self.rules.allow_private_addresses,
                max_bytes=self.max_bytes,
                timeout_seconds=self.timeout_seconds,
                max_redirects=self.rules.max_redirects,
            )
            async with self._slot():
                await download(url, into, rules, check=no_video, resolve=self.resolve, dial=self.dial)
        return into

    async def _image(self, place: str) -> bytes:
        """An image file's bytes, those of a URL kept."""
        if not _is_url(place, "first_frame"):
            return await take_image(place, rules=self.rules, base=self.folder)

        async def find() -> Path:
            from agent.intake.fetch import fetch  # noqa: PLC0415  see above

            into = self._folder("frames") / _named(place.strip())
            if not into.exists():
                async with self._slot():
                    data = await fetch(place.strip(), self.rules, resolve=self.resolve, dial=self.dial)
                write_atomically(into, data)
            return into

        return (await self._once(f"first_frame {place}", find)).read_bytes()

    def _folder(self, name: str) -> Path:
        folder = self.cache / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _slot(self) -> asyncio.Semaphore:
        self._slots = self._slots or asyncio.Semaphore(self.at_once)
        return self._slots


def no_video(path: Path) -> str:
    """Why the critic's decoder does not take a file for a video, in words that follow its name; "" if it does.

    Raises:
        OSError: it cannot be read.
    """
    from critic.frames import length  # noqa: PLC0415  decoders are slow to import
    from critic.types import JudgeError  # noqa: PLC0415

    try:
        length(path)
    except JudgeError as error:
        return f"{str(error).removeprefix(f'{path.name} ')}; give an MP4, MOV, WebM, Matroska or GIF"
    return ""


def _sized(data: bytes, clip: Path, folder: Path) -> Path:
    """An image as the first frame of a clip, in a file of its own for each size."""
    from agent.intake import to_first_frame  # noqa: PLC0415  see above
    from generator.probe import probe  # noqa: PLC0415

    shown = probe(clip)
    into = folder / f"{hashlib.sha256(data).hexdigest()}-{shown.width}x{shown.height}.png"
    if not into.exists():
        write_atomically(into, to_first_frame(data, shown.width, shown.height).png)
    return into


def _is_url(place: str, column: str) -> bool:
    """Whether a place is an http(s) URL; False: it is a path.

    Raises:
        IntakeError: it is neither.
    """
    found = _SCHEME.match(place)
    if found is None:
        return False
    if not found[1]:
        raise IntakeError(f"{column}: {shorten(place.strip(), 40)} is not read; give a path or an http(s) URL")
    return True


def _named(url: str) -> str:
    return hashlib.sha256(os.fsencode(url)).hexdigest()
