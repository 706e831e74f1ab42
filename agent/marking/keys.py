"""The page's keys and what they do, for its help and its documentation."""

from typing import Final

KEYS: Final = (
    ("1 … 5", "rate the clip: bad, poor, fair, good, excellent"),
    ("p, f", "pass or fail: would you take the clip as an answer to the prompt?"),
    ("← →", "previous and next candidate (k and j as well)"),
    ("n", "next one without a mark"),
    ("space", "play or pause"),
    ("u", "take the last mark back"),
    ("b", "compare two candidates side by side, and back"),
    ("1, ←", "comparing: the left one is better"),
    ("2, →", "comparing: the right one is better"),
    ("0, t", "comparing: a tie (k and j: previous and next pair)"),
    ("s", "show or hide the critic's score"),
    ("r", "try again to save what could not be saved"),
    ("?", "show or hide this list"),
)
