"""What was measured, as docs/schedule-benchmark.md and as figures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from agent.api import versions
from benchmarks.schedule.ahead import Saved
from benchmarks.schedule.latencies import JUDGE, QUESTIONS, RENDER, REWRITE, UPSAMPLE
from benchmarks.schedule.measure import CRITIC_PLACES, Measured

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Conditions:
    """Under which it was measured."""

    command: str
    seconds: float
    """The whole benchmark."""
    unequal: tuple[float, ...]
    """The loop's schedule beside the shortest where renders differ, for the settings of one iteration."""


def figures(rows: Sequence[Measured], conditions: Conditions) -> dict[str, Any]:
    """The figures, rounded."""
    ratios, scaled = [row.ratio for row in rows], [row.scaled_ratio for row in rows]
    return {
        "median_ratio": round(median(ratios), 5),
        "worst_ratio": round(max(ratios), 5),
        "median_scaled_ratio": round(median(scaled), 4),
        "worst_scaled_ratio": round(max(scaled), 4),
        "worst_schedule_ratio": round(max(row.schedule_ratio for row in rows), 6),
        "median_unequal_ratio": round(median(conditions.unequal), 4),
        "worst_unequal_ratio": round(max(conditions.unequal), 4),
        "median_overhead_a_candidate": round(median(row.overhead / row.setting.clips for row in rows), 4),
        "median_processor_a_candidate": round(median(row.processor / row.setting.clips for row in rows), 4),
        "least_load": round(min(row.load for row in rows), 1),
        "median_load": round(median(row.load for row in rows), 1),
        "most_load": round(max(row.load for row in rows), 1),
        "settings": len(rows),
        "above": sum(ratio > 1.01 for ratio in ratios),
        "scale": rows[0].scale,
        "seconds": round(conditions.seconds, 1),
        "rows": [
            {
                "endpoints": row.setting.endpoints,
                "candidates": row.setting.candidates,
                "iterations": row.setting.iterations,
                "ideal": round(row.ideal, 3),
                "schedule": round(row.schedule, 3),
                "wall": round(row.wall, 4),
                "processor": round(row.processor, 4),
                "load": round(row.load, 1),
                "ratio": round(row.ratio, 5),
                "scaled_ratio": round(row.scaled_ratio, 4),
            }
            for row in rows
        ],
    }


TEXT = """# How close the loop comes to the shortest schedule

Made by `{command}` in {minutes:.1f} minutes ({library}; {cores} cores; load average {least_load:.1f} to
{most_load:.1f}, median {median_load:.1f}).

![Time above the shortest schedule](schedule-benchmark.svg)

**At full latencies a run takes {median_ratio:.4f} times as long as the shortest schedule there is: the median of
{settings} settings (1 to 8 candidates, 1 to 4 iterations, 1, 2, 4 and 8 endpoints). The worst takes {worst_ratio:.4f}
times as long.** As measured, at {scale:g} of the latencies: {median_scaled_ratio:.3f}, and {worst_scaled_ratio:.3f} in
the worst case.

## What is measured

The real loop (`agent.controller`) with the real journal, report, memory and pool of endpoints, put together as
`agent.api` does it, drives three scripted parts. They do nothing for as long as Cosmos3-Nano would work on an H100
80GB, and answer at full size: a caption, an H.264 clip of 832x480 and 189 frames, {questions} scores with their
explanations.

| step | seconds | from |
|---|---|---|
| caption | {upsample:.2f} | computed: 1,500 tokens at the published pace of a reply |
| rewrite | {rewrite:.2f} | computed: 500 tokens |
| render, one at a time on each endpoint | {render:.2f} | published: image-to-video at 480p, 189 frames |
| judging a clip, {places} at a time | {judge:.2f} | computed: {questions} questions of 0.2288 s, 0.967 s of critique |

* *shortest*: the least that the same steps can take, found by an exact scheduler (`benchmarks/schedule/bound.py`) that
  shares no line with the loop: branch and bound over the order of the steps. A test holds it against every schedule
  there is, on small runs.
* *schedule*: the loop at full latencies on a clock that moves by sleeping alone, where its own work takes no time.
  What it takes beyond the shortest is time in which the loop waits for nothing. Of all settings, the worst takes
  {worst_schedule_ratio:.6f} times as long as the shortest.
* *wall*: the loop on the wall clock, from making the run's folder to its last event, every wait shortened to {scale:g}
  of itself. The report may be rebuilt every {report:g} s instead of every second, or a shortened run would be spared
  most of it; still, what asks for it while it is being built has to wait for the next time.
* *overhead*: wall - {scale:g} x schedule. What the loop's own work (run.json, events, memory, hashes, the report) takes
  beside what the waits hide of it. Median a candidate: {median_overhead_a_candidate:.3f} s, of which waiting for the
  disk and for cores that others use is a part; the process itself used {median_processor_a_candidate:.3f} s of
  processor time a candidate, hidden work included. At full latencies the waits hide more: the report, built in a
  thread, competes here with the steps that follow, and there it is long done.
* *ratio* (at the unscaled overhead): (schedule + overhead) / shortest. The work takes this machine's seconds whatever
  the latencies, so it is added to a run at full latencies as it is. *scaled ratio*: wall / ({scale:g} x shortest), with
  nothing taken out.

One setting after the other: two at once on two cores would count each other's work. Each was run once, in a shuffled
order, so that a drift of the machine's load falls on no column.

{above} of {settings} settings are above 1.01: with more endpoints a run is shorter, and clips come at the same moment,
to be hashed and written down one after the other.

Where renders differ by up to a fifth either way, the exact scheduler knows it beforehand and the loop does not: its
schedule then takes {median_unequal_ratio:.3f} times as long as the shortest, and {worst_unequal_ratio:.3f} times in the
worst case (settings of one iteration).

## Settings

Ratio at the unscaled overhead (scaled ratio), and the shortest schedule's seconds at full latencies.

{tables}

{ahead}
## What the figures do not show

* **No server was asked.** Looking after a job (at most every 2 s), uploads, downloads, queues of other users and lost
  jobs come on top. So does loading models.
* **Nothing but the schedule is judged.** The shortest schedule is of these steps, each iteration waiting for all of
  the one before. A loop that does fewer steps, stops early, or begins captions ahead can be quicker than it. Whether
  the steps are worth doing is another question, and so is what a caption is worth that is written from fewer scores.
* **Every render takes the same time** here, as in the published figures. The paragraph on renders that differ says
  what is lost where they do not.
* **The critic is slower here than it need be.** It really asks its questions at once; what that gains on a server that
  also writes captions was not published.
* **The machine.** The overhead is this machine's: its cores, its disk, what else ran on it. In the scaled ratio it
  weighs a hundred times as much. The timer's coarseness, about a millisecond a wait, is part of it.
* **What stands around the loop** is not counted: starting Python, taking in the image, exporting the chosen clip, a
  terminal that shows progress.
"""


