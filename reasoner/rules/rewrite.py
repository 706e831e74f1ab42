"""The next caption: the best so far, with its lowest criteria answered by edits that have not failed before."""

from collections.abc import Iterable, Mapping, Sequence

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.credit import lost
from reasoner.dice import dice
from reasoner.rules.editing import Tried, allowed, carried_out, tried
from reasoner.rules.ladders import LADDERS
from reasoner.rules.merging import Merge, merge
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


def failures(history: Sequence[Revision]) -> Tried:
    """The steps that did not help when they were last tried, by criterion and reason.

    A step failed when the whole score did not gain `GAINED` on paired seeds, though its own criterion may have risen,
    or when its own criterion did not rise by more than `_RAISED`. One that helped after all, in a merge, has not.
    """
    failed: Tried = set()
    for revision in history:
        parent = history[revision.parent] if revision.parent is not None else None
        for criterion, reason in tried(revision.caption.edits):
            before = parent.criteria.get(criterion) if parent else None
            after = revision.criteria.get(criterion)
            raised = before is not None and after is not None and after - before > _RAISED
            if not raised or lost(revision):
                failed.add((criterion, reason))
            else:
                failed.discard((criterion, reason))
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
    low = {name: value for name, value in revision.latest.items() if value < limit}
    return sorted(low, key=lambda name: (low[name] >= revision.floors.get(name, 0), low[name], name))


def _untried(criterion: str, made: Tried, case: Case) -> Iterable[Step]:
    return (step for step in LADDERS.get(criterion, ()) if (criterion, step.reason) not in made and allowed(step, case))


def rewrite(request: CaptionRequest, history: Sequence[Revision], champion: int, reasoner: str) -> Caption:
    """Write the next caption from `history[champion]`; its caption on fresh seeds when no edit is left.

    What another caption does clearly better comes first: it has been seen to work. Then fresh seeds, where they decide
    more than words do; then the next steps of the ladders.
    """
    best = history[champion]
    if isinstance(best.caption.structured, MotionCaption):
        return best.caption.on_fresh_seeds("The rules edit the full caption or plain words, and not the short caption.")
    case = Case.of(request, best.feedback)
    failed, have = failures(history), carried(history, champion)
    if (other := merge(history, champion, have, case)) is not None:
        told = _merged(history, champion, other)
        return _caption(best, other.structured, other.prompt, other.edits, told, reasoner)
    if decided := dice(history, champion):
        return best.caption.on_fresh_seeds(f"{decided} So the same caption is tried on fresh seeds.")
    # a child's steps count whether or not it could be compared: its words were tried
    made = failed | have | {s for past in history if past.parent == champion for s in tried(past.caption.edits)}
    for limit, most in _MOST.items():
        whole = best.caption.structured
        structured = whole if isinstance(whole, StructuredCaption) else None  # a motion caption is edited as plain JSON
        prompt, edits = best.caption.prompt, list[Edit]()
        for criterion in _lowest(best, limit):
            if len({edit.criterion for edit in edits}) == most:
                break
            for step in _untried(criterion, made, case):
                structured, prompt, new = carried_out(structured, prompt, step, criterion, case)
                if new:
                    edits += new
                    break
        if edits:
            told = _diagnosis(history, champion, edits, failed)
            return _caption(best, structured, prompt, edits, told, reasoner)
    return _exhausted(best, made)


def _caption(
    best: Revision,
    structured: StructuredCaption | None,
    prompt: str,
    edits: Sequence[Edit],
    diagnosis: str,
    reasoner: str,
) -> Caption:
    return Caption(
        prompt=prompt,
        structured=structured,
        source="rewrite",
        edits=tuple(edits),
        diagnosis=diagnosis,
        verdict="prompt_problem",
        notes=best.caption.notes,
        reasoner=reasoner,
    )


def _named(criteria: Iterable[str], values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {values[name]:.2f}" for name in criteria)


def _limits(revision: Revision, failed: Tried) -> list[str]:
    """Low criteria that words were tried on without effect."""
    met = {criterion for criterion, _ in failed}
    return [name for name in _lowest(revision, GOOD) if name in met]


def _diagnosis(history: Sequence[Revision], champion: int, edits: Sequence[Edit], failed: Tried) -> str:
    best = history[champion]
    parts = _again(history, champion)
    reasons = dict.fromkeys((edit.criterion, edit.reason) for edit in edits)
    for criterion, reason in reasons:
        again = "Words have not helped it yet; " if any(name == criterion for name, _ in failed) else ""
        parts.append(
            f"{criterion} {best.latest[criterion]:.2f}: {again}{reason[:1].lower() + reason[1:] if again else reason}"
        )
    limits = [name for name in _limits(best, failed) if name not in {criterion for criterion, _ in reasons}]
    if limits:
        parts.append(f"Model limit, not the prompt: {_named(limits, best.latest)}.")
    return " ".join(parts)


def _again(history: Sequence[Revision], champion: int) -> list[str]:
    if history[-1].caption.edits and champion != len(history) - 1:
        return ["The last rewrite did not gain, so this one starts again from the best caption."]
    return []


def _merged(history: Sequence[Revision], champion: int, other: Merge) -> str:
    """Captions are counted from 1, as people count."""
    parts, here = _again(history, champion), history[champion].criteria
    for index in dict.fromkeys(other.sources.values()):
        names = [name for name, source in other.sources.items() if source == index]
        there = history[index].criteria
        better = ", ".join(f"{name} {there[name]:.2f} there, {here[name]:.2f} here" for name in names)
        rest = ", without the edits that it lost by" if lost(history[index]) else ""
        parts.append(f"Merged from caption {index + 1} what was better in it{rest}: {better}.")
    return " ".join(parts)


def _exhausted(best: Revision, made: Tried) -> Caption:
    low = _lowest(best, GOOD) or _lowest(best, GREAT)
    if not low:
        return best.caption.on_fresh_seeds(
            "Every criterion is met: nothing is left for words to improve, so the caption is tried on fresh seeds."
        )
    answered = {criterion for criterion, _ in made}
    unanswered = [name for name in low if name not in answered]
    if len(unanswered) == len(low):
        return best.caption.on_fresh_seeds(
            f"For {_named(low, best.latest)} no edit would suit what the user asks for, so the same caption is tried "
            "on fresh seeds."
        )
    wanted = f" ({', '.join(unanswered)}: no edit would suit what the user asks for)" if unanswered else ""
    return best.caption.on_fresh_seeds(
        f"The words are exhausted: {_named(low, best.latest)} is a limit of the model and not of the prompt{wanted}, "
        "so the same caption is tried on fresh seeds.",
        "model_limit",
    )
