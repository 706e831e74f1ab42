"""When a run's report is rebuilt while the run goes on."""

import logging
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor

from agent.report import write_report
from agent.run import Run

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
"""Between two builds of the report while a run runs: it is not read more often."""


class Reporter:
    """Keeps one run's report up to date: beside the run's own work, and at its end for certain.

    Decoding a poster takes a tenth of a second: in the event loop's thread, whoever is to render or judge next would
    wait for it. A page that cannot be made costs the run nothing: only a disk that fails is an error.

    Args:
        seconds: between two builds, at least.
    """

    def __init__(self, seconds: float = REPORT_SECONDS) -> None:
        self._seconds = seconds
        self._shown_at = -math.inf
        self._thread = ThreadPoolExecutor(1, "report")
        self._building: Future[None] | None = None

    def show(self, run: Run) -> None:
        """Rebuild the report soon, unless that was done just now or is being done: the next call makes up for it.

        Raises:
            OSError: the build before could not be written.
        """
        if self._building is not None and self._building.done():
            self._settle()
        if self._building is None and time.monotonic() - self._shown_at > self._seconds:
            self._shown_at = time.monotonic()
            self._building = self._thread.submit(_write, run)

    def finish(self, run: Run) -> None:
        """Rebuild the report now.

        Raises:
            OSError: it cannot be written.
        """
        self._settle()
        _write(run)
        self._shown_at = time.monotonic()

    def _settle(self) -> None:
        building, self._building = self._building, None
        if building is not None:
            building.result()


def _write(run: Run) -> None:
    try:
        write_report(run)
    except OSError:
        raise
    except Exception:
        log.exception("the report could not be built; the run goes on without it")
