"""`retake bench run`: a critic over a dataset."""

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from agent.bench.arguments import DONE, FAILED, INTERRUPTED, NOTHING, TERMINATED, command
from agent.errors import ServingError, StorageError
from agent.options import override

EXAMPLES = """examples:
  retake bench run clips.csv                                      # the embedded critic, no model
  retake bench run clips.csv --config configs/cosmos3-nano.yaml --out bench/nano
  retake bench run videophy2.csv --format videophy2 --limit 200 --cache ~/judged
  retake bench run clips.csv -s critic.backend=vlm -s critic.endpoint.base_url=http://127.0.0.1:8000 --retest 0.1

Stopped at any moment, the same command goes on where it was and judges nothing twice.

"""


def add(commands: Any) -> None:
    """Its arguments."""
    run = command(
        commands,
        "run",
        "judge labelled clips",
        "Run a critic over the clips of DATA, which people have labelled, and write a line for each label: what people "
        "said, and what\nthe critic did. No generator is built or started.",
        EXAMPLES,
        main=main,
    )
    run.add_argument("data", metavar="DATA", help="a file with labels, or a folder of runs that were marked")
    run.add_argument("--config", metavar="CONFIG", help="whose critic judges (default: the embedded one, signals)")
    override(run, "critic.backend=hybrid")
    run.add_argument("--out", metavar="DIR", help="the benchmark's folder (default: bench/DATA-CRITIC)")
    run.add_argument("--format", metavar="FORMAT", help="of DATA (default: recognised)")
    run.add_argument("--scale", metavar="WORST-BEST", help="of the labels, e.g. 1-5, where DATA does not say it")
    run.add_argument("--axis", metavar="AXIS", help="rows of this axis alone, e.g. overall, physics (default: all)")
    run.add_argument("--limit", type=_count, metavar="N", help="the first N rows alone")
    run.add_argument(
        "--retest",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="share of the samples that are judged a second time, e.g. 0.1: how far the critic agrees with itself",
    )
    run.add_argument("--cache", metavar="DIR", help="keeps judgements and fetched clips for several benchmarks")
    run.add_argument("--concurrency", type=_count, metavar="N", help="clips judged at a time (critic.concurrency)")
    run.add_argument("--retry-failed", action="store_true", help="try rows again that failed")
    run.add_argument("--json", action="store_true", help="print nothing but one JSON object at the end")
    run.add_argument("-q", "--quiet", action="store_true", help="print only the summary")


def main(args: argparse.Namespace) -> int:
    """Its work."""
    from agent.bench import session
    from agent.bench.progress import view
    from agent.interrupts import terminable
    from agent.lines import printable

    bench = session.prepare(args)
    for line in bench.warnings():
        print(f"retake: {printable(line)}", file=sys.stderr)
    begun, code, error = time.monotonic(), DONE, ""
    try:
        with view(bench.tally, as_json=args.json, quiet=args.quiet) as shown:
            asyncio.run(terminable(bench.run(shown)))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except asyncio.CancelledError:
        code = TERMINATED
    except (ServingError, StorageError, OSError) as caught:
        code, error = FAILED, str(caught)
    if code == DONE and not bench.tally.judged:
        code = NOTHING
    if error:
        print(f"retake: {printable(error)}", file=sys.stderr)
    if args.json:
        print(json.dumps(bench.facts(time.monotonic() - begun, error)))
    elif bench.begun:
        print("\n".join(printable(line) for line in bench.summary()))
    if code not in {DONE, NOTHING}:
        print("What was judged is kept. To go on, give the same command again.", file=sys.stderr)
    return code


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more (got {text!r})")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie in [0, 1] (got {text!r})")
    return value
