"""Marked runs: a finished run's folder, or a folder of such, with people's marks in `marks.jsonl`.

The marks that stand (`agent.marks.standing`) become rows on the axis overall: a rating of 1 to 5 is likert, a verdict
binary, a comparison of two candidates a pair. What several people said of the same is one row: the mean of their
ratings (mos), the majority of their verdicts, in a pair the mean brought to the first, the second or a tie. As many
verdicts of pass as of fail say nothing: such a clip is a bad row. A clip with ratings and verdicts has a row for each.

A mark counts only for the bytes that it was given for (SHA-256). The prompt is the user's own, word for word, and the
group; the first frame is the run's. Drafts are marked as well: a row's sample_id is `folder/tier/iteration-seed`, then
`verdict`, or the second candidate of a pair. Iterations are counted from 0.
"""

import hashlib
import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from agent import journal, marks
from agent.bench.readers.making import made
from agent.bench.types import BadRow, Row
from agent.errors import RunFolderError
from agent.files import file_hash
from agent.marks import Mark
from agent.run import Run
from agent.types import Entrant


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001  as the other readers'
    """A folder of a run, or of runs, of which one at least has marks."""
    try:
        return any((folder / marks.NAME).is_file() for folder in journal.runs_in(path))
    except OSError:
        return False


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows, run by run; a bad row's line is that of the run's `marks.jsonl`.

    Raises:
        OSError: a folder cannot be read.
    """
    for folder in journal.runs_in(path):
        if not (folder / marks.NAME).is_file():
            continue
        try:
            run = journal.load(folder)
        except RunFolderError as error:
            yield BadRow(line=1, why=str(error))
            continue
        yield from _Marked(path, run).rows()


def digest(path: Path) -> str:
    """SHA-256 of all marks together, as hex: of the runs' names and of their `marks.jsonl`."""
    found = hashlib.sha256()
    for folder in journal.runs_in(path):
        if (folder / marks.NAME).is_file():
            found.update(f"{_name(folder)}\n{file_hash(folder / marks.NAME)}\n".encode())
    return found.hexdigest()


def _name(folder: Path) -> str:
    """A folder's name, that of `.` as well."""
    return Path(os.path.abspath(folder)).name  # noqa: PTH100  Path.resolve would follow a link to another name


class _UnusableError(Exception):
    """Why a mark gives no row."""


@dataclass
class _About:
    """What people said of the same: a clip, or two of them."""

    entrants: tuple[Entrant, ...]
    line: int = 1
    """Of the last mark."""
    by_rater: dict[str, tuple[int, Mark]] = field(default_factory=dict)
    """A person's last, with its line."""

    def add(self, line: int, mark: Mark) -> None:
        """One more mark of it."""
        self.line = max(self.line, line)
        self.by_rater[mark.rater] = max(self.by_rater.get(mark.rater, (0, mark)), (line, mark), key=lambda m: m[0])


