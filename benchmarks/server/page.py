"""What was measured, as a summary and as docs/serving-benchmark.md."""

import os
from dataclasses import dataclass
from pathlib import Path

from agent.api import versions
from benchmarks.server.kills import Killed
from benchmarks.server.load import Loaded, Times
from benchmarks.server.memory import Taken

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Measured:
    """Under load."""

    loaded: Loaded
    taken: dict[str, Taken]
    """By process."""
    rendering: float
    """Renders at work on the scripted servers, middle of all looks."""
    start_seconds: float
    """From the start of the process to its first answer."""
    load_before: float
    """The machine's load average before, over a minute: what else it had to do."""

    def processor_ms(self, process: str, *answers: Times) -> float:
        """Of the server or the bare application, for each request that it answered."""
        return 1000 * self.taken[process].processor_seconds / max(1, sum(times.count for times in answers))

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return not self.loaded.errors and not self.loaded.failed


@dataclass(frozen=True)
class Conditions:
    """Under which it was measured."""

    command: str
    clients: int
    rate: float
    seconds: float
    running: int
    dialect: str
    iterations: int
    samples: int
    render_seconds: float


def summary(measured: Measured | None, deaths: Killed | None) -> str:
    """For a terminal."""
    lines: list[str] = []
    if measured is not None:
        loaded = measured.loaded
        lines += [*_latencies(loaded), "", _processor(measured), "", *_processes(measured), ""]
        lines.append(
            f"errors {sum(loaded.errors.values())}{f' {loaded.errors}' if loaded.errors else ''}; jobs ended "
            f"{loaded.ended}, failed {loaded.failed}; renders at work {measured.rendering:g}; ready after "
            f"{measured.start_seconds:.2f} s; generator {loaded.processor_seconds / loaded.wall_seconds:.0%} of a core"
        )
    if deaths is not None:
        lines += ["", *_deaths(deaths)]
    return "\n".join(lines)


def _latencies(loaded: Loaded) -> list[str]:
    rows = (("status", loaded.status, loaded.bare_status), ("submit", loaded.submit, loaded.bare_submit))
    out = [
        "| request | server: p50, p99, longest | bare route: p50, p99, longest | p50 | p99 | requests |",
        "|---|---|---|---|---|---|",
    ]
    for name, ours, bare in rows:
        times = (_over(ours.p50, bare.p50), _over(ours.p99, bare.p99))
        out.append(f"| {name} | {_told(ours)} | {_told(bare)} | {times[0]} | {times[1]} | {ours.count:,} |")
    return out


def _processor(measured: Measured) -> str:
    loaded = measured.loaded
    ours = measured.processor_ms("server", loaded.status, loaded.submit)
    bare = measured.processor_ms("bare", loaded.bare_status, loaded.bare_submit)
    return (
        f"Processor time for each request: {ours:.3f} ms, with all else that the server does; bare {bare:.3f} ms "
        f"({_over(ours, bare)}). Load average before: {measured.load_before:.1f}."
    )


def _told(times: Times) -> str:
    return f"{times.p50:.2f}, {times.p99:.2f}, {times.most:.1f} ms"


def _over(ours: float, bare: float) -> str:
    return f"{ours / bare:.2f} x" if bare else "-"


def _processes(measured: Measured) -> list[str]:
    out = [
        "| process | start | end | most | slope, 2nd half | of a core |",
        "|---|---|---|---|---|---|",
    ]
    wall = measured.loaded.wall_seconds
    for name, taken in measured.taken.items():
        out.append(
            f"| {name} | {taken.start_mib:.0f} MiB | {taken.end_mib:.0f} MiB | {taken.most_mib:.0f} MiB | "
            f"{taken.slope_mib:+.1f} MiB/min | {taken.processor_seconds / wall:.0%} |"
        )
    return out


