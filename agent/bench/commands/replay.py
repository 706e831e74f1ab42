"""`retake bench replay`: stored runs under other thresholds and budgets."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bench.arguments import command, whole
from agent.errors import ConfigError, RetakeError

if TYPE_CHECKING:
    from agent.bench.replay_figures import Point, Replay
    from agent.run import Run

DESCRIPTION = """Say what finished runs would have come to under other thresholds, iterations and samples: how many
would have ended early with an accepted clip, how many of these clips people take (where they marked them: retake
mark), how much score was given away by stopping, and how many renders and render seconds that saved.
Nothing is rendered.

  * The real stop rules decide over the clips that a run has, as if they had come one after the other; renders side
    by side save less.
  * A run that stopped before it could tell is left out, and counted: runs made with -s budget.early_stop=false
    -s search.draft=null tell most.
"""
EXAMPLES = """examples:
  retake bench replay runs
  retake bench replay runs --accept-at 0.7,0.8,0.9 --max-iterations 1,2,3
  retake bench replay runs --threshold-file threshold.yaml --out bench/mine      # retake bench report then draws it

"""


def add(commands: Any) -> None:
    """Its arguments."""
    its = command(commands, "replay", "say what other thresholds would have saved", DESCRIPTION, EXAMPLES, main=main)
    its.add_argument("folders", nargs="+", metavar="RUN_DIR", help="a run's folder, or a folder of runs")
    its.add_argument("--accept-at", metavar="T,…", help="thresholds in [0, 1] (default: nine over the runs' scores)")
    its.add_argument("--threshold-file", metavar="FILE", help="its threshold, among them")
    its.add_argument("--max-iterations", metavar="N,…", help="iterations (default: as each run had them)")
    its.add_argument("--samples", metavar="N,…", help="candidates of an iteration (default: as each run had them)")
    its.add_argument("--seed", type=whole, default=0, help="of the intervals' bootstrap (default: 0)")
    its.add_argument(
        "--out", metavar="DIR", help="also write replay.json there: a benchmark's folder, whose report draws it"
    )
    its.add_argument("--json", action="store_true", help="print nothing but one JSON object")


def main(args: argparse.Namespace) -> int:
    """Its work. Returns 3 where no run can tell anything."""
    from agent.bench.extra import need

    need("numpy", "scipy")
    from agent.bench import replay_figures
    from agent.bench.folder import REPLAY
    from agent.files import write_atomically

    runs = _runs([Path(folder) for folder in args.folders])
    wanted = _numbers(args.accept_at, "--accept-at") if args.accept_at else []
    if args.threshold_file:
        wanted.append(_of_file(Path(args.threshold_file)))
    found = replay_figures.replay(
        runs,
        wanted or replay_figures.thresholds(runs),
        max_iterations=_counts(args.max_iterations, "--max-iterations"),
        samples=_counts(args.samples, "--samples"),
        seed=args.seed,
    )
    if args.out:
        Path(args.out).mkdir(parents=True, exist_ok=True)
        write_atomically(Path(args.out) / REPLAY, found.model_dump_json(indent=1))
    if args.json:
        print(found.model_dump_json())
    else:
        _tell(found)
    return 0 if any(point.runs for point in found.points) else 3


def _runs(places: list[Path]) -> "list[Run]":
    from agent import journal
    from agent.bench.replaying import folders

    for place in places:
        if not place.is_dir():
            raise ConfigError(f"{place}: there is no such folder")
    found = folders(places)
    if not found:
        raise ConfigError(f"{', '.join(map(str, places))}: no run lies here (a run's folder holds run.json)")
    runs = []
    for folder in found:
        try:
            runs.append(journal.load(folder))
        except RetakeError as error:
            print(f"retake: {error}", file=sys.stderr)
    return runs


def _of_file(path: Path) -> float:
    from critic.threshold import ThresholdFileError, read

    try:
        return read(path).threshold
    except OSError as error:
        raise ConfigError(f"--threshold-file {path}: cannot be read ({error.strerror or error})") from error
    except ThresholdFileError as error:
        raise ConfigError(f"--threshold-file: {error}") from error


def _numbers(text: str, name: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        values = []
    if not values or not all(0 <= value <= 1 for value in values):
        raise ConfigError(f"{name}: must be numbers between 0 and 1, such as 0.7,0.8 (got {text!r:.60})")
    return values


def _counts(text: str | None, name: str) -> list[int | None]:
    if text is None:
        return [None]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"{name}: must be whole numbers from 1, such as 1,2,3 (got {text!r:.60})")
    return [int(part) for part in parts]


def _tell(found: "Replay") -> None:
    heads = ["accept at", "runs", "unknown", "accepted", "people take", "regret (95 %)", "renders", "saved", "render s"]
    several = len({(p.max_iterations, p.samples) for p in found.points}) > 1
    if several:
        heads[1:1] = ["iterations", "samples"]
    lines = [heads]
    for point in found.points:
        cells = _cells(point)
        if several:
            cells[1:1] = [str(point.max_iterations or "-"), str(point.samples or "-")]
        lines.append(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"{found.runs} run{'s' * (found.runs != 1)} of {found.prompts} prompt{'s' * (found.prompts != 1)}\n")
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print()
    for words in [*found.words, *(f"Left out: {n} ({why})." for why, n in found.left_out.items())]:
        print(words)


def _cells(point: "Point") -> list[str]:
    taken, regret = "-", "-"
    if point.precision is not None:
        taken = f"{point.passed} of {point.marked} ({point.precision_low:.2f} to {point.precision_high:.2f})"
    if point.regret is not None:
        regret = f"{point.regret:.3f}"
        regret += "" if point.low is None else f" ({point.low:.3f} to {point.high:.3f})"
    share = point.render_seconds_saved_share
    return [
        f"{point.accept_at:.2f}",
        str(point.runs),
        str(point.unknown),
        str(point.accepted),
        taken,
        regret,
        f"{point.renders:,}",
        f"{point.renders_saved:,}" + ("" if share is None else f" ({share:.0%} of s)"),
        f"{point.render_seconds:,.1f}",
    ]
