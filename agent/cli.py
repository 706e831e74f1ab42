"""The command line: arguments in, exit code out."""

import argparse
import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.arguments import parser
from agent.errors import ConfigError, NoCandidateError, RetakeError, ServingError, StorageError
from agent.interrupts import terminable

if TYPE_CHECKING:
    from agent.run import Run
    from agent.terminal import Witness

CHOSEN, FAILED, WRONG, NOTHING, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    top = parser()
    args = top.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a folder's name may hold what the terminal cannot show
    commands = {
        "run": _run,
        "plan": _plan,
        "report": _report,
        "config": _config,
        "schema": _schema,
        "doctor": _doctor,
        "backends": _backends,
        "bench": _bench,
        "mark": _own,
        "serve": _own,
    }
    try:
        if args.version:
            return _version()
        if args.command is None:
            top.print_help()
            return WRONG
        code = commands[args.command](args)
        if sys.stdout is not None:  # closed by the caller: `retake … >&-`
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except (ServingError, StorageError, OSError) as error:
        code = _complain(error, FAILED)
    except RetakeError as error:
        code = _complain(error, WRONG)
    return code


def _version() -> int:
    from importlib.metadata import version  # noqa: PLC0415 - only here

    print(version("cosmos-retake"))
    return CHOSEN


def _complain(error: Exception, code: int) -> int:
    print(f"retake: {error}", file=sys.stderr)
    return code


def _run(args: argparse.Namespace) -> int:
    from agent import lines, terminal  # noqa: PLC0415 - `retake --help` stays quick

    level = logging.INFO if args.verbose else logging.ERROR
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    witness = terminal.view(as_json=args.json, quiet=args.quiet)
    code, error, folder = _carry(args, witness)
    run = None if code == WRONG else witness.run
    if args.server is not None and run is not None:
        run = _arrived(run.folder)
    folder = run.folder if run is not None else folder

    if error:
        print(f"retake: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps(summary(run, error, folder)))
    elif run is not None:
        print("\n".join(map(lines.printable, terminal.verdict(run))))
    if args.server is not None and code in {INTERRUPTED, TERMINATED}:
        print(f"It was cancelled on {args.server}; what came of it by then is here.", file=sys.stderr)
    elif code in {FAILED, INTERRUPTED, TERMINATED} and folder is not None and args.server is None:
        print(f"What was done is kept. To go on: {terminal.resume_line(folder)}", file=sys.stderr)
    return code


def _arrived(folder: Path) -> "Run | None":
    """A server's run as far as it has come here: what is not here is not shown."""
    from agent import journal  # noqa: PLC0415 - as above

    try:
        return journal.load(folder)
    except RetakeError:
        return None


def _carry(args: argparse.Namespace, witness: "Witness") -> tuple[int, str, Path | None]:
    """Do the run's work. Returns the exit code, what went wrong, and where a run lies that had not begun."""
    code, said, folder = CHOSEN, "", None
    try:
        work = _work(args, witness)
        with witness:
            witness.run = asyncio.run(terminable(work))
    except KeyboardInterrupt:
        code, said = INTERRUPTED, "" if witness.run else "interrupted before anything was done"
    except asyncio.CancelledError:
        code, said = TERMINATED, "" if witness.run else "terminated before anything was done"
    except NoCandidateError as error:
        code, said, folder = NOTHING, str(error), error.folder
    except ServingError as error:
        code, said, folder = FAILED, str(error), error.folder
    except StorageError as error:
        code, said = FAILED, str(error)
    except RetakeError as error:
        code, said = WRONG, str(error)
    return code, said, folder


def _work(args: argparse.Namespace, witness: "Witness") -> Coroutine[Any, Any, "Run"]:
    from agent import api  # noqa: PLC0415 - as above
    from agent.reading import load_config  # noqa: PLC0415 - as above

    if args.resume is None:
        if args.retry_failed:
            raise ConfigError("--retry-failed goes with --resume DIR")
        settings = load_config(args.config, args.overrides)
        return api.refine_and_generate_async(
            args.prompt,
            args.image,
            settings,
            args.out,
            witness,
            server=args.server,
            api_key_env=args.server_key_env,
            server_model=args.server_model,
        )
    asked = {"CONFIG": args.config, "--prompt": args.prompt, "--image": args.image, "--out": args.out}
    asked |= {"--server": args.server, "--server-model": args.server_model, "--server-key-env": args.server_key_env}
    given = [name for name, value in {**asked, "-s": args.overrides}.items() if value]
    if given:
        its = Path(args.resume) / "config.yaml"
        raise ConfigError(f"--resume takes the run's own config: leave out {', '.join(given)}, or edit {its}")
    return api.resume_async(args.resume, witness, retry_failed=args.retry_failed)


def summary(run: "Run | None", error: str = "", folder: Path | None = None) -> dict[str, Any]:
    """What --json prints. `folder`: of a run that had not begun."""
    if run is None:
        return {"error": error} if folder is None else {"run_dir": str(folder), "error": error}
    from agent.marked import marked  # noqa: PLC0415 - as above

    evidence = run.evidence
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
        "tier": None if run.best is None else "draft" if run.is_draft(run.best) else "target",
        "drafts": sum(i.renders for i in run.iterations if i.tier == "draft"),
        "choice": None if run.choice is None else run.choice.by,
        "critic_auc": None if run.self_test is None else run.self_test.auc,
        "critic_trusted": run.trusted,
        "calibrated": evidence is not None,
        "threshold": run.accept_at,
        "precision_at_least": None if evidence is None else evidence.accept.target,
        "needs_human": marked(run).needs_human,
    }
    return {**facts, "error": error} if error else facts


