"""Noun phrases and what they do, found in a prompt by light rules: articles, verbs, prepositions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reasoner.rules.lexicon import (
    ABSTRACT,
    ARTICLES,
    ATMOSPHERE,
    DENIALS,
    FEMALE,
    HUMANS,
    JOINING,
    MALE,
    NOUNS_ING,
    NUMBERS,
    OLD,
    PICTURE,
    PLACING,
    SINGULAR_S,
    STYLES,
    VERBS,
    YOUNG,
)
from reasoner.rules.look import LIT

MAX_SUBJECTS = 4

_TOKEN = re.compile(
    r"\d+(?:mm|[kp]|fps)\b|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|[.,;:!?()\n\"\u201c\u201d]|\S"
)


@dataclass(frozen=True)
class Phrase:
    """A thing of the scene, in the prompt's words."""

    text: str
    """With its article and adjectives, e.g. "a red vintage car"."""
    deed: str
    """What it does, in the prompt's words; "" when nothing is said."""
    placed: bool
    """Named only as where something is ("on the beach")."""
    leads: bool = False
    """Its sentence starts with it."""

    @property
    def head(self) -> str:
        """Its noun, lower case: the last word."""
        return re.findall(r"[^\W\d_]+", self.text.lower())[-1] if re.search(r"[^\W\d_]", self.text) else ""

    @property
    def parts(self) -> frozenset[str]:
        """Its words, lower case."""
        return frozenset(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", self.text.lower()))

    @property
    def human(self) -> bool:
        """Whether it is a person or people."""
        return bool(self.parts & HUMANS) and not self.parts & {"robot", "robotic", "statue", "toy", "mannequin"}

    @property
    def gender(self) -> str:
        """Male, Female or Unknown, as the caption schema spells them."""
        return "Male" if self.parts & MALE else "Female" if self.parts & FEMALE else "Unknown"

    @property
    def age(self) -> str:
        """One of the schema's age words."""
        return "Elderly" if self.parts & OLD else "Child" if self.parts & YOUNG else "Adult"

    @property
    def count(self) -> int:
        """How many, as far as a number word says; 1 for a singular, 3 for an uncounted plural."""
        first = self.text.lower().split(" ", 1)[0]
        if self.parts & {"pair", "couple", "duo"}:
            return 2
        if first.isdecimal():
            return min(int(first[:4]), 1000)
        if first in NUMBERS:
            return NUMBERS[first]
        plural = self.head.endswith("s") and self.head not in SINGULAR_S
        return (
            3 if plural or first in {"several", "many", "some", "few"} or self.head in {"people", "men", "women"} else 1
        )


def _describes(rest: Sequence[str]) -> bool:
    """Whether a word in -ing before `rest` describes a noun ("a sailing boat crosses"), and is no deed ("reading")."""
    if len(rest) < 2 or not rest[0][0].isalnum():
        return False
    noun, after = rest[0].lower(), rest[1].lower()
    return noun not in ARTICLES | PLACING | JOINING and after in VERBS and noun not in VERBS


def _ends_phrase(token: str, held: Sequence[str], rest: Sequence[str]) -> bool:
    word = token.lower()
    if not token[0].isalnum() or word in PLACING or word in JOINING or (held and word in ARTICLES | DENIALS):
        return True
    if not held:
        return False
    nouned = [held_word for held_word in held if held_word.lower() not in ARTICLES]
    if not nouned:
        return False
    if word in NOUNS_ING:
        return False
    if word in VERBS or (word.endswith("ing") and len(word) > 4):
        return not (word.endswith("ing") and _describes(rest))
    last = held[-1].lower()
    singular = held[0].lower() in {"a", "an", "one"} or (last in HUMANS and not last.endswith("s"))
    return singular and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in SINGULAR_S


def _sentences(tokens: Sequence[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for word in tokens:
        if word in ".!?\n;":
            yield sentence
            sentence = []
        else:
            sentence.append(word)
    yield sentence


def _spell(tokens: Sequence[str]) -> str:
    return re.sub(r'" ([^"]*?) "', r'"\1"', re.sub(r" (?=[,:)\u201d])", "", " ".join(tokens)))


def _deed(tokens: Sequence[str], end: int) -> str:
    """What the phrase that ends there does: the words up to a comma, or ""."""
    follows = tokens[end].lower() if end < len(tokens) else ""
    negated = follows in {"not", "never"} or [word.lower() for word in tokens[end : end + 2]] == ["no", "longer"]
    verbal = negated or follows in VERBS or follows.endswith(("ing", "s"))
    if not verbal or follows in PLACING or follows in JOINING:
        return ""
    stop = end
    while stop < len(tokens) and tokens[stop] not in ",:()" and tokens[stop].lower() not in {"while", "then", "as"}:
        stop += 1
    return _spell(tokens[end:stop])


class _Chain:
    """Phrases that "of", "with", "in" ... hang together by, so that a verb after the last may be the first one's."""

    def __init__(self) -> None:
        self.found: list[Phrase] = []
        self._first: int | None = None

    def cut(self) -> None:
        """Begin another: a comma, an "and" or a deed came."""
        self._first = None

    def act(self, deed: str) -> None:
        """Give the first phrase a deed that follows what it is without: "a dog without a leash runs"."""
        if self._first is not None:
            self.found[self._first] = replace(self.found[self._first], deed=deed)
        self.cut()

    def add(self, phrase: Phrase, link: str) -> None:
        """Add a phrase that stands right after the linking word, if there is one."""
        first = self.found[self._first] if self._first is not None else None
        if first and self.found[-1] is first and link == "of" and not _unreal(first):
            self.found[-1] = replace(first, text=f"{first.text} of {phrase.text}", deed=phrase.deed)
            return
        gerund = phrase.deed.split(" ", 1)[0].endswith("ing")
        # "an AMR with a pallet drives", "a woman in a red coat waits", but "a park with a dog running"
        if first and self._first is not None and phrase.deed and (phrase.placed or (link == "with" and not gerund)):
            self.found[self._first] = replace(first, deed=phrase.deed)
            phrase = replace(phrase, deed="")
            self._first = None
        elif phrase.deed:
            self._first = None
        elif self._first is None and not phrase.placed and not _unreal(phrase):
            self._first = len(self.found)
        self.found.append(phrase)


def _in_sentence(tokens: Sequence[str]) -> list[Phrase]:
    chain = _Chain()
    at = 0
    placed = denied = False
    fresh = True
    link = ""
    while at < len(tokens):
        word = tokens[at].lower()
        if not tokens[at][0].isalnum():
            fresh, placed, denied, link = tokens[at] in ',:("\u201c' or fresh, False, False, ""
            chain.cut()
            at += 1
            continue
        # after "no" even "waves" is a noun
        barred = at > 0 and tokens[at - 1].lower() in {"no", "without"} and word != "longer"
        if denied and word in VERBS and not barred:
            chain.act(_deed(tokens, at))
        denied = word in DENIALS or (denied and word not in PLACING and (word not in VERBS or barred) and word != "but")
        starts = word in ARTICLES or word in NUMBERS or word.isdecimal() or fresh or placed
        if not starts or denied or word in PLACING or word in JOINING:
            placed = word in PLACING
            fresh = word in {"and", "while", "as", "of", "but"}
            link = word if placed or word in {"with", "of"} else ""
            if not link and not denied:
                chain.cut()
            at += 1
            continue
        end = at
        while end < len(tokens) and not _ends_phrase(tokens[end], tokens[at:end], tokens[end + 1 :]):
            end += 1
        held = tokens[at:end]
        if held and not all(w.lower() in ARTICLES for w in held):
            chain.add(Phrase(_spell(held), _deed(tokens, end), placed, leads=at == 0), link)
        fresh = placed = False
        at, link = max(end, at + 1), ""
    return chain.found


def _unreal(phrase: Phrase) -> bool:
    """Whether a phrase names no thing of the scene but the picture, its look, the hour or the weather."""
    said = phrase.parts - ARTICLES
    idle = not phrase.deed or phrase.placed
    verb = phrase.text.lower().split(" ", 1)[0] in VERBS and not phrase.leads
    lifting = phrase.head == "crane" and phrase.deed
    picture = phrase.parts & PICTURE and not (phrase.human or lifting or "noir" in phrase.parts)
    look = idle and (said <= STYLES or said <= ATMOSPHERE)
    return bool(picture or verb or look or phrase.head in ABSTRACT or len(phrase.text) >= 90)


def phrases(prompt: str) -> tuple[Phrase, ...]:
    """The things that a prompt names, in its order.

    Without words for the picture ("a wide shot of"), its look ("film noir:"), the hour and the weather, and without
    what the prompt denies ("no people").
    """
    text = re.sub(r"(?i)\bblack and white\b", "black-and-white", prompt[:2000])
    text = re.sub(LIT.pattern, " ", text, flags=re.IGNORECASE)
    found: dict[str, Phrase] = {}
    for sentence in _sentences(_TOKEN.findall(text)):
        for phrase in _in_sentence(sentence):
            again = phrase.text[:4].lower() in {"the ", "its "} and any(
                phrase.parts - ARTICLES <= earlier.parts for earlier in found.values()
            )
            if not again and not _unreal(phrase):
                found.setdefault(phrase.text.lower(), phrase)
    return tuple(found.values())
