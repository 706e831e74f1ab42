"""What a server that a browser can reach must check and say: `retake mark` and `retake serve` share it."""

import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final

READS: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
"""This machine's own names, with any port: a tunnel may have another one at its near end."""
HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""On every answer that does not say otherwise itself; a content-security-policy goes with them."""

Raw = Sequence[tuple[bytes, bytes]]
"""Headers as they came, their names in lower case (ASGI)."""


def header(headers: Raw, name: bytes) -> str | None:
    """The one header of a name; None: there is none, or several, which proxies and servers read differently."""
    found = [value for key, value in headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def encoded(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as they are sent (ASGI)."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def complete(message: MutableMapping[str, Any], headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Add to an answer's start the headers that it does not have."""
    told = list(message.get("headers") or ())
    there = {name.lower() for name, _ in told}
    told += [pair for pair in headers if pair[0] not in there]
    message["headers"] = told
