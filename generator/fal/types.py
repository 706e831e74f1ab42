"""What the parts of the fal backend hand one another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Stage = Literal["queued", "rendering", "delivering", "abandoned"]
Told = Callable[[Stage, float, str], None]
"""Told of a stage, the seconds in it so far, and a note."""


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
