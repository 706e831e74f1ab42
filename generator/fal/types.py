"""What the parts of the fal backend hand one another."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from generator.types import BackendError

Stage = Literal["queued", "rendering", "delivering", "resubmitted", "abandoned"]
Told = Callable[[Stage, float, str], None]
"""Told of a stage, the seconds in it so far, and a note."""


class UnsettledError(BackendError):
    """fal may still render the request or hold its result: whoever asks for the same again finds it there.

    Args:
        why: it was not delivered.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} fal may have the clip all the same: asked for again, it is looked for there first.")


@dataclass(frozen=True)
class Pace:
    """How often and how long fal is asked, in seconds."""

    first_poll: float = 0.25
    """Grows by half with each poll."""
    longest_poll: float = 2.0
    first_pause: float = 1.0
    """Before a submission that fal had no room for is repeated; doubles."""
    patience: float = 60.0
    """How long such submissions are repeated."""
    cancel: float = 5.0
    """How long a withdrawal may hold up its caller."""


class Answered(NamedTuple):
    """The answer of a finished request."""

    body: Any
    job: str
    queue_seconds: float
    """From its acceptance to where it was first seen at work."""
    render_seconds: float | None
    """None: it was never seen at work."""
    inference_seconds: float | None
    """fal's own figure."""
    lost: int = 0
    """Requests of a killed session whose results fal no longer has."""


@dataclass
class Submission:
    """A request on its way to fal, and who hears of it."""

    arguments: dict[str, Any]
    request: str
    """Hash of what is asked for."""
    told: Told
    price: str
    """What the render costs, in words that end a sentence."""
    to: Path
    """The clip's place."""
    begun: float = 0.0
    """When it was last posted, by the monotonic clock."""
    refused: Exception | None = None
    """Why fal did not take it, while it is not taken."""

    def abandoned(self, why: str) -> None:
        """Nobody knows whether fal renders it."""
        spent = time.monotonic() - self.begun
        self.told("abandoned", spent, f"{why} If fal took it, it is billed{self.price}.")
