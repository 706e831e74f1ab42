"""What is wrong with a clip in words and times: for rewriting only, never for a score."""

from collections.abc import Sequence
from typing import Any, Final

from critic.times import stretch
from critic.types import Criterion, Defect, Rubric, Score
from critic.vlm.questions import messages
from critic.vlm.show import Shown
from critic.vlm.texts import text
from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Sampling, Usage

GOOD: Final = 0.85
"""A question scored at or above it is not mentioned."""
MOST: Final = 8
"""Defects that are asked for."""
_IN_VIEW = 6
_TOKENS = 1500


async def critique(
    chat: Chat, shown: Shown, rubric: Rubric, scores: Sequence[Score]
) -> tuple[list[Defect], str, list[str], Usage]:
    """Defects with their times, a summary, notes for people, and what asking took.

    A reply that cannot be read is a note: the scores stand without it.

    Raises:
        ChatError: the server gives no answer.
    """
    asked = {c.name: c for c in rubric.criteria}
    lowest = sorted(scores, key=lambda s: (s.value, -s.weight))[:_IN_VIEW]
    answers = "\n".join(f"- {s.criterion} ({s.value:.2f}): {asked[s.criterion].definition}" for s in lowest)
    words = text("critique.txt")
    for key, value in (("{most}", str(MOST)), ("{length}", f"{shown.seconds:.1f}"), ("{answers}", answers)):
        words = words.replace(key, value)
    reply = await chat.ask(
        messages(shown, None, words), sampling=Sampling.greedy(_TOKENS), schema=_schema(list(asked), shown.seconds)
    )
    try:
        found = read_object(reply.text)
    except Unreadable as error:
        why = "was cut off" if reply.finish_reason == "length" else str(error)
        note = f"The critique in words that {chat.model} wrote {why}; the feedback is made from the answers alone."
        return [], "", [note], reply.usage
    summary = found.get("summary")
    items = found.get("defects")
    defects = [d for d in (_defect(i, asked, shown.seconds) for i in (items if isinstance(items, list) else [])) if d]
    return defects[:MOST], summary.strip() if isinstance(summary, str) else "", [], reply.usage


def write(rubric: Rubric, scores: Sequence[Score], defects: Sequence[Defect], summary: str) -> str:
    """Worst questions first with their probability, then the defects by their times, then the summary."""
    asked = {c.name: c for c in rubric.criteria}
    poor = sorted((s for s in scores if s.value < GOOD), key=lambda s: (s.value, -s.weight))
    lines = [_line(score, asked[score.criterion]) for score in poor]
    lines += [f"{stretch(defect.start, defect.end)}: {defect.words} ({defect.criterion})" for defect in defects]
    if summary and lines:
        lines.append(f"In short: {summary}")
    return "\n".join(lines) or "No question is answered no, and no defect is named."


def _line(score: Score, criterion: Criterion) -> str:
    broken = ", below its floor" if score.value < score.floor else ""
    how = "not asked, as what it depends on is missing" if score.method == "inherited" else "answered mostly no"
    if score.method != "inherited" and score.value >= 0.5:
        how = "answered unsurely"
    return f"{score.criterion} ({score.value:.2f}{broken}): {how}: {criterion.definition}"


def _defect(item: object, asked: dict[str, Criterion], length: float) -> Defect | None:
    if not isinstance(item, dict) or item.get("criterion") not in asked:
        return None
    start, end, words = item.get("start"), item.get("end"), item.get("words")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not isinstance(words, str):
        return None
    if not words.strip():
        return None
    begin, stop = (min(max(0.0, float(at)), length) for at in sorted((start, end)))
    return Defect(criterion=str(item["criterion"]), start=begin, end=stop, words=" ".join(words.split()))


def _schema(names: list[str], length: float) -> dict[str, Any]:
    seconds = {"type": "number", "minimum": 0, "maximum": max(1, int(length + 1))}
    fields = {
        "criterion": {"type": "string", "enum": names},
        "start": seconds,
        "end": seconds,
        "words": {"type": "string", "minLength": 4, "maxLength": 200},
    }
    defect = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {
            "defects": {"type": "array", "maxItems": MOST, "items": defect},
            "summary": {"type": "string", "maxLength": 300},
        },
        "required": ["defects", "summary"],
        "additionalProperties": False,
    }
