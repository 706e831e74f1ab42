"""What is done with a job whose backends do not answer: it waits for them, for a while."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.server.engine.messages import Over
from agent.server.entries import Entry


class Backends(Protocol):
    """Who knows whether a model's backends answer: `agent.server.readiness.Readiness`."""

    def known(self) -> Mapping[str, Sequence[object]]:
        """What each model misses, as far as it has been asked."""

    async def fails(self, model: str) -> bool:
        """Whether a model misses something at this moment."""


class Holding:
    """Says which jobs wait for their backends.

    Args:
        seconds: for which a job waits, all its waits together. Then it is begun all the same, and tells the cause.
        backends: asked. None: nobody waits.
    """

    def __init__(self, seconds: float, backends: Backends | None) -> None:
        self._seconds = seconds
        self._backends = backends

    def waits(self, entry: Entry) -> bool:
        """Whether a job that could begin is to wait for its backends."""
        if self._backends is None or not self._backends.known().get(entry.job.request.model):
            return False
        return self._within(entry)

    async def again(self, entry: Entry, over: Over) -> bool:
        """Whether a job that failed is to wait, and then to go on from what it remembers: its backends went away."""
        problem = over.problem
        if self._backends is None or problem is None or problem.type != "downstream_service_unavailable":
            return False
        return await self._backends.fails(entry.job.request.model) and self._within(entry)

    def _within(self, entry: Entry) -> bool:
        now = time.monotonic()
        entry.lacking = entry.lacking if entry.lacking is not None else now
        return now - entry.lacking < self._seconds
