"""A question answered by one of two words: its probability, or a written reply where the server gives none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from critic.types import JudgeError
from reasoner.chat.answers import p_first
from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Message, Refused, Reply, Sampling, Usage

LIKELIEST: Final = 20
"""First tokens that are looked at: the most that vLLM gives."""

Method = Literal["logprobs", "reply"]


@dataclass(frozen=True)
class Answer:
    """How likely the first of the two words is, and by which way this was found out."""

    p: float
    method: Method


class OneWord:
    """Puts such questions to one server. Remembers what it does not take.

    Args:
        chat: the server.
        words: the two, beginning with other letters; a question names them with a capital.
        choices: what the reply is bound to: the words in every form that a model may lean to.
        called: what each of them is, e.g. word or letter.
    """

    def __init__(self, chat: Chat, words: tuple[str, str], choices: Sequence[str], called: str = "word") -> None:
        self._chat, self._words, self._called = chat, words, called
        self._probabilities = True
        self._choices = tuple(choices)

    async def ask(self, messages: Callable[[str], list[Message]], question: str, name: str) -> tuple[Answer, Usage]:
        """Ask one question.

        Args:
            messages: the conversation that ends in the words given.
            question: without how it is to be answered.
            name: of the question, for errors.

        Raises:
            JudgeError: the answer cannot be read.
            ChatError: the server gives none.
        """
        first, second = (word.capitalize() for word in self._words)
        used = Usage()
        if self._probabilities:
            reply = await self._likeliest(messages(f"{question} Answer with one {self._called}, {first} or {second}."))
            if reply is not None:
                used += reply.usage
                if reply.first_token is not None:
                    p = p_first(reply.first_token, first, second)
                    if p is None:
                        neither = "neither {} nor {} is among its likeliest words".format(*self._words)
                        raise JudgeError(self._unread(name, neither))
                    return Answer(p, "logprobs"), used
            self._probabilities = False
        reply = await self._chat.ask(
            messages(
                f'{question} Reply with one JSON object: {{"answer": "{first}" or "{second}", "confidence": 0 to '
                "100}, where confidence says how sure you are of the answer."
            ),
            sampling=Sampling.greedy(64),
            schema=self._schema(),
        )
        return Answer(self._written(reply, name), "reply"), used + reply.usage

    async def _likeliest(self, asked: list[Message]) -> Reply | None:
        """The reply in one word; None: the server does not tell its words' probabilities."""
        while True:
            choices = self._choices
            try:
                return await self._chat.ask(asked, sampling=Sampling.greedy(2), choices=choices, top_logprobs=LIKELIEST)
            except Refused as error:
                if "logprobs" in f"{error.param} {error}":
                    return None
                if "structured_outputs" not in f"{error.param} {error}" or not choices:
                    raise
                self._choices = ()  # the words' probabilities are renormalised anyhow

    def _schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "answer": {"type": "string", "enum": [word.capitalize() for word in self._words]},
                "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
            },
            "required": ["answer", "confidence"],
            "additionalProperties": False,
        }

    def _written(self, reply: Reply, name: str) -> float:
        """Probability of the first word in a written answer: half at no confidence."""
        try:
            found = read_object(reply.text)
        except Unreadable as error:
            raise JudgeError(self._unread(name, f"its reply {error}")) from error
        words = [word.capitalize() for word in self._words]
        answer, confidence = found.get("answer"), found.get("confidence", -1)
        said = answer.capitalize() if isinstance(answer, str) else ""
        if said not in words or type(confidence) not in {int, float} or not 0 <= confidence <= 100:
            holds = "its reply holds no answer of {} or {} with a confidence of 0 to 100".format(*self._words)
            raise JudgeError(self._unread(name, holds))
        half = float(confidence) / 200
        return 0.5 + half if said == words[0] else 0.5 - half

    def _unread(self, name: str, why: str) -> str:
        return (
            f"{self._chat.model} did not answer the question {name!r}: {why}; try another critic model if this recurs"
        )
