"""The next caption: a diagnosis by the model, and its edits where they may be made."""

from collections.abc import Iterator, Sequence
from typing import Literal

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.types import Usage
from reasoner.given import duration, given_object
from reasoner.openai import negative
from reasoner.openai.asking import Asking
from reasoner.openai.core import still_asked
from reasoner.openai.fields import Draft, editable
from reasoner.openai.instructions import question, text
from reasoner.openai.proposals import Past, carried_out, read_diagnosis
from reasoner.openai.schema import edits_schema
from reasoner.openai.writing import REPAIRED, listed, write
from reasoner.types import Caption, CaptionRequest, Edit, Revision

AGAIN = "the same caption is tried on fresh seeds"
_REMEMBERED = 8
"""Revisions whose edits the model is shown, the latest."""
_SURE = 0.5
"""Least probability that an edited caption still is what was asked for."""


async def rewrite(
    asking: Asking,
    form: Literal["full", "image2video"],
    request: CaptionRequest,
    history: Sequence[Revision],
    champion: int,
    reasoner: str,
) -> Caption:
    """Write the next caption from `history[champion]`.

    Raises:
        ChatError: the server gave no reply.
        CaptionError: the first frame cannot be read.
    """
    best = history[champion].caption
    if best.structured is None:
        return await _written_anew(asking, form, request, history, champion, reasoner)
    return await _edited(asking, request, history, champion, reasoner, best.structured)


async def _edited(
    asking: Asking,
    request: CaptionRequest,
    history: Sequence[Revision],
    champion: int,
    reasoner: str,
    structured: StructuredCaption | MotionCaption,
) -> Caption:
    best = history[champion]
    own = best.caption.negative_prompt
    draft = Draft(structured, request.negative_prompt if own is None else own)
    fields = editable(draft, request.first_frame is not None, deletable=isinstance(structured, MotionCaption))
    criteria = tuple(sorted(best.criteria, key=lambda name: _urgency(best, name))) or ("overall",)
    answer = await asking.ask(
        question(_words(request, history, best, draft, fields), request.first_frame),
        edits_schema(fields, criteria),
        read_diagnosis,
        step=len(history),
    )
    if answer.value is None:
        why = f"No diagnosis could be read from {asking.chat.model}: {answer.why}; {AGAIN}."
        return _fresh(best.caption, why, answer.usage)
    said, usage = answer.value.diagnosis or "The model gave no reason.", answer.usage
    if answer.value.verdict == "model_limit":
        return _fresh(best.caption, f"Model limit, not the prompt: {said} So {AGAIN}.", usage)
    after, edits, refused = carried_out(draft, answer.value, fields, criteria, request.prompt, Past.of(history))
    if edits:
        sure, asked = await still_asked(asking.chat, request.prompt, after)
        usage += asked
        if sure < _SURE:
            refused += (f"{', '.join(edit.field for edit in edits)}: {_no_longer(sure)}",)
            edits = ()
    told = " ".join([said, *(f"Refused an edit of {reason}." for reason in refused)])
    if not edits:
        return _fresh(best.caption, f"{told} No edit is left, so {AGAIN}.", usage)
    return Caption(
        prompt=after.structured.text(),
        structured=after.structured,
        negative_prompt=own if after.negative_prompt == draft.negative_prompt else after.negative_prompt,
        source="rewrite",
        edits=edits,
        notes=(f"The edits came from a second question: {answer.why}.",) if answer.outcome == "repaired" else (),
        diagnosis=told,
        reasoner=reasoner,
        usage=usage,
    )


async def _written_anew(
    asking: Asking,
    form: Literal["full", "image2video"],
    request: CaptionRequest,
    history: Sequence[Revision],
    champion: int,
    reasoner: str,
) -> Caption:
    """Plain words have no fields to edit: a whole caption is written in their place, with the critique in view."""
    best = history[champion]
    if given_object(best.caption.prompt) is not None:
        return _fresh(best.caption, f"The prompt is JSON of another schema, which is not rewritten; {AGAIN}.", Usage())
    critique = text("critique", words=best.caption.prompt, scores=_scores(best), feedback=best.feedback)
    answer = await write(asking, form, request, critique, step=len(history))
    if answer.value is None:
        why = f"No caption could be read from {asking.chat.model}: {answer.why}; {AGAIN}."
        return _fresh(best.caption, why, answer.usage)
    structured, avoided = answer.value.structured, answer.value.negative_prompt
    sure, asked = await still_asked(asking.chat, request.prompt, Draft(structured, avoided or ""))
    usage = answer.usage + asked
    if sure < _SURE:
        return _fresh(best.caption, f"Refused a new caption: {_no_longer(sure)}. So {AGAIN}.", usage)
    lowest = min(best.criteria, key=lambda name: _urgency(best, name), default="overall")
    reason = "Plain words were rendered, so a whole caption takes their place."
    return Caption(
        prompt=structured.text(),
        structured=structured,
        negative_prompt=avoided,
        source="rewrite",
        edits=(
            Edit(
                field="prompt",
                before=best.caption.prompt,
                after=structured.text(),
                criterion=lowest,
                reason=reason,
            ),
        ),
        notes=(f"{REPAIRED}: {answer.why}.",) if answer.outcome == "repaired" else (),
        diagnosis=f"{lowest} is lowest. {reason}",
        reasoner=reasoner,
        usage=usage,
    )


def _no_longer(sure: float) -> str:
    if sure == 0:  # a plain no, or neither yes nor no: there is no probability to tell
        return "the model does not say that it would still be what was asked for"
    return f"it would no longer be what was asked for (P(yes) {sure:.2f})"


def _fresh(caption: Caption, diagnosis: str, usage: Usage) -> Caption:
    return caption.on_fresh_seeds(diagnosis).model_copy(update={"usage": usage})


def _urgency(revision: Revision, name: str) -> tuple[bool, float, str]:
    """Those below their floor first, then the lowest first."""
    value = revision.criteria[name]
    return value >= revision.floors.get(name, 0.0), value, name


def _scores(revision: Revision) -> str:
    lines = [f"overall {revision.score:.2f}"]
    for name in sorted(revision.criteria, key=lambda name: _urgency(revision, name)):
        value, floor = revision.criteria[name], revision.floors.get(name, 0.0)
        bound = f" (floor {floor:.2f}{', broken' if value < floor else ''})" if floor else ""
        lines.append(f"{name} {value:.2f}{bound}")
    return "\n".join(lines)


def _past(history: Sequence[Revision]) -> Iterator[str]:
    for revision in history[-_REMEMBERED:]:
        gain = "not comparable" if revision.gain is None else f"{revision.gain:+.3f}"
        for edit in revision.caption.edits:
            yield f"- {edit.field} for {edit.criterion}: gain {gain}. It became: {edit.after[:400]}"


def _words(
    request: CaptionRequest, history: Sequence[Revision], best: Revision, draft: Draft, fields: Sequence[str]
) -> str:
    deletable = "negative_prompt" in fields
    phrases = listed(negative.phrases(draft.negative_prompt)) if deletable else ""
    return text(
        "rewrite",
        prompt=request.prompt,
        caption=draft.structured.text(),
        scores=_scores(best),
        feedback=best.feedback,
        history="\n".join(_past(history)) or "Nothing yet.",
        seconds=duration(request),
        frozen=text("frozen") if request.first_frame else "",
        deletions=text("phrases", phrases=phrases) if deletable else "",
        fields="\n".join(fields),
    )
