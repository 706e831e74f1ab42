"""`retake bench report`: what a critic's scores are worth, in the terminal, as a page and as JSON."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent.bench.arguments import DONE, NOTHING, command, finite, whole
from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.bench.figures.types import Figures
    from agent.bench.folder import About
    from agent.bench.report.material import Material
    from agent.bench.types import Scored

FIRST: Final = ("roc_auc", "average_precision", "spearman", "kendall", "pearson", "ece")
"""Figures that --json has at the top, of the main axis."""


def add(commands: Any) -> None:
    """Its arguments."""
    report = command(
        commands,
        "report",
        "what the scores are worth: figures, plots, one page",
        "Compute what a critic's scores are worth to people, and write report.html, figures.json and plots/.",
        "a table of scores has the columns sample_id, score, label, group (and axis, label_type, scale, n_raters)\n\n",
        main=main,
    )
    report.add_argument("folder", nargs="?", metavar="BENCH_DIR", help="what `retake bench run` made")
    report.add_argument("--scores", metavar="FILE.csv", help="scores beside labels, judged by anything else")
    report.add_argument("--pass-at", type=finite, metavar="LABEL", help="least label that counts as taken (4 of 1-5)")
    report.add_argument("--axis", help="look at this axis alone: overall, physics …")
    report.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="resamples behind intervals (1000)")
    report.add_argument("--seed", type=whole, default=0, help="of the resamples (0)")
    report.add_argument("--out", metavar="DIR", help="where to write (BENCH_DIR, or bench/ and the table's name)")
    report.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    report.add_argument("-q", "--quiet", action="store_true", help="print what it comes to and the page's path alone")


class _Input(NamedTuple):
    """Rows, and what is known of them."""

    rows: "Sequence[Scored]"
    bad_rows: int
    about: "About | None"
    dataset: str
    sha256: str
    source: str
    """What another command takes for them, as a shell reads it."""
    home: Path
    """Where a threshold and a replay of theirs would lie."""
    folder: Path
    """Where the report goes."""


def main(args: argparse.Namespace) -> int:
    """Its work.

    Raises:
        ConfigError: the arguments or the rows cannot be used, or the folder for the page is not ours.
        OSError: the disk failed.
    """
    from agent.bench.extra import need

    need("matplotlib", "scipy", "sklearn")
    if args.bootstrap < 0:
        raise ConfigError(f"--bootstrap must be 0 or more (got {args.bootstrap})")
    if (args.folder is None) == (args.scores is None):
        raise ConfigError("give either BENCH_DIR or --scores FILE.csv")
    given = _of_folder(args) if args.scores is None else _of_table(args)
    rows = given.rows
    if args.axis is not None:
        rows = [row for row in rows if row.axis == args.axis]
        if not rows:
            there = ", ".join(sorted({row.axis for row in given.rows}))
            raise ConfigError(f"--axis {args.axis}: no row is about it; there are {there}")

    from agent.bench.figures.compute import figures
    from agent.bench.report import write

    computed = figures(
        rows,
        dataset=given.dataset,
        dataset_sha256=given.sha256,
        instrument=None if given.about is None else given.about.instrument,
        pass_at=args.pass_at,
        bootstrap=args.bootstrap,
        seed=args.seed,
        bad_rows=given.bad_rows,
    )
    material = _material(args, given, rows, computed)
    given.folder.mkdir(parents=True, exist_ok=True)
    write(material)
    return _tell(args, material)


def _of_folder(args: argparse.Namespace) -> _Input:
    from agent.bench import folder as bench
    from agent.bench.table import from_folder
    from agent.reading import expand

    folder = expand(args.folder, "BENCH_DIR")
    about = bench.read(folder)
    out = folder if args.out is None else _ours(expand(args.out, "--out"))
    source = _again(args, str(folder))
    return _Input(from_folder(folder), about.bad_rows, about, about.dataset, about.sha256, source, folder, out)


def _of_table(args: argparse.Namespace) -> _Input:
    from agent.bench.table import from_csv
    from agent.files import file_hash
    from agent.reading import expand

    path = expand(args.scores, "--scores")
    rows, bad = from_csv(path)
    for each in bad[:5]:
        print(f"retake: {path}, line {each.line}: {each.why}", file=sys.stderr)
    if len(bad) > 5:
        print(f"retake: {path}: and {len(bad) - 5:,} more bad rows", file=sys.stderr)
    name = path.stem.strip(".") or "scores"
    out = _ours(Path("bench") / name if args.out is None else expand(args.out, "--out"))
    return _Input(rows, len(bad), None, name, file_hash(path), _again(args, "--scores", str(path)), out, out)


def _again(args: argparse.Namespace, *rows: str) -> str:
    """What another command takes for the same rows, as a shell reads it."""
    axis = [] if args.axis is None else ["--axis", args.axis]
    label = [] if args.pass_at is None else ["--pass-at", f"{args.pass_at:g}"]
    return shlex.join([*rows, *axis, *label])


def _ours(folder: Path) -> Path:
    """A folder that a report of other rows may be written to.

    Raises:
        ConfigError: something else lies there.
    """
    from agent.bench.folder import ABOUT, REPORT

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; name a folder with --out")
    if (folder / ABOUT).exists():
        raise ConfigError(f"{folder}: is a benchmark of its own, whose report it holds; name another folder with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / REPORT).exists():
        raise ConfigError(f"{folder}: holds other files and no report of ours; name another folder with --out")
    return folder


def _material(args: argparse.Namespace, given: _Input, rows: "Sequence[Scored]", computed: "Figures") -> "Material":
    from dataclasses import replace

    from agent.bench.report.beside import beside
    from agent.bench.report.material import Material
    from agent.bench.report.rows import coverage

    found = beside(given.home)
    if found.threshold is not None and (given.about is None or computed.main.axis == "overall"):
        about_it = [row for row in rows if row.axis == computed.main.axis]
        found = replace(found, coverage=coverage(about_it, found.threshold.threshold, args.pass_at))
    return Material(
        figures=computed,
        rows=rows,
        folder=given.folder,
        beside=found,
        about=given.about,
        source=given.source,
        command=shlex.join(["retake", *sys.argv[1:]]),
        seed=args.seed,
    )


def _tell(args: argparse.Namespace, material: "Material") -> int:
    from rich.console import Console

    from agent.bench.folder import FIGURES, REPORT
    from agent.bench.report import terminal
    from agent.bench.report.wording import state

    code = NOTHING if material.main is None or state(material.main) == "nothing judged" else DONE
    paths = {"report": str(material.folder / REPORT), "figures": str(material.folder / FIGURES)}
    if args.json:
        print(json.dumps({**summary(material), **paths}, ensure_ascii=False))
    elif args.quiet:
        print(terminal.sentence(material), paths["report"], sep="\n")
    else:
        terminal.show(material, Console(highlight=False))
        print(f"figures  {paths['figures']}\nreport   {paths['report']}")
    return code


def summary(material: "Material") -> dict[str, Any]:
    """What --json prints, the paths aside: the main axis at the top, and everything by axis."""
    computed, axis = material.figures, material.main
    of_axis = {name: None if axis is None else getattr(axis, name) for name in FIRST}
    return {
        **{name: None if figure is None else figure.value for name, figure in of_axis.items()},
        "intervals": {
            name: None if figure is None or figure.low is None else [figure.low, figure.high]
            for name, figure in of_axis.items()
        },
        "dataset": computed.dataset,
        "axis": None if axis is None else axis.axis,
        "n": 0 if axis is None else axis.n,
        "n_pairs": 0 if axis is None else axis.n_pairs,
        "groups": 0 if axis is None else axis.groups,
        "failed": 0 if axis is None else axis.n_failed,
        "bad_rows": computed.bad_rows,
        "chance": True if axis is None else axis.chance,
        "words": [] if axis is None else list(axis.words),
        "axes": {each.axis: each.model_dump(mode="json") for each in computed.axes},
    }
