"""Fetching an image over http(s) from a server that is not trusted."""

import asyncio

import httpcore
import httpx

from agent.errors import IntakeError
from agent.intake.formats import HEAD, check_format
from agent.intake.guard import PRIVATE, GuardedBackend, Resolve, system_resolve
from agent.intake.rules import FetchRules
from agent.intake.source import shorten, too_large

CONNECT_SECONDS = 5.0
"""For one address, so that a dead one leaves time for the next."""

_HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "cosmos-retake"))
_REDIRECTS = {301, 302, 303, 307, 308}
_BY_HAND = "download the image and give its path"


async def fetch(
    url: str,
    rules: FetchRules,
    *,
    resolve: Resolve = system_resolve,
    dial: httpcore.AsyncNetworkBackend | None = None,
) -> bytes:
    """The body behind an http(s) URL, if it begins like an image.

    No cookies, no proxies, no credentials; compressed answers are refused, so that the byte limit counts what arrives.

    Args:
        url: where the image is.
        rules: the limits.
        resolve: how a host becomes addresses.
        dial: what opens a connection to a checked address; the system's sockets if None.

    Raises:
        IntakeError: refused or failed; see `agent.intake.take_image`.
    """
    target = _parse(url)
    name = shorten(f"{target.scheme}://{target.netloc.decode()}{target.path}")
    backend = GuardedBackend(name, allow_private=rules.allow_private_addresses, resolve=resolve, dial=dial)
    try:
        async with (
            asyncio.timeout(rules.timeout_seconds),
            httpcore.AsyncConnectionPool(network_backend=backend) as pool,
        ):
            for _ in range(rules.max_redirects + 1):
                _check_url(target, rules, name)
                answer = await _get(pool, target, rules, name)
                if isinstance(answer, bytes):
                    return answer
                target = answer
    except TimeoutError as error:
        raise IntakeError(
            f"request.image: {name} took longer than {rules.timeout_seconds:g} s; {_BY_HAND}, "
            "or raise request.image_fetch.timeout_seconds"
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        reason = str(error) or type(error).__name__
        raise IntakeError(
            f"request.image: {name} could not be fetched ({reason[:120]}); check the link, or {_BY_HAND}"
        ) from error
    raise IntakeError(
        f"request.image: {name} redirects more than {rules.max_redirects} times; give the link it ends at"
    )


def _parse(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        # the cause quotes the URL, with its credentials
        raise IntakeError("request.image: the URL is malformed; write it as https://host/path") from None


def _check_url(url: httpx.URL, rules: FetchRules, name: str) -> None:
    """Refuse what needs no look at the network. Holds for each redirect, with the link's own name in the message."""
    if url.scheme not in {"http", "https"}:
        raise IntakeError(f"request.image: {name} redirects to a {url.scheme[:20]}: address; {_BY_HAND}")
    if not url.host:
        raise IntakeError("request.image: the URL names no host; write it as https://host/path")
    if url.port is not None and url.port > 65535:
        raise IntakeError(f"request.image: {name} has no port {url.port}; use one up to 65535")
    if url.userinfo:
        raise IntakeError(f"request.image: {name} carries a user name or password, which are not sent; {_BY_HAND}")
    if url.port not in {None, 80, 443} and not rules.allow_private_addresses:
        raise IntakeError(
            f"request.image: {name} leads to port {url.port}, and only 80 and 443 are allowed; {_BY_HAND}, "
            f"or set {PRIVATE}"
        )


async def _get(pool: httpcore.AsyncConnectionPool, url: httpx.URL, rules: FetchRules, name: str) -> bytes | httpx.URL:
    """One request: the image, or where the server sends us."""
    address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    timeouts = {"timeout": {"connect": CONNECT_SECONDS}}
    async with pool.stream("GET", address, headers=_HEADERS, extensions=timeouts) as response:
        headers = httpx.Headers(response.headers)
        if response.status in _REDIRECTS and "location" in headers:
            try:
                return url.join(headers["location"])
            except httpx.InvalidURL:
                raise IntakeError(f"request.image: {name} redirects to a malformed URL; {_BY_HAND}") from None
        if response.status != 200:
            raise IntakeError(
                f"request.image: {name} answered HTTP {response.status}; check that the link is public, or {_BY_HAND}"
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise IntakeError(
                f"request.image: {name} answered with compressed data, which was not asked for; {_BY_HAND}"
            )
        if int(headers.get("content-length", 0)) > rules.max_bytes:
            raise too_large(name, rules.max_bytes)
        return await _read_body(response, rules, name)


async def _read_body(response: httpcore.Response, rules: FetchRules, name: str) -> bytes:
    """The body, given up as soon as it is too long or no image."""
    body = bytearray()
    checked = False
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > rules.max_bytes:
            raise too_large(name, rules.max_bytes)
        if not checked and len(body) >= HEAD:
            check_format(bytes(body[:HEAD]), name)
            checked = True
    if not checked:
        check_format(bytes(body), name)
    return bytes(body)
