"""A question asked again, warmer each time, while its answer only repeats what was tried in the run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from reasoner.chat.types import Refused, TooLong, Usage
from reasoner.openai.asking import Answer, Turn
from reasoner.openai.instructions import text

TURNS = 3
"""Times that a question is asked: as it is, and twice warmer."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Insisted(Generic[T, R]):
    """What came of it."""

    answer: Answer[T]
    """The last one."""
    result: R | None
    """What was made of its value; None: it has none."""
    repeated: bool
    """Whether the last one repeats, too."""
    turns: int
    """Times asked."""
    usage: Usage
    """Of all."""


async def insist(
    ask: Callable[[Turn], Awaitable[Answer[T]]], made: Callable[[T], tuple[R, tuple[str, ...]]]
) -> Insisted[T, R]:
    """Ask until something new comes.

    Args:
        ask: asks once.
        made: what is made of a value, and what it repeats; empty when it is new.

    Raises:
        ChatError: the server gave no reply. A server that takes the question, but not as warm or as long as it gets,
            has given its last answer.
    """
    turn, last, usage = Turn(), None, Usage()
    while True:
        try:
            answer = await ask(turn)
        except (Refused, TooLong):
            if last is None:
                raise
            return Insisted(last.answer, last.result, last.repeated, turn.number, usage)
        usage += answer.usage
        if answer.value is None:
            return Insisted(answer, None, repeated=False, turns=turn.number + 1, usage=usage)
        result, repeated = made(answer.value)
        last = Insisted(answer, result, bool(repeated), turn.number + 1, usage)
        if not repeated or last.turns == TURNS:
            return last
        told = text("again", repeated="\n".join(f"- {what}" for what in repeated))
        turn = Turn(turn.number + 1, told)
