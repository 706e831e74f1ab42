"""Who may still come in, and what they bring, laid on the disk."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.files import file_hash, sync_folder
from agent.server.config import LimitsConfig
from agent.server.entries import Entries
from agent.server.types import NewJob, refused
from agent.server.weighing import Weights


class Admission:
    """Bounds the queue, also for those that are on their way to the disk.

    Args:
        limits: how many may wait.
        entries: who waits.
    """

    def __init__(self, limits: LimitsConfig, entries: Entries) -> None:
        self._limits = limits
        self._entries = entries
        self._arriving: list[tuple[str, Weights]] = []
        """Owners, and what they bring."""
        self._durations: list[float] = []

    @contextmanager
    def place(self, owner: str, media: Weights) -> Iterator[None]:
        """A place in the queue, held while its job is written down.

        Raises:
            Refused: 429: the queue is full, or this key's part of it, or of the disk; 413: that is too small for these.
        """
        self._admit(owner)
        if media:
            self._make_room(owner, media)
        arrival = (owner, media)
        self._arriving.append(arrival)
        try:
            yield
        finally:
            self._arriving.remove(arrival)

    def took(self, seconds: float) -> None:
        """Learn how long a job ran."""
        self._durations = [*self._durations[-99:], seconds]

    @property
    def patience(self) -> float:
        """Seconds until a place is likely to come free, by what the last runs took."""
        if not self._durations:
            return 10.0
        return min(600.0, max(1.0, sorted(self._durations)[len(self._durations) // 2] / self._limits.max_running))

    def _admit(self, owner: str) -> None:
        limits = self._limits
        waiting = self._entries.waiting()
        free = limits.max_running - (len(self._entries) - len(waiting))
        coming = len(waiting) + len(self._arriving)
        if coming >= limits.max_queued + max(0, free):
            why = f"the queue is full: {coming} requests wait, and {limits.max_queued} may; ask again later"
            raise refused(429, "queue_full", why, retry_after=self.patience)
        if limits.max_queued_per_key is None:
            return
        mine = sum(entry.job.owner == owner for entry in waiting) + sum(one == owner for one, _ in self._arriving)
        if mine >= limits.max_queued_per_key:
            why = f"{mine} requests of this key wait, and {limits.max_queued_per_key} may; ask again later"
            raise refused(429, "concurrent_requests_limit", why, retry_after=self.patience)

    def _make_room(self, owner: str, media: Weights) -> None:
        """Bound what one key's jobs hold: an upload that was removed lies here for as long as they live."""
        limit, size = self._limits.max_input_bytes_per_key, sum(media.values())
        if size > limit:
            why = f"the media of this request take {size:,} bytes, and those of one key may take {limit:,}"
            raise refused(413, "file_too_large", why)
        held = dict(media)
        for entry in self._entries:
            if entry.job.owner == owner:
                held.update(entry.media)
        for one, brought in self._arriving:
            if one == owner:
                held.update(brought)
        total = sum(held.values())
        if total > limit:
            why = f"the media of this key's requests would take {total:,} bytes, and {limit:,} may; ask again later"
            raise refused(429, "concurrent_requests_limit", why, retry_after=self.patience)


def suffix(given: bytes | Path) -> str:
    """Of a file of ours, which has one that we chose."""
    return given.suffix if isinstance(given, Path) else ""


def digest(new: NewJob) -> str:
    """SHA-256 of what is asked: the request and its media."""
    whole = hashlib.sha256(new.endpoint.encode())
    whole.update(new.request.model_dump_json().encode())
    whole.update(json.dumps(dict(new.wire), sort_keys=True, default=str).encode())
    for name, given in sorted(new.inputs.items()):
        whole.update(name.encode())
        whole.update(hashlib.sha256(given).digest() if isinstance(given, bytes) else bytes.fromhex(file_hash(given)))
    return whole.hexdigest()


def keep(folder: Path, names: Mapping[str, str], given: Mapping[str, bytes | Path]) -> None:
    """Write a request's media down: on the disk before the job is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in given.items():
        path = folder / names[name]
        if isinstance(data, Path):
            try:
                os.link(data, path)
            except OSError:
                shutil.copyfile(data, path)
        else:
            path.write_bytes(data)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for place in (folder, folder.parent):  # and their names
        with suppress(OSError):  # Windows has no such thing
            sync_folder(place)
