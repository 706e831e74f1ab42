"""Addresses that webhooks may be sent to."""

from typing import Final
from urllib.parse import urlsplit

import httpx

from agent.http import is_localhost
from agent.intake.guard import is_public
from agent.server.config import WebhookConfig
from agent.server.types import Webhook, refused

LONGEST_URL: Final = 2048


def webhook_of(url: str, config: WebhookConfig, *, field: str, loc: tuple[str, ...] = ()) -> Webhook:
    """An address that a client gave, as far as it alone can tell; what it leads to is seen at each delivery.

    Raises:
        Refused: 422.
    """
    wrong = unfit(url, config)
    if wrong:
        raise refused(422, "value_error", f"{field}: {wrong}", loc=loc or (field,))
    return Webhook(url=url)


def unfit(text: str, config: WebhookConfig) -> str:
    """Why nothing is sent to an address, whatever is behind it; "": something may be."""
    if len(text) > LONGEST_URL:
        return f"the address has over {LONGEST_URL} characters"
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, TypeError, ValueError):
        return "the address is malformed; write it as https://host/path"
    if url.scheme not in {"http", "https"} or not url.host or any(not " " < char <= "~" for char in text):
        return "the address is none; write it as https://host/path"
    if url.userinfo:
        return "the address carries a user name or password, which are not sent; put a token into its path"
    if config.allow_private_addresses:
        return ""
    wrong = "has a port other than 80 and 443" if port not in {None, 80, 443} else ""
    wrong = wrong or ("" if _may_be_public(url.host) else "leads to this machine or a private network")
    return wrong and f"the address {wrong}, which server.webhooks.allow_private_addresses opens"


def _may_be_public(host: str) -> bool:
    """False for an IP address that is not, and for a name of this machine (RFC 6761); others are looked up later."""
    name = host.rstrip(".").lower()
    if is_localhost(name):
        return False
    try:
        return is_public(name)
    except ValueError:
        return True


def host_of(url: str) -> str:
    """For limits and the log: without what may be secret in a path."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "nowhere"
