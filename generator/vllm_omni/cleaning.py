"""The last words to a server, said even when nobody waits any more."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

log = logging.getLogger("generator.vllm_omni")


async def bounded(work: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Do the last of some work: no cancellation cuts it short, its time limit does.

    Returns:
        Whether somebody cancelled meanwhile.
    """

    async def limited() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await work

    task, cancelled = asyncio.create_task(limited()), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("cleaning up after a render failed: %s", error)
    return cancelled
