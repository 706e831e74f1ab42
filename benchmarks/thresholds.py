"""Whether calibrated thresholds keep their promise: labels are drawn from worlds in which the truth is known.

python -m benchmarks.thresholds              # the table on the terminal; two minutes of a core
python -m benchmarks.thresholds --sets 100   # fewer drawn sets of labels
python -m benchmarks.thresholds --write      # and into docs/thresholds-benchmark.md
python -m benchmarks.thresholds --json       # ends with one JSON line
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from agent.bench.calibrating import Sample, find

PAGE: Final = Path(__file__).parent.parent / "docs" / "thresholds-benchmark.md"
CONFIDENCE: Final = 0.95
TARGETS: Final = (0.8, 0.9)

HEAD: Final = """\
# Do thresholds keep their promise?

Written by `{command}` in {seconds:.0f} s: {sets} drawn sets of labels a line, {confidence:.0%} confidence.

`retake bench calibrate --precision P` promises that people take at least the share P of the clips that it accepts,
with a confidence that counts the search for the threshold in. In worlds that are made up, where the chance that
people take a clip rises with its score by a known curve, the truth can be looked up. *Broken* is how often a
threshold was given whose true share is below P: of all sets of labels, at most 5 % may be. The usual way, the lowest
threshold whose Clopper-Pearson bound reaches P on all rows, is beside it: it looks at many thresholds and counts rows
of one prompt as if they were independent.

A critic that is *sharp* separates well (its chance curve has a slope of 12), *fair* middling (6), *blunt* badly (3),
*exact* all but perfectly (60).
Where prompts differ, some are harder than others (deviation 1 to 1.5 on the logit), and clips of one prompt are
alike. Where some *fool it*, a share of 1.02 - P of the prompts has clips that people never take, whatever their score:
every threshold is then a broken promise, and only as many prompts as there are tell of it.

| labels | prompts | prompts differ | critic | P | given | broken | usual way: given | usual way: broken |
|---:|---:|---|---|---:|---:|---:|---:|---:|
"""
TAIL: Final = """
The most that is broken: {worst:.1%}; by the usual way {usual:.1%}. Where prompts fool the critic: {fooled:.1%}; by the
usual way {usual_fooled:.1%}. That is above 5 % where labels are of so few prompts that none of those that fool it may
be among them: then people took every accepted clip, and nothing in the labels says what other prompts would do. No
figure knows of a kind of prompt that was not labelled; 90 % of prompts takes 29 of them to be seen with confidence.
What all this costs: thresholds are given for fewer sets of labels. A threshold that is not given is not a failure: the
command says how many more labels it takes.
"""


class World(NamedTuple):
    """Where labels are drawn from."""

    labels: int
    prompts: int
    differ: float
    """Standard deviation of the prompts' difficulty, in logits."""
    critic: str
    slope: float
    middle: float
    """Score at which people take half of the clips."""
    fooled: bool = False
    """Whether some prompts fool the critic, of whose clips people take none."""

    def fool(self, target: float) -> float:
        """Share of the prompts that fool it, by which every threshold breaks a promise of `target`."""
        return 1.02 - target if self.fooled else 0.0


class Line(NamedTuple):
    """A line of the table."""

    world: World
    target: float
    sets: int
    given: int
    broken: int
    usual_given: int
    usual_broken: int


SIZES: Final = ((60, 60, 0.0), (200, 200, 0.0), (200, 50, 1.0), (200, 20, 1.5), (200, 10, 1.5), (1000, 250, 1.0))
WORLDS: Final = tuple(
    World(labels, prompts, differ, critic, slope, middle)
    for labels, prompts, differ in SIZES
    for critic, slope, middle in (("sharp", 12.0, 0.4), ("fair", 6.0, 0.5), ("blunt", 3.0, 0.3))
) + tuple(
    World(labels, prompts, 0.0, "exact", 60.0, 0.5, fooled=True)
    for labels, prompts in ((200, 20), (200, 50), (400, 20), (1000, 50), (1000, 250))
)


