"""Endpoints that render side by side: whose turn it is where, which are set aside, and when they are asked again."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from generator.types import BackendError

FIRST_PROBE_SECONDS = 1.0
"""After an endpoint was set aside. Doubles with every probe that fails, and with every time it is set aside again
before a turn there ended well."""
LONGEST_PROBE_SECONDS = 30.0
PROBE_TIMEOUT_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
"""How long all endpoints may be set aside before those who wait are told so: a server restarts in that time."""


@dataclass
class _Endpoint:
    url: str
    taken: int = 0
    """Turns in use."""
    given: int = 0
    """When it last got one, by the pool's count: of equals the one that rested longest is next."""
    busy_until: list[float] = field(default_factory=list)
    """Ends of renders that nobody waits for and that go on there."""
    why: str = ""
    """Why it is set aside; "" where it is not."""
    since: float = 0.0
    probe_at: float = 0.0
    pause: float = FIRST_PROBE_SECONDS
    probe: asyncio.Task[None] | None = None
    """Asks whether it is well again."""

    def load(self, now: float) -> int:
        self.busy_until = [end for end in self.busy_until if end > now]
        return self.taken + len(self.busy_until)


@dataclass(eq=False)
class _Waiter:
    avoid: frozenset[str]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    endpoint: _Endpoint | None = None


