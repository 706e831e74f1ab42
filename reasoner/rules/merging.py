"""Steps taken over from other captions of the front, which were right there and were lost with the rest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoner.caption import StructuredCaption
from reasoner.credit import CLEAR, credit, lost
from reasoner.front import ahead, front
from reasoner.rules.editing import STORY, Tried, allowed, carried_out, tried
from reasoner.rules.ladders import LADDERS
from reasoner.rules.steps import Case
from reasoner.types import Edit, Revision

_MOST = 3
"""Criteria merged in one rewrite, as in one that climbs the ladders."""


@dataclass(frozen=True)
class Merge:
    """A caption with another one's steps, as far as they were right there."""

    structured: StructuredCaption | None
    prompt: str
    edits: tuple[Edit, ...]
    sources: Mapping[str, int]
    """Index in the history of the caption that was better, by criterion."""


def merge(history: Sequence[Revision], champion: int, have: Tried, case: Case) -> Merge | None:
    """The champion with what other captions of the front do clearly better; None where nothing is left to take over.

    A step comes along that helped its criterion there (`credit`), unless it is in the champion (`have`), has lost
    twice, or would replace words that the champion has others for by now.
    """
    best = history[champion]
    whole = best.caption.structured
    structured = whole if isinstance(whole, StructuredCaption) else None
    prompt, edits, sources = best.caption.prompt, list[Edit](), dict[str, int]()
    losses = Counter(step for revision in history if lost(revision) for step in tried(revision.caption.edits))
    for criterion, index in _better(history, champion).items():
        made = history[index].caption.edits
        for step in LADDERS.get(criterion, ()):
            name = (criterion, step.reason)
            theirs = [edit for edit in made if (edit.criterion, edit.reason) == name]
            if not theirs or name in have or losses[name] > 1 or not allowed(step, case):
                continue
            after, words, new = carried_out(structured, prompt, step, criterion, case)
            if step.replaces and _conflict(theirs, new):
                continue
            structured, prompt = after, words
            edits += new
            sources |= {criterion: index} if new else {}
        if len(sources) == _MOST:
            break
    if not edits or prompt in {revision.caption.prompt for revision in history}:
        return None
    return Merge(structured, prompt, tuple(edits), sources)


def _conflict(theirs: Sequence[Edit], new: Sequence[Edit]) -> bool:
    """Whether words would be replaced that were not there when the step was right.

    The story does not count, of which only the camera sentences are replaced; nor do plain words, which are only added
    to.
    """
    before = {edit.field: edit.before for edit in theirs if edit.field not in {STORY, "prompt"}}
    return any(edit.before != before.get(edit.field, edit.before) for edit in new)


def _better(history: Sequence[Revision], champion: int) -> dict[str, int]:
    """By criterion, the caption of the front that is furthest ahead of the champion by edits that helped."""
    gaps: dict[str, tuple[float, int]] = {}
    for index in front(history):
        helped = credit(history, index)
        for criterion, gap in ahead(history[index], history[champion], CLEAR).items():
            if index != champion and helped.get(criterion) and gap > gaps.get(criterion, (0.0, 0))[0]:
                gaps[criterion] = (gap, index)
    return {criterion: index for criterion, (_, index) in sorted(gaps.items(), key=lambda item: -item[1][0])}
