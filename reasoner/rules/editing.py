"""Steps of a ladder carried out on a caption, structured or plain."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from reasoner.caption import StructuredCaption
from reasoner.given import given_object
from reasoner.rules.ladders import LADDERS
from reasoner.rules.shots import replaced
from reasoner.rules.steps import Case, Step
from reasoner.rules.upsample import said
from reasoner.types import Edit

THAWED = (
    "cinematography.camera_motion",
    "cinematography.depth_of_field",
    "cinematography.focus",
    "lighting.illumination_effect",
    "actions.",
    "segments.",
    "temporal_caption",
)
"""What may be edited when a first frame is given, beside `subjects.N.action` and `.state_changes`: the rest describes
that frame."""


STORY = "temporal_caption"

Tried = set[tuple[str, str]]
"""Steps, by criterion and reason."""


def frozen(field: str) -> bool:
    """Whether a field describes the first frame, so that image-to-video leaves it alone."""
    motion = field.startswith("subjects.") and field.endswith((".action", ".state_changes"))
    return not (motion or field.startswith(THAWED))


def value(caption: StructuredCaption, field: str) -> str:
    """The text of a dotted field.

    Raises:
        KeyError: the field is missing or is not text.
    """
    place: Any = caption
    for key in field.split("."):
        place = place[int(key)] if isinstance(place, tuple) else getattr(place, key, None)
    if not isinstance(place, str):
        raise KeyError(field)
    return place


def allowed(step: Step, case: Case) -> bool:
    """Whether a step suits the case and contradicts no wish of the user."""
    return step.fits(case) and not (step.unless & case.wishes)


def _added(before: str, sentence: str) -> str:
    before = before.strip()
    if not before:
        return sentence
    return f"{before} {sentence}" if before[-1] in '.!?\u3002"' else f"{before}. {sentence}"


def _expand(caption: StructuredCaption, field: str) -> Iterator[tuple[str, int | None]]:
    head, star, tail = field.partition(".*.")
    if star:
        yield from ((f"{head}.{index}.{tail}", index) for index in range(len(getattr(caption, head))))
    else:
        parts = field.split(".")
        yield field, int(parts[1]) if parts[0] == "segments" else None


def edit_caption(
    caption: StructuredCaption, step: Step, criterion: str, case: Case
) -> tuple[StructuredCaption, tuple[Edit, ...]]:
    """Carry a step out. No edits: what it says stands there already, or it has no field that may be edited."""
    from_image = case.request.first_frame is not None
    edits = []
    for pattern in (step.from_image or step.fields) if from_image else step.fields:
        for field, index in _expand(caption, pattern):
            if from_image and frozen(field):
                continue
            try:
                before = value(caption, field)
            except (KeyError, IndexError):
                continue
            sentence = step.says(case, index)
            after = replaced(before, sentence, case.passages) if step.replaces else _added(before, sentence)
            if sentence not in before:
                caption = caption.replace(field, after)
                edits.append(Edit(field=field, before=before, after=after, criterion=criterion, reason=step.reason))
    before = caption.temporal_caption
    after = _retold(before, edits, said(case.request.prompt)) if step.replaces else before
    if after != before:
        caption = caption.replace(STORY, after)
        edits.append(Edit(field=STORY, before=before, after=after, criterion=criterion, reason=step.reason))
    return caption, tuple(edits)


def _retold(story: str, edits: Sequence[Edit], prompt: str) -> str:
    """The story with replaced camera sentences replaced there too, beyond the user's own words at its start."""
    kept = len(prompt) if story.startswith(prompt) else 0
    beats = story[kept:]
    for edit in edits:
        if edit.field.startswith("segments."):
            beats = beats.replace(edit.before, edit.after, 1)
    return story[:kept] + beats


def edit_words(prompt: str, step: Step, criterion: str, case: Case) -> tuple[str, tuple[Edit, ...]]:
    """Carry a step out on plain words: its sentence is added, in the place of an earlier one for the same criterion.

    Words that are a JSON object of another schema stay one: the sentence joins their `temporal_caption`.
    """
    sentence = step.says(case, None)
    if sentence in prompt:
        return prompt, ()
    data = given_object(prompt)
    if data:
        story = data.get("temporal_caption")
        after = json.dumps(
            data | {"temporal_caption": _swapped(story if isinstance(story, str) else "", sentence, criterion, case)}
        )
    else:
        after = _swapped(prompt, sentence, criterion, case)
    return after, (Edit(field="prompt", before=prompt, after=after, criterion=criterion, reason=step.reason),)


def carried_out(
    structured: StructuredCaption | None, prompt: str, step: Step, criterion: str, case: Case
) -> tuple[StructuredCaption | None, str, tuple[Edit, ...]]:
    """Carry a step out on a caption, or on plain words where it is None. Returns both anew, and the edits."""
    if structured is None:
        prompt, edits = edit_words(prompt, step, criterion, case)
        return None, prompt, edits
    structured, edits = edit_caption(structured, step, criterion, case)
    return structured, structured.text() if edits else prompt, edits


def _swapped(text: str, sentence: str, criterion: str, case: Case) -> str:
    for step in LADDERS.get(criterion, ()):
        earlier = f" {step.says(case, None)}"
        if allowed(step, case) and text.endswith(earlier):
            text = text.removesuffix(earlier)
    return _added(text, sentence)


def tried(edits: Sequence[Edit]) -> Tried:
    """The steps that a caption's edits belong to, by criterion and reason."""
    return {(edit.criterion, edit.reason) for edit in edits}
