"""Connections that only public addresses are given."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpcore

from agent.errors import IntakeError
from agent.intake.rules import IMAGE, PRIVATE, Wanted

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses as text. Raises OSError or UnicodeError if there are none."""

MAX_ADDRESSES = 4
"""Addresses of one host that are tried in turn."""

_V6_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291, 2.4: all that IANA has given out
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared address space (RFC 6598)
        "168.63.129.16/32",  # the wire server of a cloud's virtual machines
        "169.254.0.0/16",  # link-local, with the metadata services
        "192.0.0.0/24",  # IETF protocol assignments: older Pythons call parts of it global
        "192.88.99.0/24",  # the former 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "64:ff9b:1::/48",  # local NAT64
        "2001::/23",  # IETF protocol assignments, with Teredo
        "2001:db8::/32",
        "3fff::/20",  # documentation (RFC 9637), newer than some Pythons
        "fec0::/10",
    )
)
"""Refused whatever the standard library of this Python thinks of them."""
_RESOLVERS = ThreadPoolExecutor(16, "resolve")
"""Threads of their own: a host whose name servers do not answer keeps one for half a minute, and would keep from the
others whoever reads or writes a file."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, 2.1: the last 32 bits are the IPv4 address reached


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet; an IPv4 address inside an IPv6 one decides for it."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.ipv4_mapped or ip.sixtofour:
            return is_public(str(ip.ipv4_mapped or ip.sixtofour))
        if ip not in _V6_GLOBAL_UNICAST:
            return False
    if any(ip in network for network in _NEVER if network.version == ip.version):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


async def system_resolve(host: str, port: int) -> list[str]:
    """The system's own answer: it also reads odd spellings such as 0x7f000001, 2130706433 and 127.1."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host once, refuses it if any of its addresses is not public, and connects to those it checked.

    Nothing is sent to an address before the check, and a name that changes its answer between check and connection is
    not asked twice. It stands under every connection, so each redirect meets it too.
    """

    def __init__(
        self,
        name: str,
        *,
        allow_private: bool,
        resolve: Resolve,
        dial: httpcore.AsyncNetworkBackend | None = None,
        wanted: Wanted = IMAGE,
    ) -> None:
        """Guard `dial` (the system's sockets if None); `name` is what errors call the file."""
        self._name = name
        self._wanted = wanted
        self._allow_private = allow_private
        self._resolve = resolve
        self._dial = dial or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a checked address of the host.

        Raises:
            IntakeError: the host is unknown, or leads to an address that is not public.
            httpcore.ConnectError: no address could be reached.
        """
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise IntakeError(
                f"{self._wanted.field}: the host of {self._name} is unknown; check the link", "unreachable"
            ) from error
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise IntakeError(
                f"{self._wanted.field}: {self._name} leads to a private or reserved address; {self._wanted.by_hand}, "
                f"or set {PRIVATE} if you trust the link",
                "unreachable",
            )
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._dial.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, between attempts to connect."""
        await self._dial.sleep(seconds)
