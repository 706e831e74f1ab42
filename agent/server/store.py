"""Jobs on the disk: one SQLite file, each change committed before it is told."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from pydantic import ValidationError

from agent.errors import StorageError
from agent.server.types import LIVE, Dialect, Job, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    dialect TEXT NOT NULL,
    state TEXT NOT NULL,
    idempotency_key TEXT,
    media_key TEXT NOT NULL UNIQUE,
    ended_at REAL,
    keep_until REAL,
    bytes INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS unwanted (id TEXT PRIMARY KEY);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_once ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_of ON jobs (owner, seq);
CREATE INDEX IF NOT EXISTS jobs_in ON jobs (state);
CREATE INDEX IF NOT EXISTS jobs_over ON jobs (ended_at) WHERE ended_at IS NOT NULL;
"""
SOME = 50
"""Jobs that are read to be forgotten: the event loop waits meanwhile."""
FORMAT = 1
"""Of the file (SQLite's user_version): a newer one is refused and not guessed at."""


class Store:
    """The jobs of one server. Safe to call from several threads; a call takes milliseconds, for the disk's sake.

    Args:
        path: of the file; its folder exists.

    Raises:
        StorageError: it cannot be opened, or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        with self._told("opening"):
            self._disk = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._disk.execute("PRAGMA journal_mode=WAL")
            self._disk.execute("PRAGMA synchronous=FULL")  # accepted means on disk, also when the machine loses power
            found = self._disk.execute("PRAGMA user_version").fetchone()[0]
            if found > FORMAT:
                raise StorageError(
                    f"{path}: is of a newer Retake; serve it with that one, or choose another output.dir"
                )
            self._disk.executescript(_SCHEMA)
            self._disk.execute(f"PRAGMA user_version={FORMAT}")
            # the event loop reads by a connection of its own: it waits for no writer
            self._reader = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._disk.close()
            self._reader.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction of all that this thread changes within: it is on the disk when the context is left.

        Raises:
            StorageError: the disk failed. As with any other error, nothing of it is written then.
        """
        with self._told("writing down jobs"), self._lock:
            try:
                self._disk.execute("BEGIN IMMEDIATE")
                yield
                self._disk.execute("COMMIT")
            except BaseException:
                if self._disk.in_transaction:
                    self._disk.execute("ROLLBACK")
                raise

    def add(self, job: Job) -> int:
        """Write a new job down. Returns its place in the order of arrival.

        Raises:
            StorageError: the disk failed, or the id is taken.
        """
        with self._told("writing down a job"), self._lock:
            done = self._disk.execute(
                "INSERT INTO jobs (id, owner, dialect, state, idempotency_key, media_key, ended_at, keep_until, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job.id,
                    job.owner,
                    job.dialect,
                    job.state,
                    job.idempotency_key,
                    job.media_key,
                    *_times(job),
                    _dump(job),
                ),
            )
            return done.lastrowid or 0

    def save(self, job: Job, size: int | None = None) -> None:
        """Write a job down as it is now. `size`: bytes that its folder takes.

        Raises:
            StorageError: the disk failed.
        """
        with self._told("writing down a job"), self._lock:
            self._disk.execute(
                "UPDATE jobs SET state = ?, ended_at = ?, keep_until = ?, bytes = COALESCE(?, bytes), body = ? "
                "WHERE id = ?",
                (job.state, *_times(job), size, _dump(job), job.id),
            )

    def remove(self, id: str) -> None:  # noqa: A002 - the noun's own field
        """Forget a job."""
        with self._told("removing a job"), self._lock:
            self._disk.execute("DELETE FROM jobs WHERE id = ?", (id,))
            self._disk.execute("DELETE FROM unwanted WHERE id = ?", (id,))

    def unwant(self, id: str) -> None:  # noqa: A002 - as above
        """Write down that a job is to be forgotten once it is over."""
        with self._told("removing a job"), self._lock:
            self._disk.execute("INSERT OR IGNORE INTO unwanted VALUES (?)", (id,))

    def unwanted(self) -> list[str]:
        """Those that are to be."""
        with self._told("reading the jobs"):
            return [id for (id,) in self._reader.execute("SELECT id FROM unwanted")]  # noqa: A001 - as above

    def get(self, id: str) -> Job | None:  # noqa: A002 - as above
        """A job by its id."""
        return self._one("SELECT body FROM jobs WHERE id = ?", (id,))

    def by_key(self, owner: str, key: str) -> Job | None:
        """The job of an idempotency key."""
        return self._one("SELECT body FROM jobs WHERE owner = ? AND idempotency_key = ?", (owner, key))

    def by_media_key(self, key: str) -> Job | None:
        """The job whose files a media key opens."""
        return self._one("SELECT body FROM jobs WHERE media_key = ?", (key,))

    def live(self) -> list[tuple[int, Job]]:
        """All that are not over, with their places, in the order of arrival."""
        marks = ", ".join("?" * len(LIVE))
        with self._told("reading the jobs"):
            rows = self._reader.execute(
                f"SELECT seq, body FROM jobs WHERE state IN ({marks}) ORDER BY seq",  # noqa: S608 - question marks
                sorted(LIVE),
            ).fetchall()
            return [(seq, Job.model_validate_json(body)) for seq, body in rows]

    def list(
        self,
        owner: str | None,
        *,
        dialect: Dialect | None,
        states: Sequence[State],
        after: str | None,
        limit: int,
        ascending: bool,
    ) -> list[Job]:
        """Jobs in the order of arrival or against it, from the one behind `after` on. `owner` None: everybody's."""
        where, given = ["1"], list[object]()
        if owner is not None:
            where.append("owner = ?")
            given.append(owner)
        if dialect is not None:
            where.append("dialect = ?")
            given.append(dialect)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            given += states
        if after is not None:
            where.append(f"seq {'>' if ascending else '<'} (SELECT seq FROM jobs WHERE id = ?)")  # noqa: S608 - a sign
            given.append(after)
        order = "ASC" if ascending else "DESC"
        sql = f"SELECT body FROM jobs WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - as above
        with self._told("listing the jobs"):
            rows = self._reader.execute(sql, (*given, limit)).fetchall()
            return [Job.model_validate_json(body) for (body,) in rows]

    def outlived(self, now: float, ended_before: float | None) -> Sequence[Job]:
        """Some of the jobs that are over and whose time is up, by their own date or by `ended_before`."""
        with self._told("reading the jobs"):
            rows = self._reader.execute(
                "SELECT body FROM jobs WHERE ended_at IS NOT NULL AND "
                "(keep_until <= ? OR (keep_until IS NULL AND ended_at <= ?)) LIMIT ?",
                (now, -1.0 if ended_before is None else ended_before, SOME),
            ).fetchall()
            return [Job.model_validate_json(body) for (body,) in rows]

    def beyond(self, room: float) -> Sequence[Job]:
        """Some of the jobs that are over and take, with all newer ones, more bytes than that."""
        with self._told("reading the jobs"):
            rows = self._reader.execute(
                "SELECT body FROM jobs WHERE seq IN (SELECT seq FROM (SELECT seq, SUM(bytes) OVER "
                "(ORDER BY ended_at DESC, seq DESC) AS total FROM jobs WHERE ended_at IS NOT NULL) WHERE total > ?) "
                "LIMIT ?",
                (room, SOME),
            ).fetchall()
            return [Job.model_validate_json(body) for (body,) in rows]

    def _one(self, sql: str, given: tuple[object, ...]) -> Job | None:
        with self._told("reading a job"):
            row = self._reader.execute(sql, given).fetchone()
            return None if row is None else Job.model_validate_json(row[0])

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{doing} in {self._path}: {error}; check the disk") from error
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise StorageError(
                f"{doing} in {self._path}: {where}: this version of Retake cannot read what is there; serve it with "
                "the version that wrote it, or choose another output.dir"
            ) from error


def _times(job: Job) -> tuple[float | None, float | None]:
    return (
        None if job.ended_at is None else job.ended_at.timestamp(),
        None if job.keep_until is None else job.keep_until.timestamp(),
    )


def _dump(job: Job) -> str:
    return job.model_dump_json(exclude_defaults=True)
