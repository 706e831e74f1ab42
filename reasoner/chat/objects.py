"""JSON objects out of replies that say more than the object, or say it sloppily."""

import json
import re
from typing import Any, NoReturn

_TAGS = "think|thought|thoughts|thinking|reasoning|scratch|scratchpad|reflection"
_THOUGHT = re.compile(rf"<({_TAGS})\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_CLOSING = re.compile(rf"</(?:{_TAGS})\s*>", re.IGNORECASE)
_OPENING = re.compile(rf"<(?:{_TAGS})\b[^<>]*>", re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\r?\n?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BRACES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}"]', re.DOTALL)


class Unreadable(ValueError):  # noqa: N818 - says what it is
    """A reply without the object it should hold. The message says why, and completes "the reply …"."""


def without_thoughts(text: str) -> str:
    """The text without what the model thought aloud, an unfinished thought or one without its opening tag included."""
    text = _THOUGHT.sub("", text)
    closings = list(_CLOSING.finditer(text))
    if closings:  # templates that open the thought themselves leave its end alone in the reply
        text = text[closings[-1].end() :]
    opening = _OPENING.search(text)
    return (text[: opening.start()] if opening else text).strip()


def read_object(reply_text: str) -> dict[str, Any]:
    """The JSON object of a reply: bare, fenced, or amid prose; raw control characters in its strings become spaces.

    Raises:
        Unreadable: there is none.
    """
    if not reply_text.strip():
        raise Unreadable("is empty")
    try:
        whole = _parsed(reply_text)
    except ValueError:
        whole = None
    if isinstance(whole, dict):
        return whole
    text = reply_text.strip()
    if not text.startswith(("{", "```")):  # a tag further on is part of a string
        text = without_thoughts(text)
    if not text:
        raise Unreadable("holds thoughts only and no answer")
    fence = _FENCE.search(text)
    if fence and "{" in text[fence.end() :] and not text.startswith("{"):
        text = text[fence.end() :]
    try:
        whole = _parsed(text.strip().removesuffix("```"))
    except ValueError:
        return _first_object(text)
    if not isinstance(whole, dict):
        raise Unreadable(f"is a JSON {type(whole).__name__}, not an object")
    return whole


def _first_object(text: str) -> dict[str, Any]:
    start, reason = text.find("{"), "holds no JSON object"
    while start >= 0:
        end = _closed(text, start)
        if end is None:
            raise Unreadable("ends before its JSON object does")
        try:
            found: dict[str, Any] = _parsed(text[start:end])
        except ValueError as error:
            reason = f"holds no valid JSON object ({error})"
            start = text.find("{", end)
        else:
            return found
    raise Unreadable(reason)


def _closed(text: str, start: int) -> int | None:
    """Where the brace at `start` is closed; None: nowhere."""
    depth = 0
    for match in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if match[0] == '"':  # a string that never ends
            return None
        if not depth:
            return match.end()
    return None


def _parsed(text: str) -> Any:
    try:
        return _clean(json.loads(text, strict=False, parse_constant=_no_number))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _clean(value: Any) -> Any:
    """Strings that can be printed and stored: no control characters and no halves of a surrogate pair."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", value)).strip()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
