"""How few render seconds reach the score of the 2x2 schedule: strategies replayed by the real loop on recorded scores.

python -m benchmarks.search            # the page on the terminal; some minutes
python -m benchmarks.search --quick    # a few prompts and strategies; some seconds
python -m benchmarks.search --write    # and into docs/search-benchmark.md and .svg, and what runs with drafts go by
python -m benchmarks.search --json     # ends with one JSON line: ratio (the default strategy's), interval, and the rest
python -m benchmarks.search.record     # makes the table of scores anew; an hour of a core
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.search import correlation, pairwise, prices
from benchmarks.search.findings import Findings, figures
from benchmarks.search.landscape import TARGET, Landscape, load
from benchmarks.search.measure import measured
from benchmarks.search.page import DOCS, page, pictures
from benchmarks.search.replay import Replay
from benchmarks.search.strategies import DEFAULT, REFERENCE, strategies

RESAMPLES, QUICK_RESAMPLES = 4000, 50
QUICK_PROMPTS = 3
DRAWS = 2
"""Of noise for each order of seeds, in the simulation."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search",
        description=__doc__.splitlines()[0],
        epilog="Nothing is rendered: every score comes from benchmarks/search/landscape.csv, which "
        "`python -m benchmarks.search.record` makes. The figures are explained in docs/search-benchmark.md.",
    )
    parser.add_argument("--quick", action="store_true", help="a few prompts and strategies: shows that it works")
    parser.add_argument("--write", action="store_true", help="write the page, its pictures and the correlations")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of the page")
    parser.add_argument(
        "--resamples",
        type=int,
        default=None,
        help=f"for the intervals (default: {RESAMPLES}; quick: {QUICK_RESAMPLES})",
    )
    args = parser.parse_args(argv)
    if args.quick and args.write:
        parser.error("--quick is no measurement to write down; leave one of them out")
    shown = shlex.join(["python", "-m", "benchmarks.search", *(argv if argv is not None else sys.argv[1:])])
    resamples = args.resamples or (QUICK_RESAMPLES if args.quick else RESAMPLES)

    landscape = load()
    found = findings(landscape.first(QUICK_PROMPTS) if args.quick else landscape, resamples, shown, quick=args.quick)
    if args.write:
        (DOCS / "search-benchmark.md").write_text(page(found), encoding="utf-8")
        for name, picture in pictures(found).items():
            (DOCS / name).write_text(picture, encoding="utf-8")
        whole = [each for each in found.agreements if each.tier in landscape.complete]
        rows = [correlation.row(landscape, each, shown) for each in whole]
        correlation.DATA.write_text(correlation.data(rows), encoding="utf-8")
    print(json.dumps(figures(found)) if args.json else page(found))
    return 0


def findings(landscape: Landscape, resamples: int, command: str, *, quick: bool = False) -> Findings:
    """Everything, with progress on standard error."""
    among = (REFERENCE, DEFAULT) if quick else strategies(landscape.complete)
    at = {"published": prices.published(landscape), "recorded": prices.recorded(landscape)}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar, Replay(landscape) as replay:
        results = {}
        for name, price in at.items():
            task = bar.add_task(f"replaying, prices {name}", total=len(among))
            results[name] = measured(replay, price, among, resamples, partial(bar.advance, task))
        larger = measured(replay, prices.published(landscape, prices.LARGER), (REFERENCE, DEFAULT), resamples)
        task = bar.add_task("simulating judges of pairs", total=len(pairwise.NOISES) * len(pairwise.ACCURACIES))
        draws = 1 if quick else DRAWS
        choices = pairwise.simulated(replay, at["published"], draws, partial(bar.advance, task))
        drafts = [tier for tier in landscape.header.covers if tier != TARGET]
        agreements = [
            correlation.agreement(landscape, tier, resamples)
            for tier in bar.track(drafts, description="correlating drafts")
        ]
    return Findings(
        landscape=landscape,
        published=results["published"],
        recorded=results["recorded"],
        larger=larger,
        agreements=tuple(agreements),
        choices=choices,
        command=command,
        resamples=resamples,
    )


if __name__ == "__main__":
    sys.exit(main())
