"""What a client says of a file that it is about to send, and in whose name it sends it."""

import json
import re
from typing import Final

from starlette.requests import Request

from agent.server.context import caller_of, context_of
from agent.server.storage.nouns import Named
from agent.server.types import Caller, refused

LIFECYCLES: Final = ("x-fal-object-lifecycle", "x-fal-object-lifecycle-preference")
CDN: Final = "/fal/cdn"
REST: Final = "/fal/rest"
LONGEST_SECONDS: Final = 1e12
"""That may be asked for; what is kept is up to the server."""
_LONGEST_NAME: Final = 100
_PLAIN_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)


def uploader(request: Request) -> Caller:
    """Who uploads: by a token of `/storage/auth/token`, else by their key.

    Raises:
        Refused: 401 or 403.
    """
    owner = token_owner(request)
    if owner is None:
        return caller_of(request, "upload")
    return Caller(owner=owner, scopes=frozenset({"upload"}), passing=True)


def token_owner(request: Request) -> str | None:
    """In whose name the request's CDN token lets upload; None: it has none that holds."""
    token = request.headers.get("authorization", "").rpartition(" ")[2]
    return context_of(request).uploads.passes.owner(token)


def named(request: Request, name: str | None, content_type: str | None) -> Named:
    """A file as a client describes it, made harmless.

    Raises:
        Refused: 422, a lifecycle that is none.
    """
    seconds, hidden = _lifecycle(request)
    told = (content_type or "").partition(";")[0].strip().lower()
    return Named(
        name=plain(name),
        content_type=told if _PLAIN_TYPE.fullmatch(told) else "application/octet-stream",
        keep_seconds=seconds,
        hidden=hidden,
    )


def plain(name: str | None) -> str:
    """A file's name as it may stand in an address."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", (name or "").rpartition("/")[2]).strip(".-")
    return kept[-_LONGEST_NAME:].strip(".-") or "upload.bin"


def _lifecycle(request: Request) -> tuple[float | None, bool]:
    """For how many seconds to keep it, and whether its address shows it to others."""
    text = next((request.headers[name] for name in LIFECYCLES if name in request.headers), None)
    if text is None:
        return None, False
    wrong = refused(422, "value_error", "X-Fal-Object-Lifecycle: must be JSON with expiration_duration_seconds")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(told, dict):
        raise wrong
    seconds, acl = told.get("expiration_duration_seconds"), told.get("initial_acl")
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 < seconds <= LONGEST_SECONDS):
        raise wrong
    default = acl.get("default") if isinstance(acl, dict) else None
    return None if seconds is None else float(seconds), default in {"hide", "forbid"}
