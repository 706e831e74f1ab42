"""What comes with a request beside its input: headers and query of fal's clients, read strictly."""

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from agent.server.context import Context, context_of
from agent.server.receivers import webhook_of
from agent.server.storage.asked import LONGEST_SECONDS
from agent.server.types import Webhook, refused

DAY: Final = 86_400.0
LONGEST_START: Final = 30 * DAY
"""A request may wait at most so long to be started, whatever it asks for."""
LONGEST_KEY, LONGEST_LIFECYCLE = 255, 4096
PRIORITIES: Final = {"normal": 0, "low": -1}


@dataclass(frozen=True)
class Terms:
    """How a request is to be treated."""

    priority: int
    start_within: float | None
    """Seconds until it has to be started."""
    keep_seconds: float | None
    """How long its files are to be kept."""
    idempotency_key: str | None
    webhook: Webhook | None
    notes: tuple[str, ...]


def terms(request: Request) -> Terms:
    """Read them.

    Raises:
        Refused: 422, one of them is wrong, names it; 429, the queue is longer than the client wants to wait in.
    """
    context = context_of(request)
    _short_enough(request, context)
    keep, notes = _lifecycle(request, context)
    return Terms(
        priority=_priority(request),
        start_within=_start_within(request),
        keep_seconds=keep,
        idempotency_key=_idempotency_key(request),
        webhook=_webhook(request),
        notes=notes,
    )


def _priority(request: Request) -> int:
    name = "x-fal-queue-priority"
    word = request.headers.get(name, "normal").strip().lower()
    if word not in PRIORITIES:
        raise refused(422, "one_of", f"{name}: give normal or low", loc=("header", name))
    return PRIORITIES[word]


def _start_within(request: Request) -> float | None:
    name = "x-fal-request-timeout"
    text = request.headers.get(name)
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None or seconds <= 0:
        raise refused(422, "greater_than", f"{name}: give seconds, more than 0", loc=("header", name))
    return min(seconds, LONGEST_START)


def _lifecycle(request: Request, context: Context) -> tuple[float | None, tuple[str, ...]]:
    """Seconds that the files are to be kept, no longer than this server keeps any; what of the wish is not met."""
    name = "x-fal-object-lifecycle-preference"
    text = request.headers.get(name)
    if text is None:
        return None, ()
    try:
        wish: Any = json.loads(text[: LONGEST_LIFECYCLE + 1]) if len(text) <= LONGEST_LIFECYCLE else None
    except (ValueError, RecursionError):
        wish = None
    seconds = wish.get("expiration_duration_seconds") if isinstance(wish, dict) else math.nan
    number = seconds if isinstance(seconds, int | float) and not isinstance(seconds, bool) else math.nan
    good = 0 < number <= LONGEST_SECONDS
    if not isinstance(wish, dict) or not (seconds is None or good):
        cure = 'give JSON such as {"expiration_duration_seconds": 3600}'
        raise refused(422, "value_error", f"{name}: {cure}", loc=("header", name))
    notes = ["initial_acl is not applied: whoever has a file's address can read it."] if wish.get("initial_acl") else []
    if seconds is None:
        return None, tuple(notes)
    days = context.served.server.retention.days
    if days is not None and seconds > days * DAY:
        notes.append(f"Files are kept for {days:g} days, which is this server's limit, not {seconds:g} seconds.")
        return days * DAY, tuple(notes)
    return min(float(seconds), 10_000 * DAY), tuple(notes)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key") or request.headers.get("x-idempotency-key")
    if key is None:
        return None
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise refused(
            422,
            "value_error",
            f"idempotency-key: give at most {LONGEST_KEY} printable characters",
            loc=("header", "idempotency-key"),
        )
    return key


def _webhook(request: Request) -> Webhook | None:
    name = "fal_webhook"
    url = request.query_params.get(name)
    if not url:
        return None
    return webhook_of(url, context_of(request).served.server.webhooks, field=name, loc=("query", name))


def _short_enough(request: Request, context: Context) -> None:
    name = "fal_max_queue_length"
    text = request.query_params.get(name)
    if text is None:
        return
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise refused(422, "value_error", f"{name}: give a whole number from 0", loc=("query", name))
    waiting = int(context.desk.facts().get("queued", 0))
    if waiting > int(text):
        raise refused(429, "queue_full", f"{waiting} requests wait, more than {name}={text}", retry_after=5)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
