"""Which Retake this is."""

from functools import cache
from importlib import metadata
from typing import Final

PACKAGE: Final = "cosmos-retake"


@cache
def version() -> str:
    """As installed; "0" where it runs from its source alone."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "0"
