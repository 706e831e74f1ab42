"""One question whose reply must be readable, with one repair."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Message, Reply, Sampling, Text, TooLong, Usage
from reasoner.openai.instructions import text

T = TypeVar("T")

THINKING = Sampling(temperature=0.6, top_p=0.95, top_k=20, presence_penalty=0.0)
"""As NVIDIA documents it for replies that are thought out first."""
WARMER = 0.2
"""What each further turn of a question adds to the temperature: 0.7, 0.9, 1.1."""
HOTTEST = 2.0
"""The highest temperature that the OpenAI API and vLLM take."""
_SHOWN = 2000
"""Characters of an unusable reply that its repair is shown."""
_UNFINISHED = {
    "length": "was cut off at its longest permitted length",
    "content_filter": "was stopped by the server's filter",
}


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of a question."""

    value: T | None
    """None: neither the reply nor its repair could be used."""
    outcome: Literal["valid", "repaired", "unusable"]
    why: str
    """What was wrong, for people: "" when nothing was."""
    usage: Usage


@dataclass(frozen=True)
class Turn:
    """Which time a question is asked that got an answer it should not have got."""

    number: int = 0
    told: str = ""
    """What is added behind the question, from the second time on."""


FIRST = Turn()


@dataclass(frozen=True)
class Asking:
    """How this reasoner asks."""

    chat: Chat
    sampling: Sampling | None
    thinking: bool

    def drawn(self, step: int, *, thinking: bool = False, turn: int = 0) -> Sampling:
        """The sampling of a run's `step`-th question: the seed counts up, so that no draw repeats another.

        `turn` of the same question: it gets warmer. A temperature that is left to the server stays with it.
        """
        sampling = self.sampling or (THINKING if thinking else Sampling())
        seed = None if sampling.seed is None else sampling.seed + step + turn
        heat = sampling.temperature
        if heat is not None and turn:
            heat = round(min(heat + turn * WARMER, max(heat, HOTTEST)), 3)
        return sampling.model_copy(update={"seed": seed, "temperature": heat})

    async def ask(
        self,
        question: Message,
        schema: Mapping[str, Any],
        read: Callable[[dict[str, Any]], T],
        step: int = 0,
        turn: Turn = FIRST,
    ) -> Answer[T]:
        """Ask, and once more where the reply cannot be used: it is shown what was wrong with it.

        Raises:
            ChatError: the server gave no reply.
        """
        if turn.told:
            question = _followed(question, turn.told)
        asked = [Message(role="system", content="You are a helpful assistant."), question]
        if self.thinking:
            asked[-1] = _followed(question, text("thinking"))
        reply = await self.chat.ask(
            asked,
            sampling=self.drawn(step, thinking=self.thinking, turn=turn.number),
            schema=None if self.thinking else schema,
        )
        try:
            return Answer(_read(reply, read), "valid", "", reply.usage)
        except Unreadable as error:
            first = str(error)
        repair = [*asked[:-1], question, *_complaint(reply, first)]
        try:
            second = await self.chat.ask(repair, sampling=self.drawn(step + 1, turn=turn.number), schema=schema)
        except TooLong as error:  # the first question did fit, so this is still a reply that could not be used
            return Answer(None, "unusable", f"the reply {first}; its repair was too long ({error})", reply.usage)
        usage = reply.usage + second.usage
        try:
            return Answer(_read(second, read), "repaired", f"the first reply {first}", usage)
        except Unreadable as error:
            return Answer(None, "unusable", f"the reply {first}; the repaired one {error}", usage)


def _read(reply: Reply, read: Callable[[dict[str, Any]], T]) -> T:
    if reply.finish_reason in _UNFINISHED:
        raise Unreadable(_UNFINISHED[reply.finish_reason])
    return read(read_object(reply.text))


def _followed(question: Message, words: str) -> Message:
    """The question with a text behind its last one, so that what comes before stays the same for the prefix cache."""
    content = (Text(text=question.content),) if isinstance(question.content, str) else question.content
    return question.model_copy(update={"content": (*content, Text(text=words))})


def _complaint(reply: Reply, wrong: str) -> Sequence[Message]:
    return (
        Message(role="assistant", content=reply.text[:_SHOWN] or "(nothing)"),
        Message(role="user", content=text("repair", wrong=wrong)),
    )
