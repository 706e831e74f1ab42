"""What a run tells, read from its events.jsonl as it grows: numbered events, log lines, and how far it has come."""

import io
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from agent.errors import RetakeError
from agent.events import AttemptFailed, Event, RunFinished, ServerWaiting
from agent.journal import EVENTS
from agent.run import Run
from agent.server.progress import Progress
from agent.server.types import LogLine
from agent.terminal import Plain

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
MOST_LINES: Final = 10_000
"""Log lines that are kept of a run; those beyond are in its events."""


class Book:
    """The events of one run so far, as log lines. It reads no more of the file than is new.

    A number is an event's line in the file, from 1 on: it stays the same over every restart.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._plain = Plain(io.StringIO())
        self._progress = Progress()
        self.number = 0
        """Of the last line read."""
        self.lines: list[LogLine] = []
        self.done = 0.0
        """How much of the work is done, in [0, 1]. It never falls."""

    @property
    def run(self) -> Run | None:
        """The run as its events tell it; None before it has begun."""
        return self._plain.run

    def read(self) -> bool:
        """Take in what is new. Returns whether there was anything."""
        lines, self._offset = raw(self._folder, self.number, self._offset)
        for line in lines:
            self.number += 1
            self._take(line)
        if lines and self.run is not None:
            self.done = max(self.done, self._progress.share(self.run))
        return bool(lines)

    def _take(self, line: bytes) -> None:
        try:
            event = _EVENT.validate_json(line, context={"folder": self._folder})
        except ValidationError:
            return  # cut off by a kill: the journal began a new line after it
        out = io.StringIO()
        self._plain.out = out
        try:
            self._plain(event)
            self._progress.heed(event)
        except (RetakeError, IndexError, ValueError):
            return  # an event before this one is lost
        level = "ERROR" if isinstance(event, AttemptFailed) else "DEBUG" if isinstance(event, ServerWaiting) else "INFO"
        if isinstance(event, RunFinished) and event.ending.reason == "failed":
            level = "ERROR"
        at = event.at.isoformat()
        for text in out.getvalue().splitlines():
            if len(self.lines) < MOST_LINES and not text.startswith("Run "):  # where it lies is nobody's business
                self.lines.append(LogLine(text.strip(), level, at))  # type: ignore[arg-type]


def raw(folder: Path, after: int = 0, offset: int = 0) -> tuple[list[bytes], int]:
    """Whole lines of a run's events from number `after` + 1 on, and where the next one begins.

    Args:
        folder: the run's.
        after: number of the last line that is known.
        offset: where line `after` + 1 begins; 0: it is found by counting.
    """
    lines: list[bytes] = []
    skip = 0 if offset else after
    try:
        with (folder / EVENTS).open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # still being written
                offset += len(line)
                if skip:
                    skip -= 1
                else:
                    lines.append(line)
    except FileNotFoundError:
        return [], 0
    return lines, 0 if skip else offset
