"""The server's life: its parts opened, served until a signal, drained, closed."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from filelock import FileLock, Timeout

from agent.errors import ConfigError, StorageError, boundary
from agent.server.app import guarded
from agent.server.config import Served
from agent.server.context import Context
from agent.server.engine.parent import Engine
from agent.server.keys import Keys
from agent.server.metrics import Metrics
from agent.server.places import Places
from agent.server.protocol import Protocol
from agent.server.queue import Queue
from agent.server.readiness import Readiness
from agent.server.release import version
from agent.server.store import Store
from agent.server.telling import payload
from agent.server.webhooks import Webhooks

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 3
"""That an answer still being sent is given at the end."""
MOST_FILES: Final = 65_536
"""Files and connections that may be open at once, where the system lets us."""
LOCKED_SECONDS: Final = 10.0
"""For which the lock of a server that was just killed is waited for."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. `port` 0: a free one.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"--host {host}: is no address of this machine ({error.strerror})") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"--port {port}: is taken; choose another, or 0 for a free one") from error
        raise ConfigError(f"--host {host} --port {port}: cannot be had ({error.strerror})") from error
    return listener


@asynccontextmanager
async def opened(served: Served, *, needs_key: bool = False) -> AsyncIterator[Context]:
    """The server's parts, at work for as long as the context lasts.

    Raises:
        ConfigError: another server works on the same folder.
        StorageError: the folder cannot be used.
    """
    places = Places(served.folder)
    with boundary(StorageError, f"output.dir: making {places.own}"):
        places.own.mkdir(parents=True, exist_ok=True)
        places.own.chmod(0o700)
    with _alone(places):
        store = Store(places.jobs)
        metrics, readiness = Metrics(version()), Readiness(served)
        webhooks = Webhooks(places.own, served.server.webhooks, partial(payload, places))
        queue = Queue(
            *(served, store),
            heard=(metrics.observe,),
            announce=webhooks.announce,
            make_engine=partial(Engine, served, lost=metrics.lost),
            backends=readiness,
        )
        context = Context(served=served, desk=queue, needs_key=needs_key, metrics=metrics, readiness=readiness)
        beside = [asyncio.create_task(work) for work in (webhooks.run(), context.uploads.tidied())]
        try:
            await queue.start()
            readiness.start()
            yield context
        finally:
            await readiness.stop()
            await queue.stop()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            webhooks.close()
            store.close()


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    lock = FileLock(places.own / "lock", timeout=LOCKED_SECONDS)
    try:
        with boundary(StorageError, f"locking {places.own}"):
            lock.acquire()
    except StorageError as error:
        if isinstance(error.__cause__, Timeout):
            raise ConfigError(
                f"{places.folder}: another `retake serve` works on this folder; stop it, or give -s output.dir=…"
            ) from None
        raise
    try:
        yield
    finally:
        lock.release()


class _Server(uvicorn.Server):
    """uvicorn's, whose signals are ours: it is told to end once the queue is drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(served: Served, listener: socket.socket, *, host: str, keys: Keys | None, ready: Any = None) -> None:
    """Serve until SIGTERM or Ctrl-C: then take nothing new, let what runs end for a while, and go.

    A second one waits for nothing.

    Args:
        served: the config.
        listener: bound already.
        host: the address that it listens on, as it was given.
        keys: those that requests must carry one of; None: anybody may ask.
        ready: called once it answers.
    """
    async with opened(served, needs_key=keys is not None) as context:
        proxies = list(served.server.trusted_proxies)
        config = uvicorn.Config(
            guarded(context, keys, host=host),
            http=Protocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=True,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies or None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=30,
        )
        server = _Server(config)
        loop = asyncio.get_running_loop()
        ending: list[asyncio.Task[None]] = []

        async def end() -> None:
            await context.desk.drain()
            server.should_exit = True

        def stop() -> None:
            if ending:
                server.should_exit = server.force_exit = True
                ending[0].cancel()
            else:
                log.warning("stopping: running requests have %g s to end", served.server.drain_seconds)
                ending.append(loop.create_task(end()))

        for which in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(which, stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup: it outlives its terminal
            loop.add_signal_handler(signal.SIGHUP, stop)
        announcing = asyncio.create_task(_announced(server, ready))
        await server.serve(sockets=[listener])
        announcing.cancel()


async def _announced(server: uvicorn.Server, ready: Any) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by nothing else
        await asyncio.sleep(0.01)
    # what was loaded for good need not be looked through again and again: that took a fifth of a second of everybody's
    gc.collect()
    gc.freeze()
    if ready is not None:
        ready()


def _open_files() -> None:
    """Have as many connections as the system lets us: of its usual 1,024 files one caller could keep all open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def run(served: Served, listener: socket.socket, *, host: str, keys: Keys | None, ready: Any = None) -> None:
    """`serve`, on the quickest event loop there is."""
    _open_files()
    work = serve(served, listener, host=host, keys=keys, ready=ready)
    try:
        import uvloop  # noqa: PLC0415 - it is no more than quicker
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
    # threads that wait for a request's body or a file would hold the process up: all that matters is on the disk
    logging.shutdown()
    os._exit(0)
