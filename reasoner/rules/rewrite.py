"""The next caption: the best so far, with its lowest criteria answered by edits that have not failed before."""

from collections.abc import Iterable, Mapping, Sequence

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.rules.editing import allowed, edit_caption, edit_words, tried
from reasoner.rules.ladders import LADDERS
from reasoner.rules.steps import Case, Step
from reasoner.types import Caption, CaptionRequest, Edit, Revision

GOOD = 0.85
"""A criterion at or above it is left alone while a lower one can be answered."""

GREAT = 0.97
"""And at or above it, in any case."""

_MOST = {GOOD: 3, GREAT: 1}
"""Criteria answered in one rewrite: with more, a gain or a loss could not be laid to any of them."""

_RAISED = 0.01
"""A smaller rise of a criterion on paired seeds is taken for none."""

_GAINED = 0.002
"""A smaller gain of the overall score on paired seeds is taken for none: what the criterion won, others have lost."""

Tried = set[tuple[str, str]]


def failures(history: Sequence[Revision]) -> Tried:
    """The steps that did not help, by criterion and reason.

    A step failed when the whole score did not gain `_GAINED` on paired seeds, though its own criterion may have risen,
    or when its own criterion did not rise by more than `_RAISED`.
    """
    failed: Tried = set()
    for revision in history:
        parent = history[revision.parent] if revision.parent is not None else None
        for criterion, reason in tried(revision.caption.edits):
            before = parent.criteria.get(criterion) if parent else None
            after = revision.criteria.get(criterion)
            raised = before is not None and after is not None and after - before > _RAISED
            if not raised or (revision.gain is not None and revision.gain < _GAINED):
                failed.add((criterion, reason))
    return failed


def carried(history: Sequence[Revision], champion: int) -> Tried:
    """The steps of the champion and its ancestors: what they said is there, or was replaced by something stronger."""
    steps: Tried = set()
    at: int | None = champion
    while at is not None:
        steps |= tried(history[at].caption.edits)
        at = history[at].parent
    return steps


def _lowest(revision: Revision, limit: float) -> list[str]:
    """Criteria under `limit`, those below their floor first, then the lowest first."""
    low = {name: value for name, value in revision.criteria.items() if value < limit}
    return sorted(low, key=lambda name: (low[name] >= revision.floors.get(name, 0), low[name], name))


def _untried(criterion: str, made: Tried, case: Case) -> Iterable[Step]:
    return (step for step in LADDERS.get(criterion, ()) if (criterion, step.reason) not in made and allowed(step, case))


def rewrite(request: CaptionRequest, history: Sequence[Revision], champion: int, reasoner: str) -> Caption:
    """Write the next caption from `history[champion]`; its caption on fresh seeds when no edit is left."""
    best = history[champion]
    if isinstance(best.caption.structured, MotionCaption):
        return best.caption.on_fresh_seeds("The rules edit the full caption or plain words, and not the short caption.")
    case = Case.of(request, best.feedback)
    failed = failures(history)
    made = failed | carried(history, champion)
    for limit, most in _MOST.items():
        whole = best.caption.structured
        structured = whole if isinstance(whole, StructuredCaption) else None  # a motion caption is edited as plain JSON
        prompt, edits = best.caption.prompt, list[Edit]()
        for criterion in _lowest(best, limit):
            if len({edit.criterion for edit in edits}) == most:
                break
            for step in _untried(criterion, made, case):
                structured, prompt, new = _carried_out(structured, prompt, step, criterion, case)
                if new:
                    edits += new
                    break
        if edits:
            return Caption(
                prompt=prompt,
                structured=structured,
                source="rewrite",
                edits=tuple(edits),
                diagnosis=_diagnosis(history, champion, edits, failed),
                notes=best.caption.notes,
                reasoner=reasoner,
            )
    return best.caption.on_fresh_seeds(_exhausted(best, failed))


def _carried_out(
    structured: StructuredCaption | None, prompt: str, step: Step, criterion: str, case: Case
) -> tuple[StructuredCaption | None, str, tuple[Edit, ...]]:
    if structured is None:
        prompt, edits = edit_words(prompt, step, criterion, case)
        return None, prompt, edits
    structured, edits = edit_caption(structured, step, criterion, case)
    return structured, structured.text() if edits else prompt, edits


def _named(criteria: Iterable[str], values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {values[name]:.2f}" for name in criteria)


def _limits(revision: Revision, failed: Tried) -> list[str]:
    """Low criteria that words were tried on without effect."""
    met = {criterion for criterion, _ in failed}
    return [name for name in _lowest(revision, GOOD) if name in met]


def _diagnosis(history: Sequence[Revision], champion: int, edits: Sequence[Edit], failed: Tried) -> str:
    best = history[champion]
    parts = []
    if history[-1].caption.edits and champion != len(history) - 1:
        parts.append("The last rewrite did not gain, so this one starts again from the best caption.")
    reasons = dict.fromkeys((edit.criterion, edit.reason) for edit in edits)
    for criterion, reason in reasons:
        again = "Words have not helped it yet; " if any(name == criterion for name, _ in failed) else ""
        parts.append(
            f"{criterion} {best.criteria[criterion]:.2f}: {again}{reason[:1].lower() + reason[1:] if again else reason}"
        )
    limits = [name for name in _limits(best, failed) if name not in {criterion for criterion, _ in reasons}]
    if limits:
        parts.append(f"Model limit, not the prompt: {_named(limits, best.criteria)}.")
    return " ".join(parts)


def _exhausted(best: Revision, failed: Tried) -> str:
    low = _lowest(best, GOOD) or _lowest(best, GREAT)
    if not low:
        return "Every criterion is met: nothing is left for words to improve, so the caption is tried on fresh seeds."
    unanswered = [name for name in low if name not in {criterion for criterion, _ in failed}]
    wanted = f" ({', '.join(unanswered)}: no edit would suit what the user asks for)" if unanswered else ""
    return (
        f"The words are exhausted: {_named(low, best.criteria)} is a limit of the model and not of the prompt{wanted}, "
        "so the same caption is tried on fresh seeds."
    )