def drawn(world: World, dice: np.random.Generator, target: float = 0.8) -> Sample:
    """A set of labels. `target`: of the promise that prompts which fool the critic break."""
    group = dice.integers(0, world.prompts, world.labels)
    score = dice.uniform(0, 1, world.labels).round(6)
    hard = dice.normal(0, world.differ, world.prompts)[group] if world.differ else 0.0
    chance = 1 / (1 + np.exp(-(world.slope * (score - world.middle) + hard)))
    if world.fooled:
        chance = np.where((dice.random(world.prompts) < world.fool(target))[group], 0.0, chance)
    return Sample(score, np.ones(world.labels, bool), dice.random(world.labels) < chance, group)


def shares(world: World, target: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds on a fine grid, and the true share of clips at or above each that people take."""
    at = np.linspace(0, 1, 2001)
    normal = np.linspace(-4, 4, 161)
    weight = np.exp(-(normal**2) / 2) / np.exp(-(normal**2) / 2).sum()
    hard = normal * world.differ
    chance = (weight / (1 + np.exp(-(world.slope * (at[:, None] - world.middle) + hard)))).sum(axis=1)
    chance *= 1 - world.fool(target)
    above = np.cumsum(chance[::-1])[::-1] / np.arange(len(at), 0, -1)
    return at, above


def usual(sample: Sample, target: float) -> float | None:
    """The lowest threshold whose bound reaches the target on all rows, as if it had been the only one looked at."""
    order = np.argsort(-sample.score)
    right, n = np.cumsum(sample.passed[order]), np.arange(1, len(order) + 1)
    lows = np.where(right > 0, beta.ppf(1 - CONFIDENCE, np.maximum(right, 1e-12), n - right + 1), 0.0)
    reached = np.flatnonzero(lows >= target)
    return float(sample.score[order][reached[-1]]) if len(reached) else None


def measure(world: World, target: float, sets: int, seed: int) -> Line:
    """One line."""
    dice = np.random.default_rng(seed)
    at, above = shares(world, target)
    counts = [0, 0, 0, 0]
    for _ in range(sets):
        sample = drawn(world, dice, target)
        found = find(sample, target=target, confidence=CONFIDENCE)
        ours = found.at if found is not None and found.holds else None
        for place, threshold in ((0, ours), (2, usual(sample, target))):
            if threshold is not None:
                counts[place] += 1
                counts[place + 1] += bool(np.interp(threshold, at, above) < target)
    return Line(world, target, sets, *counts)


def page(lines: Sequence[Line], command: str, seconds: float) -> str:
    """docs/thresholds-benchmark.md."""
    rows = []
    for line in lines:
        of = line.world
        counts = (line.given, line.broken, line.usual_given, line.usual_broken)
        differ = "fool it" if of.fooled else "yes" if of.differ else "no"
        cells = [f"{of.labels:,}", str(of.prompts), differ, of.critic, f"{line.target:g}"]
        rows.append("| " + " | ".join([*cells, *(f"{count / line.sets:.1%}" for count in counts)]) + " |")
    worst, usual_worst = most_broken([line for line in lines if not line.world.fooled])
    fooled, usual_fooled = most_broken([line for line in lines if line.world.fooled])
    head = HEAD.format(command=command, seconds=seconds, sets=lines[0].sets, confidence=CONFIDENCE)
    tail = TAIL.format(worst=worst, usual=usual_worst, fooled=fooled, usual_fooled=usual_fooled)
    return head + "\n".join(rows) + "\n" + tail


def most_broken(lines: Sequence[Line]) -> tuple[float, float]:
    """The largest share of sets whose promise is broken: ours, and by the usual way."""
    return max(line.broken / line.sets for line in lines), max(line.usual_broken / line.sets for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thresholds", description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=400, help="drawn sets of labels a line (default: 400)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of the page")
    args = parser.parse_args(argv)
    if args.sets < 1:
        parser.error("argument --sets: at least 1")
    shown = shlex.join(["python", "-m", "benchmarks.thresholds", *(argv if argv is not None else sys.argv[1:])])
    begun = time.monotonic()
    lines = []
    for number, (world, target) in enumerate((world, target) for world in WORLDS for target in TARGETS):
        lines.append(measure(world, target, args.sets, 1000 + number))
        print(lines[-1], file=sys.stderr, flush=True)
    text = page(lines, shown, time.monotonic() - begun)
    if args.write:
        PAGE.write_text(text, encoding="utf-8")
    worst, other = most_broken(lines)
    print(json.dumps({"sets": args.sets, "worst_broken": worst, "usual_worst_broken": other}) if args.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
