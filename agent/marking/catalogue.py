"""What there is to mark: the runs, their candidates and pairs, and what this rater has said of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from secrets import token_urlsafe

from agent import journal, marks, report
from agent.errors import RunFolderError
from agent.files import inside
from agent.marking.pairs import MOST, Pair, in_order, proposed, swapped
from agent.marking.shelf import Shelf, ordered
from agent.marking.views import CandidateView, PairView, RunsView, RunView
from agent.marks import Mark
from agent.report.wording import size
from agent.run import Run
from agent.types import Candidate, Entrant

RAW = (report.NAME, journal.RUN, journal.EVENTS, journal.CONFIG)
"""Files of a run's folder that its report is, or names, beside clips."""


@dataclass
class Catalogue:
    """What a shelf's runs look like on the page, and which files may be served of them."""

    shelf: Shelf
    blind: bool = True
    pairs: int = MOST
    """Most pairs proposed of a run."""
    rater: str | None = None
    key: str = field(default_factory=lambda: token_urlsafe(24))
    """Opens the reports, and nothing else: a page that came with a run is trusted with no more."""

    def all(self, rater: str) -> RunsView:
        """Everything, with this rater's marks."""
        folders = self.shelf.look()
        runs = tuple(self._shown(index, folder, rater) for index, folder in enumerate(folders))
        return RunsView(blind=self.blind, rater=self.rater, runs=runs)

    def clip(self, run: int, entrant: Entrant) -> Path | None:
        """A candidate's clip; None if there is none that may be shown."""
        found = self._run(run)
        candidate = found.candidate(entrant) if found else None
        return None if found is None or candidate is None else inside(candidate.clip.path, found.folder)

    def first_frame(self, run: int) -> Path | None:
        """A run's first frame; None as above."""
        found = self._run(run)
        frame = found.request.spec.first_frame if found else None
        return None if found is None or frame is None else inside(frame, found.folder)

    def beside_report(self, run: int, name: str) -> Path | None:
        """A file by the name that a run's report has for it; None as above.

        The name is looked up among those that the run has, and never made into a path.
        """
        found = self._run(run)
        if found is None:
            return None
        path = _named(found).get(name)
        return None if path is None else inside(path, found.folder)

    def content(self, run: Run, candidate: Candidate) -> str | None:
        """SHA-256 of a candidate's clip; None if it may not or cannot be shown."""
        path = inside(candidate.clip.path, run.folder)
        return None if path is None else self.shelf.hash(path)

    def _run(self, number: int) -> Run | None:
        folder = self.shelf.folder(number)
        try:
            return None if folder is None else self.shelf.run(folder)
        except RunFolderError:
            return None

    def _shown(self, index: int, folder: Path, rater: str) -> RunView:
        try:
            run = self.shelf.run(folder)
        except RunFolderError as error:
            return RunView(index=index, name=_text(folder.name), notes=(_text(str(error)),))
        standing, notes = _marks(folder, rater)
        frame = inside(run.request.spec.first_frame, folder) if run.request.spec.first_frame else None
        page = inside(folder / report.NAME, folder)
        return RunView(
            index=index,
            name=_text(folder.name),
            prompt=run.request.prompt,
            first_frame=None if frame is None else f"first-frame/{index}",
            report=None if page is None else f"report/{self.key}/{index}/{report.NAME}",
            running=run.ending is None,
            candidates=tuple(self._candidate(index, run, e, c, standing) for e, c in ordered(run, blind=self.blind)),
            pairs=self._pairs(run, standing),
            notes=notes,
        )

    def _candidate(
        self, index: int, run: Run, entrant: Entrant, candidate: Candidate, standing: Mapping[tuple[object, ...], Mark]
    ) -> CandidateView:
        sha256 = self.content(run, candidate)

        def said(kind: str) -> float | None:
            mark = standing.get((kind, entrant, None))
            return mark.label if mark and mark.clip_sha256 == sha256 else None

        return CandidateView(
            entrant=entrant,
            # a clip that is rendered again has another address: none of it is taken from the browser's memory
            clip=None if sha256 is None else f"clips/{index}/{entrant.iteration}/{entrant.seed}?v={sha256[:16]}",
            sha256=sha256,
            size=size(candidate.clip.effective),
            score=candidate.score,
            draft=run.is_draft(candidate),
            rating=said("rating"),
            verdict=said("verdict"),
        )

    def _pairs(self, run: Run, standing: Mapping[tuple[object, ...], Mark]) -> tuple[PairView, ...]:
        """Those proposed, and after them those that were compared when others were proposed."""
        entrants = run.entrants
        found: dict[Pair, float | None] = dict.fromkeys(proposed(run, lambda c: self.content(run, c), self.pairs))
        for mark in standing.values():
            if mark.second is None or mark.first not in entrants or mark.second not in entrants:
                continue
            contents = tuple(self.content(run, entrants[e]) for e in (mark.first, mark.second))
            if contents == (mark.clip_sha256, mark.second_sha256):
                pair = in_order(mark.first, mark.second)
                label = mark.label
                found[pair] = label if label is None or pair[0] == mark.first else 1 - label
        return tuple(
            PairView(first=pair[0], second=pair[1], swapped=swapped(run, pair), label=label)
            for pair, label in found.items()
        )


def _marks(folder: Path, rater: str) -> tuple[dict[tuple[object, ...], Mark], tuple[str, ...]]:
    """This rater's standing marks by what they are about, and what is wrong with the file."""
    try:
        standing = {m.about[:-1]: m for m in marks.standing(folder) if m.rater == rater}
        foreign = [(number, line) for number, line in marks.lines(folder) if isinstance(line, str)]
    except OSError as error:
        return {}, (f"{marks.NAME} cannot be read: {error.strerror or error}. Earlier marks are not shown.",)
    if not foreign:
        return standing, ()
    number, why = foreign[0]
    are = "line is no mark" if len(foreign) == 1 else "lines are no marks"
    told = f"{len(foreign)} {are} in {marks.NAME}, kept as found and not counted (line {number}: {why[:200]})."
    return standing, (told,)


def _text(words: str) -> str:
    """Words that JSON can hold: a folder's name may be bytes that are no text."""
    return words.encode("utf-8", "replace").decode("utf-8")


def _named(run: Run) -> dict[str, Path]:
    """The files that a run's report names, by their names as seen from the report."""
    clips = [c.clip.path for c in run.candidates]
    unjudged = [f.clip.path for i in run.iterations for f in i.failures if f.clip is not None]
    others = [run.request.spec.first_frame, run.export.path if run.export else None]
    paths = chain(clips, unjudged, filter(None, others))
    named = {path.relative_to(run.folder).as_posix(): path for path in paths if path.is_relative_to(run.folder)}
    return {name: run.folder / name for name in RAW} | named
