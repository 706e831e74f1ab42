"""Whether the rules can read a prompt: they know English only."""

import re

from reasoner.clauses import CAMERA, words
from reasoner.rules.lexicon import ARTICLES, DENIALS, HUMANS, JOINING, PLACING, STYLES, VERBS

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ENGLISH = (ARTICLES | PLACING | JOINING | DENIALS | VERBS | HUMANS | STYLES | CAMERA) - words(
    "die man as me van in on"
)
_ELSEWHERE = words(
    "der die das den dem ein eine einen einem einer und mit auf durch bei im zum zur ist nicht "
    "el los las un una unos del con por para y en sobre mientras "
    "le les des du dans sur avec et une au aux pendant qui "
    "il lo gli nel nella della che di alla sul um uma com da dos das ao pelo "
    "het een van op met naar w na z przez och med ett som og til"
)
"""Small words of other languages of Europe, without those that are English too."""


def reads_as_english(prompt: str) -> bool:
    """Whether a prompt has words, and they are more likely English than anything else. Without a model: by small words.

    Short prompts without any small word ("cat") count as English when all their letters are those of English.
    """
    said = _WORD.findall(prompt[:2000].lower())
    if not said:
        return False
    foreign_letters = sum(not word.isascii() for word in said)
    english = sum(word in _ENGLISH for word in said)
    elsewhere = sum(word in _ELSEWHERE for word in said)
    if not english:
        return not foreign_letters and not elsewhere
    return elsewhere <= english and 2 * foreign_letters <= len(said)


def first_clause(prompt: str) -> str:
    """The prompt up to its first comma or stop, in any script."""
    parts = re.split(r"[,.;:!?\n\u3002\u3001\uff0c\uff01\uff1f\uff1b\u060c]", prompt.strip())
    return next((part.strip() for part in parts if part.strip()), prompt.strip())
