"""The instruction texts that the model is given, and their version."""

from functools import cache
from importlib.resources import files
from typing import Final

VERSION: Final = 1
"""Of all texts and questions here; a critique made with others is not comparable."""


@cache
def text(name: str) -> str:
    """A text of this package, by file name, without its last line break."""
    return (files("critic.vlm") / name).read_text(encoding="utf-8").rstrip("\n")
