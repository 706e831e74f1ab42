"""The desk: where every dialect hands in its requests, asks after them, and takes them back."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from agent.run import Run
from agent.server.types import Caller, Dialect, Job, LogLine, NewJob, State

Cancelled = Literal["removed", "requested", "over", "unknown"]
"""Taken out of the queue; asked to stop; was over already; there is none."""


@dataclass(frozen=True)
class Page:
    """A part of a list of jobs, newest first unless asked otherwise."""

    jobs: Sequence[Job]
    more: bool


def may_see(caller: Caller, job: Job) -> bool:
    """Whether a job is the caller's."""
    return job.owner == caller.owner or "admin" in caller.scopes


class Desk(Protocol):
    """What handlers may ask of the queue. Nothing here gives one caller another's job: it is as if it were not there.

    An `admin` sees everybody's.
    """

    async def submit(self, new: NewJob, caller: Caller) -> Job:
        """Take a request. When this returns it is on disk, and its id answers after any kill.

        The same idempotency key of the same owner gives the same job again.

        Raises:
            Refused: 429 (the queue is full, the key has too many, or their media take too much), 413 (so do those of
                this one alone), 422 (the same idempotency key for something else; the model's config does not take
                the request), 503 (draining).
        """

    def find(self, id: str, caller: Caller, dialect: Dialect | None = None) -> Job | None:  # noqa: A002
        """A job of the caller's, from memory where it is live: cheap."""

    def find_by_media_key(self, key: str) -> Job | None:
        """The job whose files a media key opens, whoever asks."""

    def position(self, job: Job) -> int:
        """How many jobs will start before it; 0 where it is next or no longer waits.

        As it stands now (see `agent.server.turns`): another key's later job may still go first.
        """

    def logs(self, job: Job, start: int = 0) -> list[LogLine]:
        """What it has told so far, from line `start` on. Lines never change once told."""

    def progress(self, job: Job) -> float:
        """How much of the work is done, in [0, 1], by the renders that may still come."""

    def run(self, job: Job) -> Run | None:
        """The run as far as it has come, by its events; None before it began."""

    def list(
        self,
        caller: Caller,
        *,
        dialect: Dialect | None = None,
        states: Sequence[State] = (),
        after: str | None = None,
        limit: int = 20,
        ascending: bool = False,
    ) -> Page:
        """Jobs of the caller's; `after`: the id that the part before ended with."""

    async def cancel(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """Take a job back. A running one ends as soon as its backend lets it; what was done is kept."""

    async def delete(self, id: str, caller: Caller) -> Cancelled:  # noqa: A002
        """Take a job back and remove all that is kept of it. "over": it was over, and is gone now."""

    async def changed(self, job: Job, *, lines: int, timeout: float) -> Job:  # noqa: ASYNC109
        """The job once its state is another, or it has more than `lines` log lines, or the time is up, or `parting`."""

    async def ended(self, job: Job, *, timeout: float | None = None) -> Job:  # noqa: ASYNC109
        """The job once it is over. Raises TimeoutError, and Refused (503) once the server is `parting`."""

    def events(self, job: Job, *, after: int = 0) -> AsyncIterator[tuple[int, str]]:
        """(number from 1, JSON of the event) of what its run announces, from number `after` + 1 on, to its end.

        It stops before that once the server is `parting`.
        """

    def folder(self, job: Job) -> Path:
        """The run's folder; it may not be there yet."""

    async def drain(self) -> None:
        """Take nothing more, begin nothing more, and wait for what runs, as long as `server.drain_seconds` says."""

    @property
    def parting(self) -> bool:
        """Whether it is drained, and the server about to go: nothing is waited for any more."""

    def facts(self) -> dict[str, Any]:
        """Figures of the whole desk: `queued`, `running`, `draining`, `engine_away`. All from memory."""
