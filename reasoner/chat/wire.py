"""What goes to a chat server: its address, and the body of a request."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from reasoner.chat.types import Image, Message, Sampling, Text, Video

_ENDPOINT = "/chat/completions"
_VERSIONED = re.compile(r"/v\d+$")


def base_of(given: str) -> str:
    """The base that endpoints hang on, from what a user may paste: a host, a base, or the whole endpoint.

    Raises:
        ValueError: it is no http(s) address, or has more in it than an address.
    """
    try:
        url = httpx.URL(given.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url is no address ({error}). Write it as http://host:port.") from None
    if url.userinfo:
        raise ValueError("base_url has a name or password in it. Name the key's variable in api_key_env instead.")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"base_url {given!r} is no http(s) address. Write it as http://host:port.")
    if url.query or url.fragment:
        raise ValueError("base_url goes on after its path (? or #). Write it as http://host:port.")
    path = url.path.rstrip("/")
    if path.endswith(_ENDPOINT):  # the whole endpoint stands as it is: not everybody's has a version in it
        path = path.removesuffix(_ENDPOINT)
    elif not _VERSIONED.search(path):
        path += "/v1"
    return str(url.copy_with(path=path or "/")).rstrip("/")


def root_of(base: str) -> str:
    """Where a server's other endpoints are (/version, /metrics): `base` without its version."""
    return _VERSIONED.sub("", base)


def body_of(
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    schema: Mapping[str, Any] | None,
    choices: Sequence[str],
    top_logprobs: int | None,
) -> dict[str, Any]:
    """The body of a request. What is None is left to the server."""
    body: dict[str, Any] = {"model": model, "messages": [_message(message) for message in messages]}
    body |= sampling.model_dump(exclude_none=True)
    if schema is not None:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title") or "reply"))[:64]
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": dict(schema), "strict": True},
        }
    if choices:
        body["structured_outputs"] = {"choice": list(choices)}
    if top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": top_logprobs}
    # one setting for the whole request, so the first video's: two clips are only shown with the same one
    io = next((dict(part.io) for part in _parts(messages) if isinstance(part, Video) and part.io is not None), None)
    if io is not None:
        body["media_io_kwargs"] = {"video": io}
    return body


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body's bytes. Pure ASCII: a lone surrogate in a prompt is the server's to refuse, not a crash here."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _parts(messages: Sequence[Message]) -> list[Text | Image | Video]:
    return [part for message in messages if not isinstance(message.content, str) for part in message.content]


def _message(message: Message) -> dict[str, Any]:
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    return {"role": message.role, "content": [_part(part) for part in message.content]}


def _part(part: Text | Image | Video) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = f"data:{part.mime};base64,{b64encode(part.data).decode('ascii')}"
            return {"type": "image_url", "image_url": {"url": url}}
        case Video():
            return {"type": "video_url", "video_url": {"url": part.url}}
