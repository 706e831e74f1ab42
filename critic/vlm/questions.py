"""One question about a clip, and all of a rubric's: the probability of yes, twins, and what hangs on what."""

from dataclasses import dataclass
from typing import Final, Literal

from critic.types import Criterion, JudgeError, Rubric, Score
from critic.vlm.show import Shown
from critic.vlm.texts import text
from critic.vlm.together import together
from reasoner.chat.answers import CHOICES, p_yes
from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Image, Message, Refused, Reply, Sampling, Text, Usage, Video

LIKELIEST: Final = 20
"""First tokens that are looked at: the most that vLLM gives."""
NO: Final = 0.5
"""A question scored below it is answered no, and those that hang on it are not asked."""
_SHOWN = 240
"""Characters of a question in an explanation."""
_REPLY_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "enum": ["Yes", "No"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    },
    "required": ["answer", "confidence"],
    "additionalProperties": False,
}

Method = Literal["logprobs", "reply"]


@dataclass(frozen=True)
class Answer:
    """How likely yes is, and by which way this was found out."""

    p: float
    method: Method


class Questions:
    """Puts a rubric's questions to one server. Remembers what it does not take."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._probabilities = True
        self._choices: tuple[str, ...] = CHOICES

    async def ask(self, shown: Shown, image: Image | None, rubric: Rubric) -> tuple[list[Score], Usage]:
        """The scores of a clip, in the rubric's order.

        Questions that others hang on come first; where one of them is answered no, its children are not asked and get
        its value: they are as bad as what they depend on, and a missing parent costs no less for having children.

        Raises:
            JudgeError: an answer cannot be read.
            ChatError: the server gives none.
        """
        scores: dict[str, Score] = {}
        used = Usage()
        waiting = list(rubric.criteria)
        while waiting:
            ready = [c for c in waiting if c.depends_on is None or c.depends_on in scores]
            if not ready:
                names = ", ".join(c.name for c in waiting)
                raise JudgeError(f"no question before them decides whether to ask {names}; correct their depends_on")
            waiting = [c for c in waiting if c not in ready]
            asked: list[Criterion] = []
            for criterion in ready:
                parent = scores.get(criterion.depends_on or "")
                if parent is not None and parent.value < NO:
                    scores[criterion.name] = _inherited(criterion, parent)
                else:
                    asked.append(criterion)
            # all at once: on vLLM 0.30 sending one ahead, so that its prefix is cached, gives not one hit more
            for score, usage in await together([self._score(shown, image, criterion) for criterion in asked]):
                scores[score.criterion] = score
                used += usage
        return [scores[c.name] for c in rubric.criteria], used

    async def _score(self, shown: Shown, image: Image | None, criterion: Criterion) -> tuple[Score, Usage]:
        seen = image if criterion.axis == "first_frame" else None
        words = [criterion.definition] + ([criterion.negation] if criterion.negation else [])
        answers = await together([self._answer(shown, seen, one, criterion.name) for one in words])
        (yes, used), twin = answers[0], answers[1][0] if len(answers) > 1 else None
        value = yes.p if twin is None else (1 + yes.p - twin.p) / 2
        explanation = f"“{_cut(criterion.definition)}”: P(yes) {yes.p:.2f}"
        if twin is not None:
            used += answers[1][1]
            explanation += f"; the other way round {twin.p:.2f}"
        method: Method = "reply" if "reply" in {yes.method, twin.method if twin else yes.method} else "logprobs"
        if method == "reply":
            explanation += ", as the model wrote it: the server gives no probabilities"
        return _scored(criterion, value, f"{explanation}.", yes.p, method), used

    async def _answer(self, shown: Shown, image: Image | None, question: str, name: str) -> tuple[Answer, Usage]:
        used = Usage()
        if self._probabilities:
            reply = await self._likeliest(messages(shown, image, f"{question} Answer with one word, Yes or No."))
            if reply is not None:
                used += reply.usage
                if reply.first_token is not None:
                    p = p_yes(reply.first_token)
                    if p is None:
                        raise JudgeError(_unread(self._chat, name, "neither yes nor no is among its likeliest words"))
                    return Answer(p, "logprobs"), used
            self._probabilities = False
        reply = await self._chat.ask(
            messages(
                shown,
                image,
                f'{question} Reply with one JSON object: {{"answer": "Yes" or "No", "confidence": 0 to 100}}, where '
                "confidence says how sure you are of the answer.",
            ),
            sampling=Sampling.greedy(64),
            schema=_REPLY_SCHEMA,
        )
        return Answer(_written(reply, self._chat, name), "reply"), used + reply.usage

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


def messages(shown: Shown, image: Image | None, question: str) -> list[Message]:
    """A question about a clip; all that stands before it is the same for every question but for the first frame."""
    parts: list[Text | Image | Video] = list(shown.parts)
    if image is not None:
        parts += [image, Text(text="This picture is the first frame that the video was to start from.\n")]
    return [
        Message(role="system", content=text("judge.txt")),
        Message(role="user", content=(*parts, Text(text=question))),
    ]


def _written(reply: Reply, chat: Chat, name: str) -> float:
    """P(yes) of a written answer: half at no confidence."""
    try:
        found = read_object(reply.text)
    except Unreadable as error:
        raise JudgeError(_unread(chat, name, f"its reply {error}")) from error
    answer, confidence = found.get("answer"), found.get("confidence", -1)
    said = answer.lower() if isinstance(answer, str) else ""
    if said not in {"yes", "no"} or type(confidence) not in {int, float} or not 0 <= confidence <= 100:
        raise JudgeError(_unread(chat, name, "its reply holds no answer of yes or no with a confidence of 0 to 100"))
    half = float(confidence) / 200
    return 0.5 + half if said == "yes" else 0.5 - half


def _unread(chat: Chat, name: str, why: str) -> str:
    return f"{chat.model} did not answer the question {name!r}: {why}; try another critic model if this recurs"


def _scored(criterion: Criterion, value: float, explanation: str, p: float, method: Method) -> Score:
    return Score(
        criterion=criterion.name,
        axis=criterion.axis,
        value=min(1.0, max(0.0, value)),
        weight=criterion.weight,
        floor=criterion.floor,
        explanation=explanation,
        measured=p,
        unit="P(yes)",
        method=method,
    )


def _inherited(criterion: Criterion, parent: Score) -> Score:
    return Score(
        criterion=criterion.name,
        axis=criterion.axis,
        value=parent.value,
        weight=criterion.weight,
        floor=criterion.floor,
        explanation=(
            f"“{_cut(criterion.definition)}” was not asked, since {parent.criterion!r} is answered no "
            f"({parent.value:.2f})."
        ),
        method="inherited",
    )


def _cut(words: str) -> str:
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1].rstrip() + "…"