def _plan(args: argparse.Namespace) -> int:
    from agent import plan  # noqa: PLC0415 - as above
    from agent.reading import load_config  # noqa: PLC0415 - as above

    settings = load_config(args.config, args.overrides)
    request, made = plan.plan(settings, args.hardware)
    if args.json:
        print(json.dumps(plan.facts(settings, request, made)))
    else:
        print(plan.told(settings, request, made), end="")
    return CHOSEN


def _report(args: argparse.Namespace) -> int:
    from agent import journal  # noqa: PLC0415 - as above
    from agent.reading import expand  # noqa: PLC0415 - as above
    from agent.report import write_report  # noqa: PLC0415 - as above

    folder = expand(args.folder, "RUN_DIR").resolve()
    try:
        print(write_report(journal.load(folder)))
    except OSError as error:
        return _complain(error, FAILED)
    return CHOSEN


def _config(args: argparse.Namespace) -> int:
    from agent.reading import SERVER, load_config, parsed  # noqa: PLC0415 - as above
    from agent.thresholds import stated  # noqa: PLC0415 - as above

    config = load_config(args.config, args.overrides)
    if (found := stated(config.critic)) is not None:
        made = found.threshold
        print(f"# critic.accept_at: {made.threshold:g}, by critic.threshold_file. {made.sentence()}")
    print(config.to_yaml(), end="")
    if SERVER in parsed(args.config, args.overrides)[0]:
        from agent.server.loading import load  # noqa: PLC0415 - as above

        print(load(args.config, args.overrides).server.to_yaml(), end="")
    return CHOSEN


def _schema(args: argparse.Namespace) -> int:
    from agent.config import RunConfig  # noqa: PLC0415 - as above
    from agent.server.config import ServerConfig  # noqa: PLC0415 - as above

    del args
    whole, section = RunConfig.model_json_schema(), ServerConfig.model_json_schema()
    whole["$defs"] |= section.pop("$defs")
    whole["properties"]["server"] = section
    print(json.dumps(whole, indent=2))
    return CHOSEN


def _backends(args: argparse.Namespace) -> int:
    from generator.table import table  # noqa: PLC0415 - as above

    del args
    print(table(), end="")
    return CHOSEN


def _bench(args: argparse.Namespace) -> int:
    if args.bench_command is None:
        args.help_of.print_help()
        return WRONG
    try:
        return _own(args)
    except RetakeError as error:
        if args.json:  # whoever reads the one object reads why there is no other
            print(json.dumps({"error": str(error)}))
        raise


def _own(args: argparse.Namespace) -> int:
    """A command that lives in a package of its own."""
    code: int = args.main(args)
    return code


def _doctor(args: argparse.Namespace) -> int:
    from agent.doctor import examine  # noqa: PLC0415 - as above
    from agent.reading import load_config  # noqa: PLC0415 - as above

    return CHOSEN if examine(load_config(args.config, args.overrides)) else WRONG
