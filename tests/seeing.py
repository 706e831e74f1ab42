"""What a model behind a chat server's double answers to the critic: yes or no, a checklist, a critique, A or B."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import av
import httpx
from PIL import Image

from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from tests.wire import Answer, Wire, completion, error

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


def pair(body: Body) -> dict[str, list[str]]:
    """The addresses of the videos or pictures under each label of a question about two clips; "": the first frame."""
    found: dict[str, list[str]] = {"A": [], "B": []}
    label = "A"
    for part in body["messages"][-1]["content"]:
        if part["type"] == "text":
            label = part["text"][6] if part["text"] in {"Video A:\n", "Video B:\n"} else label
            if part["text"].startswith("This picture is the first frame"):
                found[""] = [found[label].pop()]
        else:
            found[label].append(part[part["type"]]["url"])
    return found


def width(url: str) -> int:
    """Of the first frame behind an address."""
    data = base64.b64decode(url.partition("base64,")[2].split(",")[0])
    if url.startswith("data:video/mp4"):
        with av.open(BytesIO(data)) as container:
            return container.streams.video[0].width
    return Image.open(BytesIO(data)).width


def comparing(
    p_a: Callable[[Body], float], *, takes: int = 2, looks_at: int = 2, pictures: int = 99
) -> Callable[[Body], Answer]:
    """A model that is shown two clips.

    Args:
        p_a: P(A) by the question's body.
        takes: videos in one question; more are refused as vLLM does.
        looks_at: videos that it counts; more are dropped in silence.
        pictures: that it takes in one question.
    """

    def answer(body: Body) -> Answer:
        kinds = [part["type"] for part in body["messages"][-1]["content"]]
        videos, images = kinds.count("video_url"), kinds.count("image_url")
        for kind, count, most in (("video", videos, takes), ("image", images, pictures)):
            if count > most:
                return error(400, f"At most {most} {kind}(s) may be provided in one prompt.", param=kind)
        if "Video A or Video B" not in last(body):
            tokens = 20 + 300 * min(videos, looks_at) + 64 * images + (9 if "media_io_kwargs" in body else 0)
            return completion("Yes", usage={"prompt_tokens": tokens, "completion_tokens": 1})
        p = p_a(body)
        return completion("A" if p >= 0.5 else "B", first={"A": p, "B": 1 - p})

    return answer


def wider(sure: float) -> Callable[[Body], float]:
    """P(A) of a model that prefers the wider clip, this surely, wherever it stands."""

    def p_a(body: Body) -> float:
        a, b = (width(urls[0]) for label, urls in sorted(pair(body).items()) if label)
        return sure if a > b else 1 - sure if b > a else 0.5

    return p_a


@asynccontextmanager
async def chat_with(server: Wire) -> AsyncIterator[Chat]:
    """A connected chat."""
    async with httpx.AsyncClient() as client:
        chat = Chat(client, EndpointConfig(base_url=server.url))
        await chat.connect()
        yield chat
