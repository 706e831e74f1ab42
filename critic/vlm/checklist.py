"""What a request's clips are asked: a checklist that the model writes, or the user's YAML file."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from critic.types import Axis, Criterion, JudgeError, Rubric, WrittenRubric
from critic.vlm.rubric import PROMPT, builtin, filled, read, standing, title_of, without
from critic.vlm.show import first_frame_part
from critic.vlm.texts import VERSION, text
from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Image, Message, Sampling, Text, TooLong, Usage

FEWEST, MOST = 6, 10
"""Questions that the model writes; with the standing ones at most 16."""
SUBJECT_FLOOR: Final = 0.2
"""Floor of the first question on adherence: a clip in which the heart of the request is all but surely missing is never
accepted. Low, since a model's single answer is weak evidence (design: a prompted judge is far from sure)."""
_SIDE = 448
_TOKENS = 4000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_AXES: Final[Mapping[str, Axis]] = {"adherence": "adherence", "first_frame": "first_frame", "motion": "motion"}


class Checklist:
    """Has the model write a request's questions. Implements `critic.types.RubricWriter`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    @property
    def id(self) -> str:
        """The model that writes, and the version of its instructions."""
        return f"checklist/{VERSION} {self._chat.model}"

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        """The model's questions and the standing ones; the built-in ones where its own cannot be used after a repair.

        Raises:
            JudgeError: the first frame is not an image.
            OSError: the first frame cannot be read.
            ChatError: the server gives no answer.
        """
        image = None if first_frame is None else first_frame_part(first_frame, _SIDE)
        asked = _asking(prompt, image)
        used, notes = Usage(), list[str]()
        for attempt in range(2):
            try:
                bound = schema(image is not None)
                reply = await self._chat.ask(asked, sampling=Sampling.greedy(_TOKENS), schema=bound)
            except TooLong:
                notes.append(
                    f"{'The second question' if attempt else 'The question'} for it was too long for the model"
                )
                break
            used += reply.usage
            try:
                criteria, fixes = criteria_of(read_object(reply.text), image is not None)
            except Unreadable as error:
                fault = "was cut off" if reply.finish_reason == "length" else str(error)
                notes.append(f"The {'second ' if attempt else ''}checklist that {self._chat.model} wrote {fault}")
            else:
                if attempt:
                    notes[-1] += "; asked once more, it wrote a usable one."
                return _written("checklist", criteria, [*notes, *fixes], self.id, used)
            if not attempt:
                asked = [
                    *asked,
                    Message(role="assistant", content=reply.text[:4000] or "{}"),
                    Message(role="user", content=f"This reply {fault}. Write the whole checklist again as asked."),
                ]
        rubric = filled(builtin(), prompt)
        kept = rubric.criteria if image is not None else without(rubric.criteria, "first_frame")
        told = f"No checklist could be written. {'. '.join(notes)}. The built-in questions are asked instead."
        return _written("builtin", kept, [told], self.id, used)


class FromFile:
    """Asks what a YAML file says, and nothing else. Implements `critic.types.RubricWriter`.

    Raises:
        RubricError: the file cannot be used.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._rubric = read(path)
        self._mark = hashlib.sha256(path.read_bytes()).hexdigest()[:8]

    @property
    def id(self) -> str:
        """The rubric, its version and its text's hash: an edited file is another rubric."""
        return f"{self._rubric.id} {self._mark}"

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        """The file's questions, the prompt in its place; without those about a first frame where there is none.

        Raises:
            JudgeError: no question is left.
        """
        rubric, notes = filled(self._rubric, prompt), []
        if first_frame is None:
            kept = without(rubric.criteria, "first_frame")
            if left_out := [c.name for c in rubric.criteria if c not in kept]:
                notes.append(f"Not asked, as there is no first frame: {', '.join(left_out)}.")
            if not kept:
                raise JudgeError(
                    f"every question of the rubric {self._rubric.id} is about a first frame, and there is none; give "
                    "an image, or add questions on other axes"
                )
            rubric = rubric.model_copy(update={"criteria": kept})
        return WrittenRubric(rubric=rubric, notes=tuple(notes), by=self.id)