AHEAD = """## Captions begun ahead

Made by `{command}`.

With `budget.speculate`, an endpoint that would idle begins the next caption before the candidates of this one are all
judged. Seconds of the loop's schedule at full latencies, as above, for runs of 4 iterations, the raw prompt's included:
with it as a multiple of without it, both in seconds, and in brackets how many of the rewrites were begun before every
score was there. Mixed: every other endpoint is an RTX PRO 6000, where the same render takes 107.77 s. Iterations
overlap here, so the exact scheduler has no bound for it.

{table}

* **Where endpoints are equal it saves nothing**: clips come at the same time, and as soon as none is being rendered a
  rewrite waits for all scores. So it costs nothing there either.
* **A caption that hangs on no score is begun at once**: with `search.include_raw_prompt`, the raw prompt and its
  expansion are rendered side by side where there are endpoints for both.
* **Where one endpoint is slower than another**, the quick ones go on by the scores there are. The price is in the
  brackets: those rewrites knew only some of the scores. What that costs in quality is not measured.
* An accepted clip may make an iteration needless that was begun ahead. Its renders are given up (`search.racing`), and
  what they took is counted as lost. No clip is accepted in these runs.
"""


def ahead_section(rows: Sequence[Saved], command: str) -> str:
    """What captions begun ahead save, as a section of the page."""
    head = "| | endpoints equal | equal, raw prompt first | mixed | mixed, raw prompt first |\n|---|---|---|---|---|"
    lines = [head]
    for setting in dict.fromkeys(row.setting for row in rows):
        cells = [
            f"{row.ratio:.3f}, {row.without:,.0f} to {row.ahead:,.0f} s ({row.early} of {row.rewrites})"
            for raw_first, mixed in ((False, False), (True, False), (False, True), (True, True))
            for row in rows
            if (row.setting, row.raw_first, row.mixed) == (setting, raw_first, mixed)
        ]
        what = f"{_count(setting.endpoints, 'endpoint')}, {_count(setting.candidates, 'candidate')}"
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return AHEAD.format(command=command, table="\n".join(lines))


def with_section(text: str, section: str) -> str:
    """A page with its section of the same heading replaced."""
    heading = section.partition("\n")[0]
    before, _, rest = text.partition(f"{heading}\n")
    _, mark, after = rest.partition("\n## ")
    return f"{before}{section}{mark}{after}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def page(rows: Sequence[Measured], conditions: Conditions, ahead: str) -> str:
    """The page, as Markdown. `ahead`: its section on captions begun ahead."""
    return TEXT.format(
        command=conditions.command,
        minutes=conditions.seconds / 60,
        library=", ".join(f"{k} {v}" for k, v in versions().items() if k != "machine"),
        cores=os.cpu_count(),
        questions=QUESTIONS,
        upsample=UPSAMPLE / 1000,
        rewrite=REWRITE / 1000,
        render=RENDER / 1000,
        judge=JUDGE / 1000,
        places=CRITIC_PLACES,
        report=rows[0].scale,
        ahead=ahead,
        tables="\n\n".join(_table(rows, count) for count in sorted({row.setting.endpoints for row in rows})),
        **{key: value for key, value in figures(rows, conditions).items() if key not in {"rows", "seconds"}},
    )


def _table(rows: Sequence[Measured], endpoints: int) -> str:
    here = {(row.setting.candidates, row.setting.iterations): row for row in rows if row.setting.endpoints == endpoints}
    columns = sorted({iterations for _, iterations in here})
    head = [
        f"| {endpoints} endpoint{'s' if endpoints > 1 else ''} | "
        + " | ".join(f"{k} iteration{'s' if k > 1 else ''}" for k in columns)
        + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    body = []
    for candidates in sorted({candidates for candidates, _ in here}):
        cells = [
            f"{row.ratio:.4f} ({row.scaled_ratio:.2f}), {row.ideal:,.0f} s"
            for k in columns
            if (row := here.get((candidates, k))) is not None
        ]
        body.append(f"| {candidates} candidate{'s' if candidates > 1 else ''} | " + " | ".join(cells) + " |")
    return "\n".join([*head, *body])
