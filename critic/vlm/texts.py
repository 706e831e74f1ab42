"""The instruction texts that the model is given, and their version."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

VERSION: Final = 1
"""Of all texts and questions here; a critique made with others is not comparable."""


SCORING: Final = ("judge.txt", "checklist.txt", "critique.txt", "builtin.yaml", "standing.yaml")
"""Those that judging a clip sends; comparing two sends others."""


@cache
def text(name: str) -> str:
    """A text of this package, by file name, without its last line break."""
    return (files("critic.vlm") / name).read_text(encoding="utf-8").rstrip("\n")


@cache
def mark() -> str:
    """Version of the texts that judging sends, and 12 digits of their hash: an edited text is another critic."""
    whole = "\0".join(f"{name}\0{text(name)}" for name in SCORING)
    return f"{VERSION} {hashlib.sha256(whole.encode()).hexdigest()[:12]}"
