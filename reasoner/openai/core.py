"""The user's core action is never changed by a rewrite: checked by words, and by asking."""

import re
from collections.abc import Sequence

from reasoner.chat.answers import CHOICES, p_yes
from reasoner.chat.client import Chat
from reasoner.chat.types import Message, Refused, Sampling, Usage
from reasoner.openai.fields import STORY, Draft
from reasoner.openai.instructions import text

_WORD = re.compile(r"[^\W\d_]+|\d+")
_ENDINGS = re.compile(r"(?:ings?|edly|ed|ies|es|s|ly|er|e|y)$")
_LITTLE = frozenset(
    re.split(
        r"\s+",
        """the and with from into onto over under then while that this there their its his her who which when where what
        for are was were has have had not but all any one some out off very more most than also just only each both
        camera video clip scene shot shows show showing please make create generate starts begins""",
    )
)
_LEAST = 3
_SAID = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word) if len(word) > _LEAST else word
    if len(stem) < _LEAST:
        return word
    return stem[:-1] if stem[-1] == stem[-2] and len(stem) > _LEAST else stem  # running: runn: run


def stems(words: str) -> frozenset[str]:
    """Its content words, without their endings. Numbers count whatever their length."""
    found = (word.lower() for word in _WORD.findall(words))
    return frozenset(_stem(word) for word in found if word.isdigit() or (len(word) >= _LEAST and word not in _LITTLE))


def lost(prompt: str, before: Draft, after: Draft) -> str:
    """The user's words that a draft had and an edit takes out of the caption, or out of its story; "" if none."""
    asked = {_stem(word.lower()): word for word in _WORD.findall(prompt)}
    wanted = stems(prompt)
    gone = wanted & stems(before.words()) - stems(after.words())
    gone |= wanted & stems(before.texts()[STORY]) - stems(after.texts()[STORY])
    return ", ".join(sorted(asked[stem] for stem in gone))


async def still_asked(chat: Chat, prompt: str, draft: Draft) -> tuple[float, Usage]:
    """Probability that what happens in a draft still is what the user asked for.

    A server that tells no probabilities is taken at its word; one that says neither yes nor no has not said yes.

    Raises:
        ChatError: the server gave no reply.
    """
    words = text("core", prompt=prompt, events=draft.events())
    question: Sequence[Message] = (Message(role="user", content=words),)
    try:
        reply = await chat.ask(question, sampling=Sampling.greedy(8), choices=CHOICES, top_logprobs=20)
    except Refused:  # neither bound replies nor probabilities are part of what every server takes
        reply = await chat.ask(question, sampling=Sampling.greedy(8))
    sure = p_yes(reply.first_token)
    if sure is None and (said := _SAID.match(reply.text)):
        sure = float(said[1].lower() == "yes")
    return (0.0 if sure is None else sure), reply.usage
