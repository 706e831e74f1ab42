"""A run's page for those who do not run the server."""

import re
from typing import Final

_NOT_SHARED: Final = (
    re.compile(r'<nav aria-label="Raw data">.*?</nav>', re.DOTALL),
    re.compile(r'<details id="config">.*?</details>', re.DOTALL),
)
"""What a run's page has for its operator alone: the config, and the files that hold it or name what rendered."""


def without_config(page: str) -> str:
    """A run's `report.html` without its config and without links to the files beside it that hold such things.

    What the page escapes cannot end a part early: in text "<" is "&lt;".
    """
    for part in _NOT_SHARED:
        page = part.sub("", page)
    return page
