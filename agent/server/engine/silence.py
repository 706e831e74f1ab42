"""How an engine that hangs is noticed: its loop says at every beat that it turns, and the server counts silence."""

import asyncio
from typing import Final

BEAT_SECONDS: Final = 1.0
"""Between two words of an engine that has nothing to tell, at most …"""
BEATS: Final = 10
"""… and in the longest silence, at least."""
FIRST_SECONDS: Final = 120.0
"""For the first word of a process, at least: it loads its libraries before."""


def beat(longest: float | None) -> float:
    """Seconds between two beats, where `longest` seconds of silence are allowed. None: any silence is."""
    return BEAT_SECONDS if longest is None else min(BEAT_SECONDS, longest / BEATS)


class Silence:
    """Counts for how long an engine has said nothing.

    Counted are turns of the server's own event loop, a beat apart at least, and not a clock's seconds: while the
    machine sleeps, both processes are stopped, or nothing gets a core, the server's loop stands still as well, and
    what it could not have heard is not held against the engine.

    Args:
        longest: seconds that it may say nothing. None: for ever.
        first: likewise for the first word of a process, if that is longer.
    """

    def __init__(self, longest: float | None, *, first: float = FIRST_SECONDS) -> None:
        self._longest = longest
        self._first = first
        self._beat = beat(longest)
        self._turns = 0
        self._speaks = False

    def begin(self) -> None:
        """Another process is there, and has said nothing yet."""
        self._turns, self._speaks = 0, False

    def broken(self) -> None:
        """It has said something."""
        self._turns, self._speaks = 0, True

    async def lasts(self) -> None:
        """Return once it has said nothing for too long; then count anew."""
        while self._longest is None or self._turns * self._beat < self._most(self._longest):
            await asyncio.sleep(self._beat)
            self._turns += 1
        self._turns = 0

    def _most(self, longest: float) -> float:
        return longest if self._speaks else max(longest, self._first)
