"""Starting a model server, or finding one that answers already; waiting for it; stopping what was started."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from agent.errors import ServingError, storage_error
from agent.serving import machine, warden
from agent.serving.causes import diagnose
from agent.serving.command import arguments, environment, find
from agent.serving.listening import address, found, healthy, listens
from reasoner.chat.config import ServeConfig

POLL_SECONDS = 0.5
TELL_SECONDS = 2.0
STOP_SECONDS = 10.0
"""For the server to end itself, before it is killed."""
_TAIL_BYTES, _TAIL_LINES, _LINE_LENGTH = 1 << 18, 15, 300


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    base_url: str
    """Ends in /v1."""
    model: str
    """The name to ask for."""
    version: str
    """Of vLLM; "" where the server does not say."""
    reused: bool
    """It ran already, and goes on running."""
    seconds: float
    """Waited for it."""


@asynccontextmanager
async def served(
    config: ServeConfig,
    key: str | None,
    client: httpx.AsyncClient,
    log: Path,
    tell: Callable[[float, str], None],
) -> AsyncIterator[Served]:
    """A server of the config's model for as long as the context lasts: the one that answers already, or a new one.

    What was started is stopped when the context is left, by whatever way, and when this process dies; nothing else is.

    Args:
        config: what is started.
        key: the API key that the server shall ask for, or asks for, or None.
        client: asks the server.
        log: what the new server prints is added to it.
        tell: told the seconds waited and the log's last line, about every two seconds.

    Raises:
        ServingError: with the cause, the cure and the end of the log.
        StorageError: the log cannot be written.
    """
    began = time.monotonic()
    if await listens(config.port):
        model, version = await found(config, key, client)
        yield Served(address(config), model, version, reused=True, seconds=time.monotonic() - began)
        return
    executable = find(config)
    if executable is None:
        raise ServingError(
            f"serve.executable: there is no command {config.executable!r} on this machine; install vLLM "
            "(README, 'With a GPU') and activate its environment, or give the command's full path"
        )
    version = await asyncio.to_thread(machine.version, executable)  # a Python is started for it: a moment
    server = _Started(arguments(config, executable, version), environment(config, key, executable), log, key)
    try:
        await _ready(server, config, client, tell)
        model, version = await found(config, key, client)
        yield Served(address(config), model, version, reused=False, seconds=time.monotonic() - began)
    finally:
        await server.stop()


class _Started:
    """A server under its warden."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, key: str | None) -> None:
        self.log, self.key = log, key
        # isolated: neither the current folder nor this environment's packages can get in the way of a bare script
        wrapped = [sys.executable, "-I", "-S", str(Path(warden.__file__).absolute()), str(STOP_SECONDS), *command]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                self.start = file.tell()
                self.warden = subprocess.Popen(  # noqa: S603 - the user's own config names it
                    wrapped, stdin=subprocess.PIPE, stdout=file, stderr=file, env=env, start_new_session=True
                )
        except OSError as error:
            raise storage_error("writing the server's log", error) from error

    @property
    def code(self) -> int | None:
        """The server's exit code; None while it runs."""
        return self.warden.poll()

    def text(self) -> str:
        """The end of what this server printed, without its key."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self.start, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return text.replace(self.key, "***") if self.key else text

    def tail(self) -> list[str]:
        """The last lines that are not empty, none of them long."""
        lines = [line.rstrip() for line in self.text().splitlines()]
        return [line[:_LINE_LENGTH] for line in lines if line][-_TAIL_LINES:]

    def failure(self, what: str, config: ServeConfig) -> ServingError:
        """What went wrong, why if it is known, and where to read on."""
        cause = diagnose(self.text(), config.model, config.port)
        end = "\n".join(f"  | {line}" for line in self.tail()) or "  | (nothing)"
        return ServingError(f"{what}{f': {cause}' if cause else ''}. The end of its log, {self.log}:\n{end}")

    async def stop(self) -> None:
        """Let go of it, and wait until it and all that it started are gone. The warden goes on if this is cancelled."""
        if self.warden.stdin is not None:
            self.warden.stdin.close()
        end = time.monotonic() + STOP_SECONDS + warden.KILL_SECONDS
        while self.code is None and time.monotonic() < end:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.05)


async def _ready(
    server: _Started, config: ServeConfig, client: httpx.AsyncClient, tell: Callable[[float, str], None]
) -> None:
    """Wait until it answers.

    Raises:
        ServingError: it ended, or the time is over.
    """
    began = told = time.monotonic()
    while True:
        now = time.monotonic()
        if server.code is not None:
            raise server.failure(f"vllm serve {config.model} ended with code {server.code} before it answered", config)
        if await listens(config.port) and await healthy(config, client):
            return
        if now - began > config.ready_seconds:
            raise server.failure(
                f"vllm serve {config.model} did not answer within serve.ready_seconds ({config.ready_seconds:g} s); a "
                "first start downloads weights and compiles kernels: raise it",
                config,
            )
        if now - told >= TELL_SECONDS:
            told = now
            tell(now - began, (server.tail() or [""])[-1])
        await asyncio.sleep(POLL_SECONDS)
