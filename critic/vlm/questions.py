"""One question about a clip, and all of a rubric's: the probability of yes, twins, and what hangs on what."""

from functools import partial
from typing import Final

from critic.together import together
from critic.types import Criterion, JudgeError, Rubric, Score
from critic.vlm.one_word import Method, OneWord
from critic.vlm.show import Shown
from critic.vlm.texts import text
from reasoner.chat.answers import CHOICES
from reasoner.chat.client import Chat
from reasoner.chat.types import Image, Message, Text, Usage, Video

NO: Final = 0.5
"""A question scored below it is answered no, and those that hang on it are not asked."""
_SHOWN = 240
"""Characters of a question in an explanation."""


class Questions:
    """Puts a rubric's questions to one server."""

    def __init__(self, chat: Chat) -> None:
        self._yes = OneWord(chat, ("yes", "no"), CHOICES)

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
        answers = await together([self._yes.ask(partial(messages, shown, seen), w, criterion.name) for w in words])
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


def messages(shown: Shown, image: Image | None, question: str) -> list[Message]:
    """A question about a clip; all that stands before it is the same for every question but for the first frame."""
    parts: list[Text | Image | Video] = list(shown.parts)
    if image is not None:
        parts += [image, Text(text="This picture is the first frame that the video was to start from.\n")]
    return [
        Message(role="system", content=text("judge.txt")),
        Message(role="user", content=(*parts, Text(text=question))),
    ]


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