class _Marked:
    """A run's marks as rows."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path.resolve()
        self._name = _name(run.folder)
        self._folder = run.folder.resolve()
        self._run = run
        self._hashes: dict[Path, str] = {}

    def rows(self) -> Iterator[Row | BadRow]:
        lines: dict[Hashable, int] = {}
        for line, mark in marks.lines(self._folder):
            if isinstance(mark, Mark):
                lines[mark.about] = line
            else:
                yield self._bad(line, mark)
        found: dict[Hashable, _About] = {}
        for mark in marks.standing(self._folder):
            line = lines[mark.about]
            try:
                self._same_clips(mark)
            except _UnusableError as error:
                yield self._bad(line, str(error))
                continue
            turned = _in_order(mark)  # people's A and B may have been shown either way round
            entrants = (turned.first,) if turned.second is None else (turned.first, turned.second)
            found.setdefault((turned.kind, *entrants), _About(entrants)).add(line, turned)
        for about in found.values():
            yield self._row(about)

    def _bad(self, line: int, why: str) -> BadRow:
        return BadRow(line=line, why=f"{self._name}/{marks.NAME}: {why}")

    def _same_clips(self, mark: Mark) -> None:
        """See that the clips are those that were marked.

        Raises:
            _UnusableError: one is not, or is not there.
        """
        for entrant, sha256 in ((mark.first, mark.clip_sha256), (mark.second, mark.second_sha256)):
            if entrant is None:
                continue
            clip = self._clip(entrant)
            if clip not in self._hashes:
                try:
                    self._hashes[clip] = file_hash(clip)
                except OSError as error:
                    raise _UnusableError(f"{_words(entrant)}: its clip cannot be read ({error.strerror})") from error
            if self._hashes[clip] != sha256:
                raise _UnusableError(f"{_words(entrant)}: its clip is another than the one that was marked")

    def _clip(self, entrant: Entrant) -> Path:
        candidate = self._run.candidate(entrant)
        if candidate is None:
            raise _UnusableError(f"{_words(entrant)}: the run has no such candidate")
        return self._inside(candidate.clip.path, f"{_words(entrant)}: its clip")

    def _inside(self, path: Path, what: str) -> Path:
        """A run's file; `run.json` may come from somebody else, and names no file outside of its folder."""
        real = path.resolve()
        if not real.is_relative_to(self._folder):
            raise _UnusableError(f"{what} lies outside of the run's folder")
        return real

    def _row(self, about: _About) -> Row | BadRow:
        given = [mark for _, mark in about.by_rater.values()]
        kind, labels = given[0].kind, [mark.label or 0.0 for mark in given]
        first = about.entrants[0]
        iteration = self._run.iterations[first.iteration]
        spec = self._run.request.spec_for(iteration.caption, iteration.tier)
        mean = fmean(labels)
        if kind == "verdict" and mean == 0.5:
            why = f"{_words(first)}: {len(labels)} people, of whom as many passed as failed it"
            return self._bad(about.line, why)
        places = "/".join(f"{e.iteration}-{e.seed}" for e in about.entrants)
        labelled: dict[str, dict[str, Any]] = {
            "rating": {"label_type": "likert" if len(labels) == 1 else "mos", "label": mean, "scale": (1.0, 5.0)},
            "verdict": {"label_type": "binary", "label": float(mean > 0.5)},
            "pair": {"label_type": "pair", "label": 0.5 if mean == 0.5 else float(mean > 0.5)},
        }
        try:
            frame = None if spec.first_frame is None else self._inside(spec.first_frame, "the first frame")
        except _UnusableError as error:
            return self._bad(about.line, str(error))
        return made(
            about.line,
            sample_id=f"{self._name}/{iteration.tier}/{places}{'/verdict' if kind == 'verdict' else ''}",
            n_raters=len(labels),
            group=self._run.request.prompt or self._name,
            video=self._place(self._clip(first)),
            video_b=self._place(self._clip(about.entrants[1])) if kind == "pair" else None,
            prompt=self._run.request.prompt,
            first_frame=None if frame is None else self._place(frame),
            **labelled[kind],
        )

    def _place(self, file: Path) -> str:
        """A file as seen from the dataset's folder; a run that is linked into it lies elsewhere."""
        return (file.relative_to(self._path) if file.is_relative_to(self._path) else file).as_posix()


def _in_order(mark: Mark) -> Mark:
    """A pair with the earlier candidate first; any other mark as it is."""
    first, second = mark.first, mark.second
    if second is None or (first.iteration, first.seed) <= (second.iteration, second.seed):
        return mark
    turned = {"first": second, "second": first, "clip_sha256": mark.second_sha256, "second_sha256": mark.clip_sha256}
    return mark.model_copy(update={**turned, "label": None if mark.label is None else 1 - mark.label})


def _words(entrant: Entrant) -> str:
    return f"iteration {entrant.iteration}, seed {entrant.seed}"
