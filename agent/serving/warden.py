"""A small process that runs a server for as long as the process that asked for it lives, and leaves nothing behind.

Started as a file, by `python -I warden.py [--owner=PID] [--remove=FOLDER] SECONDS COMMAND ...`, so that it needs no
import of ours.
Its standard input is a pipe whose other end is held by who asked: when that closes, for whatever reason, kill -9
included, the server is stopped: SIGTERM to its process group, SECONDS to go, then SIGKILL to all that it ever started.
FOLDER, where the server kept what nobody wants any more, is removed after it. It ends with the server's exit code.
PID, the process that asked for it, is for others to read: the server of a dead owner is on its way out.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

OWNER, REMOVE = "--owner=", "--remove="
TICK_SECONDS = 0.2
ORPHAN_SECONDS = 3.0
"""For what the server left behind, once it has ended itself."""
KILL_SECONDS = 30.0
"""For the kernel to end what was killed: a driver can hold a process back."""
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
"""prctl's, from linux/prctl.h."""


def _prctl(option: int, value: int) -> None:
    # where there is no prctl, the process group has to do
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


def descendants() -> set[int]:
    """Every living process below this one. Orphans are among them: this process adopts them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name, in brackets, may hold anything
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: set[int] = set()
    queue = [os.getpid()]
    while queue:
        below = [c for c in children.get(queue.pop(), []) if c not in found]
        found.update(below)
        queue += below
    return found


class Warden:
    """Watches one server.

    Args:
        command: what is run.
        grace: seconds it has to end itself.
    """

    def __init__(self, command: Sequence[str], grace: float) -> None:
        self.grace = grace
        self.told = False
        self.code: int | None = None
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._tell)
        _prctl(_SET_CHILD_SUBREAPER, 1)
        self.server = subprocess.Popen(  # noqa: S603 - the user's own config names it
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads here
        )

    def _tell(self, _signal: int, _frame: FrameType | None) -> None:
        self.told = True

    def run(self) -> int:
        """Until the server has ended or nobody wants it any more; its exit code."""
        parent = os.getppid()
        while self.code is None and not self.told and os.getppid() == parent:
            if select.select([0], [], [], TICK_SECONDS)[0] and not os.read(0, 4096):
                break
            self._reap()
        self._stop()
        return 1 if self.code is None else self.code

    def _reap(self) -> None:
        """Collect the server's exit code, and the zombies of orphans."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.server.pid:
                    code = os.waitstatus_to_exitcode(ended[1])
                    self.code = self.server.returncode = code if code >= 0 else 128 - code

    def _stop(self) -> None:
        self._send(signal.SIGTERM)
        end = time.monotonic() + (self.grace if self.code is None else min(self.grace, ORPHAN_SECONDS))
        while self._left() and time.monotonic() < end:
            time.sleep(TICK_SECONDS / 4)
            served = self.code is None
            self._reap()
            if served and self.code is not None:
                self._send(signal.SIGTERM)
                end = min(end, time.monotonic() + ORPHAN_SECONDS)
        end = time.monotonic() + KILL_SECONDS
        while self._left() and time.monotonic() < end:  # what is killed may have started something meanwhile
            self._send(signal.SIGKILL)
            time.sleep(TICK_SECONDS / 4)
            self._reap()

    def _left(self) -> bool:
        return self.code is None or bool(descendants())

    def _send(self, number: signal.Signals) -> None:
        """To the server's group; to what the server left, too, once it has ended or is to be killed."""
        if self.code is None:
            # not reaped yet, so the number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.server.pid, number)
        if self.code is not None or number == signal.SIGKILL:
            for pid in descendants():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)


def _end_with_parent() -> None:
    # for the day somebody kills the warden itself
    _prctl(_SET_PDEATHSIG, signal.SIGTERM)


def main(args: Sequence[str]) -> int:
    """Run a command with some seconds of grace; before them may stand whose it is and what to remove afterwards."""
    options = [arg for arg in args[:2] if arg.startswith((OWNER, REMOVE))]
    folder = next((arg.removeprefix(REMOVE) for arg in options if arg.startswith(REMOVE)), "")
    seconds, *command = args[len(options) :]
    try:
        try:
            warden = Warden(command, float(seconds))
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            return 127
        return warden.run()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
