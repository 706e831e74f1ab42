"""What the processes of a server take, watched while it works."""

import asyncio
import time
from contextlib import suppress
from typing import Self

import psutil
from pydantic import BaseModel, ConfigDict

EVERY_SECONDS = 1.0
MIB = 2**20


class Taken(BaseModel):
    """One process, from the beginning of the measurement to its end."""

    model_config = ConfigDict(frozen=True)

    start_mib: float
    """Resident."""
    end_mib: float
    most_mib: float
    slope_mib: float
    """A minute, over the second half: the straight line of least squares."""
    processor_seconds: float


class Watch:
    """Watches processes by name while its context lasts.

    Args:
        processes: by what they are called in the result.
    """

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self._seen: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
        self._used: dict[str, list[float]] = {name: [] for name in processes}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._look()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._task is not None:
            self._task.cancel()
        self._look()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self._look()

    def _look(self) -> None:
        for name, process in self._processes.items():
            with suppress(psutil.Error):
                self._seen[name].append((time.monotonic(), process.memory_info().rss / MIB))
                times = process.cpu_times()
                self._used[name].append(times.user + times.system)

    def taken(self) -> dict[str, Taken]:
        """By process."""
        told = {}
        for name, seen in self._seen.items():
            sizes, used = [size for _, size in seen], self._used[name]
            told[name] = Taken(
                start_mib=round(sizes[0], 1),
                end_mib=round(sizes[-1], 1),
                most_mib=round(max(sizes), 1),
                slope_mib=round(_slope(seen[len(seen) // 2 :]), 2),
                processor_seconds=round(used[-1] - used[0], 2),
            )
        return told


def _slope(seen: list[tuple[float, float]]) -> float:
    """A minute."""
    if len(seen) < 2:
        return 0.0
    at, size = (sum(column) / len(seen) for column in zip(*seen, strict=True))
    spread = sum((x - at) ** 2 for x, _ in seen)
    return 60 * sum((x - at) * (y - size) for x, y in seen) / spread if spread else 0.0
