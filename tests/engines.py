"""An engine of `retake serve` for tests of what stands before it."""

from collections.abc import Callable
from typing import Any

from agent.server.engine.messages import Over, Told
from agent.server.engine.work import CANCELLED
from agent.server.types import Job


class Scripted:
    """Carries nothing out; tells the ends that it is told to."""

    def __init__(self, hear: Callable[[Told | Over], None], died: Callable[[], None]) -> None:
        self.hear, self.died = hear, died
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.away = False
        self.deaf = False
        """Whether it ends nothing that is cancelled."""

    async def start(self) -> None:
        pass

    def begin(self, job: Job) -> None:
        self.begun.append(job.id)

    def cancel(self, id: str) -> None:  # noqa: A002
        self.cancelled.append(id)
        if self.deaf:
            return
        self.hear(Over(id=id, state="cancelled", problem=CANCELLED))

    async def stop(self) -> None:
        pass

    def finish(self, job: Job, **more: Any) -> None:
        self.hear(Over(id=job.id, state="completed", **more))
