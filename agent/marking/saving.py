"""A mark from the page is held against the run, and written down."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

from agent import journal, marks
from agent.errors import RunFolderError, storage_error
from agent.marking.catalogue import Catalogue
from agent.marking.pairs import in_order
from agent.marking.views import NewMark
from agent.marks import Mark
from agent.run import Run
from agent.types import Entrant


class RefusedError(Exception):
    """A mark that is not taken, as an HTTP status. From 500 on it may be sent again when the cause is gone."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Register:
    """Writes marks down, and knows those of this session."""

    catalogue: Catalogue
    now: Callable[[], datetime] = journal.now
    _lock: Lock = field(default_factory=Lock, init=False)
    _session: dict[tuple[Path, tuple[object, ...]], float | None] = field(default_factory=dict, init=False)

    @property
    def made(self) -> int:
        """Marks that were made in this session and stand."""
        return sum(label is not None for label in self._session.values())

    @property
    def folders(self) -> tuple[Path, ...]:
        """Runs that were marked in this session, in order."""
        return tuple(dict.fromkeys(folder for (folder, _), label in self._session.items() if label is not None))

    def save(self, new: NewMark) -> Mark:
        """Check a mark and write it down: when this returns, it is on the disk.

        Raises:
            RefusedError: it is about nothing that there is, or the disk failed.
            ValidationError: its label is none of its kind's, or it is of one clip where two are needed.
        """
        folder = self.catalogue.shelf.folder(new.run)
        if folder is None:
            raise RefusedError(404, f"There is no run {new.run} here; load the page again.")
        mark = _canonical(
            Mark(
                kind=new.kind,
                first=new.first,
                clip_sha256=new.first_sha256,
                second=new.second,
                second_sha256=new.second_sha256,
                label=new.label,
                rater=new.rater,
                at=self.now(),
            )
        )
        if mark.first == mark.second:
            raise RefusedError(422, "A pair is of two candidates; these are one and the same.")
        try:
            run = self.catalogue.shelf.run(folder)
        except RunFolderError as error:
            raise RefusedError(503, f"The run cannot be read: {error}. Bring it back, then try again.") from error
        self._check(run, mark.first, mark.clip_sha256)
        if mark.second is not None:
            self._check(run, mark.second, mark.second_sha256)
        with self._lock:
            try:
                marks.append(folder, mark)
            except OSError as error:
                raise RefusedError(507, f"{storage_error('Saving the mark', error)}, then try again.") from error
            self._session[folder, mark.about] = mark.label
        return mark

    def _check(self, run: Run, entrant: Entrant, sha256: str | None) -> None:
        """That a candidate is there, with the bytes that were looked at."""
        candidate = run.candidate(entrant)
        if candidate is None:
            where = f"iteration {entrant.iteration + 1}, seed {entrant.seed}"
            raise RefusedError(404, f"The run has no candidate of {where}; load the page again.")
        content = self.catalogue.content(run, candidate)
        if content is None:
            raise RefusedError(503, f"The clip {candidate.clip.path.name} is gone; bring it back, then try again.")
        if content != sha256:
            raise RefusedError(409, "The clip has changed since it was shown; load the page again and look once more.")


def _canonical(mark: Mark) -> Mark:
    """A pair in the run's order, so that it is the same pair whichever stood on the left."""
    if mark.second is None or in_order(mark.first, mark.second)[0] == mark.first:
        return mark
    turned = {
        "first": mark.second,
        "clip_sha256": mark.second_sha256,
        "second": mark.first,
        "second_sha256": mark.clip_sha256,
        "label": None if mark.label is None else 1 - mark.label,
    }
    return mark.model_copy(update=turned)
