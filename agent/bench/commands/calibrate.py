"""`retake bench calibrate`: from labelled scores to the threshold file."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bench.arguments import command, finite
from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.bench.outcome import Origin, Outcome
    from agent.bench.types import Scored

DESCRIPTION = """Find the lowest score at or above which people take enough of the clips, as far as the labels bear it
out, and write it as a threshold file for a run's critic.threshold_file. Where the labels do not bear it out, nothing is
written, and it is said about how many more it takes.

  * The promise holds with the confidence that you ask, the search for the threshold included; clips of one prompt
    that are alike count for less than as many of different prompts.
  * Likewise a score is sought below which people surely refuse clips. Between the two the critic abstains: a run
    goes on, and its report asks for a person.
"""
EXAMPLES = """examples:
  retake bench calibrate bench/mine --precision 0.8
  retake bench calibrate bench/mine --precision 0.9 --confidence 0.9 --pass-at 4
  retake bench calibrate --scores judged.csv --precision 0.9 --critic my-critic/2 --out threshold.yaml

"""


def add(commands: Any) -> None:
    """Its arguments."""
    its = command(commands, "calibrate", "write the threshold file, or say why not", DESCRIPTION, EXAMPLES, main=main)
    its.add_argument(
        "bench", nargs="?", metavar="BENCH_DIR", help="a benchmark's folder, as `retake bench run` leaves it"
    )
    its.add_argument("--scores", metavar="FILE.csv", help="instead: sample_id, score, label, group, judged by anything")
    its.add_argument("--critic", metavar="ID", help="with --scores: the id of the critic that gave them")
    its.add_argument(
        "--precision", type=_share, required=True, metavar="P", help="share of accepted clips that people shall take"
    )
    its.add_argument(
        "--rejection",
        type=_share,
        metavar="P",
        help="share of rejected clips that people shall refuse (default: as --precision)",
    )
    its.add_argument("--no-rejection", action="store_true", help="reject nothing: below the threshold all is undecided")
    its.add_argument("--confidence", type=_share, default=0.95, metavar="C", help="of each promise (default: 0.95)")
    its.add_argument(
        "--pass-at", type=finite, metavar="LABEL", help="least label that counts as taken (default: 4 of 1-5, likewise)"
    )
    its.add_argument("--axis", metavar="AXIS", help="which axis's labels count (default: overall, if there are any)")
    its.add_argument("--out", metavar="FILE", help="the threshold file (default: threshold.yaml in BENCH_DIR, or here)")
    its.add_argument("--json", action="store_true", help="print nothing but one JSON object")


def main(args: argparse.Namespace) -> int:
    """Its work. Returns 0: written, 3: withheld."""
    from agent.bench.extra import need

    need("numpy", "scipy", "sklearn")
    from agent.bench.folder import THRESHOLD, WITHHELD
    from agent.bench.outcome import Wish, calibrate
    from agent.files import write_atomically

    if (args.bench is None) == (args.scores is None):
        raise ConfigError("give a benchmark's folder, or --scores FILE.csv (one of them)")
    if args.critic is not None and args.scores is None:
        raise ConfigError("--critic goes with --scores: a benchmark's folder says which critic it was")
    rejection = None if args.no_rejection else args.precision if args.rejection is None else args.rejection
    rows, origin, words = _given(args)
    outcome = calibrate(rows, Wish(args.precision, rejection, args.confidence, args.pass_at), origin)
    outcome = outcome._replace(words=(*words, *outcome.words))
    folder = Path(args.bench) if args.bench is not None else None
    out = Path(args.out) if args.out else (folder or Path()) / THRESHOLD
    if outcome.threshold is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, outcome.threshold.to_yaml())
        if folder is not None:
            (folder / WITHHELD).unlink(missing_ok=True)
    elif folder is not None:
        write_atomically(folder / WITHHELD, f"Threshold withheld: {outcome.withheld}.\n")
    print(json.dumps(facts(outcome, out)) if args.json else told(outcome, out, folder))
    return 0 if outcome.threshold is not None else 3


def _given(args: argparse.Namespace) -> "tuple[list[Scored], Origin, list[str]]":
    """The rows of one axis, where they are from, and what is to be said of them."""
    from agent.bench import folder as bench_folder
    from agent.bench import table
    from agent.bench.outcome import Origin
    from agent.files import file_hash
    from critic.instrument import Instrument

    words = []
    if args.scores is not None:
        path = Path(args.scores)
        rows, bad = table.from_csv(path)
        # a table has one score, whatever it is of
        rows = [row.model_copy(update={"overall": row.score}) for row in rows]
        for row in bad[:10]:
            print(f"retake: {path}: line {row.line}: {row.why}", file=sys.stderr)
        if bad:
            words.append(f"{len(bad)} row{'s' * (len(bad) > 1)} of the table cannot be used.")
        critic = None if args.critic is None else Instrument(critic=args.critic)
        if critic is None:
            words.append(
                "The table does not say which critic gave the scores, so that a run takes the file only with "
                "critic.threshold_must_match: false; --critic names it."
            )
        origin = Origin(path.name, file_hash(path), critic)
    else:
        about = bench_folder.read(Path(args.bench))
        rows = table.from_folder(Path(args.bench))
        if not about.done:
            words.append("This benchmark is not finished: the rows that are still to be judged are not in this.")
        origin = Origin(about.dataset, about.sha256, about.instrument)
    axes = sorted({row.axis for row in rows})
    axis = args.axis or ("overall" if "overall" in axes or not axes else _most(rows))
    if axis not in axes:
        raise ConfigError(f"--axis: no row is about {axis!r} (there are: {', '.join(axes) or 'no rows'})")
    if axis != "overall" and args.scores is None:
        words.append(
            f"The labels are about {axis}, and the scores are those of the clips as a whole: a run accepts by them."
        )
    return [row for row in rows if row.axis == axis], origin, words


def _most(rows: "list[Scored]") -> str:
    """The axis with the most rows."""
    axes: list[str] = [row.axis for row in rows]
    return max(sorted(set(axes)), key=axes.count)


def told(outcome: "Outcome", out: Path, folder: Path | None = None) -> str:
    """For people. `folder`: of the benchmark, whose report shows it."""
    from agent.bench.folder import THRESHOLD

    if outcome.threshold is None:
        return "\n".join([f"Threshold withheld: {outcome.withheld}.", *outcome.words])
    lines = [
        outcome.threshold.sentence(),
        *outcome.words,
        f"Written to {out}. To use it: retake run CONFIG -s critic.threshold_file={out}",
    ]
    if folder is not None and out == folder / THRESHOLD:
        lines.append(f"To see it drawn: retake bench report {folder}")
    return "\n".join(lines)


def facts(outcome: "Outcome", out: Path) -> dict[str, Any]:
    """For programs."""
    held = outcome.threshold
    return {
        "threshold": None if held is None else held.threshold,
        "reject_below": None if held is None else held.reject_below,
        "accept": None if held is None else held.accept.model_dump(),
        "reject": None if held is None or held.reject is None else held.reject.model_dump(),
        "withheld": outcome.withheld,
        "more_labels": outcome.more,
        "words": list(outcome.words),
        "file": None if held is None else str(out),
    }


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-6 <= value <= 1 - 1e-6:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, such as 0.9 (got {text!r})")
    return value