def _deaths(deaths: Killed) -> list[str]:
    ended = ", ".join(f"{count} {state}" for state, count in sorted(deaths.ended.items()))
    rows = [
        ("kills, of them before it answered", f"{deaths.kills}, {deaths.while_starting}"),
        ("requests accepted", f"{deaths.accepted}"),
        ("how they ended", ended),
        ("**lost**", f"**{deaths.lost}**"),
        ("renders asked for", f"{deaths.renders}"),
        ("**finished renders asked for twice**", f"**{deaths.finished_twice}**"),
        ("**renders asked for twice whose job was known**", f"**{deaths.known_twice}**"),
        ("renders sent again, as the kill took the answer to their submission", f"{deaths.unknown_twice}"),
        ("submits repeated with their idempotency key", f"{deaths.repeats}"),
        ("**of them answered with another id**", f"**{deaths.two_ids}**"),
        ("**runs beyond the requests accepted**", f"**{deaths.jobs - deaths.accepted}**"),
        ("processes that outlived their server by five seconds", f"{deaths.orphans}"),
        ("other errors", f"{sum(deaths.errors.values())}{f' {deaths.errors}' if deaths.errors else ''}"),
        ("seconds", f"{deaths.seconds:.0f}"),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


TEXT = """# The server under load and under kills

Made by `{command}` ({library}; {cores} cores).

{clients} clients ask after a job of theirs {rate:g} times a second for {seconds:g} s, in {dialect}'s words, while
{running} requests run ({iterations} prompts of {samples} candidates each; a render takes {render_seconds:g} s on
scripted servers). A client whose job is over submits another one; {submits} submits in all. By turns of three seconds
the same clients ask a bare FastAPI route in uvicorn as often, while the same requests go on running behind the server.

{latencies}

{processor}

Errors: {errors}. Jobs that ended meanwhile: {ended}, of them failed: {failed}. Renders at work on the scripted servers,
middle of all looks: {rendering:g}; what else runs is being written, judged or chosen.

{processes}

The load generator took {generator:.0%} of a core.

* *status*: from the moment that a client means to ask to the last byte of the answer. Where the answer before it came
  late, the wait counts.
* *submit*: an answer means that the request is on the disk (SQLite with a synchronous commit). The bare route only
  checks its fields.
* *slope*: of the resident memory over the second half. The server keeps the last thousand jobs that are over at hand,
  so it grows until there are as many.

## Kills

`retake serve` is killed by SIGKILL at random moments, every other time with its engine, and started again, while four
clients submit with idempotency keys. Then every accepted request is waited for.

{deaths}

A render whose submission was cut off has no job number anywhere: nobody can tell that the rendering server has taken
it, so it is sent again. Every other one goes on where it was.

## What the figures do not show

* **The machine.** Everything ran on it at once: the server, its engine, the scripted servers, the bare route and the
  clients. The ratios carry over better than the milliseconds.
* **The network.** All of it is the loopback.
* **A model.** The scripted servers answer at once but for the renders, whose clips are small.
"""


def page(measured: Measured, deaths: Killed, conditions: Conditions) -> str:
    """The page, as Markdown."""
    loaded, c = measured.loaded, conditions
    return TEXT.format(
        command=c.command,
        library=", ".join(f"{k} {v}" for k, v in versions().items() if k != "machine"),
        cores=os.cpu_count(),
        clients=c.clients,
        rate=c.rate,
        seconds=c.seconds,
        dialect=c.dialect,
        running=c.running,
        iterations=c.iterations,
        samples=c.samples,
        render_seconds=c.render_seconds,
        submits=loaded.submit.count,
        latencies="\n".join(_latencies(loaded)),
        processor=_processor(measured),
        processes="\n".join(_processes(measured)),
        errors=sum(loaded.errors.values()),
        ended=loaded.ended,
        failed=loaded.failed,
        rendering=measured.rendering,
        generator=loaded.processor_seconds / loaded.wall_seconds,
        deaths="\n".join(_deaths(deaths)),
    )
