"""`retake bench drafts`: how well drafts rank captions as renders as asked do."""

import argparse
import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bench.arguments import DONE, INTERRUPTED, NOTHING, TERMINATED, command
from agent.errors import ConfigError
from agent.options import override

if TYPE_CHECKING:
    from agent.bench.drafting.session import Session
    from agent.bench.drafting.types import Landscape
    from agent.config import DraftConfig, RunConfig

OUT = "bench/drafts"

DESCRIPTION = """Measure how well drafts rank the captions of a prompt as renders as asked do, for CONFIG's generator,
critic and reasoner. The file that is written makes `search.draft: auto` go by it.

  * For each prompt the reasoner writes captions as in a run with drafts: the expanded prompt, and then rewrites of the
    best one by its drafts' critiques. Where there are no new words for that one, the next best is rewritten.
  * Every caption is rendered on the same seeds at both tiers: as drafts, and as CONFIG asks. Nothing is accepted, and
    the budget of CONFIG does not count: what it will take is said before the first render.
  * Killed and started again with the same command, nothing is rendered or judged twice.
"""
EXAMPLES = """examples:
  retake bench drafts configs/cosmos3-nano.yaml --out bench/nano
  retake bench drafts configs/cosmos3-nano.yaml --prompts mine.txt --captions 5 --steps 20
  retake bench drafts --runs runs                                   # from finished runs, renders nothing
  retake run configs/cosmos3-nano.yaml -s search.draft=auto \\
      -s search.draft_correlation=bench/nano/draft_correlation.yaml

"""


def add(commands: Any) -> None:
    """Its arguments."""
    its = command(commands, "drafts", "how well drafts rank captions", DESCRIPTION, EXAMPLES, main=main)
    its.add_argument("config", nargs="?", metavar="CONFIG", help="a run's config (default: the embedded parts)")
    override(its, "request.size=832x480")
    its.add_argument("--prompts", metavar="FILE", help="one a line, or a table with a column prompt (default: 12)")
    its.add_argument("--limit", type=_from(1), metavar="N", help="the first N prompts alone")
    its.add_argument("--captions", type=_from(2, 100), default=4, metavar="N", help="of each prompt (default: 4)")
    its.add_argument("--seeds", type=_from(1, 16), default=2, metavar="N", help="renders of each, a tier (default: 2)")
    its.add_argument("--tier", choices=("256p", "480p", "720p"), help="of a draft (default: CONFIG's, or 256p)")
    its.add_argument("--steps", type=_from(1, 200), metavar="N", help="of a draft (default: CONFIG's, or up to 12)")
    its.add_argument("--frames", type=_from(5), metavar="N", help="of a draft (default: CONFIG's, or as asked for)")
    its.add_argument("--runs", nargs="+", metavar="RUN_DIR", help="instead: pairs from finished runs")
    its.add_argument("--out", metavar="DIR", help=f"the measurement's folder (default: {OUT})")
    its.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    its.add_argument("-q", "--quiet", action="store_true", help="print only the summary")


def main(args: argparse.Namespace) -> int:
    """Its work. Returns 0: measured, 3: nothing can be said, 130 or 143: interrupted."""
    from agent.bench.extra import need

    need("numpy")
    if args.runs is not None:
        return _from_runs(args)
    session = _session(args)
    try:
        landscape = _measured(session, quiet=args.quiet or args.json)
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        print("What was rendered and judged is kept. To go on, give the same command again.", file=sys.stderr)
        return INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else TERMINATED
    draft = session.config.search.draft
    least = None if draft is None or draft == "auto" else draft.min_correlation
    return _concluded(args, landscape, least=least)


def _session(args: argparse.Namespace) -> "Session":
    from agent.bench.drafting.prompts import read_prompts
    from agent.bench.drafting.session import Session, Wish
    from agent.building import endpoints
    from agent.reading import expand, load_config

    config = load_config(args.config, args.overrides)
    endpoints(config)  # a key that is missing is said before anything is written
    prompts = read_prompts(None if args.prompts is None else expand(args.prompts, "--prompts"), args.limit)
    out = expand(args.out or OUT, "--out").resolve()
    session = Session(config, Wish(_drafts(args, config), args.captions, args.seeds), out)
    asyncio.run(session.prepare(prompts))
    return session


