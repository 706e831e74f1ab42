"""From a request to a job: checked, given a place, its media and itself on the disk, the same key the same job."""

import asyncio
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

from agent.server.admission import Admission, digest, keep, suffix
from agent.server.config import Served
from agent.server.entries import Entries
from agent.server.places import Places
from agent.server.store import Store
from agent.server.types import Caller, Job, NewJob, RunRequest, refused
from agent.server.weighing import weighed
from agent.server.wishes import checked
from agent.server.workers import Workers


class Taking:
    """Makes jobs of requests.

    Args:
        served: the config.
        store: the jobs on disk.
        entries: the jobs in memory.
        admission: gives places in the queue.
        places: where things lie.
        workers: the disk's threads.
    """

    def __init__(
        self,
        served: Served,
        store: Store,
        entries: Entries,
        admission: Admission,
        places: Places,
        workers: Workers,
    ) -> None:
        self._served = served
        self._store = store
        self._entries = entries
        self._admission = admission
        self._places = places
        self._workers = workers
        self._once: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def take(self, new: NewJob, caller: Caller) -> tuple[Job, bool]:
        """The job of a request, and whether it is a new one: the same idempotency key gives the same job again.

        Raises:
            Refused: as `agent.server.desk.Desk.submit` has it.
            StorageError: the disk failed, and nothing was taken.
        """
        model = self._served.server.model_named(new.request.model)
        if model is None:
            known = ", ".join(self._served.server.models)
            why = f"there is no model {new.request.model!r:.80}; there are {known}"
            raise refused(404, "not_found", why, loc=("model",))
        request = new.request.model_copy(update={"model": model})
        told = await self._workers.on_files(partial(digest, new)) if new.inputs else digest(new)
        if new.idempotency_key is None:
            return await self._taken(new, request, told, caller), True
        once = (caller.owner, new.idempotency_key)
        async with self._once.setdefault(once, asyncio.Lock()):
            known_job = self._store.by_key(*once)
            if known_job is None:
                return await self._taken(new, request, told, caller), True
        if known_job.digest != told:
            why = "this idempotency key was used for another request; give a new one"
            raise refused(422, "idempotency_key_reused", why, loc=("header", "idempotency-key"))
        return known_job, False

    async def _taken(self, new: NewJob, request: RunRequest, told: str, caller: Caller) -> Job:
        id_ = new.id or str(uuid4())
        folder = self._places.inputs(id_)
        inputs = {name: name + suffix(given) for name, given in new.inputs.items()}
        at_hand = {name: folder / file for name, file in inputs.items()}
        checked(self._served.models[request.model], request, at_hand, self._served.server.limits)
        now = datetime.now(UTC)
        job = Job(
            id=id_,
            owner=caller.owner,
            dialect=new.dialect,
            endpoint=new.endpoint,
            request=request,
            wire=dict(new.wire),
            inputs=inputs,
            base_url=new.base_url,
            priority=new.priority,
            created_at=now,
            start_by=None if new.start_within is None else now + timedelta(seconds=new.start_within),
            keep_until=self._kept_until(new, now),
            media_key=secrets.token_urlsafe(24),
            idempotency_key=new.idempotency_key,
            digest=told,
            webhook=new.webhook,
            ephemeral=new.ephemeral,
        )
        with self._admission.place(caller.owner, weighed(new.inputs)):
            seq = await self._written(job, folder, inputs, new.inputs)
            self._entries.enter(job, seq)
        return job

    def _kept_until(self, new: NewJob, now: datetime) -> datetime | None:
        """As long as was asked, and no longer than this server keeps any job."""
        days = self._served.server.retention.days
        if new.keep_seconds is None:
            return None
        return now + timedelta(seconds=new.keep_seconds if days is None else min(new.keep_seconds, days * 86400))

    async def _written(
        self, job: Job, folder: Path, names: Mapping[str, str], given: Mapping[str, bytes | Path]
    ) -> int:
        try:
            if given:
                await self._workers.on_files(partial(keep, folder, names, given))
            return await self._workers.on_disk(partial(self._store.add, job))
        except Exception:  # where this is cut off, and not failed, the job may be on the disk, and needs them
            await self._workers.on_files(partial(shutil.rmtree, folder, ignore_errors=True))
            raise
