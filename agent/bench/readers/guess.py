"""What kind of labels a plain file holds, guessed from all of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.bench.readers.making import number, quoted
from agent.bench.types import LabelType

_BINARY_WORDS: Final = {"pass": 1.0, "fail": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_PAIR_WORDS: Final = {"a": 1.0, "first": 1.0, "b": 0.0, "second": 0.0, "tie": 0.5, "same": 0.5}
BINARY: Final = {**_BINARY_WORDS, "1": 1.0, "0": 0.0}
PAIR: Final = {**_PAIR_WORDS, "1": 1.0, "0": 0.0, "0.5": 0.5}


@dataclass(frozen=True)
class Told:
    """What a row says of its label."""

    line: int
    label: str
    has_scale: bool
    has_pair: bool


@dataclass
class _Tally:
    """What was seen so far. Of what speaks against a kind, the first."""

    pair_words: int = 0
    binary_words: int = 0
    numbers: int = 0
    pairs: int = 0
    not_a_verdict: Told | None = None
    not_a_share: Told | None = None
    not_a_grade: Told | None = None
    not_1_to_5: Told | None = None

    def add(self, row: Told) -> None:
        label, value = plain(row.label), number(row.label)
        self.pairs += row.has_pair
        if value is None:
            self.pair_words += label in _PAIR_WORDS
            self.binary_words += label in _BINARY_WORDS
            return
        self.numbers += 1
        if label not in BINARY or row.has_scale:
            self.not_a_verdict = self.not_a_verdict or row
        if label not in PAIR:
            self.not_a_share = self.not_a_share or row
        if not whole(row.label) or not row.has_scale:
            self.not_a_grade = self.not_a_grade or row
        if not whole(row.label) or not 1 <= value <= 5:
            self.not_1_to_5 = self.not_1_to_5 or row


def plain(label: str) -> str:
    """A label as the tables above have it: lower case, whole numbers without a fraction."""
    value = number(label)
    return label.casefold() if value is None else f"{value:g}"


def whole(label: str) -> bool:
    """Whether a label is a whole number."""
    value = number(label)
    return value is not None and value == int(value)


def label_type(rows: Iterable[Told]) -> tuple[LabelType, str]:
    """The kind of all labels together, and why, in a sentence ("" where there is none to guess).

    Words decide, the more frequent kind of them; labels that are nothing at all are left out of it, and told as bad
    rows where the file is read.
    """
    seen = _Tally()
    for row in rows:
        seen.add(row)
    if seen.pair_words > seen.binary_words or (seen.pairs and seen.numbers and seen.not_a_share is None):
        return "pair", "The labels are taken for comparisons of two clips: A, B or a tie."
    if seen.binary_words or (seen.numbers and seen.not_a_verdict is None):
        return "binary", "The labels are taken for verdicts: pass or fail."
    if not seen.numbers:
        return "mos", ""
    if seen.not_a_grade is None:
        return "likert", "The labels are taken for grades: each is a whole number and has a scale."
    if seen.not_1_to_5 is None:
        return "mos", (
            "The labels are whole numbers from 1 to 5 without a scale, and are taken for mean opinion scores of which "
            "nobody knows what is good enough. If they are grades, give --scale 1-5, or a column scale that holds 1-5."
        )
    odd = seen.not_a_verdict or seen.not_a_grade
    return "mos", (
        "The labels are taken for mean opinion scores: not all are pass or fail, nor whole numbers with a scale "
        f"(line {odd.line}: {quoted(odd.label)})."
    )