def schema(image: bool) -> dict[str, Any]:
    """What the model's checklist is bound to."""
    words = {"type": "string", "minLength": 8, "maxLength": 240}
    fields = {
        "name": {"type": "string", "pattern": "^[a-z][a-z_]{2,30}$"},
        "question": words,
        "negation": words,
        "axis": {"type": "string", "enum": [axis for axis in _AXES if image or axis != "first_frame"]},
        "weight": {"type": "integer", "minimum": 1, "maximum": 3},
        "depends_on": {"type": "integer", "minimum": -1, "maximum": MOST - 1},
    }
    question = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"questions": {"type": "array", "minItems": FEWEST, "maxItems": MOST, "items": question}},
        "required": ["questions"],
        "additionalProperties": False,
    }


def criteria_of(found: Mapping[str, Any], image: bool) -> tuple[list[Criterion], list[str]]:
    """The questions of a reply, and what was put right in them, in sentences.

    Raises:
        Unreadable: they cannot be used.
    """
    items = found.get("questions")
    if not isinstance(items, list) or len(items) < FEWEST:
        raise Unreadable(f"holds {len(items) if isinstance(items, list) else 'no'} questions, not {FEWEST} to {MOST}")
    taken = {c.name for c in standing().criteria}
    criteria: list[Criterion] = []
    loose = 0
    for at, item in enumerate(items[:MOST]):
        criterion = _criterion(item, at, image, taken)
        taken.add(criterion.name)
        parent = item.get("depends_on", -1)
        if isinstance(parent, int) and 0 <= parent < at:
            criterion = criterion.model_copy(update={"depends_on": criteria[parent].name})
        elif parent != -1:
            loose += 1
        criteria.append(criterion)
    first = next((at for at, c in enumerate(criteria) if c.axis == "adherence"), None)
    if first is not None:
        criteria[first] = criteria[first].model_copy(update={"floor": SUBJECT_FLOOR})
    fixes = [f"{loose} of the checklist's questions hung on none before them; they are asked by themselves."]
    return criteria, fixes if loose else []


def _criterion(item: object, at: int, image: bool, taken: set[str]) -> Criterion:
    if not isinstance(item, dict):
        raise Unreadable(f"holds no object as question {at}")
    question, negation = (" ".join(str(item.get(key) or "").split()) for key in ("question", "negation"))
    if len(question) < 8 or PROMPT in question + negation:
        raise Unreadable(f"holds no words for question {at}")
    axis, weight = _AXES.get(str(item.get("axis"))), item.get("weight")
    if axis is None or (axis == "first_frame" and not image):
        raise Unreadable(f"puts question {at} on the axis {str(item.get('axis'))[:20]!r}")
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= 3:
        raise Unreadable(f"gives question {at} no weight of 1 to 3")
    name = str(item.get("name"))
    if not _NAME.fullmatch(name):
        raise Unreadable(f"gives question {at} no usable name")
    same = name
    for number in range(2, 2 + len(taken)):
        if same not in taken:
            break
        same = f"{name}_{number}"
    return Criterion(
        name=same, title=title_of(same), axis=axis, definition=question, negation=negation, weight=float(weight)
    )


def twinned(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """A third of the questions, rounded up and the heaviest first, keep the one that asks for their opposite.

    Models lean to yes: a twin takes that out of a question at the price of asking twice, so the weighty ones get it.
    """
    able = sorted((c for c in criteria if c.negation), key=lambda c: -c.weight)
    keep = {c.name for c in able[: math.ceil(len(criteria) / 3)]}
    return tuple(c if c.name in keep else c.model_copy(update={"negation": ""}) for c in criteria)


def _written(name: str, criteria: Sequence[Criterion], notes: Sequence[str], by: str, used: Usage) -> WrittenRubric:
    whole = twinned([*criteria, *standing().criteria])
    return WrittenRubric(
        rubric=Rubric(name=name, version=VERSION, criteria=whole), notes=tuple(notes), by=by, usage=used
    )


def _asking(prompt: str, image: Image | None) -> list[Message]:
    words = text("checklist.txt").replace(PROMPT, prompt)
    if image is None:
        return [Message(role="user", content=words)]
    given = Text(text="This picture is the first frame that the video is to start from.\n")
    return [Message(role="user", content=(image, given, Text(text=words)))]
