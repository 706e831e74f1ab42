"""The command line as a process, the way a user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SMALL = [
    *("-s", "request.size=320x192"),
    *("-s", "request.num_frames=9"),
    *("-s", "request.num_inference_steps=20"),
    *("-s", "request.seed=7"),
]
"""A run of a few seconds."""

CUT_OFF = """
import fnmatch, os, signal, sys
from agent.__main__ import main

how, left, name = signal.Signals[sys.argv[1]], int(sys.argv[2]), sys.argv[3]

def watch(event, args):
    global left
    if event == "os.rename" and fnmatch.fnmatch(os.path.basename(args[1]), name):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), how)

sys.addaudithook(watch)
del sys.argv[1:4]
sys.exit(main())
"""
"""The command line, which signals itself: SIGNAL, N and NAME come before its arguments."""


@dataclass(frozen=True)
class Done:
    """What a finished process left."""

    code: int
    out: str
    err: str


def command(*args: str | Path) -> list[str]:
    """The command line in this Python."""
    return [sys.executable, "-m", "agent", *map(str, args)]


def environment() -> dict[str, str]:
    """This one, without what a terminal would add."""
    return {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "COLUMNS"}} | {"PYTHONUNBUFFERED": "1"}


def retake(*args: str | Path, cwd: Path | None = None, preexec: Callable[[], object] | None = None) -> Done:
    """Run to the end."""
    return _done(command(*args), cwd, preexec)


def cut_off(how: signal.Signals, number: int, name: str, *args: str | Path, cwd: Path | None = None) -> Done:
    """Run until it is about to put the n-th file of a name in its place, and signal it then. `name`: as for fnmatch.

    It signals itself: whoever looks from outside comes too late on a busy machine.
    """
    return _done([sys.executable, "-c", CUT_OFF, how.name, str(number), name, *map(str, args)], cwd)


def _done(words: Sequence[str], cwd: Path | None, preexec: Callable[[], object] | None = None) -> Done:
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=preexec,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start(*args: str | Path, log: Path, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Run in its own process group, both outputs into one file."""
    with log.open("wb") as file:
        return subprocess.Popen(
            command(*args), cwd=cwd, env=environment(), stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def wait_for(path: Path, words: str, process: subprocess.Popen[bytes], seconds: float = 100) -> None:
    """Until `words` stand in a file, which the process is to write."""
    end = time.monotonic() + seconds
    while not (path.exists() and words in path.read_text(errors="replace")):
        assert process.poll() is None or (path.exists() and words in path.read_text(errors="replace")), (
            f"it ended without {words!r} in {path}"
        )
        assert time.monotonic() < end, f"{words!r} never came into {path}"
        time.sleep(0.01)


def stop(process: subprocess.Popen[bytes], how: signal.Signals) -> int:
    """Signal the process and wait for its exit code."""
    process.send_signal(how)
    return process.wait(100)


def leaves(folder: Path) -> Sequence[str]:
    """Every file below a folder, hidden ones too, by relative name."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
