"""The engine's process: jobs come in by standard input, what becomes of them goes out by standard output."""

import asyncio
import ctypes
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, BinaryIO, Final

from agent.server import logs
from agent.server.config import Served
from agent.server.engine.messages import DOWN, LONGEST, Alive, Begin, Cancel, Over, Ready, Told
from agent.server.engine.silence import beat
from agent.server.engine.warm import Warm, starts
from agent.server.engine.work import Work
from agent.server.places import Places
from agent.server.types import Problem

log = logging.getLogger(__name__)

GONE: Final = 0
PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""
NICE: Final = 10
"""That the engine is nicer than the server: its codecs have dozens of threads, and clients would wait behind them."""


class Engine:
    """Carries out the jobs it is told to, side by side; who tells it bounds how many."""

    def __init__(self, served: Served, out: BinaryIO) -> None:
        self._out = out
        warm = Warm(Places(served.folder).own / "servers")
        self._work = Work(served, self._told, warm)
        self._warming = asyncio.ensure_future(warm.begin(served.models.values()))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beat = beat(served.server.limits.engine_silent_seconds)

    def heed(self, line: bytes) -> None:
        """One message."""
        match DOWN.validate_json(line):
            case Begin(job=job):
                if job.id not in self._tasks:
                    self._tasks[job.id] = asyncio.create_task(self._carry(job.id, self._work.carry(job)))
            case Cancel(id=id):
                if (task := self._tasks.get(id)) is not None:
                    # not before it has begun, or it would end without a word: both messages may come at once
                    asyncio.get_running_loop().call_soon(self._cancel, task)

    def beat(self) -> None:
        """Say that the event loop turns, from now on and for as long as it does."""
        self.say(Alive())
        asyncio.get_running_loop().call_later(self._beat, self.beat)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if not task.cancelling():  # told twice, it goes on tidying up
            task.cancel()

    async def _carry(self, id: str, work: Coroutine[Any, Any, Over]) -> None:  # noqa: A002 - the noun's own field
        try:
            over = await work
        except Exception:
            log.exception("a job ended without a word")
            problem = Problem(status=500, type="internal_server_error", message="the server failed; see its log")
            over = Over(id=id, state="failed", problem=problem)
        self._tasks.pop(id, None)
        self.say(over)
        gc.collect()  # a run holds decoded frames in cycles: a server lives for weeks

    def _told(self, id: str) -> None:  # noqa: A002 - as above
        self.say(Told(id=id))

    def say(self, message: Ready | Alive | Told | Over) -> None:
        """Tell the server something."""
        try:
            self._out.write(message.model_dump_json().encode() + b"\n")
            self._out.flush()
        except BrokenPipeError:
            os._exit(GONE)


async def _main(out: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    first = await reader.readline()
    if not first:
        return
    served = Served.model_validate_json(first)
    _give_way(served)
    engine = Engine(served, out)
    engine.say(Ready())
    engine.beat()
    while line := await reader.readline():
        engine.heed(line)
    # the server is gone, perhaps killed: its jobs are on the disk, and the next one goes on with them
    os._exit(GONE)


def _give_way(served: Served) -> None:
    """Let the server go first where both want the processor.

    Not where runs start servers of models: those would be as nice, and nobody but the superuser could take it back.
    """
    if not any(starts(config) for config in served.models.values()):
        with suppress(OSError, AttributeError):
            os.nice(NICE)


def _die_with_the_server() -> None:
    """Have the system kill this process when the server dies, even where it hangs and reads no pipe (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run until standard input ends."""
    logs.begin(verbose=False, part="engine")
    _die_with_the_server()
    # Ctrl-C goes to the whole group of the terminal: the server decides what becomes of its jobs
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    faulthandler.register(signal.SIGUSR1)  # where it hangs, told to the log, before it is killed for that
    # messages alone go up the pipe; what a library prints goes to the log
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(_main(out))


if __name__ == "__main__":
    main()
