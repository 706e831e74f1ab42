"""A run's folder: config.yaml, first_frame.png, events.jsonl, run.json, clips, memory, report.html."""

import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from agent.config import RunConfig
from agent.errors import RunFolderError, StorageError, boundary, storage_error
from agent.events import Event, RunStarted, after
from agent.files import write_atomically
from agent.report import write_report
from agent.types import Run

log = logging.getLogger(__name__)

CONFIG, EVENTS, RUN, FRAME, LOCK = "config.yaml", "events.jsonl", "run.json", "first_frame.png", ".lock"
SHOWN = {"run_started", "caption_ready", "candidate_ready", "attempt_failed", "run_finished"}
"""Events that change what run.json and the report show."""


def new_id(prompt: str, now: datetime) -> str:
    """A folder name that sorts by time and can be told from its neighbours."""
    words = "-".join(re.findall(r"[a-z0-9]+", prompt.lower())[:5])[:40].strip("-")
    return "-".join(part for part in (f"{now:%Y%m%d-%H%M%S}", words, secrets.token_hex(2)) if part)


def create(folder: Path, config: RunConfig, run: Run, first_frame: bytes | None) -> None:
    """Make a run's folder, whole or not at all.

    Raises:
        RunFolderError: the folder is taken.
        StorageError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = f"; go on with it by --resume {folder}" if (folder / RUN).exists() else ""
        raise RunFolderError(f"{folder}: is there already and not empty; choose another --out{hint}")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    with boundary(StorageError, f"making the run folder {folder}"):
        made = _missing_parents(folder)
        try:
            (aside / "clips").mkdir(parents=True)
            (aside / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
            if first_frame is not None:
                (aside / FRAME).write_bytes(first_frame)
            (aside / RUN).write_text(_dump(run), encoding="utf-8")
            aside.replace(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            for parent in made:
                with suppress(OSError):
                    parent.rmdir()
            raise


def _missing_parents(folder: Path) -> list[Path]:
    return [p for p in folder.absolute().parents if not p.exists()]


def load(folder: Path) -> Run:
    """Read a run back from its folder.

    Raises:
        RunFolderError: the folder holds no run, or a damaged one.
    """
    path = folder / RUN
    try:
        run = Run.model_validate_json(path.read_text(encoding="utf-8"), context={"folder": folder})
    except FileNotFoundError:
        raise RunFolderError(f"{folder}: is not a run folder (it has no {RUN})") from None
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path}: is damaged: {str(error).splitlines()[0]}") from error
    return run.model_copy(update={"folder": folder})


def _dump(run: Run) -> str:
    return run.model_dump_json(indent=1, context={"folder": run.folder})


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the run's lock, so that two processes cannot both work on it. The system frees it when the process dies.

    Raises:
        RunFolderError: another process holds it.
    """
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunFolderError(
            f"{folder}: another process is working on this run; wait for it, or stop it first"
        ) from None


class Journal:
    """Writes down a run while it happens: a listener of its events. The lock must be held."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.folder

    def __call__(self, event: Event) -> None:
        """Append the event, replace run.json, and rebuild the report where it shows something new.

        Raises:
            StorageError: the disk failed.
        """
        self.run = after(self.run, event)
        line = event.model_dump_json(context={"folder": self.folder})
        try:
            with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            if event.type in SHOWN:
                write_atomically(self.folder / RUN, _dump(self.run))
                write_report(self.run)
        except OSError as error:
            raise storage_error(f"writing down the run in {self.folder}", error) from error

    def seconds_spent(self) -> float:
        """Wall seconds that earlier sessions of this run worked, from the times of their events."""
        spent = 0.0
        start = last = None
        for event in read_events(self.folder):
            if isinstance(event, RunStarted):
                spent += (last - start).total_seconds() if start and last else 0.0
                start = event.at
            last = event.at
        return spent + ((last - start).total_seconds() if start and last else 0.0)


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run, oldest first. A last line that a kill cut off is skipped."""
    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield adapter.validate_json(line, context={"folder": folder})
        except ValidationError:
            log.warning("%s: a damaged line was skipped", folder / EVENTS)


def now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)
