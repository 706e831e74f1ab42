"""The engine as the server sees it: a child process, spoken to, and started again when it dies or hangs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from pydantic import ValidationError

from agent.server.config import Served
from agent.server.engine.messages import LONGEST, UP, Begin, Cancel, Over, Ready, Told
from agent.server.engine.silence import Silence
from agent.server.types import Job

log = logging.getLogger(__name__)

ONE_HEAP: Final = {"MALLOC_ARENA_MAX": "2"}
"""glibc keeps a heap for each of many threads otherwise, and gives hardly any of it back."""
RESTART_SECONDS: Final = (0.1, 1.0, 5.0, 30.0)
"""Before it is started again, the longer the more often it died in a row."""
LAST_WORDS_SECONDS: Final = 0.5
"""For one that hangs to tell the log where, before it is killed."""
Loss = Literal["died", "hung"]
"""How an engine was lost."""


class Engine:
    """The process that carries jobs out.

    Args:
        served: its config.
        hear: told of each message.
        died: told after the death of the process, once another one works; what it carried is to be begun again. One
            that dies before it could work counts for nothing: no job is to blame for it.
        lost: told of each process that is gone without being told to, and how.
    """

    def __init__(
        self,
        served: Served,
        hear: Callable[[Told | Over], None],
        died: Callable[[], None],
        *,
        lost: Callable[[Loss], None] = lambda _: None,
    ) -> None:
        self._served = served
        self._hear = hear
        self._died = died
        self._lost = lost
        self._silence = Silence(served.server.limits.engine_silent_seconds)
        self._listening: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._mourning = False
        """Whether a death is still to be told."""
        self._hung = False
        """Whether the process was killed for its silence."""

    @property
    def away(self) -> bool:
        """Whether it was lost, and no other works yet."""
        return self._hung or self._mourning

    async def start(self) -> None:
        """Start it, and keep it running from now on."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())
        self._listening = asyncio.create_task(self._listen())

    def begin(self, job: Job) -> None:
        """Let it carry a job out. Where it is dead, `died` says so later."""
        self._send(Begin(job=job))

    def cancel(self, id: str) -> None:  # noqa: A002 - the noun's own field
        """Let it end a job."""
        self._send(Cancel(id=id))

    async def stop(self) -> None:
        """Kill it. What it was doing is remembered on the disk, and renders on servers go on until the next start."""
        for task in (self._listening, self._keeping):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
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
        self._silence.begin()
        self._process, self._hung = process, False

    async def _keep(self) -> None:
        deaths = 0
        while True:
            heard = await self._follow()
            if self._process is not None:
                code = await self._process.wait()
                log.error("the engine died (exit %s); it is started again, and its runs go on", code)
                self._lost("hung" if self._hung else "died")
            self._process, self._mourning = None, True
            deaths = 0 if heard else min(deaths + 1, len(RESTART_SECONDS) - 1)
            await asyncio.sleep(RESTART_SECONDS[deaths])
            try:
                await self._spawn()
            except OSError:
                log.exception("the engine could not be started; it is tried again")

    async def _listen(self) -> None:
        """Kill a process that has said nothing for too long: what becomes of its jobs is as after any death."""
        while True:
            await self._silence.lasts()
            process = self._process
            if process is None:
                continue  # another one is started soon
            seconds = self._served.server.limits.engine_silent_seconds
            log.error("the engine hangs: it has said nothing for %s s; it tells where, and is killed", seconds)
            self._hung = True
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGUSR1)
                await asyncio.sleep(LAST_WORDS_SECONDS)
                process.kill()

    async def _follow(self) -> bool:
        """Hear messages until the process ends. Returns whether there was any."""
        heard = False
        process = self._process
        if process is None or process.stdout is None:
            return False
        while line := await process.stdout.readline():
            self._silence.broken()
            try:
                message = UP.validate_json(line)
            except ValidationError:
                log.exception("the engine said something that is no message")
                continue
            try:
                if isinstance(message, Told | Over):
                    heard = True
                    self._hear(message)
                elif isinstance(message, Ready) and self._mourning:
                    self._mourning = False
                    self._died()
            except Exception:
                log.exception("a message of the engine could not be taken in")
        return heard
