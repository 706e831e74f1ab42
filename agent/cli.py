"""The command line: arguments in, exit code out."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.arguments import parser
from agent.errors import ConfigError, NoCandidateError, RetakeError, StorageError

if TYPE_CHECKING:
    from agent.terminal import Witness
    from agent.types import Run

CHOSEN, FAILED, WRONG, NOTHING, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    top = parser()
    args = top.parse_args(argv)
    if args.version:
        from importlib.metadata import version  # noqa: PLC0415 - only here

        print(version("cosmos-retake"))
        return CHOSEN
    if args.command is None:
        top.print_help()
        return WRONG
    do = {"run": _run, "report": _report, "config": _config, "schema": _schema, "doctor": _doctor}[args.command]
    try:
        return do(args)
    except StorageError as error:
        return _complain(error, FAILED)
    except RetakeError as error:
        return _complain(error, WRONG)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away: nothing is left to say it to
        return FAILED


def _complain(error: Exception, code: int) -> int:
    print(f"retake: {error}", file=sys.stderr)
    return code


def _run(args: argparse.Namespace) -> int:
    from agent import terminal  # noqa: PLC0415 - `retake --help` stays quick

    level = logging.INFO if args.verbose else logging.ERROR
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    witness = terminal.view(as_json=args.json, quiet=args.quiet)
    code, error = _carry(args, witness)
    run = None if code == WRONG else witness.run

    if error:
        print(f"retake: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps(summary(run, error)))
    elif run is not None:
        print("\n".join(terminal.verdict(run)))
    if code in {FAILED, INTERRUPTED, TERMINATED}:
        what = "What was done is kept" if code == FAILED else "Interrupted"
        how = "before anything was done." if run is None else f"To go on: {terminal.resume_line(run.folder)}"
        print(f"{what}. {how}" if run is not None else f"{what} {how}", file=sys.stderr)
    return code


def _carry(args: argparse.Namespace, witness: "Witness") -> tuple[int, str]:
    """Do the run's work. Returns the exit code and what went wrong."""
    try:
        work = _work(args, witness)
        with witness:
            witness.run = asyncio.run(_terminable(work))
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    except asyncio.CancelledError:
        return TERMINATED, ""
    except NoCandidateError as error:
        return NOTHING, str(error)
    except StorageError as error:
        return FAILED, str(error)
    except RetakeError as error:
        return WRONG, str(error)
    return CHOSEN, ""


def _work(args: argparse.Namespace, witness: "Witness") -> Coroutine[Any, Any, "Run"]:
    from agent import api  # noqa: PLC0415
    from agent.config import load_config  # noqa: PLC0415

    if args.resume is None:
        settings = load_config(args.config, args.overrides)
        return api.refine_and_generate_async(args.prompt, args.image, settings, args.out, witness)
    asked = {"CONFIG": args.config, "--prompt": args.prompt, "--image": args.image, "--out": args.out}
    given = [name for name, value in {**asked, "-s": args.overrides}.items() if value]
    if given:
        its = Path(args.resume) / "config.yaml"
        raise ConfigError(f"--resume takes the run's own config: leave out {', '.join(given)}, or edit {its}")
    return api.resume_async(args.resume, witness, retry_failed=args.retry_failed)


async def _terminable(work: Coroutine[Any, Any, "Run"]) -> "Run":
    """The work, cancelled cleanly by SIGTERM as it already is by Ctrl-C."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def summary(run: "Run | None", error: str = "") -> dict[str, Any]:
    """What --json prints."""
    if run is None:
        return {"error": error}
    facts = {
        "run_dir": str(run.folder),
        "video": None if run.video is None else str(run.video),
        "score": run.score,
        "accepted": run.accepted,
        "stop_reason": run.stop_reason,
        "iterations": len(run.iterations),
        "renders": run.renders,
        "seed": None if run.best is None else run.best.seed,
        "prompt": run.prompt,
    }
    return {**facts, "error": error} if error else facts


def _report(args: argparse.Namespace) -> int:
    from agent import journal  # noqa: PLC0415
    from agent.report import write_report  # noqa: PLC0415

    folder = Path(args.folder).expanduser().resolve()
    try:
        print(write_report(journal.load(folder)))
    except OSError as error:
        return _complain(error, FAILED)
    return CHOSEN


def _config(args: argparse.Namespace) -> int:
    from agent.config import load_config  # noqa: PLC0415

    print(load_config(args.config, args.overrides).to_yaml(), end="")
    return CHOSEN


def _schema(args: argparse.Namespace) -> int:
    from agent.config import RunConfig  # noqa: PLC0415

    del args
    print(json.dumps(RunConfig.model_json_schema(), indent=2))
    return CHOSEN


def _doctor(args: argparse.Namespace) -> int:
    from agent.config import load_config  # noqa: PLC0415
    from agent.doctor import examine  # noqa: PLC0415

    return CHOSEN if examine(load_config(args.config, args.overrides)) else WRONG
