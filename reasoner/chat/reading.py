"""What comes back from a chat server: a reply, an error in one of three shapes, or something else."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from reasoner.chat.types import Reply, Token, Usage

_LONGEST = 300
_FORBIDDEN = -9999.0
"""What vLLM gives a token that the grammar does not allow."""
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[\w+/=,-]*")
_BLOB = re.compile(r"[A-Za-z0-9+/=,_-]{120,}")
_DATED = re.compile(r"[-@:.]?\d{4}")


@dataclass(frozen=True)
class Fault:
    """An error as the server tells it."""

    message: str
    """Fit for people: cut, and without what was sent."""
    param: str | None = None
    code: str | None = None


def document(response: httpx.Response) -> Any:
    """The body read as JSON; None where it is none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def shown(text: str, key: str | None) -> str:
    """A server's words, fit for a message: one line, cut, without the key or media that it repeats back."""
    if key:
        text = text.replace(key, "…")
    text = " ".join(_BLOB.sub("…", _DATA.sub("data:…", text)).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def fault_of(response: httpx.Response, key: str | None) -> Fault:
    """What an error body says: `error` as a string or an object, `detail`, or any text."""
    body = document(response)
    if not isinstance(body, Mapping):
        return Fault(shown(response.text, key))
    error = body.get("error")
    if isinstance(error, str):
        return Fault(shown(error, key))
    # older vLLM and some gateways put the fields at the top
    fields = error if isinstance(error, Mapping) else body
    said = next((value for name in ("message", "detail") if (value := fields.get(name))), "")
    if not isinstance(said, str):
        said = json.dumps(said, ensure_ascii=False)
    param, code = (str(value) if (value := fields.get(name)) is not None else None for name in ("param", "code"))
    return Fault(shown(said, key), param and shown(param, key), code)


def reply_of(body: object, seconds: float, asked: str) -> Reply | None:
    """The reply in a chat completion; None where it is no such thing."""
    choices = body.get("choices") if isinstance(body, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not (isinstance(body, Mapping) and isinstance(choice, Mapping) and isinstance(message, Mapping)):
        return None
    text, thought = _text(message.get("content")), _text(message.get("reasoning") or message.get("reasoning_content"))
    aside = not text.strip() and bool(thought.strip())
    return Reply(
        text=thought if aside else text,
        from_reasoning=aside,
        finish_reason=str(choice.get("finish_reason") or ""),
        model=str(body.get("model") or asked),
        first_token=_first_token(choice.get("logprobs")),
        usage=_usage(body.get("usage"), seconds),
    )


def is_dated(model: str, asked: str) -> bool:
    """Whether a server's name is the asked one with a date or build after it, as hosted models have it."""
    return model.startswith(asked) and _DATED.match(model, len(asked)) is not None


def prefix_cache(metrics: str, models: frozenset[str]) -> tuple[int, int] | None:
    """(queries, hits) in tokens, from vLLM's metrics page; None where it has none for these models."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - only vLLM's page needs it

    counts: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(metrics):
            for sample in family.samples:
                if sample.labels.get("model_name", "") in models | {""}:
                    counts[sample.name] = counts.get(sample.name, 0.0) + sample.value
        queries, hits = (int(counts[f"vllm:prefix_cache_{name}_total"]) for name in ("queries", "hits"))
    except (ValueError, KeyError, OverflowError):
        return None
    return queries, hits


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))


def _first_token(logprobs: object) -> tuple[Token, ...] | None:
    match logprobs:
        case {"content": [{"top_logprobs": [*top]}, *_]}:
            pairs = [(item.get("token"), item.get("logprob")) for item in top if isinstance(item, Mapping)]
        case _:
            return None
    tokens = tuple(
        Token(token=token, logprob=logprob)
        for token, logprob in pairs
        if isinstance(token, str) and isinstance(logprob, int | float) and math.isfinite(logprob)
        if logprob > _FORBIDDEN
    )
    return tokens or None


def _usage(usage: object, seconds: float) -> Usage:
    told = usage if isinstance(usage, Mapping) else {}
    details = told.get("prompt_tokens_details")
    return Usage(
        calls=1,
        prompt_tokens=_count(told.get("prompt_tokens")),
        completion_tokens=_count(told.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0,
        seconds=seconds,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
