"""What people said of a run's candidates, as far as it is about the clips that lie there, and whether it is wanted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from agent import worth
from agent.files import file_hash
from agent.marks import Mark, standing
from agent.run import Run
from agent.types import Entrant

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Marked:
    """A run with people's marks on it."""

    run: Run
    marks: Sequence[Mark]
    """Those that stand, of clips that are still the same."""

    @property
    def chosen(self) -> Entrant | None:
        """The chosen candidate's place."""
        best = self.run.best
        return None if best is None else self.run.place_of(best)

    @property
    def needs_human(self) -> bool:
        """Whether the run, at its end, asks people for what its critic cannot tell: is the chosen clip one to take?"""
        run, place = self.run, self.chosen
        if run.ending is None or run.best is None or run.decision(run.best) != "undecided":
            return False
        return not any(mark.kind != "pair" and mark.first == place for mark in self.marks)

    @property
    def ask(self) -> str:
        """Why people are asked, and for what, in a phrase before the command; "" where they are not."""
        if not self.needs_human or self.run.best is None:
            return ""
        return f"{worth.unsure(self.run, self.run.best)}; look at it and mark it"

    @property
    def said(self) -> list[str]:
        """What people said of the chosen clip, in phrases."""
        place = self.chosen
        return [] if place is None else self.of(place.iteration, place.seed)

    @property
    def known(self) -> list[str]:
        """The same, after what is known of clips that score as low as it does at the run's end."""
        run = self.run
        low = run.ending is not None and run.best is not None and run.decision(run.best) == "rejected"
        return [*([worth.refused(run)] if low else []), *self.said]

    def of(self, iteration: int, seed: int) -> list[str]:
        """The marks on a candidate, in phrases. `iteration` is counted from 0."""
        place = Entrant(iteration=iteration, seed=seed)
        first = [_phrase(mark, mark.second) for mark in self.marks if mark.first == place]
        return first + [_phrase(mark, mark.first, turned=True) for mark in self.marks if mark.second == place]


def marked(run: Run) -> Marked:
    """A run with its marks. A file of them that cannot be read costs it nothing but these."""
    try:
        marks = standing(run.folder)
        entrants, hashes = run.entrants, dict[Entrant, str]()
        for place in {place for mark in marks for place in (mark.first, mark.second) if place is not None}:
            if (candidate := entrants.get(place)) is not None and candidate.clip.path.is_file():
                hashes[place] = file_hash(candidate.clip.path)
    except OSError as error:
        log.warning("the marks of %s cannot be read: %s", run.folder, error)
        return Marked(run, ())
    same = [
        mark
        for mark in marks
        if hashes.get(mark.first) == mark.clip_sha256
        and (mark.second is None or hashes.get(mark.second) == mark.second_sha256)
    ]
    return Marked(run, tuple(same))


def _phrase(mark: Mark, other: Entrant | None, *, turned: bool = False) -> str:
    by, label = f" by {mark.rater}" if mark.rater else "", mark.label or 0.0
    if other is not None:
        won = 1 - label if turned else label
        what = "better than" if won > 0.5 else "worse than" if won < 0.5 else "as good as"
        return f"marked {what} seed {other.seed} of iteration {other.iteration + 1}{by}"
    return f"marked {label:g} of 5{by}" if mark.kind == "rating" else f"marked {'pass' if label else 'fail'}{by}"
