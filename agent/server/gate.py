"""The way to every handler: the shield, then who asks, then what they bring."""

import re
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp

from agent.server.access import Access
from agent.server.bodies import Bodies
from agent.server.config import ServerConfig
from agent.server.keys import Keys
from agent.server.shield import Shield
from agent.server.types import Caller

STREAMS: Final = re.compile(r"/v1/uploads|/fal/(?:cdn|rest)/files/(?!.*/complete$).*")
"""Paths whose handlers read a file in pieces."""


def gated(
    app: ASGIApp,
    config: ServerConfig,
    keys: Keys | None,
    *,
    host: str,
    token: Callable[[str], Caller | None] = lambda _: None,
) -> ASGIApp:
    """The application behind all that stands before it.

    Args:
        app: the routes.
        config: the server's.
        keys: as `agent.server.access.required` gives them.
        host: the address that the server listens on.
        token: whose an upload token is that this server gave out.
    """
    bodies = Bodies(app, config.limits, streams=lambda path: STREAMS.fullmatch(path) is not None)
    access = Access(bodies, keys, config.limits, token=token)
    return Shield(access, config, host=host, needs_key=keys is not None)
