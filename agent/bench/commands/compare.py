"""`retake bench compare`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.bench.arguments import NOTHING, command, finite, whole

if TYPE_CHECKING:
    from agent.bench.figures.paired_types import AxisComparison

_EXAMPLES: Final = """two critics, each a benchmark's folder or a table (sample_id, score, label, group):
  retake bench compare bench/mine bench/other
  retake bench compare bench/mine judge.csv --axis physics --json

"""
_MOST: Final = 1_000_000


def add(commands: Any) -> None:
    """Its arguments."""
    added = command(
        commands,
        "compare",
        "two critics on the same rows: is one better?",
        "Compare two critics on the rows that both have: differences with 95 % intervals (paired bootstrap over "
        "groups), p-values (a permutation test that swaps the critics within groups), and a verdict.",
        _EXAMPLES,
        main=main,
    )
    added.add_argument("a", metavar="A", type=Path, help="a benchmark's folder or a table of scores")
    added.add_argument("b", metavar="B", type=Path, help="another")
    added.add_argument("--axis", type=_axis, metavar="AXIS", help="one alone, e.g. overall, physics (default: all)")
    added.add_argument("--pass-at", type=finite, metavar="LABEL", help="least label that counts as taken")
    added.add_argument("--seed", type=whole, default=0, help="of the resamples (default: 0)")
    added.add_argument(
        "--resamples",
        type=_resamples,
        default=10_000,
        metavar="N",
        help="bootstrap, permutations (default: 10000)",
    )
    added.add_argument("--json", action="store_true", help="print one JSON object")


def _axis(text: str) -> str:
    from agent.bench.types import AXES  # not before there is one to look at: `retake --help` stays quick

    if text not in AXES:
        raise argparse.ArgumentTypeError(f"there is no axis {text[:40]!r}; known are {', '.join(AXES)}")
    return text


def _resamples(text: str) -> int:
    if not 100 <= whole(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"must be from 100 to {_MOST:,}")
    return int(text)


def main(args: argparse.Namespace) -> int:
    """Its work."""
    from agent.bench.extra import need
    from agent.bench.figures.compare import compare
    from agent.bench.table import read
    from agent.lines import printable

    need("scipy", "sklearn")
    (a, bad_a), (b, bad_b) = read(args.a), read(args.b)
    names = _names(args.a, args.b)
    if of := _other_labels(args.a, args.b):
        print(printable(f"retake: {of}"), file=sys.stderr)
    made = compare(a, b, names=names, axis=args.axis, pass_at=args.pass_at, resamples=args.resamples, seed=args.seed)
    if args.json:
        print(made.model_dump_json(indent=2))
    else:
        lines = [line for axis in made.axes for line in [*_table(axis, names), ""]]
        for path, bad in ((args.a, bad_a), (args.b, bad_b)):
            if bad:
                rows = "1 bad row" if len(bad) == 1 else f"{len(bad):,} bad rows"
                lines.append(f"{path}: {rows} left out; line {bad[0].line}: {bad[0].why}")
        print("\n".join(map(printable, lines)).rstrip())
    said = any(d.difference is not None for axis in made.axes for d in axis.differences)
    return 0 if said else NOTHING


def _other_labels(a: Path, b: Path) -> str:
    """What is to be known of two benchmarks of different labels; "" where nothing is."""
    from agent.bench.folder import ABOUT, read

    if not ((a / ABOUT).is_file() and (b / ABOUT).is_file()):
        return ""
    first, second = read(a), read(b)
    if first.sha256 == second.sha256:
        return ""
    return (
        f"{a} was judged on the labels {first.dataset}, {b} on {second.dataset}, which are not the same bytes: rows "
        "are joined by sample_id alone (in a table without one the number of the row); see that it means the same clip"
    )


def _names(a: Path, b: Path) -> tuple[str, str]:
    """What tells them apart: the last part of their paths, or the whole of them."""
    first, second = a.resolve().name, b.resolve().name
    return (first, second) if first != second else (str(a), str(b)) if a != b else ("A", "B")


def _table(made: "AxisComparison", names: tuple[str, str]) -> list[str]:
    from agent.bench.figures.verdicts import TITLES, p_told

    these = f"{made.n:,} rows in {made.groups:,} group{'s' * (made.groups != 1)}"
    lines = [f"{made.axis}: {these}, A {names[0]}, B {names[1]}; taken: {made.pass_at}"]
    lines.append(f"  {'':24}{'A':>7}{'B':>8}{'A - B':>9}   {'95 % interval':18}")
    for found in made.differences:
        title = TITLES[found.statistic]
        if found.a is None or found.b is None or found.difference is None:
            continue
        line = f"  {title:24}{found.a:7.3f}{found.b:8.3f}{found.difference:+9.3f}   "
        if found.low is not None and found.high is not None:
            line += f"{f'{found.low:+.3f} to {found.high:+.3f}':18}"
        lines.append(f"{line}  {p_told(found.p)}" if found.p is not None else f"{line}{found.why}")
    return [*lines, *made.words] if len(lines) > 2 else [lines[0], *made.words]
