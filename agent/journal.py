"""A run's folder: config.yaml, first_frame.png, events.jsonl, run.json, clips, memory, report.html."""

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from agent.config import RunConfig
from agent.errors import RunFolderError, StorageError, boundary, storage_error
from agent.events import (
    Event,
    ExportFailed,
    ExportStarted,
    RunFinished,
    RunStarted,
    ServerReady,
    ServerWaiting,
    VideoExported,
    after,
)
from agent.files import write_atomically
from agent.ledger import fallbacks, ledger
from agent.reading import load_config
from agent.report.reporter import Reporter
from agent.run import Run

log = logging.getLogger(__name__)

CONFIG, EVENTS, RUN, LOCK = "config.yaml", "events.jsonl", "run.json", ".lock"
RUBRIC = "rubric.yaml"
"""The user's own questions, as they were when the run began."""
MAKING = ".making"
"""Stands in a folder until all is in it that a run begins with."""
FORMAT = 1
"""Of run.json."""
SHOWN = {
    *("run_started", "forecast_made", "caption_ready", "candidate_ready", "attempt_failed", "seed_given_up"),
    "run_finished",
    *("video_exported", "export_failed"),
}
"""Events that change what run.json and the report show."""


def new_id(prompt: str, now: datetime) -> str:
    """A folder name that sorts by time and can be told from its neighbours."""
    words = "-".join(re.findall(r"[a-z0-9]+", prompt.lower())[:5])[:40].strip("-")
    return "-".join(part for part in (f"{now:%Y%m%d-%H%M%S}", words, secrets.token_hex(2)) if part)


