"""Servers that a dead run left behind: they are on their way out, and must be waited for, not used."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from agent.serving import warden

_WARDEN = Path(warden.__file__).name


async def gone(port: int, patience: float, tell: Callable[[float, str], None]) -> bool:
    """Wait until no warden of a dead owner stops a server for this port any more; False: the patience was not enough.

    A run that is killed has its servers stopped by their wardens, which takes seconds; whoever resumes it at once would
    find the port taken and the GPU full.

    Args:
        port: of the server that is to be found or started.
        patience: seconds.
        tell: told the seconds waited and why, about every two seconds.
    """
    began = told = time.monotonic()
    while await asyncio.to_thread(_leaving, port):
        now = time.monotonic()
        if now - began > patience:
            return False
        if now - told >= 2:
            told = now
            tell(now - began, f"the server of a run that was killed still ends on port {port}")
        await asyncio.sleep(0.1)
    return True


def _leaving(port: int) -> bool:
    """Whether a warden runs whose owner is dead and whose server is for this port. Without /proc: no."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if not any(Path(word).name == _WARDEN for word in words[:5]):
            continue
        owner = next((word.removeprefix(warden.OWNER) for word in words if word.startswith(warden.OWNER)), "")
        at = words.index("--port") + 1 if "--port" in words else 0
        if at and words[at : at + 1] == [str(port)] and owner and _dead(owner):
            return True
    return False


def _dead(process: str) -> bool:
    try:
        status = Path("/proc", process, "stat").read_text(errors="replace")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] in "ZX"  # killed, and its parent has not asked for its code
