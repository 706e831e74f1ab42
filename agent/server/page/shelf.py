"""Runs as the page shows them, made again only when their folder has changed."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from agent import journal, report
from agent.errors import RunFolderError
from agent.report.posters import FOLDER as POSTERS
from agent.server.page.looking import look
from agent.server.types import Job

MOST: Final = 32
"""Views that are kept: those looked at last."""
WATCHED: Final = (journal.RUN, report.NAME, POSTERS)
"""What a view is made from: where one of these is another, it is made again."""


class Shelf:
    """The views looked at last, by job. May be asked by several threads.

    Args:
        scrub: takes out what is the operator's own, such as backends' addresses.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub
        self._views: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._lock = Lock()

    def look(self, job: Job, folder: Path, address: Callable[[str], str]) -> tuple[str, bytes] | None:
        """A run's entity tag and its view as JSON. None: nothing of it can be read yet.

        Args:
            job: whose run it is.
            folder: of the run.
            address: of a file, by its path within the folder.
        """
        if _stamp(folder / journal.RUN) is None:
            return None
        tag = f'"{job.state}-{"-".join(str(_stamp(folder / name)) for name in WATCHED)}"'
        with self._lock:
            known = self._views.get(job.media_key)
            if known is not None and known[0] == tag:
                self._views.move_to_end(job.media_key)
                return known
        try:
            view = look(journal.load(folder), job.id, address)
        except RunFolderError:
            return None
        made = tag, self._scrub(view.model_dump_json()).encode()
        with self._lock:
            self._views[job.media_key] = made
            while len(self._views) > MOST:
                self._views.popitem(last=False)
        return made


def _stamp(path: Path) -> str | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_mtime_ns:x}.{found.st_size:x}"
