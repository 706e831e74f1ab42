"""Starting a model server, or finding one that answers already; waiting for it; stopping what was started."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import httpx

from agent.errors import ServingError, storage_error
from agent.serving import machine, warden
from agent.serving.causes import diagnose
from agent.serving.command import environment, find
from agent.serving.launch import Launch, launch
from agent.serving.leaving import gone
from agent.serving.listening import address, found, healthy, listens
from generator.config import ServeOmniConfig
from reasoner.chat.config import ServeConfig

POLL_SECONDS = 0.5
TELL_SECONDS = 2.0
STOP_SECONDS = 10.0
"""For the server to end itself, before it is killed."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STORAGE = "VLLM_OMNI_SERVER_STORAGE__PATH"
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
    guardrails: Literal["on", "off", "unknown", "none"] = "none"
    """Whether its safety checks are loaded; unknown where it was there already; none: it is no renderer."""

    @property
    def root(self) -> str:
        """The address without /v1."""
        return self.base_url.removesuffix("/v1")


@asynccontextmanager
async def served(
    config: ServeConfig | ServeOmniConfig,
    key: str | None,
    client: httpx.AsyncClient,
    log: Path,
    tell: Callable[[float, str], None],
    section: str = "",
) -> AsyncIterator[Served]:
    """A server of the config's model for as long as the context lasts: the one that answers already, or a new one.

    What was started is stopped when the context is left, by whatever way, and when this process dies; nothing else is.

    Args:
        config: what is started.
        key: the API key that the server shall ask for, or asks for, or None.
        client: asks the server.
        log: what the new server prints is added to it.
        tell: told the seconds waited and the log's last line, about every two seconds.
        section: of the config that holds it, for messages; "": the reasoner's or the generator's.

    Raises:
        ServingError: with the cause, the cure and the end of the log.
        StorageError: the log cannot be written.
    """
    began, wanted = time.monotonic(), launch(config)
    if section:
        wanted = replace(wanted, key=f"{section}.serve")
    if not await gone(wanted.port, 2 * STOP_SECONDS + warden.KILL_SECONDS, tell):
        raise ServingError(
            f"{wanted.key}.port: the server of a run that was killed does not end on port {wanted.port}; end it, or "
            f"choose another {wanted.key}.port"
        )
    if await listens(wanted.port):
        model, version = await found(wanted, key, client)
        unsure: Literal["unknown", "none"] = "none" if wanted.kind == "chat" else "unknown"
        seconds = time.monotonic() - began
        yield Served(address(wanted), model, version, reused=True, seconds=seconds, guardrails=unsure)
        return
    executable = find(wanted.executable)
    if executable is None:
        raise ServingError(
            f"{wanted.key}.executable: there is no command {wanted.executable!r} on this machine; install "
            f"{'vLLM' if wanted.kind == 'chat' else 'vLLM with vLLM-Omni'} (README, 'With a GPU') and activate its "
            "environment, or give the command's full path"
        )
    version = await asyncio.to_thread(machine.version, executable)  # a Python is started for it: a moment
    with _scratch(wanted) as folder:
        env = {**environment(wanted.gpus, key, executable), **({_STORAGE: folder} if folder else {})}
        server = _Started(wanted, wanted.command(executable, version), env, log, key, folder)
        try:
            await _ready(server, client, tell)
            model, version = await found(wanted, key, client)
            seconds = time.monotonic() - began
            yield Served(address(wanted), model, version, reused=False, seconds=seconds, guardrails=wanted.guardrails)
        finally:
            await server.stop()


@contextmanager
def _scratch(wanted: Launch) -> Iterator[str]:
    """A folder for the clips that vLLM-Omni keeps: its own choice, in /tmp, is never emptied. "": none is needed."""
    if wanted.kind == "chat" or os.environ.get(_STORAGE):
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="retake-omni-", ignore_cleanup_errors=True) as folder:
        yield folder


class _Started:
    """A server under its warden."""

    def __init__(
        self,
        wanted: Launch,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        key: str | None,
        scratch: str,
    ) -> None:
        self.wanted, self.log, self.key = wanted, log, key
        # isolated: neither the current folder nor this environment's packages can get in the way of a bare script
        guard = [sys.executable, "-I", "-S", str(Path(warden.__file__).absolute())]
        # we may be killed: the warden then removes it
        remove = [f"{warden.REMOVE}{scratch}"] if scratch else []
        wrapped = [*guard, f"{warden.OWNER}{os.getpid()}", *remove, str(STOP_SECONDS), *command]
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
        """The end of what this server printed, without its key and its colours."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self.start, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        text = _COLOUR.sub("", text)
        return text.replace(self.key, "***") if self.key else text

    def tail(self) -> list[str]:
        """The last lines that are not empty, none of them long."""
        lines = [line.rstrip() for line in self.text().splitlines()]
        return [line[:_LINE_LENGTH] for line in lines if line][-_TAIL_LINES:]

    def failure(self, what: str) -> ServingError:
        """What went wrong, why if it is known, and where to read on."""
        cause = diagnose(self.text(), self.wanted)
        end = "\n".join(f"  | {line}" for line in self.tail()) or "  | (nothing)"
        return ServingError(f"{what}{f': {cause}' if cause else ''}. The end of its log, {self.log}:\n{end}")

    async def stop(self) -> None:
        """Let go of it, and wait until it and all that it started are gone. The warden goes on if this is cancelled."""
        if self.warden.stdin is not None:
            self.warden.stdin.close()
        end = time.monotonic() + STOP_SECONDS + warden.KILL_SECONDS
        while self.code is None and time.monotonic() < end:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.05)


async def _ready(server: _Started, client: httpx.AsyncClient, tell: Callable[[float, str], None]) -> None:
    """Wait until it answers.

    Raises:
        ServingError: it ended, or the time is over.
    """
    began = told = time.monotonic()
    wanted = server.wanted
    while True:
        now = time.monotonic()
        if server.code is not None:
            raise server.failure(f"{wanted.what} ended with code {server.code} before it answered")
        if await listens(wanted.port) and await healthy(wanted, client):
            return
        if now - began > wanted.ready_seconds:
            raise server.failure(
                f"{wanted.what} did not answer within {wanted.key}.ready_seconds ({wanted.ready_seconds:g} s); a "
                "first start downloads weights and compiles kernels: raise it"
            )
        if now - told >= TELL_SECONDS:
            told = now
            tell(now - began, (server.tail() or [""])[-1])
        await asyncio.sleep(POLL_SECONDS)
