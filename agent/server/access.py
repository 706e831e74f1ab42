"""Who asks: found out from the key before any handler runs, and how often they may.

Clients send keys as `Authorization: Key …` (fal), `Authorization: Bearer …` (openai, NIM) or `X-API-Key: …`.
"""

import ipaddress
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from agent.browsers import READS, Raw, header
from agent.server.answers import answer
from agent.server.config import LimitsConfig
from agent.server.keys import Keys, digest_of, new_key, on_loopback, required
from agent.server.rates import Rates
from agent.server.types import Caller, Problem

__all__ = ["OPEN", "Access", "Keys", "credential", "is_open", "new_key", "required"]

OPEN: Final = re.compile(
    r"/|/favicon\.ico|/page/.*"  # the page and its parts: it asks for the key itself
    r"|/v1/health/.*"  # probes carry no key
    r"|/media/.*|/uploads/.*|/fal/(?:cdn|rest)/files/[^/]+/[^/]+"  # files: their address cannot be guessed
    r"|/fal/rest/\.well-known/jwks\.json"  # the public half of the webhooks' key
)
"""Paths that may be looked at without a key."""
SENDING: Final = re.compile(r"/fal/(?:cdn|rest)/files/in/.*")
"""Addresses that a file is sent to: clients send no key there, and the address cannot be guessed."""
CURE: Final = "send `Authorization: Key …` (or `Bearer …`) with a key of this server"
_STRANGER: Final = Caller(scopes=frozenset())
"""Who asks without a key where only open paths are answered so."""
_EVERYBODY: Final = Caller()
_MOST_OPEN: Final = 1000
"""Requests of one caller that may be unanswered at the same time, event streams included."""
_WRONG_PER_SECOND, _WRONG_BURST = 1.0, 20.0
"""Wrong keys that one address may send."""
_MOST_KNOWN: Final = 10_000
_SCHEMES: Final = frozenset({"key", "bearer"})


def credential(headers: Raw) -> str | None:
    """The key of a request; "": it sends one that cannot be read; None: it sends none."""
    if not any(name in {b"authorization", b"x-api-key"} for name, _ in headers):
        return None
    said = header(headers, b"authorization")
    if said is not None:
        scheme, _, word = said.strip().partition(" ")
        return word.strip() if scheme.lower() in _SCHEMES else ""
    return (header(headers, b"x-api-key") or "").strip()


def is_open(method: str, path: str) -> bool:
    """Whether a request needs no key."""
    if method in READS:
        return OPEN.fullmatch(path) is not None
    return method == "OPTIONS" or (method in {"PUT", "POST"} and SENDING.fullmatch(path) is not None)


class Access:
    """Puts the caller into `scope["retake.caller"]`, or refuses: 401 without a right key, 429 for too many requests.

    Args:
        app: what is asked then.
        keys: None: everybody may ask for everything.
        limits: of one caller.
        token: whose an upload token is that this server gave out, and None for any other word.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        limits: LimitsConfig,
        *,
        token: Callable[[str], Caller | None] = lambda _: None,
    ) -> None:
        self._app, self._keys, self._token = app, keys, token
        self._rates = None if limits.requests_per_second is None else Rates(limits.requests_per_second)
        self._wrong = Rates(_WRONG_PER_SECOND, _WRONG_BURST)
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._find(scope)
        if isinstance(found, Caller):
            scope["retake.caller"] = found
            who, limited = _who(found, scope)
            refusal, wait = self._too_often(who) if limited else (None, 0.0)
        else:
            (refusal, wait), who = found, ""
        if refusal is not None:
            response = answer(scope, refusal, wait or None)
            if refusal.status == 401:
                response.headers["www-authenticate"] = 'Bearer realm="retake"'
            await response(scope, receive, send)
            return
        self._open[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def _find(self, scope: Scope) -> Caller | tuple[Problem, float]:
        """Who asks, or why they may not, and the seconds after which they may ask again."""
        if self._keys is None:
            return _EVERYBODY
        key = credential(scope["headers"])
        needless = is_open(scope["method"], scope["path"])
        if not key:
            return _STRANGER if needless else (_unknown("no key was sent" if key is None else "it cannot be read"), 0.0)
        address, digest = _address(scope), digest_of(key)
        # who guesses is not told a right guess from a wrong one; who was let in from there before is not kept out
        wait = 0.0 if (address, digest) in self._known else self._wrong.wait(address)
        if wait and not needless:
            return Problem(status=429, type="too_many_requests", message="too many wrong keys came from there"), wait
        caller = None if wait else self._keys.caller(key) or self._token(key)
        if caller is not None:
            self._known[address, digest] = None
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
            return caller
        self._wrong.take(address)  # on open paths too: what is answered otherwise there would tell a right guess
        if needless:
            return _STRANGER
        return _unknown("this server does not know it"), 0.0

    def _too_often(self, who: str) -> tuple[Problem | None, float]:
        if self._open[who] >= _MOST_OPEN:
            why = f"{_MOST_OPEN} requests are being answered already; close some"
            return Problem(status=429, type="concurrent_requests_limit", message=why), 1.0
        wait = 0.0 if self._rates is None else self._rates.take(who)
        if wait:
            return Problem(status=429, type="too_many_requests", message="too many requests; ask less often"), wait
        return None, 0.0


def _unknown(why: str) -> Problem:
    return Problem(status=401, type="unauthorized", message=f"invalid key credentials: {why}; {CURE}")


def _who(caller: Caller, scope: Scope) -> tuple[str, bool]:
    """What a caller's requests are counted under, and whether they are limited: by its key, else by its address."""
    if caller is not _EVERYBODY and caller is not _STRANGER:
        return f"key {caller.owner}", True
    address = _address(scope)
    return f"address {address}", not on_loopback(address) or caller is _STRANGER


def _address(scope: Scope) -> str:
    """Where a request comes from. An IPv6 network of one customer counts as one."""
    text = scope["client"][0] if scope.get("client") else ""
    if ":" not in text:
        return text
    try:
        ip = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return text if ip.is_loopback else str(ipaddress.IPv6Network((int(ip), 64), strict=False))
