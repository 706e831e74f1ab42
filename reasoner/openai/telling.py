"""What a rewriter is told: the scores, what was tried before, and what other captions do better."""

from collections.abc import Iterator, Sequence

from reasoner.front import ahead, front
from reasoner.given import duration
from reasoner.openai import negative
from reasoner.openai.fields import Draft
from reasoner.openai.instructions import text
from reasoner.openai.proposals import Past, plain
from reasoner.openai.writing import listed
from reasoner.types import CaptionRequest, Edit, Revision

_REMEMBERED = 8
"""Revisions whose edits the model is shown, the latest."""
_OTHERS, _FIELDS, _LONGEST = 3, 6, 1200
"""Other captions shown, the furthest ahead first; fields of each; characters of a field that is shown."""

Lent = dict[int, dict[str, str]]
"""By index in the history: texts that another caption could lend the champion, by field."""


def urgency(revision: Revision, name: str) -> tuple[bool, float, str]:
    """Those below their floor first, then the lowest first."""
    value = revision.latest[name]
    return value >= revision.floors.get(name, 0.0), value, name


def scores(revision: Revision) -> str:
    """The score of the whole, then one criterion a line, lowest first."""
    lines = [f"overall {revision.score:.2f}{_spread(revision.spread)}"]
    if revision.final:
        lines = [f"overall of cheap drafts {revision.score:.2f}; the criteria are those of the full render"]
    for name in sorted(revision.latest, key=lambda name: urgency(revision, name)):
        value, floor = revision.latest[name], revision.floors.get(name, 0.0)
        bound = f" (floor {floor:.2f}{', broken' if value < floor else ''})" if floor else ""
        spread = None if name in revision.final else revision.criteria_spread.get(name)  # of drafts
        lines.append(f"{name} {value:.2f}{bound}{_spread(spread)}")
    return "\n".join(lines)


def words(
    request: CaptionRequest,
    history: Sequence[Revision],
    best: Revision,
    draft: Draft,
    fields: Sequence[str],
    lent: Lent,
) -> str:
    """The question."""
    deletable = "negative_prompt" in fields
    phrases = listed(negative.phrases(draft.negative_prompt)) if deletable else ""
    captions = "\n".join(_other(history, best, index, texts) for index, texts in lent.items())
    return text(
        "rewrite",
        prompt=request.prompt,
        caption=draft.structured.text(),
        scores=scores(best),
        feedback=best.feedback,
        history="\n".join(_past(history)) or "Nothing yet.",
        others=text("others", captions=captions) if captions else "",
        seconds=duration(request),
        frozen=text("frozen") if request.first_frame else "",
        deletions=text("phrases", phrases=phrases) if deletable else "",
        fields="\n".join(fields),
    )


def lendable(history: Sequence[Revision], champion: int, draft: Draft, fields: Sequence[str], past: Past) -> Lent:
    """What the other captions of the front could lend: texts of fields that may be edited, unless tried in vain."""
    best, mine = history[champion], draft.texts()
    able = {index: ahead(history[index], best) for index in front(history) if index != champion}
    found: Lent = {}
    for index in sorted(able, key=lambda index: -max(able[index].values(), default=0.0)):
        structured = history[index].caption.structured
        if not able[index] or structured is None:
            continue
        theirs = Draft(structured, "").texts()
        lent = {
            field: theirs[field]
            for field in fields
            if 0 < len(theirs.get(field, "")) <= _LONGEST
            and plain(theirs[field]) != plain(mine[field])
            and past.takes(field, theirs[field])
        }
        # what a caption was edited in for these criteria comes first
        edited = {edit.field for edit in history[index].caption.edits if edit.criterion in able[index]}
        if lent and len(found) < _OTHERS:
            found[index] = dict(sorted(lent.items(), key=lambda item: item[0] not in edited)[:_FIELDS])
    return found


def merged(edits: Sequence[Edit], lent: Lent) -> tuple[str, ...]:
    """Sentences on the edits that were taken over from other captions, which are counted from 1."""
    found = []
    for index, texts in lent.items():
        fields = [e.field for e in edits if e.field in texts and plain(e.after) == plain(texts[e.field])]
        if fields:
            found.append(f"Merged from caption {index + 1}: {', '.join(fields)}.")
    return tuple(found)


def _spread(spread: float | None) -> str:
    return "" if spread is None else f" (spread between seeds {spread:.2f})"


def _past(history: Sequence[Revision]) -> Iterator[str]:
    for revision in history[-_REMEMBERED:]:
        gain = "not comparable" if revision.gain is None else f"{revision.gain:+.3f}"
        for edit in revision.caption.edits:
            yield f"- {edit.field} for {edit.criterion}: gain {gain}. It became: {edit.after[:400]}"


def _other(history: Sequence[Revision], best: Revision, index: int, texts: dict[str, str]) -> str:
    revision = history[index]
    better = ", ".join(
        f"{name} {revision.criteria[name]:.2f} (yours {best.criteria[name]:.2f})" for name in ahead(revision, best)
    )
    better += ", all as drafts" if best.final else ""
    head = f"- Caption {index + 1}, overall {revision.score:.2f}, is better at {better}. There:"
    return "\n".join([head, *(f"  {field}: {words}" for field, words in texts.items())])
