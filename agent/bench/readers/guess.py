"""What kind of labels a plain file holds, guessed from all of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from agent.bench.readers.making import number, quoted
from agent.bench.types import LabelType

BINARY: Final = {"pass": 1.0, "fail": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0}
PAIR: Final = {"a": 1.0, "first": 1.0, "1": 1.0, "b": 0.0, "second": 0.0, "0": 0.0, "tie": 0.5, "same": 0.5, "0.5": 0.5}
_WORDS: Final = {"pass", "fail", "true", "false", "yes", "no"}


@dataclass(frozen=True)
class Told:
    """What a row says of its label."""

    line: int
    label: str
    has_scale: bool
    has_pair: bool


@dataclass
class _Rule:
    """A kind of label that a file may be of, as long as no label speaks against it."""

    fits: Callable[[Told], bool]
    against: Told | None = None
    """The first that does."""


@dataclass
class _Rules:
    pair: _Rule = field(default_factory=lambda: _Rule(lambda row: row.has_pair and plain(row.label) in PAIR))
    words: _Rule = field(default_factory=lambda: _Rule(lambda row: plain(row.label) in _WORDS))
    binary: _Rule = field(default_factory=lambda: _Rule(lambda row: not row.has_scale and plain(row.label) in BINARY))
    likert: _Rule = field(default_factory=lambda: _Rule(lambda row: row.has_scale and whole(row.label)))
    grades: _Rule = field(default_factory=lambda: _Rule(lambda row: whole(row.label) and 1 <= float(row.label) <= 5))


def plain(label: str) -> str:
    """A label as the tables above have it: lower case, whole numbers without a fraction."""
    value = number(label)
    return label.casefold() if value is None else f"{value:g}"


def label_type(rows: Iterable[Told]) -> tuple[LabelType, str]:
    """The kind of all labels together, and why, in a sentence.

    Labels that are of no kind at all are left out of it: they are told as bad rows where the file is read.
    """
    rules = _Rules()
    count = 0
    for row in _readable(rows):
        count += 1
        for rule in vars(rules).values():
            if rule.against is None and not rule.fits(row):
                rule.against = row
    if not count:
        return "mos", "No label could be read."
    if rules.pair.against is None:
        return "pair", "The labels are taken for comparisons of two clips: each is A, B or a tie, and names a video_b."
    if rules.words.against is None or rules.binary.against is None:
        return "binary", "The labels are taken for verdicts: each is pass or fail, or 1 or 0."
    if rules.likert.against is None:
        return "likert", "The labels are taken for grades: each is a whole number and has a scale."
    if rules.grades.against is None:
        return "mos", (
            "The labels are whole numbers from 1 to 5 without a scale, and are taken for mean opinion scores of which "
            "nobody knows what is good enough. If they are grades, add a column scale with 1-5, or --scale 1-5."
        )
    odd = next(rule.against for rule in (rules.binary, rules.likert) if rule.against is not None)
    return "mos", (
        "The labels are taken for mean opinion scores: not all are 1 or 0, nor whole numbers with a scale "
        f"(line {odd.line}: {quoted(odd.label)})."
    )


def _readable(rows: Iterable[Told]) -> Iterator[Told]:
    return (row for row in rows if number(row.label) is not None or plain(row.label) in {**BINARY, **PAIR})


def whole(label: str) -> bool:
    """Whether a label is a whole number."""
    value = number(label)
    return value is not None and value == int(value)
