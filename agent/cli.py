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

from agent.errors import ConfigError, NoCandidateError, RetakeError, StorageError

if TYPE_CHECKING:
    from agent.terminal import Witness
    from agent.types import Run

CHOSEN, FAILED, WRONG, NOTHING, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143

EXIT_CODES = """exit codes:
  0    a clip was chosen
  1    the machine failed (a full disk, say); what was done is kept
  2    the config or the input is wrong; the message names the key and the cure
  3    nothing could be rendered and judged
  130  interrupted (143: terminated); the best so far is kept, and the line that resumes it is printed
"""

EXAMPLES = """examples:
  retake run configs/quickstart.yaml
  retake run configs/quickstart.yaml --prompt "A lighthouse in a storm. The camera pans left." -s request.seed=7
  retake run configs/quickstart.yaml --image photo.jpg --prompt "The camera slowly pushes in."
  retake run --resume runs/20260101-120000-a-lighthouse-1f3a
  retake run configs/quickstart.yaml --json | jq -r .video

"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="retake",
        description="The agentic loop for NVIDIA Cosmos3 video generation: "
        "expand the prompt, render candidates, judge them, rewrite, choose.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-V", "--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    run = _command(
        commands,
        "run",
        "run the loop, or go on with a run",
        EXAMPLES + EXIT_CODES,
        "Run the loop as CONFIG says, and leave a folder with every candidate, score, critique, prompt, and a report.",
    )
    run.add_argument(
        "config",
        nargs="?",
        metavar="CONFIG",
        help="a YAML file; without one, the embedded defaults (no GPU, no weights)",
    )
    run.add_argument("--prompt", metavar="TEXT", help="what should happen in the video (request.prompt)")
    run.add_argument(
        "--image", metavar="PATH|URL|DATA", help="the first frame: a path, an http(s) URL or a data URI (request.image)"
    )
    run.add_argument("--out", metavar="DIR", help="the run's folder, new or empty (default: a new one in output.dir)")
    run.add_argument("--resume", metavar="DIR", help="go on with the run in this folder; its own config is used")
    run.add_argument("--retry-failed", action="store_true", help="with --resume: try again what failed for good")
    _override(run)
    run.add_argument("--json", action="store_true", help="print nothing but one JSON object at the end")
    run.add_argument("-q", "--quiet", action="store_true", help="print only the verdict")
    run.add_argument("-v", "--verbose", action="store_true", help="log each step to standard error")

    report = _command(
        commands,
        "report",
        "rebuild the report of a run",
        "",
        "Rebuild report.html in a run's folder, and print its path.",
    )
    report.add_argument("folder", metavar="RUN_DIR", help="the run's folder")

    config = _command(
        commands,
        "config",
        "print the config as it is understood",
        "",
        "Print CONFIG with every default filled in and every override applied.",
    )
    config.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    _override(config)

    _command(
        commands,
        "schema",
        "print the JSON schema of a config",
        "",
        "Print the JSON schema of a config file, for editors and checks.",
    )

    doctor = _command(
        commands,
        "doctor",
        "check what a config needs",
        "",
        "Check what CONFIG needs on this machine, and say what is missing and the cure.",
    )
    doctor.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    _override(doctor)
    return top


def _command(commands: Any, name: str, short: str, epilog: str, description: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=short, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return added


def _override(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-s",
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a key of the config, e.g. -s budget.max_iterations=3 (may be repeated)",
    )


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
    try:
        return int(
            {"run": _run, "report": _report, "config": _config, "schema": _schema, "doctor": _doctor}[args.command](
                args
            )
        )
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