class Pool:
    """Hands out turns at endpoints: the least loaded first, first come first served, `in_flight` at each at once.

    An endpoint that fails is `set_aside` and asked again while somebody waits: no task runs when nobody does. Belongs
    to one event loop::

        pool = Pool(urls, in_flight=1, healthy=healthy)
        async with pool.turn() as url:
            ...                          # render there
            pool.set_aside(url, "...")   # when it proved dead; the next turn goes elsewhere
        async with pool.turn(avoid=[url]) as other: ...

    Args:
        urls: the endpoints, at least one, each once.
        in_flight: turns at one endpoint at the same time.
        healthy: asks an endpoint whether it works. Whatever it raises counts as no; it has 5 s.
        patience: seconds that every endpoint may be set aside before whoever waits gets a BackendError.
        first_probe: seconds after which an endpoint set aside is first asked again; grows up to 30 s.
    """

    def __init__(
        self,
        urls: Sequence[str],
        in_flight: int,
        healthy: Callable[[str], Awaitable[bool]],
        *,
        patience: float = PATIENCE_SECONDS,
        first_probe: float = FIRST_PROBE_SECONDS,
    ) -> None:
        if not urls or len(set(urls)) != len(urls):
            raise ValueError(f"a pool needs endpoints, each once, not {list(urls)!r}")
        self._endpoints = {url: _Endpoint(url, pause=first_probe) for url in urls}
        self._in_flight, self._healthy = in_flight, healthy
        self._patience, self._first_probe = patience, first_probe
        self._waiters: list[_Waiter] = []
        self._count = itertools.count(1)

    @property
    def urls(self) -> tuple[str, ...]:
        """Of every endpoint, set aside or not."""
        return tuple(self._endpoints)

    @property
    def aside(self) -> dict[str, str]:
        """Why, by endpoint, of those that are set aside now."""
        return {endpoint.url: endpoint.why for endpoint in self._endpoints.values() if endpoint.why}

    @asynccontextmanager
    async def turn(self, *, avoid: Collection[str] = ()) -> AsyncIterator[str]:
        """Wait for a turn at an endpoint and hold it; yields its URL.

        Args:
            avoid: endpoints to use only where every other is set aside.

        Raises:
            BackendError: all endpoints have been set aside for longer than the pool's patience. Names each and why.
        """
        endpoint = await self._take(frozenset(avoid))
        try:
            yield endpoint.url
        finally:
            endpoint.taken -= 1
            if not endpoint.why:
                endpoint.pause = self._first_probe
            self._hand_out()

    def set_aside(self, url: str, why: str) -> None:
        """Give no more turns at an endpoint until it answers as healthy again.

        Args:
            url: the endpoint.
            why: in words, for the error's message.
        """
        endpoint, now = self._endpoints[url], time.monotonic()
        if not endpoint.why:
            endpoint.since = now
            endpoint.probe_at = now + endpoint.pause
            endpoint.pause = min(endpoint.pause * 2, LONGEST_PROBE_SECONDS)
        endpoint.why = why or "it failed"
        endpoint.busy_until.clear()  # what it was still at died with it, or nobody can tell
        self._stir()  # whoever waited for this one alone may use one it wanted to avoid, or has to ask it

    def occupied(self, url: str, seconds: float) -> None:
        """Count a render that nobody waits for any more, and that the endpoint cannot stop, as a turn in use there.

        Args:
            url: the endpoint.
            seconds: how long it will still take, estimated.
        """
        if seconds > 0:
            self._endpoints[url].busy_until.append(time.monotonic() + seconds)

    async def _take(self, avoid: frozenset[str]) -> _Endpoint:
        waiter = _Waiter(avoid)
        self._waiters.append(waiter)
        last_look: list[asyncio.Task[None]] | None = None
        try:
            self._hand_out()
            while waiter.endpoint is None:
                hopeless = self._all_aside() and time.monotonic() >= self._hopeless_at()
                asked = self._probe(everyone=hopeless and last_look is None)
                last_look = (last_look or asked) if hopeless else None
                self._raise_after(last_look)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._until_something()):
                        await waiter.woken.wait()
                waiter.woken.clear()
                self._hand_out()
        except BaseException:
            if waiter.endpoint is not None:  # it came in the moment of the cancellation
                waiter.endpoint.taken -= 1
                self._hand_out()
            raise
        finally:
            with suppress(ValueError):
                self._waiters.remove(waiter)
            if not self._waiters:
                self._stop_asking()
        return waiter.endpoint

    def _stir(self) -> None:
        """Let everybody who waits look again: what they wait for has changed."""
        self._hand_out()
        for waiter in self._waiters:
            waiter.woken.set()

    def _hand_out(self) -> None:
        for waiter in tuple(self._waiters):
            if (endpoint := self._free(waiter.avoid)) is not None:
                endpoint.taken += 1
                endpoint.given = next(self._count)
                self._waiters.remove(waiter)
                waiter.endpoint = endpoint
                waiter.woken.set()

    def _free(self, avoid: frozenset[str]) -> _Endpoint | None:
        now = time.monotonic()
        usable = [endpoint for endpoint in self._endpoints.values() if not endpoint.why]
        usable = [endpoint for endpoint in usable if endpoint.url not in avoid] or usable
        free = [endpoint for endpoint in usable if endpoint.load(now) < self._in_flight]
        return min(free, key=lambda endpoint: (endpoint.load(now), endpoint.given), default=None)

    def _until_something(self) -> float | None:
        """Seconds until an endpoint may have come free, or may be asked again. None: only a turn that ends helps."""
        now = time.monotonic()
        moments = [end for endpoint in self._endpoints.values() for end in endpoint.busy_until]
        moments += [each.probe_at for each in self._endpoints.values() if each.why and each.probe is None]
        if self._all_aside() and self._hopeless_at() > now:
            moments.append(self._hopeless_at())
        return max(0.0, min(moments) - now) + 0.001 if moments else None

    def _probe(self, *, everyone: bool) -> list[asyncio.Task[None]]:
        """See that every endpoint set aside whose time has come, or everyone, is being asked.

        Nobody waits for the answers: another endpoint may come free before one that hangs has been given up.

        Returns:
            What asks now.
        """
        now = time.monotonic()
        for endpoint in self._endpoints.values():
            if endpoint.why and endpoint.probe is None and (everyone or endpoint.probe_at <= now):
                endpoint.probe = asyncio.create_task(self._ask(endpoint))
        return [endpoint.probe for endpoint in self._endpoints.values() if endpoint.probe is not None]

    async def _ask(self, endpoint: _Endpoint) -> None:
        well = False
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                well = await self._healthy(endpoint.url)
        except Exception:  # noqa: BLE001 - however it fails to answer, it is not healthy
            well = False
        endpoint.probe = None
        if well:
            endpoint.why = ""
        else:
            endpoint.probe_at = time.monotonic() + endpoint.pause
            endpoint.pause = min(endpoint.pause * 2, LONGEST_PROBE_SECONDS)
        self._stir()

    def _stop_asking(self) -> None:
        """Nobody waits any more: whoever does next asks anew."""
        for endpoint in self._endpoints.values():
            if endpoint.probe is not None:
                endpoint.probe.cancel()
                endpoint.probe = None

    def _all_aside(self) -> bool:
        return all(endpoint.why for endpoint in self._endpoints.values())

    def _hopeless_at(self) -> float:
        return max(endpoint.since for endpoint in self._endpoints.values()) + self._patience

    def _raise_after(self, last_look: list[asyncio.Task[None]] | None) -> None:
        if last_look is None or not all(task.done() for task in last_look):
            return
        each = "; ".join(f"{url}: {why}" for url, why in self.aside.items())
        raise BackendError(
            f"No rendering server has answered for {self._patience:g} s ({each}). "
            "Start one of them, or name servers that run in generator.endpoints."
        )
