"""A negative prompt taken apart into phrases, so that some can be left out and the rest still reads as language."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_STOP = re.compile(r"(?<=[.!?])\s+")
_HEAD = re.compile(r"^[^,]*?\b(?:showing|shows|includes?|including|features?|contains?|containing)\s+", re.IGNORECASE)
_ITEM = re.compile(r"\s*,\s*(?:and\s+)?")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|looks?|should|must)\b", re.IGNORECASE)
_FEW_WORDS = 4


@dataclass(frozen=True)
class _Sentence:
    text: str
    head: str
    items: tuple[str, ...]
    """Empty: not a list, so the sentence is one phrase."""
    tail: str

    def without(self, gone: Collection[str]) -> str:
        """What is left of it; "" when nothing is."""
        if not self.items:
            return "" if self.text in gone else self.text
        kept = [item for item in self.items if item not in gone]
        if len(kept) == len(self.items):
            return self.text
        if not kept:
            return ""
        if not re.search(r"\band\b", self.text):
            listed = ", ".join(kept)
        elif len(kept) == 2:
            listed = " and ".join(kept)
        else:
            listed = ", ".join([*kept[:-1], f"and {kept[-1]}"]) if len(kept) > 2 else kept[0]
        return f"{self.head}{listed}{self.tail}"


def _sentences(text: str) -> Iterator[_Sentence]:
    for sentence in filter(None, _STOP.split(text.strip())):
        body = sentence.rstrip(".!?")
        head = match[0] if (match := _HEAD.match(body)) else ""
        items = tuple(item.strip() for item in _ITEM.split(body[len(head) :]) if item.strip())
        keywords = not _VERB.search(body) and all(len(item.split()) <= _FEW_WORDS for item in items)
        listed = len(items) > 1 and (head or keywords)
        yield _Sentence(sentence, head, items if listed else (), sentence[len(body) :])


def phrases(text: str) -> tuple[str, ...]:
    """The phrases that can be left out one by one: items of its lists, and sentences that are none."""
    parts = [part for sentence in _sentences(text) for part in sentence.items or (sentence.text,)]
    return tuple(dict.fromkeys(parts))


def without(text: str, gone: Collection[str]) -> str:
    """The text without some of its `phrases`. Nothing is added; with nothing gone it is the same to the letter."""
    if not set(phrases(text)) & set(gone):
        return text
    return " ".join(filter(None, (sentence.without(gone) for sentence in _sentences(text))))
