"""First captions: what is asked, and what is made of the reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reasoner.caption import MotionCaption, StructuredCaption, clock
from reasoner.given import duration
from reasoner.openai import negative
from reasoner.openai.asking import FIRST, Answer, Asking, Turn
from reasoner.openai.fitting import motion_caption, structured_caption
from reasoner.openai.instructions import question, text
from reasoner.openai.schema import caption_schema, motion_schema
from reasoner.types import CaptionRequest

REPAIRED = "The caption came from a second question"
"""How the note on a repaired caption starts."""


@dataclass(frozen=True)
class Written:
    """A caption read from a reply."""

    structured: StructuredCaption | MotionCaption
    negative_prompt: str | None = None


async def write(
    asking: Asking,
    form: Literal["full", "image2video"],
    request: CaptionRequest,
    critique: str = "",
    step: int = 0,
    turn: Turn = FIRST,
) -> Answer[Written]:
    """Ask for a whole caption.

    Raises:
        ChatError: the server gave no reply.
        CaptionError: the first frame cannot be read.
    """
    seconds = duration(request)
    if form == "image2video":
        avoided = negative.phrases(request.negative_prompt)
        schema = motion_schema(avoided)
        deletions = text("deletions", negative=request.negative_prompt, phrases=listed(avoided)) if avoided else ""
        words = text(
            "image2video",
            seconds=seconds,
            prompt=request.prompt,
            deletions=deletions,
            critique=critique,
            keys=_keys(schema),
        )
        return await asking.ask(
            question(words, request.first_frame), schema, lambda data: _motion(data, request), step, turn
        )
    schema = caption_schema(seconds)
    words = text(
        "upsample",
        seconds=seconds,
        end=clock(seconds),
        fps=request.fps,
        width=request.width,
        height=request.height,
        image=text("image") if request.first_frame else "",
        prompt=request.prompt,
        critique=critique,
        keys=_keys(schema),
    )
    return await asking.ask(
        question(words, request.first_frame),
        schema,
        lambda data: Written(structured_caption(data, request)),
        step,
        turn,
    )


def listed(phrases: tuple[str, ...]) -> str:
    """One a line."""
    return "\n".join(f"- {phrase}" for phrase in phrases)


def _motion(data: Mapping[str, Any], request: CaptionRequest) -> Written:
    """Phrases that the negative prompt does not have are passed over: nothing can be added to it."""
    deleted = data.get("delete")
    gone = [phrase for phrase in deleted if isinstance(phrase, str)] if isinstance(deleted, list) else []
    avoided = negative.without(request.negative_prompt, gone) if request.negative_prompt.strip() else None
    return Written(motion_caption(data, request), avoided)


def _keys(schema: Mapping[str, Any]) -> str:
    """The keys of an object, with those of the objects in it, for a model that is not bound to the schema."""
    parts = []
    for name, node in schema["properties"].items():
        inner = node.get("items", node)
        if "properties" in inner:
            parts.append(f"{name} ({'each ' if 'items' in node else ''}{_keys(inner)})")
        else:
            parts.append(f"{name} (a list)" if "items" in node else name)
    return ", ".join(parts)
