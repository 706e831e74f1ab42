"""When it is worth asking again: what the header `openai-poll-after-ms` says."""

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
_KEPT: Final = 1000


class Pace:
    """What videos take here, as far as it was seen."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, float | None] = OrderedDict()
        """By the id of a video that tells nothing itself yet: seconds of the one completed before it."""

    def after_ms(self, job: Job, progress: float, desk: Desk, caller: Caller) -> int:
        """Milliseconds until asking again is worth it: a twentieth of what the video takes, from half a second to ten.

        What it takes is told by its own pace, before there is one by the last of this caller and model; a second where
        nothing is known.
        """
        if job.started_at is not None and progress > 0:
            seconds: float | None = (datetime.now(UTC) - job.started_at).total_seconds() / progress
        else:
            seconds = self._usual(job, desk, caller)
        return USUAL if seconds is None else round(min(MOST, max(LEAST, 1000 * seconds / SHARE)))

    def _usual(self, job: Job, desk: Desk, caller: Caller) -> float | None:
        """Looked up once a video: it is on the disk."""
        if job.id not in self._known:
            self._known[job.id] = _last(job.request.model, desk, caller)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known.get(job.id)


def _last(model: str, desk: Desk, caller: Caller) -> float | None:
    for job in desk.list(caller, dialect="openai", states=("completed",), limit=5).jobs:
        if job.request.model == model and job.started_at is not None and job.ended_at is not None:
            return (job.ended_at - job.started_at).total_seconds()
    return None
