"""What a model behind a chat server's double answers to the critic: yes or no, a checklist, a critique."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from tests.wire import Answer, Wire, completion

Body = dict[str, Any]


def question(axis: str = "adherence", **more: Any) -> dict[str, Any]:
    """One question of a checklist."""
    words = {"question": "Is there a red ball?", "negation": "Is the red ball missing?"}
    return {"name": "ball", **words, "axis": axis, "weight": 2, "depends_on": -1, **more}


CHECKLIST = {"questions": [question(name=f"ball_{letter}") for letter in "abcdef"]}
CRITIQUE = {
    "defects": [{"criterion": "ball_a", "start": 0.5, "end": 99, "words": "The ball melts."}],
    "summary": "Keep the ball whole.",
}


def last(body: Body) -> str:
    """The words after the media."""
    content = body["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def seeing(
    yes: Callable[[str], Mapping[str, float]] = lambda words: {"Yes": 0.8, "No": 0.2},
    checklist: object = CHECKLIST,
    critique: object = CRITIQUE,
    tokens: Callable[[Body], int] = lambda body: 200 if "media_io_kwargs" in body else 100,
) -> Callable[[Body], Answer]:
    """A model. `yes`: first tokens with their probabilities by the question's words."""

    def answer(body: Body) -> Answer:
        if "structured_outputs" in body:
            return completion("Yes", first=yes(last(body)))
        if "response_format" not in body:
            return completion("Yes", usage={"prompt_tokens": tokens(body), "completion_tokens": 1})
        keys = body["response_format"]["json_schema"]["schema"]["properties"]
        said = (
            checklist if "questions" in keys else critique if "defects" in keys else {"answer": "Yes", "confidence": 60}
        )
        return completion(said if isinstance(said, str) else json.dumps(said))

    return answer


@asynccontextmanager
async def chat_with(server: Wire) -> AsyncIterator[Chat]:
    """A connected chat."""
    async with httpx.AsyncClient() as client:
        chat = Chat(client, EndpointConfig(base_url=server.url))
        await chat.connect()
        yield chat
