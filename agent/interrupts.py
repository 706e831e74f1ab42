"""How a command's work is ended early: by Ctrl-C, SIGTERM or a closed terminal."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def terminable(work: Coroutine[Any, Any, T]) -> T:
    """The work, cancelled cleanly by SIGTERM and a closed terminal as it already is by Ctrl-C."""
    task = asyncio.ensure_future(work)
    for how in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(how) is not signal.SIG_IGN:  # nohup wants the work to outlive its terminal
            asyncio.get_running_loop().add_signal_handler(how, task.cancel)
    return await task
