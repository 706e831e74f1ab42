"""An event loop whose clock skips the time in which nothing is to be done."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class _Skipping(selectors.DefaultSelector):
    """Ends every wait at once where nothing comes from outside, and counts what it would have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.skipped += timeout
        return ready

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return super().get_map()


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its `time` moves by what was slept and by nothing else: work done between two sleeps takes none of it."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Seconds skipped so far."""
        return self._skipping.skipped
