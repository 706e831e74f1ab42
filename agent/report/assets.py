"""What every page that people look at shares: the house's style sheet, and what a page may load."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


@cache
def asset(name: str) -> str:
    """A style sheet or script that lies beside this module."""
    return (HERE / name).read_text(encoding="utf-8")


def policy(style: str, script: str = "") -> str:
    """A page's content security policy: nothing is loaded but pictures and clips beside it, nothing runs but `script`.

    `file:` is for pages opened from disk: browsers differ in whether 'self' matches anything there.

    Args:
        style: the page's style sheet, to the character.
        script: likewise. "": the page has none, and none may run.
    """
    runs = f"; script-src '{_sha256(script)}'" if script else ""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data:; media-src 'self' file:; "
        f"style-src '{_sha256(style)}'{runs}"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
