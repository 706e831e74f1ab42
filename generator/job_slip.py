"""What lies beside a clip's place while a server renders it, so that a killed session's job is not rendered twice."""

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError


class Job(BaseModel):
    """A job that a server has accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """The server's."""
    id: str
    """The server's name for it."""
    request: str
    """Hash of exactly what was asked."""


def slip_path(to: Path) -> Path:
    """Where the slip for the clip `to` lies."""
    return to.with_name(f".{to.name}.job")


def write(to: Path, job: Job) -> None:
    """Write the slip, whole or not at all."""
    slip = slip_path(to)
    aside = slip.with_name(f"{slip.name}.part")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(job.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(slip)
    finally:
        aside.unlink(missing_ok=True)


def read(to: Path, request: str | None = None) -> Job | None:
    """The job of exactly this request, or of any, that a killed session left; None if there is none."""
    try:
        job = Job.model_validate_json(slip_path(to).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    return job if request in (None, job.request) else None


def remove(to: Path) -> None:
    """Nobody will ask for this job again."""
    slip_path(to).unlink(missing_ok=True)


@runtime_checkable
class Settling(Protocol):
    """A generator that keeps a slip beside a clip's place while a server renders it, or one that wraps such."""

    def settle(self, to: Path) -> None:
        """The clip `to` was delivered, and a kill left its slip: remove that, and have the job deleted some time."""
        ...


def settle(generator: object, to: Path) -> None:
    """Deal with the slip that a kill left beside a clip that was delivered: by the generator, where it knows how."""
    if isinstance(generator, Settling):
        generator.settle(to)
    else:
        remove(to)
