"""What a cell of a table of scores says."""

import math
import re
from typing import Final, Literal

Worded = Literal["pass", "fail", "a", "b", "tie"]

WORDS: Final[dict[str, Worded]] = {
    **dict.fromkeys(("true", "pass", "yes"), "pass"),
    **dict.fromkeys(("false", "fail", "no"), "fail"),
    "a": "a",
    "b": "b",
    "tie": "tie",
}
"""Labels in words. A: the first clip is better."""
VALUES: Final[dict[Worded, float]] = {"pass": 1.0, "fail": 0.0, "a": 1.0, "b": 0.0, "tie": 0.5}
_NOTHING: Final = {"", "-", "na", "n/a", "nan", "none", "null"}
_NUMBER: Final = r"[-+]?\d+(?:\.\d+)?"
_SCALE: Final = re.compile(rf"[\[(]?\s*({_NUMBER})\s*(?:[-\u2013]|\.\.|:|,|;|/|to|\s)\s*({_NUMBER})\s*[\])]?")
_LONGEST: Final = 400
"""Characters of a number or a scale: Python's own parsing of longer ones takes long."""


def shown(cell: str) -> str:
    """A cell as a message may hold it: short, and without what a terminal would obey."""
    return repr(cell if len(cell) <= 40 else cell[:39] + "…")


def with_point(cell: str) -> str:
    """0,5 as 0.5, as tables that are parted by semicolons write a half."""
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell


def number(cell: str) -> float | None:
    """A finite number; None: there is none in it."""
    if len(cell) > _LONGEST or "_" in cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def score(cell: str) -> tuple[float | None, str]:
    """A score, or None and why there is none: such a row is a failure of the critic, never a zero."""
    value = number(cell)
    if value is not None:
        return value, ""
    if cell.strip().lower() in _NOTHING:
        return None, "no score"
    try:
        float(cell[:_LONGEST])
    except ValueError:
        return None, "the score is no number"
    return None, "no score"  # not finite


def scale(cell: str) -> tuple[float, float]:
    """The worst and the best label there are, from 1-5, 1..5 or 1 to 5.

    Raises:
        ValueError: the cell says neither.
    """
    found = _SCALE.fullmatch(cell.strip().lower()) if len(cell) <= _LONGEST else None
    if found is None:
        raise ValueError(f"scale: {shown(cell)} is none; write it as 1-5")
    return float(found[1]), float(found[2])


def count(name: str, cell: str) -> int | None:
    """A whole number of at least 0; None: the cell is empty.

    Raises:
        ValueError: it is none.
    """
    if cell.strip().lower() in _NOTHING:
        return None
    value = number(cell)
    if value is None or value < 0 or value != int(value):
        raise ValueError(f"{name}: {shown(cell)} is no count")
    return int(value)


def holds(name: str, cell: str) -> bool:
    """Yes or no in the words that labels use, or 1 and 0; an empty cell is a yes.

    Raises:
        ValueError: it is neither.
    """
    said = cell.strip().lower()
    if said in {"", "1"} or WORDS.get(said) == "pass":
        return True
    if said == "0" or WORDS.get(said) == "fail":
        return False
    raise ValueError(f"{name}: {shown(cell)} is neither true nor false")
