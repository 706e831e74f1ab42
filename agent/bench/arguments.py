"""`retake bench`: its commands' arguments and help."""

import argparse
import math
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

COMMANDS: Final = ("run", "report", "calibrate", "compare", "replay", "degrade", "drafts")

DONE, FAILED, NOTHING, INTERRUPTED, TERMINATED = 0, 1, 3, 130, 143
EXIT_CODES: Final = """exit codes:
  0    done
  1    the machine failed (a full disk, a server that does not answer); what was done is kept
  2    the command, the config or the data is wrong; the message names the place and the cure
  3    nothing could be said: no row could be judged, or too few labels for a threshold
  130  interrupted (143: terminated); what was judged is kept, and the same command goes on
"""
EXAMPLES: Final = """from 60 labelled clips to a threshold that you can defend:
  retake bench run clips.csv --config configs/quickstart.yaml --out bench/mine
  retake bench report bench/mine
  retake bench calibrate bench/mine --precision 0.8 --out threshold.yaml
  retake run configs/quickstart.yaml -s critic.threshold_file=threshold.yaml

"""


def add_bench(commands: Any) -> None:
    """Add `bench` and its commands. Each command's module loads what it needs when it works."""
    bench = commands.add_parser(
        "bench",
        help="measure what a critic's score is worth to people",
        description="Run a critic over clips that people have labelled, and say with intervals what its score means.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.set_defaults(help_of=bench)
    inner = bench.add_subparsers(dest="bench_command", metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"agent.bench.commands.{name}").add(inner)


def command(
    commands: Any,
    name: str,
    short: str,
    description: str,
    epilog: str = "",
    *,
    main: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """A command of `bench`. `main` does its work and returns the exit code."""
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=short,
        description=description,
        epilog=epilog + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(main=main)
    return added


def finite(text: str) -> float:
    """An argument that is a number; neither nan nor inf is."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a number (got {text[:40]!r})")
    return value


def whole(text: str) -> int:
    """An argument that is a whole number from 0."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 (got {text[:40]!r})")
    return int(text)
