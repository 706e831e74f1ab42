"""The next caption: a diagnosis by the model, and its edits where they may be made."""

from collections.abc import Sequence
from typing import Any, Literal

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.types import Usage
from reasoner.dice import dice
from reasoner.given import given_object
from reasoner.openai.asking import Asking
from reasoner.openai.core import still_asked
from reasoner.openai.fields import Draft, editable
from reasoner.openai.insisting import Insisted, insist
from reasoner.openai.instructions import question, text
from reasoner.openai.proposals import Diagnosis, Made, Past, carried_out, plain, read_diagnosis
from reasoner.openai.schema import edits_schema
from reasoner.openai.telling import lendable, merged, scores, urgency, words
from reasoner.openai.writing import REPAIRED, Written, write
from reasoner.types import Caption, CaptionRequest, Edit, Revision

AGAIN = "the same caption is tried on fresh seeds"
_WHOSE = {"model_limit": "Model limit, not the prompt", "reseed": "The seeds, not the prompt"}
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

    The model is not asked where seeds decide more than words: figures say that, and no judgement is better.

    Raises:
        ChatError: the server gave no reply.
        CaptionError: the first frame cannot be read.
    """
    best = history[champion].caption
    if decided := dice(history, champion):
        return _fresh(best, f"{decided} So {AGAIN}.", Usage())
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
    criteria = tuple(sorted(best.latest, key=lambda name: urgency(best, name))) or ("overall",)
    past, done = Past.of(history), _tried(request, history)
    lent = lendable(history, champion, draft, fields, past)
    asked = question(words(request, history, best, draft, fields, lent), request.first_frame)
    schema = edits_schema(fields, criteria)

    def made(said: Diagnosis) -> tuple[Made, tuple[str, ...]]:
        if said.verdict != "prompt_problem":
            return Made(draft, (), (), ()), ()
        found = carried_out(draft, said, fields, criteria, request.prompt, past)
        if not found.edits:
            return found, found.repeated
        again = _key(found.draft.structured.text(), found.draft.negative_prompt) in done
        return found, tuple(f"{edit.field}: {edit.after}" for edit in found.edits) if again else ()

    insisted = await insist(lambda turn: asking.ask(asked, schema, read_diagnosis, step=len(history), turn=turn), made)
    answer, usage, result = insisted.answer, insisted.usage, insisted.result
    if answer.value is None or result is None:
        why = f"No diagnosis could be read from {asking.chat.model}: {answer.why}; {AGAIN}."
        return _fresh(best.caption, why, usage)
    said = answer.value.diagnosis or "The model gave no reason."
    if answer.value.verdict != "prompt_problem":
        return _fresh(best.caption, f"{_WHOSE[answer.value.verdict]}: {said} So {AGAIN}.", usage, answer.value.verdict)
    edits, refused = result.edits, result.refused
    if insisted.repeated:
        told = " ".join([said, *_refusals(refused), _repeated(asking, insisted)])
        return _fresh(best.caption, f"{told} So {AGAIN}.", usage)
    if edits:
        sure, checked = await still_asked(asking.chat, request.prompt, result.draft)
        usage += checked
        if sure < _SURE:
            refused += (f"{', '.join(edit.field for edit in edits)}: {_no_longer(sure)}",)
            edits = ()
    told = " ".join([said, *merged(edits, lent), *_refusals(refused)])
    if not edits:
        return _fresh(best.caption, f"{told} No edit is left, so {AGAIN}.", usage)
    after = result.draft
    return Caption(
        prompt=after.structured.text(),
        structured=after.structured,
        negative_prompt=own if after.negative_prompt == draft.negative_prompt else after.negative_prompt,
        source="rewrite",
        edits=edits,
        notes=(f"The edits came from a second question: {answer.why}.",) if answer.outcome == "repaired" else (),
        diagnosis=told,
        verdict="prompt_problem",
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
    critique = text("critique", words=best.caption.prompt, scores=scores(best), feedback=best.feedback)
    done = _tried(request, history)

    def made(written: Written) -> tuple[Written, tuple[str, ...]]:
        prompt, avoided = written.structured.text(), written.negative_prompt
        again = _key(prompt, request.negative_prompt if avoided is None else avoided) in done
        return written, (prompt,) if again else ()

    insisted = await insist(lambda turn: write(asking, form, request, critique, step=len(history), turn=turn), made)
    answer, usage = insisted.answer, insisted.usage
    if answer.value is None:
        why = f"No caption could be read from {asking.chat.model}: {answer.why}; {AGAIN}."
        return _fresh(best.caption, why, usage)
    if insisted.repeated:
        return _fresh(best.caption, f"{_repeated(asking, insisted)} So {AGAIN}.", usage)
    structured, avoided = answer.value.structured, answer.value.negative_prompt
    sure, checked = await still_asked(asking.chat, request.prompt, Draft(structured, avoided or ""))
    usage += checked
    if sure < _SURE:
        return _fresh(best.caption, f"Refused a new caption: {_no_longer(sure)}. So {AGAIN}.", usage)
    lowest = min(best.latest, key=lambda name: urgency(best, name), default="overall")
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
        verdict="prompt_problem",
        reasoner=reasoner,
        usage=usage,
    )


def _no_longer(sure: float) -> str:
    if sure == 0:  # a plain no, or neither yes nor no: there is no probability to tell
        return "the model does not say that it would still be what was asked for"
    return f"it would no longer be what was asked for (P(yes) {sure:.2f})"


def _fresh(
    caption: Caption, diagnosis: str, usage: Usage, verdict: Literal["model_limit", "reseed"] = "reseed"
) -> Caption:
    return caption.on_fresh_seeds(diagnosis, verdict).model_copy(update={"usage": usage})


def _key(prompt: str, avoided: str) -> tuple[str, str]:
    """What a caption is compared by: its words and those of its negative prompt."""
    return plain(prompt), plain(avoided)


def _tried(request: CaptionRequest, history: Sequence[Revision]) -> frozenset[tuple[str, str]]:
    own = (revision.caption for revision in history)
    return frozenset(
        _key(c.prompt, request.negative_prompt if c.negative_prompt is None else c.negative_prompt) for c in own
    )


def _refusals(refused: Sequence[str]) -> Sequence[str]:
    return [f"Refused an edit of {reason}." for reason in refused]


def _repeated(asking: Asking, insisted: Insisted[Any, Any]) -> str:
    heat = asking.drawn(0, thinking=asking.thinking, turn=insisted.turns - 1).temperature
    hot = "" if heat is None else f", the last time at temperature {heat:g}"
    times = f"Asked {insisted.turns} times{hot}" if insisted.turns > 1 else "Asked once"
    return f"{times}, {asking.chat.model} gave nothing but words that were tried in this run already."