def _drafts(args: argparse.Namespace, config: "RunConfig") -> "DraftConfig":
    """The drafts that are measured: CONFIG's or those of `search.draft: auto`, as far as the options do not say it."""
    from agent.config import DraftConfig
    from agent.drafts import auto_draft
    from agent.request import plain
    from generator.capabilities import capabilities

    named = {key: value for key in ("tier", "steps", "frames") if (value := getattr(args, key)) is not None}
    base = config.search.draft
    if not isinstance(base, DraftConfig):
        wish = config.request.model_copy(update={"prompt": config.request.prompt or "anything"})
        base = auto_draft(plain(wish, capabilities(config.generator)).spec)
    return base.model_copy(update=named)


def _measured(session: "Session", *, quiet: bool) -> "Landscape":
    from agent.bench.drafting.watching import Watch, foretold
    from agent.interrupts import terminable
    from agent.lines import printable

    if not quiet:
        for line in foretold(session):
            print(printable(line), file=sys.stderr)
    wish = session.wish
    with Watch(session.renders, wish.captions, wish.seeds, quiet=quiet) as watch:
        return asyncio.run(terminable(session.measure(watch.hear, watch.finished)))


def _from_runs(args: argparse.Namespace) -> int:
    from agent.bench.drafting.finished import folders, from_runs
    from agent.bench.drafting.session import ABOUT
    from agent.reading import expand

    given = {"CONFIG": args.config, "-s": args.overrides, "--prompts": args.prompts, "--limit": args.limit}
    if beside := [name for name, value in given.items() if value]:
        raise ConfigError(f"--runs takes what is there, and nothing is rendered: leave out {', '.join(beside)}")
    if (expand(args.out or OUT, "--out") / ABOUT).exists():
        raise ConfigError(f"--out {args.out or OUT}: holds a measurement that was rendered; choose another --out")
    landscape, words = from_runs(folders(args.runs))
    return _concluded(args, landscape, words)


def _concluded(
    args: argparse.Namespace, landscape: "Landscape | None", words: tuple[str, ...] = (), least: float | None = None
) -> int:
    """Compute, write and say what came of it."""
    from agent.bench.drafting import result, saying
    from agent.bench.drafting.agreement import agreement
    from agent.config import DraftConfig
    from agent.lines import printable

    if landscape is None or not landscape.prompts:
        lines = [*words, *(saying.left_out(landscape) if landscape else ())]
        print(
            json.dumps({"error": "nothing to compare", "words": lines})
            if args.json
            else "\n".join(map(printable, lines))
        )
        return NOTHING
    least = DraftConfig().min_correlation if least is None else least
    source, found = command_line(args), agreement(landscape)
    out = Path(args.out or OUT)
    said = (*words, *saying.notes(landscape, found, least))
    told = result.facts(landscape, found, said, source)
    row = result.measured(landscape, found, source)
    file = result.write(out, landscape, told, row)
    if args.json:
        print(json.dumps({**told, "file": None if file is None else str(file)}))
    else:
        lines = [*saying.told(landscape, found, least), *words, "", f"All of it: {out / result.ALL}"]
        if file is not None:
            keys = f"-s search.draft=auto -s search.draft_correlation={shlex.quote(str(file))}"
            lines.append(f"To use it: retake run {shlex.quote(args.config) if args.config else 'CONFIG'} {keys}")
        print("\n".join(map(printable, lines)))
    return NOTHING if row is None else DONE


def command_line(args: argparse.Namespace) -> str:
    """The command as it was given, but for how it shows its result."""
    words = ["retake", "bench", "drafts", *([args.config] if args.config else [])]
    for given in args.overrides:
        words += ["-s", given]
    values = {"prompts": None, "limit": None, "captions": 4, "seeds": 2, "tier": None, "steps": None, "frames": None}
    for name, default in values.items():
        if getattr(args, name) != default:
            words += [f"--{name}", str(getattr(args, name))]
    return shlex.join([*words, *(["--runs", *args.runs] if args.runs else [])])


def _from(least: int, most: int | None = None) -> Any:
    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            bounds = f"{least} or more" if most is None else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {bounds} (got {text!r})")
        return int(text)

    return count
