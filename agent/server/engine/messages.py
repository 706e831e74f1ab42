"""What the server and its engine tell one another: one JSON object a line, down one pipe and up another."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.server.types import Job, Problem, Result, State

LONGEST = 64 << 20
"""Bytes of a line: a job's request is far below."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Begin(_Message):
    """Down: carry this job out, or go on with it."""

    say: Literal["begin"] = "begin"
    job: Job


class Cancel(_Message):
    """Down: end this job as soon as may be."""

    say: Literal["cancel"] = "cancel"
    id: str


class Ready(_Message):
    """Up: the engine is there, and does what it is told."""

    say: Literal["ready"] = "ready"


class Alive(_Message):
    """Up: the engine's event loop turns. Said at every beat, whatever else is said."""

    say: Literal["alive"] = "alive"


class Told(_Message):
    """Up: a job's run has announced something; it is in its events.jsonl."""

    say: Literal["told"] = "told"
    id: str


class Over(_Message):
    """Up: a job is over."""

    say: Literal["over"] = "over"
    id: str
    state: State
    result: Result | None = None
    problem: Problem | None = None
    bytes: int = 0
    """That its folder takes."""


Down = Annotated[Begin | Cancel, Field(discriminator="say")]
Up = Annotated[Ready | Alive | Told | Over, Field(discriminator="say")]
DOWN: TypeAdapter[Down] = TypeAdapter(Down)
UP: TypeAdapter[Up] = TypeAdapter(Up)
