"""The engine as the server sees it: a child process that is started, spoken to, and started again when it dies."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from agent.server.config import Served
from agent.server.engine.messages import LONGEST, UP, Begin, Cancel, Over, Ready, Told
from agent.server.types import Job

log = logging.getLogger(__name__)

ONE_HEAP: Final = {"MALLOC_ARENA_MAX": "2"}
"""glibc keeps a heap for each of many threads otherwise, and gives hardly any of it back."""
RESTART_SECONDS: Final = (0.1, 1.0, 5.0, 30.0)
"""Before it is started again, the longer the more often it died in a row."""


class Engine:
    """The process that carries jobs out.

    Args:
        served: its config.
        hear: told of each message.
        died: told after the death of the process, once another one works; what it carried is to be begun again. One
            that dies before it could work counts for nothing: no job is to blame for it.
    """

    def __init__(self, served: Served, hear: Callable[[Told | Over], None], died: Callable[[], None]) -> None:
        self._served = served
        self._hear = hear
        self._died = died
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closing = False
        self._mourning = False
        """Whether a death is still to be told."""

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none at the moment."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it, and keep it running from now on."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())

    def begin(self, job: Job) -> None:
        """Let it carry a job out. Where it is dead, `died` says so later."""
        self._send(Begin(job=job))

    def cancel(self, id: str) -> None:  # noqa: A002 - the noun's own field
        """Let it end a job."""
        self._send(Cancel(id=id))

    async def stop(self) -> None:
        """Kill it. What it was doing is remembered on the disk, and renders on servers go on until the next start."""
        self._closing = True
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _send(self, message: Begin | Cancel) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        process.stdin.write(message.model_dump_json().encode() + b"\n")

    def _environment(self) -> dict[str, str]:
        """Without the clients' keys: it decodes what strangers send, and starts servers of models."""
        keys = self._served.server.api_keys_env
        return {name: value for name, value in {**ONE_HEAP, **os.environ}.items() if name != keys}

    async def _spawn(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.server.engine"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST,
            env=self._environment(),
        )
        if process.stdin is None:
            raise RuntimeError("a process without the pipe that was asked for")
        # only keys that were set: some defaults go by which keys a person named
        process.stdin.write(self._served.model_dump_json(exclude_unset=True).encode() + b"\n")
        self._process = process

    async def _keep(self) -> None:
        deaths = 0
        while True:
            heard = await self._follow()
            if self._process is not None:
                code = await self._process.wait()
                log.error("the engine died (exit %s); it is started again, and its runs go on", code)
            self._process, self._mourning = None, True
            deaths = 0 if heard else min(deaths + 1, len(RESTART_SECONDS) - 1)
            await asyncio.sleep(RESTART_SECONDS[deaths])
            try:
                await self._spawn()
            except OSError:
                log.exception("the engine could not be started; it is tried again")

    async def _follow(self) -> bool:
        """Hear messages until the process ends. Returns whether there was any."""
        heard = False
        process = self._process
        if process is None or process.stdout is None:
            return False
        while line := await process.stdout.readline():
            try:
                message = UP.validate_json(line)
            except ValidationError:
                log.exception("the engine said something that is no message")
                continue
            try:
                if not isinstance(message, Ready):
                    heard = True
                    self._hear(message)
                elif self._mourning:
                    self._mourning = False
                    self._died()
            except Exception:
                log.exception("a message of the engine could not be taken in")
        return heard
