"""Finding words in a caption: what is said, what is denied, and how strongly."""

import re
from functools import lru_cache

_DENIAL = re.compile(
    r"\b(?:no|not|without|never|avoid(?:s|ing)?|free (?:of|from)|lack(?:s|ing)?|zero|neither|nor|don't|doesn't|isn't)\b"
    # a denial reaches over a few words, and over a list that ends in "or": "no grain, noise or flicker"
    r"(?:(?:[ \t/-]+(?!but\b|with\b|then\b)[\w'-]+){1,5}?(?:,[^,.;:]{1,40}){0,4},? (?:or|nor) (?:[\w'-]+ ?){1,3}"
    r"|(?:[ \t/-]+(?!but\b|with\b|then\b|just\b|only\b)[\w'-]+){1,4})"
)
_FREE = re.compile(r"\b[\w'-]+[ -]free\b")
_CLAUSE = re.compile(r"[,.;:!?]|\bthen\b|\bwhile\b|\bbut\b")

WEAK = r"slight(?:ly)?|subtl[ey]|gentl[ey]|slow(?:ly)?|soft(?:ly)?|small|a little|barely|minimal(?:ly)?"
STRONG = (
    r"clear(?:ly)?|strong(?:ly)?|pronounced|sweeping|wide|far|fast|quick(?:ly)?|rapid(?:ly)?|dramatic(?:ally)?"
    r"|all the way|noticeabl[ey]|large|continuous(?:ly)?|unmistakabl[ey]"
)
WEAK_FACTOR, STRONG_FACTOR = 0.6, 1.5


@lru_cache(maxsize=512)
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b")


@lru_cache(maxsize=64)
def affirmed(text: str) -> str:
    """`text` in lower case with everything that it denies blanked out, so that the rest can be searched."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match.group())

    lowered = text.lower().replace("\u2019", "'")
    return _FREE.sub(blank, _DENIAL.sub(blank, lowered))


def says(text: str, words: str) -> bool:
    """Whether `text` says one of `words` (alternatives of a regular expression) and does not deny it."""
    return _pattern(words).search(affirmed(text)) is not None


def first(text: str, kinds: dict[str, str]) -> str | None:
    """The kind whose words come first in `text`; None when none does."""
    found = [
        (match.start(), kind) for kind, words in kinds.items() if (match := _pattern(words).search(affirmed(text)))
    ]
    return min(found)[1] if found else None


def every(text: str, kinds: dict[str, str]) -> list[str]:
    """All kinds that `text` says, in the order in which they come."""
    found = [
        (match.start(), kind) for kind, words in kinds.items() if (match := _pattern(words).search(affirmed(text)))
    ]
    return [kind for _, kind in sorted(found)]


def clause(text: str, position: int) -> str:
    """The clause of `text` around a character's position."""
    start = max((m.end() for m in _CLAUSE.finditer(text, 0, position)), default=0)
    end = _CLAUSE.search(text, position)
    return text[start : end.start() if end else len(text)]


def strength(text: str) -> float:
    """How strongly a clause puts it: 0.6 weak, 1 plain, 1.5 strong. Both at once cancel out."""
    factor = 1.0
    if _pattern(WEAK).search(text):
        factor *= WEAK_FACTOR
    if _pattern(STRONG).search(text):
        factor *= STRONG_FACTOR
    return factor