def create(folder: Path, config: RunConfig, run: Run, given: Mapping[str, bytes]) -> None:
    """Make a run's folder, whole or not at all. `given`: the user's files that it keeps, by name.

    Raises:
        RunFolderError: the folder is taken.
        StorageError: it cannot be written.
    """
    if (folder / MAKING).exists() and not (folder / RUN).exists():  # our own, cut off by a kill
        for name in (CONFIG, RUBRIC, MAKING, *given):
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            (folder / "clips").rmdir()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = f"; go on with it by --resume {folder}" if (folder / RUN).exists() else ""
        raise RunFolderError(f"{folder}: is there already and not empty; choose another --out{hint}")
    if blocked := next((p for p in folder.parents if p.exists() and not p.is_dir()), None):
        raise RunFolderError(f"{folder}: cannot be made, since {blocked} is a file; choose another --out")
    with boundary(StorageError, f"making the run folder {folder}"):
        if folder.exists():  # somebody's mount point, or where their shell stands: it is filled and not replaced
            _fill(folder, config, run, given)
            return
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        made = _missing_parents(folder)
        try:
            aside.mkdir(parents=True)
            _fill(aside, config, run, given)
            aside.replace(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            for parent in made:
                with suppress(OSError):
                    parent.rmdir()
            raise


def _fill(place: Path, config: RunConfig, run: Run, given: Mapping[str, bytes]) -> None:
    (place / MAKING).touch()
    (place / "clips").mkdir()
    (place / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
    for name, data in given.items():
        (place / name).write_bytes(data)
    write_atomically(place / RUN, _dump(run))  # without it the folder is no run
    (place / MAKING).unlink()


def _missing_parents(folder: Path) -> list[Path]:
    return [p for p in folder.absolute().parents if not p.exists()]


def runs_in(folder: Path) -> list[Path]:
    """The run folders that a folder is or holds, in the order of their names; hidden ones are none.

    Raises:
        OSError: the folder cannot be read.
    """
    if (folder / RUN).is_file():
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and (path / RUN).is_file())


def load(folder: Path) -> Run:
    """Read a run back from its folder.

    Raises:
        RunFolderError: the folder holds no run, or a damaged one.
    """
    path = folder / RUN
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        facts = {key: value for key, value in data.items() if key not in {"format", "result"}}
        run = Run.model_validate(facts, context={"folder": folder})
    except FileNotFoundError:
        why = f"it has no {RUN}" if folder.is_dir() else "there is no such folder"
        raise RunFolderError(f"{folder}: is not a run folder ({why})") from None
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        told = _told(folder)
        if told is None:
            raise RunFolderError(f"{path}: is damaged, and {EVENTS} does not tell the run: begin a new one") from error
        log.warning("%s is damaged; the run is read from %s", path, EVENTS)
        run = told
    return run.model_copy(update={"folder": folder})


def load_settings(folder: Path) -> RunConfig:
    """Read a run's config back from its folder.

    Raises:
        RunFolderError: it is gone.
        ConfigError: a key is wrong.
    """
    if not (folder / CONFIG).exists():
        raise RunFolderError(f"{folder}: its {CONFIG} is gone; put it back, or begin a new run")
    return load_config(folder / CONFIG)


def _told(folder: Path) -> Run | None:
    """The run as its events tell it."""
    run: Run | None = None
    try:
        for event in read_events(folder):
            run = event.run if isinstance(event, RunStarted) else after(run, event) if run else None
    except (IndexError, ValueError):  # an event before this one is lost
        return None
    return run


def _dump(run: Run) -> str:
    """The whole run, headed by what it came to so that nobody has to work it out."""
    best = run.best
    result = {
        "stop_reason": run.stop_reason,
        "score": run.score,
        "accepted": run.accepted,
        "calibrated": run.calibrated,
        "video": None if run.video is None else run.video.relative_to(run.folder).as_posix(),
        "seed": None if best is None else best.seed,
        "iteration": run.best_iteration,
        "seconds": run.seconds,
        "ledger": ledger(run).facts(),
        "fallbacks": [{"iteration": index, "why": why} for index, why in fallbacks(run).items()],
        "notes": run.notes,
    }
    facts = run.model_dump(mode="json", context={"folder": run.folder})
    return json.dumps({"format": FORMAT, "result": result, **facts}, indent=1)


@contextmanager
def only_writer(folder: Path, what: str = "run") -> Iterator[None]:
    """Hold the run's lock, so that two processes cannot both work on it. The system frees it when the process dies.

    `what`: the folder is of, where that is no run.

    Raises:
        RunFolderError: another process holds it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunFolderError(
            f"{folder}: another process is working on this {what}; wait for it, or stop it first"
        ) from None
    except OSError as error:
        raise storage_error(f"locking the {what} in {folder}", error) from error
    try:
        yield
    finally:
        lock.release()


class Journal:
    """Writes down a run while it happens: a listener of its events. The lock must be held."""

    def __init__(self, run: Run, reporter: Reporter | None = None) -> None:
        self.run = run
        self.folder = run.folder
        self.reporter = reporter or Reporter()
        self.begun = False
        """Whether this session has written a line."""

    def __call__(self, event: Event) -> None:
        """Append the event, replace run.json, and rebuild the report where it shows something new.

        Raises:
            StorageError: the disk failed.
        """
        before, self.run = self.run, after(self.run, event)
        line = event.model_dump_json(context={"folder": self.folder})
        try:
            with (self.folder / EVENTS).open("a+b") as file:
                if not self.begun and not _ends_a_line(file):
                    file.write(b"\n")  # a kill cut the last line off: it must not swallow this one
                file.write(line.encode() + b"\n")
            self.begun = True
            if event.type in SHOWN or self.run is not before:  # what was lost is spent, whatever comes next
                write_atomically(self.folder / RUN, _dump(self.run))
                if isinstance(event, RunStarted | RunFinished | VideoExported | ExportFailed):
                    self.reporter.finish(self.run)
                else:
                    self.reporter.show(self.run)
        except OSError as error:
            raise storage_error(f"writing down the run in {self.folder}", error) from error

    def seconds_spent(self) -> float:
        """Wall seconds that earlier sessions of this run worked, from the times of their events."""
        spent = 0.0
        start = last = None
        for event in read_events(self.folder):
            if isinstance(event, ServerWaiting | ServerReady | ExportStarted | VideoExported | ExportFailed):
                continue  # it stands outside its session's start and end, and is no work that `max_seconds` is about
            if isinstance(event, RunStarted):
                spent += (last - start).total_seconds() if start and last else 0.0
                start = event.at
            last = event.at
        return spent + ((last - start).total_seconds() if start and last else 0.0)


def _ends_a_line(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run, oldest first. A last line that a kill cut off is skipped."""
    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    try:
        # not splitlines: a prompt may hold U+2028, which JSON leaves as it is
        lines = (folder / EVENTS).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return
    for line in filter(None, lines):
        try:
            yield adapter.validate_json(line, context={"folder": folder})
        except ValidationError:
            log.warning("%s: a damaged line was skipped", folder / EVENTS)


def now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)
