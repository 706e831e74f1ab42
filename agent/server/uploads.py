"""Uploads on the disk: each a folder of its own, found again after a restart, gone when its time is over."""

import asyncio
import re
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.requests import Request

from agent.server.config import ServerConfig
from agent.server.context import context_of
from agent.server.keeping import kept
from agent.server.storage.nouns import ABOUT, DATA, PARTS, About, Named, Upload
from agent.server.storage.passes import Passes
from agent.server.storage.writing import Landing, joined, land
from agent.server.types import Caller, Refused, refused

PENDING_SECONDS: Final = 3 * 3600.0
"""In which an upload that was begun must be whole; its address takes nothing after that."""
MOST: Final = 10_000
"""Uploads of one key at the same time, and parts of one upload."""
SWEEP_SECONDS: Final = 60.0
_ADDRESS: Final = re.compile(r"/(?:uploads|files)/([A-Za-z0-9_-]{32})/[^/]+\Z", re.ASCII)
_PART: Final = re.compile(r"([0-9]{5})\.([0-9a-f]{64})")


class Uploads:
    """All uploads, each its owner's.

    Args:
        folder: where they lie; only this user may look.
        config: the limits and how long they are kept.
    """

    def __init__(self, folder: Path, config: ServerConfig) -> None:
        self._folder = folder
        self._config = config
        self._seconds = config.retention.upload_hours * 3600
        self._all: dict[str, Upload] = {}
        self._bytes: defaultdict[str, int] = defaultdict(int)
        self._swept = time.monotonic()
        self.passes = Passes(kept(folder / ".secret", lambda: secrets.token_bytes(32)))
        for place in folder.iterdir():
            if place.is_dir():
                self._find_again(place)
        self.sweep()

    def begin(self, owner: str, named: Named) -> Upload:
        """A place for a file of the owner's.

        Raises:
            Refused: 429, the owner has too many.
        """
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self.sweep()
        if sum(upload.about.owner == owner for upload in self._all.values()) >= MOST:
            raise refused(429, "too_many_uploads", f"this key keeps {MOST} uploads here; delete some, or wait")
        id = secrets.token_urlsafe(24)  # noqa: A001 - as everywhere
        folder = self._folder / id
        folder.mkdir(mode=0o700)
        upload = Upload(id, folder, About(**named.model_dump(), owner=owner, created_at=time.time()))
        upload.write_about()
        self._all[id] = upload
        return upload

    def find(self, id: str) -> Upload | None:  # noqa: A002 - as everywhere
        """An upload whose time is not over."""
        upload = self._all.get(id)
        return upload if upload is not None and time.time() < self.expires_at(upload) else None

    def expires_at(self, upload: Upload) -> float:
        """When it is removed, in seconds since 1970."""
        about = upload.about
        if about.keep_seconds is not None:
            end = about.created_at + min(about.keep_seconds, self._seconds)
        else:
            end = upload.used_at + self._seconds
        return end if about.bytes is not None else min(end, about.created_at + PENDING_SECONDS)

    def used(self, upload: Upload) -> None:
        """It was used just now, which keeps it longer."""
        upload.used_at = time.time()
        with suppress(OSError):
            (upload.folder / DATA).touch()

    async def take(self, upload: Upload, stream: AsyncIterable[bytes]) -> None:
        """The whole file. Sent again, as clients do whose answer was lost, it must be the same.

        Raises:
            Refused: 413 (too large, or too much of this key's), 403 (another file was sent there), 408.
        """
        async with upload.changing:
            landed = await self._land(upload, stream, self._config.limits.max_upload_bytes)
            if upload.about.bytes is not None:
                landed.path.unlink()
                self._bytes[upload.about.owner] -= landed.bytes
                if landed.sha256 != upload.about.sha256:
                    raise refused(403, "upload_is_over", "another file was sent to this address; begin a new upload")
                return
            landed.path.replace(upload.folder / DATA)
            upload.write_about(bytes=landed.bytes, sha256=landed.sha256)

    async def take_part(self, upload: Upload, number: int, stream: AsyncIterable[bytes]) -> str:
        """A part of the file, and its ETag. Sent again, it goes in the place of the first.

        Raises:
            Refused: as `take`, and 422.
        """
        if not 1 <= number <= MOST:
            raise refused(422, "value_error", f"part number: must be from 1 to {MOST}", loc=("partNumber",))
        if upload.about.bytes is not None:
            raise refused(403, "upload_is_over", "this upload is whole; begin a new one")
        others = sum(part.bytes for at, part in upload.parts.items() if at != number)
        landed = await self._land(upload, stream, self._config.limits.max_upload_bytes - others)
        async with upload.changing:  # while parts are joined none of them changes
            if self._is_gone(upload) or upload.about.bytes is not None:
                landed.path.unlink(missing_ok=True)
                self._bytes[upload.about.owner] -= landed.bytes
                raise self._gone() if self._is_gone(upload) else refused(403, "upload_is_over", "it is whole meanwhile")
            before = upload.parts.get(number)
            (upload.folder / PARTS).mkdir(exist_ok=True)
            place = upload.folder / PARTS / f"{number:05}.{landed.sha256}"
            landed.path.replace(place)
            upload.parts[number] = Landing(place, landed.bytes, landed.sha256)
            if before is not None:
                self._bytes[upload.about.owner] -= before.bytes
                if before.path != place:
                    before.path.unlink(missing_ok=True)
        return landed.sha256

    async def join(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> None:
        """Make the file whole of its parts, by number and ETag, in whatever order they are named.

        Raises:
            Refused: 422, a part is missing, named twice, or another than was sent; 413.
        """
        async with upload.changing:
            if upload.about.bytes is not None:
                return  # asked again: the first answer was lost
            named = {number: etag.strip('"') for number, etag in parts}
            if not named or len(named) != len(parts):
                raise refused(422, "value_error", "parts: name each part once", loc=("parts",))
            for number, etag in named.items():
                if number not in upload.parts or upload.parts[number].sha256 != etag:
                    raise refused(422, "value_error", f"parts: part {number} is not here as named; send it again")
            chosen = [upload.parts[number] for number in sorted(named)]
            if sum(part.bytes for part in chosen) > self._config.limits.max_upload_bytes:
                raise self._too_large(self._config.limits.max_upload_bytes)
            try:
                whole = await asyncio.to_thread(joined, [part.path for part in chosen], upload.folder)
            except OSError as error:
                raise self._failed(upload) from error
            if self._is_gone(upload):
                raise self._gone()
            whole.path.replace(upload.folder / DATA)
            self._bytes[upload.about.owner] -= sum(part.bytes for part in upload.parts.values()) - whole.bytes
            upload.parts.clear()
            upload.write_about(bytes=whole.bytes, sha256=whole.sha256)
            await asyncio.to_thread(shutil.rmtree, upload.folder / PARTS, ignore_errors=True)

    def remove(self, upload: Upload) -> None:
        """Forget it, and what is here of it. Jobs that use it have it still."""
        if self._all.pop(upload.id, None) is not None:
            self._bytes[upload.about.owner] -= upload.size
            shutil.rmtree(upload.folder, ignore_errors=True)

    def sweep(self) -> int:
        """Remove those whose time is over, and say how many."""
        self._swept = time.monotonic()
        over = [upload for upload in self._all.values() if time.time() >= self.expires_at(upload)]
        for upload in over:
            self.remove(upload)
        return len(over)

    async def tidied(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def kept_bytes(self, owner: str) -> int:
        """Of all uploads of an owner, those being sent included."""
        return self._bytes[owner]

    async def _land(self, upload: Upload, stream: AsyncIterable[bytes], most: int) -> Landing:
        owner = upload.about.owner
        taken = 0

        def count(size: int) -> None:
            nonlocal taken
            taken += size
            self._bytes[owner] += size
            if taken > most:
                raise self._too_large(self._config.limits.max_upload_bytes)
            limit = self._config.limits.max_uploaded_bytes_per_key
            if self._bytes[owner] > limit:
                why = f"this key would keep over {limit:,} bytes of uploads here; delete some, or wait"
                raise refused(413, "uploads_full", why)

        try:
            landed = await land(stream, upload.folder, count)
        except OSError as error:
            self._bytes[owner] -= taken
            raise self._failed(upload) from error
        except BaseException:
            self._bytes[owner] -= taken
            raise
        if self._is_gone(upload):
            self._bytes[owner] -= taken
            raise self._gone()
        return landed

    def _is_gone(self, upload: Upload) -> bool:
        return self._all.get(upload.id) is not upload

    def _failed(self, upload: Upload) -> Refused:
        if self._is_gone(upload):
            return self._gone()
        return refused(507, "storage_failed", "the server's disk is full or failed; try later")

    @staticmethod
    def _gone() -> Refused:
        return refused(404, "not_found", "this upload was removed while it came")

    @staticmethod
    def _too_large(most: int) -> Refused:
        return refused(413, "file_too_large", f"the file is larger than {most:,} bytes, this server's limit")

    def _find_again(self, place: Path) -> None:
        """An upload as an earlier process left it."""
        try:
            about = About.model_validate_json((place / ABOUT).read_bytes())
            upload = Upload(place.name, place, about)
            if about.bytes is not None:
                upload.used_at = (place / DATA).stat().st_mtime
        except (OSError, ValidationError):  # cut off at its beginning, or damaged: nobody has its address
            shutil.rmtree(place, ignore_errors=True)
            return
        for left in (*place.glob(".*.part"), *place.glob(".*.tmp")):
            left.unlink(missing_ok=True)
        for part in place.glob(f"{PARTS}/*") if about.bytes is None else ():
            if found := _PART.fullmatch(part.name):
                upload.parts[int(found[1])] = Landing(part, part.stat().st_size, found[2])
        self._all[upload.id] = upload
        self._bytes[about.owner] += upload.size


def resolve(url: str, caller: Caller, request: Request) -> Path | None:
    """The file behind an address of one of the caller's own uploads; None: it is no such address.

    By whatever host name: ids cannot be guessed, so an id of the caller's is the caller's file.
    """
    return resolved(url, caller, context_of(request).uploads)


def resolved(url: str, caller: Caller, uploads: Uploads) -> Path | None:
    """As `resolve`, of the uploads at hand."""
    upload = upload_at(url, uploads)
    if upload is None or not (upload.about.owner == caller.owner or "admin" in caller.scopes):
        return None
    if upload.path is not None:
        uploads.used(upload)
    return upload.path


def upload_at(url: str, uploads: Uploads) -> Upload | None:
    """The upload that an address is of, whosoever."""
    found = _address(url)
    return None if found is None else uploads.find(found[1])


def looks_like_upload(url: str) -> bool:
    """Whether an address has the form of those that uploads are given."""
    return _address(url) is not None


def _address(url: str) -> re.Match[str] | None:
    try:
        return _ADDRESS.search(urlsplit(url).path)
    except ValueError:
        return None
