"""When it is worth asking again: what the header `openai-poll-after-ms` says."""

import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

from agent.server.desk import Desk
from agent.server.types import Caller, Job

HEADER: Final = "openai-poll-after-ms"
LEAST, USUAL, MOST = 500, 1000, 10_000
"""Milliseconds. The clients keep to the first figure that they are given until the video is done: one that is right for
a video's last minute must not keep them from its end."""
SHARE: Final = 20
"""A video's end is seen at most so small a part of its time late."""
_FRESH_SECONDS: Final = 10.0
_KEPT: Final = 1000


class Pace:
    """What videos take here, as far as it was seen."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[float, float | None]] = OrderedDict()
        """By owner and model: when it was looked up, and the seconds of the newest video that was completed."""

    def after_ms(self, job: Job, progress: float, desk: Desk, caller: Caller) -> int:
        """Milliseconds until asking again is worth it: a twentieth of what the video takes, from half a second to ten.

        What it takes is told by its own pace, before there is one by the last of this caller and model; a second where
        nothing is known.
        """
        seconds = None
        if job.started_at is not None and progress > 0:
            seconds = (datetime.now(UTC) - job.started_at).total_seconds() / progress
        if seconds is None:
            seconds = self._usual(job, desk, caller)
        return USUAL if seconds is None else round(min(MOST, max(LEAST, 1000 * seconds / SHARE)))

    def _usual(self, job: Job, desk: Desk, caller: Caller) -> float | None:
        key, now = (job.owner, job.request.model), time.monotonic()
        found = self._known.get(key)
        if found is None or now - found[0] > _FRESH_SECONDS:
            found = self._known[key] = now, _last(job.request.model, desk, caller)
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found[1]


def _last(model: str, desk: Desk, caller: Caller) -> float | None:
    for job in desk.list(caller, dialect="openai", states=("completed",), limit=20).jobs:
        if job.request.model == model and job.started_at is not None and job.ended_at is not None:
            return (job.ended_at - job.started_at).total_seconds()
    return None
