"""The page's keys, as its help lists them."""

from typing import Final

KEYS: Final = (
    ("/", "to the prompt of a new run"),
    ("Ctrl Enter", "start the run, from anywhere in the form"),
    ("j k", "the next run, the one before"),
    ("Enter", "into the run"),
    ("Esc", "back to the list; out of a field"),
    ("Space", "play or pause the clips of the iteration, all in step"),
    ("← →", "the iteration before, the next"),
    ("r", "run again with other settings: fills the form"),
    ("c", "cancel the run (asks first)"),
    ("?", "these keys"),
)
