"""Fetching a file over http(s) from a server that is not trusted."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpcore
import httpx

from agent.errors import IntakeError
from agent.intake.formats import HEAD, check_format
from agent.intake.guard import GuardedBackend, Resolve, system_resolve
from agent.intake.rules import IMAGE, PRIVATE, FetchRules, Wanted
from agent.intake.source import shorten, too_large

CONNECT_SECONDS = 5.0
"""For one address, so that a dead one leaves time for the next."""

_REDIRECTS = {301, 302, 303, 307, 308}

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What is asked for, and within which limits."""

    url: str
    rules: FetchRules
    wanted: Wanted = IMAGE
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: Collection[int] = (200,)
    """Those of an answer that `take` is given."""
    silence: float | None = None
    """Seconds without a byte after which the server is given up. None: as long as the whole may take."""


@dataclass(frozen=True)
class Answer:
    """What a server sent, its body not yet read."""

    response: httpcore.Response
    headers: httpx.Headers
    name: str
    """What errors call the file."""


async def fetch(
    url: str,
    rules: FetchRules,
    *,
    resolve: Resolve = system_resolve,
    dial: httpcore.AsyncNetworkBackend | None = None,
) -> bytes:
    """The body behind an http(s) URL, if it begins like an image.

    Args:
        url: where the image is.
        rules: the limits.
        resolve: how a host becomes addresses.
        dial: what opens a connection to a checked address; the system's sockets if None.

    Raises:
        IntakeError: refused or failed; see `agent.intake.take_image`.
    """

    async def take(answer: Answer) -> bytes:
        return await _read_image(answer, rules)

    return await follow(Request(url, rules), take, resolve=resolve, dial=dial)


async def follow(
    request: Request,
    take: Callable[[Answer], Awaitable[T]],
    *,
    resolve: Resolve = system_resolve,
    dial: httpcore.AsyncNetworkBackend | None = None,
) -> T:
    """What `take` makes of the answer that a URL leads to, over redirects.

    No cookies, no proxies, no credentials; compressed answers are refused, so that the byte limit counts what arrives.

    Args:
        request: what is asked for.
        take: reads the answer while the connection is open. What it raises is passed on.
        resolve: how a host becomes addresses.
        dial: what opens a connection to a checked address; the system's sockets if None.

    Raises:
        IntakeError: refused or failed, in a sentence without the URL's query and credentials.
    """
    rules, wanted = request.rules, request.wanted
    target = _parse(request.url, wanted)
    name = shorten(f"{target.scheme}://{target.netloc.decode()}{target.path}")
    backend = GuardedBackend(
        name, allow_private=rules.allow_private_addresses, resolve=resolve, dial=dial, wanted=wanted
    )
    try:
        async with (
            asyncio.timeout(rules.timeout_seconds),
            httpcore.AsyncConnectionPool(network_backend=backend) as pool,
        ):
            for _ in range(rules.max_redirects + 1):
                _check_url(target, rules, wanted, name)
                answer = await _get(pool, target, request, name, take)
                if not isinstance(answer, httpx.URL):
                    return answer
                target = answer
    except TimeoutError as error:
        raise IntakeError(
            f"{wanted.field}: {name} took longer than {rules.timeout_seconds:g} s; {wanted.by_hand}, "
            f"or {wanted.slower}",
            "unreachable",
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        reason = str(error) or type(error).__name__
        raise IntakeError(
            f"{wanted.field}: {name} could not be fetched ({reason[:120]}); check the link, or {wanted.by_hand}",
            "unreachable",
        ) from error
    raise IntakeError(
        f"{wanted.field}: {name} redirects more than {rules.max_redirects} times; give the link it ends at",
        "unreachable",
    )


def _parse(url: str, wanted: Wanted) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        # the cause quotes the URL, with its credentials
        raise IntakeError(
            f"{wanted.field}: the URL is malformed; write it as https://host/path", "unreachable"
        ) from None


def _check_url(url: httpx.URL, rules: FetchRules, wanted: Wanted, name: str) -> None:
    """Refuse what needs no look at the network. Holds for each redirect, with the link's own name in the message."""
    field_name, by_hand = wanted.field, wanted.by_hand
    if url.scheme not in {"http", "https"}:
        raise IntakeError(f"{field_name}: {name} redirects to a {url.scheme[:20]}: address; {by_hand}", "unreachable")
    if not url.host:
        raise IntakeError(f"{field_name}: the URL names no host; write it as https://host/path", "unreachable")
    if url.port is not None and url.port > 65535:
        raise IntakeError(f"{field_name}: {name} has no port {url.port}; use one up to 65535", "unreachable")
    if url.userinfo:
        raise IntakeError(
            f"{field_name}: {name} carries a user name or password, which are not sent; {by_hand}", "unreachable"
        )
    if url.port not in {None, 80, 443} and not rules.allow_private_addresses:
        raise IntakeError(
            f"{field_name}: {name} leads to port {url.port}, and only 80 and 443 are allowed; {by_hand}, "
            f"or set {PRIVATE}",
            "unreachable",
        )


async def _get(
    pool: httpcore.AsyncConnectionPool,
    url: httpx.URL,
    request: Request,
    name: str,
    take: Callable[[Answer], Awaitable[T]],
) -> T | httpx.URL:
    """One request: what is made of its answer, or where the server sends us."""
    wanted = request.wanted
    address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    asked = {
        "Accept": wanted.accept,
        "Accept-Encoding": "identity",
        "User-Agent": "cosmos-retake",
        **request.headers,
    }
    timeouts = {"timeout": {"connect": CONNECT_SECONDS, "read": request.silence}}
    async with pool.stream("GET", address, headers=list(asked.items()), extensions=timeouts) as response:
        headers = httpx.Headers(response.headers)
        if response.status in _REDIRECTS and "location" in headers:
            try:
                return url.join(headers["location"])
            except httpx.InvalidURL:
                raise IntakeError(
                    f"{wanted.field}: {name} redirects to a malformed URL; {wanted.by_hand}", "unreachable"
                ) from None
        if response.status not in request.statuses:
            raise IntakeError(
                f"{wanted.field}: {name} answered HTTP {response.status}; check that the link is public, "
                f"or {wanted.by_hand}",
                "unreachable",
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise IntakeError(
                f"{wanted.field}: {name} answered with compressed data, which was not asked for; {wanted.by_hand}",
                "unreachable",
            )
        if int(headers.get("content-length", 0)) > request.rules.max_bytes:
            raise too_large(name, request.rules.max_bytes, wanted)
        return await take(Answer(response, headers, name))


async def _read_image(answer: Answer, rules: FetchRules) -> bytes:
    """The body, given up as soon as it is too long or no image."""
    body = bytearray()
    checked = False
    async for chunk in answer.response.aiter_stream():
        body += chunk
        if len(body) > rules.max_bytes:
            raise too_large(answer.name, rules.max_bytes)
        if not checked and len(body) >= HEAD:
            check_format(bytes(body[:HEAD]), answer.name)
            checked = True
    if not checked:
        check_format(bytes(body), answer.name)
    return bytes(body)
