"""What an error of a NIM means: for good, blocked, for the moment, or not accepted at all."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from generator.nim.dialect import MARKS
from generator.types import BackendError, BlockedError, RenderError

LONGEST_SAID = 400
"""Characters of a server's own words in a message."""
PAUSE_SECONDS = 1.0
"""Before a refused request is sent again, where the server does not say."""
LONGEST_PAUSE_SECONDS = 300.0

_BLOCKED = re.compile(
    r"guard ?rails?\b.{0,80}(block|reject|refus|violat|unsafe|fail|trigger|not pass|flag|detect)"
    r"|(block|reject|refus|flag|unsafe)\w*\b.{0,80}\bguard ?rails?\b"
    r"|(block|reject|refus|flag)\w*\b.{0,40}\b(content )?(safety|moderation)\b"
    r"|\b(content )?safety (check|filter|policy|violation).{0,40}(block|reject|refus|fail|violat|unsafe)"
    r"|\bunsafe (content|prompt|input|output|video)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKED = "|".join(
    [
        *(mark for _, marks in MARKS for mark in sorted(marks)),
        *("num_frames", "num_inference_steps", "input_reference", "steps"),
    ]
)
_STRANGE = "extra|forbidden|not permitted|unknown|unexpected|required|missing"
_OTHER_DIALECT = re.compile(
    rf"\b(?:{_MARKED})\b[^;]{{0,60}}(?:{_STRANGE})|(?:{_STRANGE})[^;]{{0,60}}\b(?:{_MARKED})\b", re.IGNORECASE
)

_FINAL = frozenset({400, 413, 422})
_KEY = "It wants a key, or another one: set the variable that generator.api_key_env names."
_WRONG = "It renders nothing there: name a Cosmos generator NIM in generator.endpoints, and check generator.dialect."
_SLOW = "The render took longer than it, or a proxy before it, allows: raise that time limit."
_CURES = {401: _KEY, 403: _KEY, 404: _WRONG, 405: _WRONG, 408: _SLOW, 504: _SLOW}


class UnsentError(BackendError):
    """The request never left: another endpoint may be asked."""


class RefusedError(BackendError):
    """The server has not accepted the request, and says so."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after
        """Seconds to wait before it is asked again."""


class LostError(BackendError):
    """The request was sent, and no answer came: the server may be at it still."""


def failure(status: int, content: bytes, headers: Mapping[str, str], url: str) -> Exception:
    """The error that an answer other than 200 means.

    Args:
        status: HTTP status.
        content: of the answer: `{"error": {"message", "type", "code"}}`, `{"detail": ...}`, or anything else.
        headers: of the answer.
        url: the server's, for the message.
    """
    said = words(content)
    at = f"The NIM at {url} answered {status}: {said}"
    if status in _FINAL:
        return _final(status, said, at)
    if status in {429, 503} and (after := _after(status, headers)) is not None:
        return RefusedError(f"{at}. It is full: wait, or name more servers in generator.endpoints.", after)
    return BackendError(f"{at}. {_CURES.get(status, 'Look into its log.')}")


def _final(status: int, said: str, at: str) -> Exception:
    """Of an answer that speaks of the request itself."""
    if _BLOCKED.search(said):
        return BlockedError(f"The NIM's guardrails refused this render ({said}). Change the prompt or the image.")
    if status != 413 and _OTHER_DIALECT.search(said):
        return BackendError(f"{at}. It seems to speak another dialect: set generator.dialect to the one it does.")
    cure = "Give a smaller image or video" if status == 413 else "Change what it names in the request"
    return RenderError(f"{at}. {cure}.")


def words(content: bytes) -> str:
    """What an error's body says: names of fields and messages, never the values sent, which may be whole videos."""
    try:
        found = json.loads(content)
    except ValueError:
        found = content.decode(errors="replace")
    said = " ".join("; ".join(_parts(found)).split()) or "nothing"
    return said if len(said) <= LONGEST_SAID else f"{said[:LONGEST_SAID]}…"


def _parts(found: object) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for each in found[:5]:
            yield from _parts(each)
    elif isinstance(found, dict):
        location = found.get("loc")
        text = found.get("msg") or found.get("message")
        if isinstance(text, str):
            field = ".".join(str(step) for step in location if step != "body") if isinstance(location, list) else ""
            yield f"{field}: {text}" if field else text
        for key in ("error", "detail", "title"):
            yield from _parts(found.get(key))


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
