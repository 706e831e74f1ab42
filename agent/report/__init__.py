"""A run as one page: report.html."""

from pathlib import Path

from agent.files import write_atomically
from agent.run import Run

NAME = "report.html"
"""The page's file in a run's folder."""


def write_report(run: Run) -> Path:
    """Write `report.html` into the run's folder, whole or not at all, and return its path.

    The page holds its styles, script and posters; clips stay where they are and are named by paths relative to the
    page, so a run folder can be moved and copied. A clip that is gone or does not decode is said to be missing. Posters
    are kept in the folder's `posters/`, so that rebuilding the page after every candidate stays cheap.

    Raises:
        OSError: the folder cannot be written.
    """
    # templates, decoder and image library are for those who write a page, not for `import agent`
    from agent.report.page import render  # noqa: PLC0415 - Jinja is loaded by those who write reports

    path = run.folder / NAME
    write_atomically(path, render(run))
    return path
