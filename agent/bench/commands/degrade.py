"""`retake bench degrade`: how far a critic tells clips from degraded versions of them, made on the spot."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from agent.bench.arguments import DONE, FAILED, INTERRUPTED, NOTHING, TERMINATED, command
from agent.errors import ServingError, StorageError
from agent.options import override

EXAMPLES = """examples:
  retake bench degrade                                            # the embedded critic, no model, no download
  retake bench degrade --bases 4 --only blurred frozen --out bench/quick
  retake bench degrade --config configs/cosmos3-nano.yaml --out bench/nano
  retake bench degrade --clips my/clips --severities 1,3,5        # my/clips/a.mp4 with its prompt in my/clips/a.txt

Stopped at any moment, the same command goes on where it was: no clip is made or judged twice.

"""


def add(commands: Any) -> None:
    """Its arguments."""
    degrade = command(
        commands,
        "degrade",
        "measure which defects a critic sees, on clips made on the spot",
        "Make base clips, degrade each in many ways at five severities, have a critic judge them all, and say how far "
        "it tells\na clip from its degraded versions. Nothing is downloaded, and no labels are needed.",
        EXAMPLES,
        main=main,
    )
    degrade.add_argument("--config", metavar="CONFIG", help="whose critic judges (default: the embedded one, signals)")
    override(degrade, "critic.backend=hybrid")
    degrade.add_argument(
        "--clips",
        metavar="DATA",
        help="degrade these instead of clips made on the spot: a folder of clips with their prompts beside them "
        "(a.mp4, a.txt and, if it began with an image, a.png), a CSV with video and prompt, or a dataset",
    )
    degrade.add_argument("--only", nargs="+", metavar="NAME", help="these degradations alone (default: all)")
    degrade.add_argument(
        "--bases", type=_count, metavar="N", help="base clips (default: 12; with --clips: all of them)"
    )
    degrade.add_argument(
        "--severities", type=_severities, default=(1, 2, 3, 4, 5), metavar="LIST", help="e.g. 1,3,5 (default: all five)"
    )
    degrade.add_argument(
        "--frames", type=_count, metavar="N", help="of each base clip (default: 33; with --clips: 97 at most)"
    )
    degrade.add_argument(
        "--size",
        metavar="WxH",
        help="of the clips (default: 320x192; with --clips: their own, 640 on the long side at most)",
    )
    degrade.add_argument("--out", default="bench/degrade", metavar="DIR", help="(default: bench/degrade)")
    degrade.add_argument("--seed", type=_seed, default=0, help="of the base clips and the intervals (default: 0)")
    degrade.add_argument("--json", action="store_true", help="print nothing but one JSON object at the end")
    degrade.add_argument("-q", "--quiet", action="store_true", help="print only the table")


def main(args: argparse.Namespace) -> int:
    """Its work."""
    import asyncio

    from rich.console import Console

    from agent.bench.degrade import told
    from agent.bench.degrade.session import Session
    from agent.interrupts import terminable
    from agent.lines import printable

    def say(line: str) -> None:
        if not (args.quiet or args.json):
            print(line, file=sys.stderr, flush=True)

    session = Session.of(args, shlex.join(["retake", *sys.argv[1:]]), say)
    try:
        suite = asyncio.run(terminable(session.run()))
    except KeyboardInterrupt:
        return _stopped(args, session.folder, INTERRUPTED)
    except asyncio.CancelledError:
        return _stopped(args, session.folder, TERMINATED)
    except (ServingError, StorageError, OSError) as caught:
        return _stopped(args, session.folder, FAILED, printable(str(caught)))
    if args.json:
        print(json.dumps(session.facts(suite)))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=160)
        console.print(told.table(suite))
        print(told.verdict(suite))
        print("\n".join(printable(line) for line in session.paths()))
    return DONE if any(row.all.pairs for row in suite.rows) else NOTHING


def _stopped(args: argparse.Namespace, folder: Path, code: int, error: str = "") -> int:
    """What is said of work that did not come to its end."""
    if args.json:
        print(json.dumps({"folder": str(folder), "error": error or "interrupted"}))
    if error:
        print(f"retake: {error}", file=sys.stderr)
    print("What was made and judged is kept. To go on, give the same command again.", file=sys.stderr)
    return code


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more (got {text!r})")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be 0 or more (got {text!r})")
    return int(text)


def _severities(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part in {"1", "2", "3", "4", "5"} for part in parts):
        raise argparse.ArgumentTypeError(f"must be numbers from 1 to 5 with commas between, as 1,3,5 (got {text!r})")
    return tuple(sorted({int(part) for part in parts}))
