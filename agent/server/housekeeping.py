"""What happens by the clock: what waited too long fails, what was kept long enough goes."""

import asyncio
import logging
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from agent.errors import StorageError
from agent.server.carrying import Carrier
from agent.server.config import RetentionConfig
from agent.server.engine.messages import Over
from agent.server.entries import Entries
from agent.server.places import Places
from agent.server.recording import Recorder
from agent.server.store import Store
from agent.server.types import Problem

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
"""Between two looks at what has waited too long."""
HOUSE_SECONDS: Final = 60.0
"""Between two looks at what has been kept too long."""


class Housekeeping:
    """Looks after jobs that wait, and after those that are over."""

    def __init__(
        self,
        rules: RetentionConfig,
        store: Store,
        entries: Entries,
        carrier: Carrier,
        recorder: Recorder,
        places: Places,
    ) -> None:
        self._rules = rules
        self._store = store
        self._entries = entries
        self._carrier = carrier
        self._recorder = recorder
        self._places = places

    def sweep(self) -> None:
        """Remove what a kill left half made: folders beside the runs' that were never renamed, and media of no job."""
        for path in self._places.folder.glob(".*.tmp"):
            shutil.rmtree(path, ignore_errors=True)
        live = {job.id for _, job in self._store.live()}
        for path in self._places.inputs("").glob("*"):
            if path.name not in live:
                shutil.rmtree(path, ignore_errors=True)

    async def watch(self) -> None:
        """Look, for as long as the server lives."""
        cleaned = float("-inf")
        while True:
            try:
                await self.expire()
                self._carrier.fill()  # a backend may have come back, or been waited for long enough
                if time.monotonic() - cleaned > HOUSE_SECONDS:
                    cleaned = time.monotonic()
                    await self.clean()
            except Exception:
                log.exception("housekeeping failed; it is tried again")
            await asyncio.sleep(TICK_SECONDS)

    async def expire(self) -> None:
        """Fail what could not start in the time that its client gave it."""
        now = datetime.now(UTC)
        for entry in self._entries.waiting():
            if entry.job.start_by is not None and entry.job.start_by <= now and entry.job.state == "queued":
                problem = Problem(status=504, type="request_timeout", message="it could not start in the time asked")
                over = Over(id=entry.job.id, state="failed", problem=problem)
                with suppress(StorageError):  # not waited for: what is cleaned away here may free a full disk
                    await self._carrier.end(entry, over, patient=False)

    async def clean(self) -> None:
        """Forget jobs that were kept as long, or that take more room, than `server.retention` says."""
        rules, now = self._rules, time.time()
        before = None if rules.days is None else now - rules.days * 86400
        while jobs := self._store.outlived(now, before):
            for job in jobs:
                await self._recorder.forget(job)
        while rules.gib is not None and (jobs := self._store.beyond(rules.gib * 2**30)):
            for job in jobs:
                await self._recorder.forget(job)
