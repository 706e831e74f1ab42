"""How close the loop comes to the shortest schedule there is: 128 settings on scripted parts.

python -m benchmarks.schedule            # the page on the terminal; about ten minutes, more beside other work
python -m benchmarks.schedule --quick    # three settings at a thousandth of the latencies; a second or two
python -m benchmarks.schedule --write    # and into docs/schedule-benchmark.md and .svg
python -m benchmarks.schedule --ahead    # what captions begun ahead save, alone; half a minute; --write as above
python -m benchmarks.schedule --json     # ends with one JSON line: median_ratio, worst_ratio, and the rest
"""

import argparse
import json
import os
import random
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.schedule.ahead import AHEAD, saved
from benchmarks.schedule.latencies import UNEQUAL, Latencies
from benchmarks.schedule.measure import Bench, Measured, Setting, prepared
from benchmarks.schedule.page import DOCS, Conditions, ahead_section, figures, page, with_section
from benchmarks.schedule.plot import plot

SETTINGS = tuple(Setting(e, n, k) for e in (1, 2, 4, 8) for n in range(1, 9) for k in range(1, 5))
QUICK = (Setting(1, 2, 1), Setting(2, 2, 2), Setting(4, 3, 1))
SCALE, QUICK_SCALE, QUICK_FRAMES = 0.01, 0.001, 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schedule", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three settings at 1/1000 of the latencies")
    parser.add_argument("--write", action="store_true", help="write docs/schedule-benchmark.md and .svg")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of the page")
    parser.add_argument("--ahead", action="store_true", help="only what captions begun ahead save")
    args = parser.parse_args(argv)
    shown = shlex.join(["python", "-m", "benchmarks.schedule", *(argv if argv is not None else sys.argv[1:])])

    with TemporaryDirectory() as scratch:
        rows_ahead = tuple(saved(prepared(Path(scratch), QUICK_FRAMES), QUICK if args.quick else AHEAD, Path(scratch)))
    section = ahead_section(rows_ahead, shown)
    if args.ahead:
        if args.write:
            place = DOCS / "schedule-benchmark.md"
            place.write_text(with_section(place.read_text(encoding="utf-8"), section), encoding="utf-8")
        print(section)
        return 0

    settings, scale = (QUICK, QUICK_SCALE) if args.quick else (SETTINGS, SCALE)
    begun = time.monotonic()
    with TemporaryDirectory() as scratch:
        bench = prepared(Path(scratch), QUICK_FRAMES if args.quick else None)
        rows = sorted(measured(bench, settings, scale, Path(scratch)), key=lambda row: row.setting)
        ratios = tuple(unequal(bench, settings, Path(scratch)))
    conditions = Conditions(command=shown, seconds=time.monotonic() - begun, unequal=ratios)
    if args.write:
        (DOCS / "schedule-benchmark.md").write_text(page(rows, conditions, section), encoding="utf-8")
        (DOCS / "schedule-benchmark.svg").write_text(plot(rows), encoding="utf-8")
    print(json.dumps(figures(rows, conditions)) if args.json else page(rows, conditions, section))
    return 0


def measured(bench: Bench, settings: Sequence[Setting], scale: float, scratch: Path) -> Iterator[Measured]:
    """Each setting once, one after the other, in an order that hides no drift of the machine behind a column."""
    latencies = Latencies()
    bench.wall(Setting(1, 1, 1), scratch / "warm", latencies, scale / 10)  # the first run of a process loads modules
    ideals = {setting: setting.ideal(latencies) for setting in settings}
    order = random.Random(1).sample(settings, len(settings))
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("measuring", total=sum(ideals.values()))
        for number, setting in enumerate(order):
            bar.update(task, description=str(setting))
            load = os.getloadavg()[0]
            wall, processor = bench.wall(setting, scratch / f"{number}-wall", latencies, scale)
            row = Measured(
                setting=setting,
                scale=scale,
                ideal=ideals[setting],
                schedule=bench.schedule(setting, scratch / f"{number}-schedule", latencies),
                wall=wall,
                processor=processor,
                load=load,
            )
            bar.advance(task, row.ideal)
            yield row


def unequal(bench: Bench, settings: Sequence[Setting], scratch: Path) -> Iterator[float]:
    """The loop's schedule beside the shortest one where renders differ, which only the scheduler knows beforehand."""
    for setting in settings:
        if setting.iterations == 1:  # the others are as many of these in a row
            yield bench.schedule(setting, scratch / f"{setting}-unequal", UNEQUAL) / setting.ideal(UNEQUAL)


if __name__ == "__main__":
    sys.exit(main())
