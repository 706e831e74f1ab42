"""Webhooks still to be delivered, on the disk: one SQLite file, each change committed before it is acted on."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from agent.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    body BLOB,
    begun REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE due IS NOT NULL;
"""


@dataclass(frozen=True)
class Delivery:
    """What is to be told to whom. Times in seconds since 1970."""

    id: str
    """The job's."""
    owner: str
    url: str
    begun: float
    attempts: int
    due: float


class Deliveries:
    """The file. Safe to call from several threads.

    Args:
        path: of the file; its folder exists.

    Raises:
        StorageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        with self._at_work():
            self._disk = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._disk.execute("PRAGMA journal_mode=WAL")
            self._disk.execute("PRAGMA synchronous=FULL")
            self._disk.executescript(_SCHEMA)

    def add(self, id: str, owner: str, url: str, body: bytes, now: float) -> None:  # noqa: A002 - the job's own word
        """Have something delivered. Again, of the same job: the later body stands, unless it was delivered already."""
        with self._at_work():
            self._disk.execute(
                "INSERT INTO deliveries (id, owner, url, body, begun, due) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body WHERE due IS NOT NULL",
                (id, owner, url, body, now, now),
            )

    def due(self, now: float) -> list[Delivery]:
        """Those whose time has come: each owner's longest waiting one first, then the second of each, and so on."""
        with self._at_work():
            rows = self._disk.execute(
                "SELECT id, owner, url, begun, attempts, due FROM (SELECT id, owner, url, begun, attempts, due, "
                "ROW_NUMBER() OVER (PARTITION BY owner ORDER BY due) AS turn FROM deliveries WHERE due <= ?) "
                "ORDER BY turn, due LIMIT 1000",
                (now,),
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def next_due(self, now: float) -> float | None:
        """When the next one's time comes, after `now`."""
        with self._at_work():
            found: float | None = self._disk.execute(
                "SELECT MIN(due) FROM deliveries WHERE due > ?", (now,)
            ).fetchone()[0]
        return found

    def body(self, id: str) -> bytes:  # noqa: A002 - as above
        """What is to be sent."""
        with self._at_work():
            found: bytes = self._disk.execute("SELECT body FROM deliveries WHERE id = ?", (id,)).fetchone()[0]
        return found

    def failed(self, id: str, due: float | None) -> None:  # noqa: A002 - as above
        """An attempt failed; the next one is due then. None: it was the last."""
        self._tried(id, due)

    def delivered(self, id: str) -> None:  # noqa: A002 - as above
        """It arrived."""
        self._tried(id, None)

    def forget(self, before: float) -> None:
        """Forget those that were begun before, and are over."""
        with self._at_work():
            self._disk.execute("DELETE FROM deliveries WHERE due IS NULL AND begun < ?", (before,))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._disk.close()

    def _tried(self, id: str, due: float | None) -> None:  # noqa: A002 - as above
        with self._at_work():
            self._disk.execute(
                "UPDATE deliveries SET attempts = attempts + 1, due = ?1, body = CASE WHEN ?1 IS NULL THEN NULL "
                "ELSE body END WHERE id = ?2",
                (due, id),
            )

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}; check the disk") from error
