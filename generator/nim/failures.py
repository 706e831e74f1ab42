"""What an error of a NIM means: for good, blocked, for the moment, or not accepted at all."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from generator.nim.dialect import MARKS
from generator.types import BackendError, BlockedError, RenderError

LONGEST_SAID = 400
"""Characters of a server's own words in a message."""
PAUSE_SECONDS = 1.0
"""Before a refused request is sent again, where the server does not say."""
LONGEST_PAUSE_SECONDS = 300.0
_DEEPEST = 8

_BLOCKED_KINDS = re.compile(r"guard|safety|content_(policy|filter)|moderation", re.IGNORECASE)
"""What an error's type or code says where guardrails spoke: NVIDIA declares the wording mutable."""
_BLOCKED = re.compile(
    r"guard ?rails?\b.{0,80}(block|reject|refus|violat|unsafe|fail|trigger|not pass|content not allowed|flag|detect)"
    r"|(block|reject|refus|flag|unsafe|not pass)\w*\b.{0,80}\bguard ?rails?\b"
    r"|(block|reject|refus|flag)\w*\b.{0,40}\b(content )?(safety|moderation)\b"
    r"|\b(content )?safety (check|filter|policy|violation).{0,40}(block|reject|refus|fail|violat|unsafe)"
    r"|\bunsafe (content|prompt|input|output|video)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKED = frozenset({"num_frames", "num_inference_steps", "input_reference", "steps"}).union(
    *(marks for _, marks in MARKS)
)
"""Names of fields that not every dialect has."""
_STRANGE_KINDS = frozenset({"extra_forbidden", "missing", "value_error.extra", "value_error.missing"})
"""Types of pydantic (2 and 1) for a field that has no place, and for one that has to be there."""
_STRANGE = (
    r"not permitted|additional propert(?:y|ies)"
    r"|(?:unknown|unexpected|unrecognized|unsupported|forbidden|extra|missing)"
    r"(?: (?:request|keyword|input|required))* (?:field|parameter|argument|key|name|property|input)s?\b(?! value)"
    r"|(?:field|is|are) (?:required|missing)\b(?! to\b)"
)
_NAMES = "|".join(sorted(_MARKED))
_OTHER_DIALECT = re.compile(
    rf"\b(?:{_NAMES})\b[^;]{{0,60}}(?:{_STRANGE})|(?:{_STRANGE})[^;]{{0,60}}\b(?:{_NAMES})\b", re.IGNORECASE
)

_FINAL = frozenset({400, 413, 422})
_KEY = "It wants a key, or another one: set the variable that generator.api_key_env names."
_WRONG = "It renders nothing there: name a Cosmos generator NIM in generator.endpoints, and check generator.dialect."
_SLOW = "The render took longer than it, or a proxy before it, allows: raise that time limit."
_CURES = {401: _KEY, 403: _KEY, 404: _WRONG, 405: _WRONG, 408: _SLOW, 504: _SLOW}
_LOST = frozenset({500, 502, 503})
_GIVEN_UP = frozenset({408, 504})


class UnsentError(BackendError):
    """The request never left: another endpoint may be asked."""


class RefusedError(BackendError):
    """The server has not accepted the request, and says so."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after
        """Seconds to wait before it is asked again."""


class LostError(BackendError):
    """The request was sent, and its server failed or was not heard of again: another one may do it."""


class GivenUpError(BackendError):
    """Somebody on the way gave up waiting: the render may go on unseen, and another would fare no better."""


def failure(status: int, content: bytes, headers: Mapping[str, str], url: str, key: str | None = None) -> Exception:
    """The error that an answer other than 200 means.

    Args:
        status: HTTP status.
        content: of the answer: `{"error": {"message", "type", "code"}}`, `{"detail": ...}`, or anything else.
        headers: of the answer.
        url: the server's, for the message.
        key: never to appear in the message.
    """
    said = words(content, key)
    at = f"The NIM at {url} answered {status}: {said}"
    if status in _FINAL:
        return _final(status, content, said, at)
    if status in {429, 503} and (after := _after(status, headers)) is not None:
        return RefusedError(f"{at}. It is full: wait, or name more servers in generator.endpoints.", after)
    kind = LostError if status in _LOST else GivenUpError if status in _GIVEN_UP else BackendError
    return kind(f"{at}. {_CURES.get(status, 'Look into its log.')}")


def _final(status: int, content: bytes, said: str, at: str) -> Exception:
    """Of an answer that speaks of the request itself. What it says in fields is believed before its words."""
    found = list(_reasons(_parsed(content)))
    kinds = [kind for reason in found for kind in (reason.get("type"), reason.get("code")) if isinstance(kind, str)]
    if any(_BLOCKED_KINDS.search(kind) for kind in kinds) or _BLOCKED.search(said):
        return BlockedError(f"The NIM's guardrails refused this render ({said}). Change the prompt or the image.")
    if status != 413 and _of_another_dialect(found, said):
        return BackendError(f"{at}. It seems to speak another dialect: set generator.dialect to the one it does.")
    cure = "Give a smaller image or video" if status == 413 else "Change what it names in the request"
    return RenderError(f"{at}. {cure}.")


def _of_another_dialect(reasons: list[dict[str, Any]], said: str) -> bool:
    typed = [
        (reason["type"], reason["loc"])
        for reason in reasons
        if isinstance(reason.get("type"), str) and isinstance(reason.get("loc"), list)
    ]
    if typed:
        return any(kind in _STRANGE_KINDS and _MARKED.intersection(map(str, loc)) for kind, loc in typed)
    return _OTHER_DIALECT.search(said) is not None


def words(content: bytes, key: str | None = None) -> str:
    """What an error's body says: names of fields and messages, never the values sent, which may be whole videos.

    Args:
        content: of the answer.
        key: what a server may have repeated of the request's headers; taken out before anything is cut.
    """
    said = " ".join("; ".join(_parts(_parsed(content))).split())
    said = (said.replace(key, "***") if key else said) or "nothing"
    return said if len(said) <= LONGEST_SAID else f"{said[:LONGEST_SAID]}…"


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode(errors="replace")


def _reasons(found: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects of an error's body that may have a type, a code or a place."""
    if depth > _DEEPEST:
        return
    if isinstance(found, list):
        for each in found:
            yield from _reasons(each, depth + 1)
    elif isinstance(found, dict):
        yield found
        for key in ("error", "detail", "details", "errors"):
            yield from _reasons(found.get(key), depth + 1)


def _parts(found: object, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for each in found[:5]:
            yield from _parts(each, depth + 1)
    elif isinstance(found, dict):
        location = found.get("loc")
        text = found.get("msg") or found.get("message")
        if isinstance(text, str):
            field = ".".join(str(step) for step in location if step != "body") if isinstance(location, list) else ""
            yield f"{field}: {text}" if field else text
        for key in ("error", "detail", "title"):
            yield from _parts(found.get(key), depth + 1)


def _after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds until a request that was not accepted may be sent again; None: it may have been, or not soon enough.

    429 says so by its meaning; 503 is trusted only with Retry-After, since proxies send it for dead servers as well.
    """
    told = headers.get("retry-after", "").strip()
    if not told:
        return PAUSE_SECONDS if status == 429 else None
    try:
        seconds = float(told)
    except ValueError:
        try:
            moment = parsedate_to_datetime(told)
        except ValueError:
            return PAUSE_SECONDS
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds <= LONGEST_PAUSE_SECONDS else None
