"""The page's server: bound to this machine alone, until Ctrl-C."""

import errno
import signal
import socket
import webbrowser
from collections.abc import Callable, Mapping
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from agent.errors import ConfigError

HOST = "127.0.0.1"
GRACE = 1
"""Seconds that a clip still being sent is given at the end."""


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. `port` 0: a free one.

    Raises:
        ConfigError: the port cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise ConfigError(f"--port {port}: {why}; choose another, or leave it out for a free one") from error
    return listener


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM; a second Ctrl-C waits for nothing."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    # uvicorn raises the signal that ended it once more, for whom it may concern: it is no failure here
    before = {which: signal.signal(which, lambda *_: None) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def show(url: str, environment: Mapping[str, str], *, open_url: Callable[[str], object] = webbrowser.open) -> bool:
    """Open the page in the user's browser, if there is a display or BROWSER names one. Returns whether that was tried.

    Some browsers are waited for until they end, so it is done beside the server.
    """
    if not any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        return False
    Thread(target=open_url, args=(url,), daemon=True).start()
    return True
