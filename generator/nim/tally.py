"""What one render costs while it is under way, and telling so."""

import time
from typing import Literal

from generator.types import Progress, Tell

Stage = Literal["queued", "rendering", "delivering", "resubmitted", "abandoned"]


class Tally:
    """Seconds and submissions of one render; tells each change of stage.

    Args:
        seed: of the render.
        tell: the listener.
    """

    def __init__(self, seed: int, tell: Tell) -> None:
        self._seed, self._tell = seed, tell
        self._since = time.perf_counter()
        self.endpoint = ""
        self.attempts = 0
        self.queue_seconds = 0.0
        self.render_seconds = 0.0
        self.lost_seconds = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds in this stage."""
        return time.perf_counter() - self._since

    def queued(self) -> None:
        """It waits for a turn."""
        self.endpoint = ""
        self._enter("queued")

    def rendering(self, endpoint: str) -> None:
        """It is sent to an endpoint."""
        self.queue_seconds += self.elapsed
        self.attempts += 1
        self.endpoint = endpoint
        self._enter("rendering")

    def unsent(self) -> None:
        """It did not get there."""
        self.attempts -= 1
        self.queue_seconds += self.elapsed

    def refused(self) -> None:
        """It was not accepted there."""
        self.queue_seconds += self.elapsed

    def resubmitted(self, note: str) -> None:
        """It was lost there, and is sent again."""
        self.lost_seconds += self.elapsed
        self._say("resubmitted", self.elapsed, note)

    def abandoned(self, note: str) -> None:
        """Nobody waits for it any more."""
        self._say("abandoned", self.elapsed, note)

    def delivering(self) -> None:
        """Its answer is there."""
        self.render_seconds = self.elapsed
        self._enter("delivering")

    def _enter(self, stage: Stage) -> None:
        self._since = time.perf_counter()
        self._say(stage, 0.0)

    def _say(self, stage: Stage, seconds: float, note: str = "") -> None:
        self._tell(Progress(seed=self._seed, stage=stage, seconds=round(seconds, 3), endpoint=self.endpoint, note=note))
