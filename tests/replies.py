"""What a chat server's double answers the openai reasoner: objects that fit any of its schemas."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from reasoner.chat.client import Chat
from reasoner.config import OpenAIConfig
from reasoner.openai import OpenAI
from tests.wire import Answer, Wire, completion

Say = Callable[[dict[str, Any]], "str | Answer"]


def filled(schema: dict[str, Any], words: str = "A red kite rises over a beach.") -> Any:
    """The fullest simple value that a schema takes."""
    match schema:
        case {"properties": properties}:
            return {name: filled(part, words) for name, part in properties.items()}
        case {"items": items}:
            return [filled(items, words)]
        case {"enum": names}:
            return names[0]
        case {"pattern": _}:
            return "0:00-0:02"
        case {"type": "integer"}:
            return 0
    return words[: schema["maxLength"]]


def schema_of(body: dict[str, Any]) -> dict[str, Any]:
    """The schema that a question binds its reply to."""
    schema: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
    return schema


def said(body: dict[str, Any]) -> str:
    """The words of a question's last user message."""
    content = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def edit(field: str, value: str, criterion: str = "camera", reason: str = "Say it more plainly.") -> dict[str, str]:
    """One proposed edit."""
    return {"field": field, "value": value, "criterion": criterion, "reason": reason}


def diagnosis(*edits: dict[str, str], verdict: str = "prompt_problem") -> str:
    """A reply to a rewrite."""
    return json.dumps({"diagnosis": "The camera stands still.", "verdict": verdict, "edits": edits})


def answering(*edits: dict[str, str], sure: float = 0.9) -> Say:
    """Answers every question as a capable model would: captions, these edits, and how sure it is of the core action."""

    def answer(body: dict[str, Any]) -> str | Answer:
        if "structured_outputs" in body:
            return completion("Yes" if sure >= 0.5 else "No", first={"Yes": sure, "No": 1 - sure})
        if "verdict" in schema_of(body)["properties"]:
            return diagnosis(*edits)
        return json.dumps(filled(schema_of(body)))

    return answer


@asynccontextmanager
async def reasoner(server: Wire, **config: Any) -> AsyncIterator[OpenAI]:
    """The backend under test, connected to a double."""
    settings = OpenAIConfig(base_url=server.url, **config)
    async with httpx.AsyncClient() as client:
        chat = Chat(client, settings)
        await chat.connect()
        yield OpenAI(settings, chat)
