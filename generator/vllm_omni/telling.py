"""What a listener hears of one render: every change at once, time passing about once a second."""

import time

from generator.types import Progress, Tell

SECONDS_BETWEEN = 1.0


class Telling:
    """Tells of one render, at most about once a second while its stage stays the same."""

    def __init__(self, tell: Tell, seed: int) -> None:
        self._tell, self._seed = tell, seed
        self._last: tuple[str, str] = ("", "")
        self._at = 0.0

    def queued(self, seconds: float, endpoint: str = "") -> None:
        """It waits."""
        self._now_and_then(Progress(seed=self._seed, stage="queued", seconds=seconds, endpoint=endpoint))

    def rendering(self, seconds: float, endpoint: str) -> None:
        """The server works on it."""
        self._now_and_then(Progress(seed=self._seed, stage="rendering", seconds=seconds, endpoint=endpoint))

    def waiting(self, endpoint: str, note: str) -> None:
        """Its server has a trouble that may pass: nothing is lost yet."""
        self._last = "", ""
        self._tell(Progress(seed=self._seed, stage="queued", endpoint=endpoint, note=note))

    def delivering(self, endpoint: str) -> None:
        """It is fetched."""
        self._now_and_then(Progress(seed=self._seed, stage="delivering", endpoint=endpoint))

    def resubmitted(self, lost: float, endpoint: str, note: str) -> None:
        """A job is given up, and the render sent again; `lost` seconds of the server's time were for nothing."""
        self._tell(Progress(seed=self._seed, stage="resubmitted", seconds=round(lost, 3), endpoint=endpoint, note=note))

    def abandoned(self, lost: float, endpoint: str, note: str) -> None:
        """What the server has worked on for `lost` seconds is of no use to anybody."""
        self._tell(Progress(seed=self._seed, stage="abandoned", seconds=round(lost, 3), endpoint=endpoint, note=note))

    def _now_and_then(self, progress: Progress) -> None:
        now, what = time.monotonic(), (progress.stage, progress.endpoint)
        if what != self._last or now - self._at >= SECONDS_BETWEEN:
            self._last, self._at = what, now
            self._tell(progress.model_copy(update={"seconds": round(progress.seconds, 3)}))
