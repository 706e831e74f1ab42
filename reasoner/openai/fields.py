"""Which fields of a caption an edit may name, and edits carried out on them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.openai import negative
from reasoner.openai.schema import STAMPS

NEGATIVE = "negative_prompt"
"""Not a field of the caption: an edit of it leaves one of its phrases out."""
STORY = "temporal_caption"
_FIXED = re.compile(rf"^(?:{'|'.join(STAMPS)})\b|\.(?:time|time_range)$")
_MOTION = re.compile(
    r"^(?:subjects\.\d+\.(?:action|state_changes)|actions\.\d+\.description"
    r"|segments\.\d+\.(?:description|key_changes|camera)|cinematography\.camera_motion"
    r"|temporal_caption|audio_description|negative_prompt)$"
)
_SEEN_MOVING = re.compile(
    r"^(?:temporal_caption|subjects\.\d+\.(?:description|action|state_changes)|actions\.\d+\.description"
    r"|segments\.\d+\.(?:description|key_changes|camera)|cinematography\.camera_motion)$"
)


@dataclass(frozen=True)
class Draft:
    """A caption under edit, with the negative prompt that goes with it."""

    structured: StructuredCaption | MotionCaption
    negative_prompt: str

    def texts(self) -> dict[str, str]:
        """Every text of the caption by its dotted field, the negative prompt's included where there is one."""
        found = dict(_leaves(self.structured.model_dump(mode="json")))
        return found | ({NEGATIVE: self.negative_prompt} if self.negative_prompt else {})

    def events(self) -> str:
        """What happens, field by field: the texts that could change the user's core action."""
        return "\n".join(
            f"{name}: {words}" for name, words in self.texts().items() if _SEEN_MOVING.match(name) and words
        )

    def words(self) -> str:
        """All texts of the caption in one."""
        return " ".join(words for name, words in self.texts().items() if name != NEGATIVE)

    def edited(self, field: str, value: str) -> "Draft":
        """A copy with one field changed.

        Raises:
            ValueError: it would not be a caption any more, or the phrase to leave out is not there. The message says
                which.
        """
        if field == NEGATIVE:
            if value not in negative.phrases(self.negative_prompt):
                raise ValueError("it is none of the negative prompt's phrases, and nothing can be added to them")
            return replace(self, negative_prompt=negative.without(self.negative_prompt, (value,)))
        try:
            if isinstance(self.structured, StructuredCaption):
                return replace(self, structured=self.structured.replace(field, value))
            return replace(self, structured=MotionCaption.model_validate(self.structured.model_dump() | {field: value}))
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from None


def editable(draft: Draft, from_image: bool, deletable: bool) -> tuple[str, ...]:
    """The fields that an edit may name: texts, no stamps and no times; those that move only, where an image stands."""
    return tuple(
        name
        for name in draft.texts()
        if not _FIXED.search(name) and (not from_image or _MOTION.match(name)) and (deletable or name != NEGATIVE)
    )


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
        return
    pairs: Sequence[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        pairs = tuple(node.items())
    elif isinstance(node, (list, tuple)):
        pairs = tuple(enumerate(node))
    for key, part in pairs:
        yield from _leaves(part, f"{path}.{key}" if path else str(key))
