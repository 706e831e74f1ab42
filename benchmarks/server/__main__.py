"""`retake serve` under load, beside a bare FastAPI route in the same run, and killed again and again.

python -m benchmarks.server [--clients 100] [--rate 10] [--seconds 60] [--running 20] [--kills 50] [--write]

With scripted servers behind it (`tests.scripted_servers`), so that what is measured is the server and the loop, and not
a model. Takes 2 x --seconds for the load, and about four seconds a kill. --write: docs/serving-benchmark.md.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.server.kills import Killed, killed
from benchmarks.server.load import DIALECTS, Loaded, Plan
from benchmarks.server.memory import Watch
from benchmarks.server.page import DOCS, Conditions, Measured, page, summary
from benchmarks.server.serving import Serving
from benchmarks.server.wire import Line
from tests.ports import free_port
from tests.scripted_servers import Servers, scripted

ITERATIONS, SAMPLES = 2, 2
"""Of each run under load."""
RENDER_SECONDS = 5.0
"""Under load; each run renders its candidates one after the other."""
KILLED_RENDER_SECONDS = 1.0
WARM_SECONDS = 12.0
"""Every client has submitted, and the first runs are through their first steps."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100, help="that ask after a job of theirs (default: 100)")
    parser.add_argument("--rate", type=float, default=10.0, help="questions a second of each (default: 10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load on each of the two (default: 60)")
    parser.add_argument("--running", type=int, default=20, help="runs at the same time (default: 20)")
    parser.add_argument("--submits", type=float, default=2.0, help="a second beside the clients' own (default: 2)")
    parser.add_argument("--kills", type=int, default=50, help="of the server under submit load (default: 50)")
    parser.add_argument("--dialect", choices=DIALECTS, default="fal", help="that the clients speak (default: fal)")
    parser.add_argument("--write", action="store_true", help=f"write {DOCS.name}/serving-benchmark.md")
    args = parser.parse_args(argv)
    measured, deaths = asyncio.run(_all(args))
    conditions = Conditions(
        command=f"python -m benchmarks.server {' '.join(sys.argv[1:] if argv is None else argv)}".rstrip(),
        clients=args.clients, rate=args.rate, seconds=args.seconds, running=args.running, dialect=args.dialect,
        iterations=ITERATIONS, samples=SAMPLES, render_seconds=RENDER_SECONDS,
    )  # fmt: skip
    print(summary(measured, deaths))
    if args.write and measured is not None and deaths is not None:
        (DOCS / "serving-benchmark.md").write_text(page(measured, deaths, conditions), encoding="utf-8")
    good = (measured is None or measured.good) and (deaths is None or deaths.good)
    return 0 if good else 1


async def _all(args: argparse.Namespace) -> tuple[Measured | None, Killed | None]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    measured = deaths = None
    with Progress(*columns, console=Console(stderr=True)) as bar, tempfile.TemporaryDirectory() as scratch:
        if args.kills > 0:
            again = bar.add_task("kills", total=args.kills)
            folder = Path(scratch) / "killed"
            folder.mkdir()
            with scripted(seconds=KILLED_RENDER_SECONDS, at_once=8) as servers:
                serving = Serving(folder, servers.url, running=8, iterations=1, samples=2)
                try:
                    deaths = await killed(
                        serving, servers, args.kills, tell=lambda done: bar.update(again, completed=done)
                    )
                finally:
                    serving.stop()
        if args.seconds > 0:
            task = bar.add_task("load", total=WARM_SECONDS + 2 * args.seconds)
            measured = await _load(args, Path(scratch), lambda seconds: bar.update(task, completed=seconds))
    return measured, deaths


async def _load(args: argparse.Namespace, folder: Path, tell: Callable[[float], None]) -> Measured:
    load_before = os.getloadavg()[0]
    with scripted(seconds=RENDER_SECONDS, at_once=args.running) as servers:
        serving = Serving(folder, servers.url, running=args.running, iterations=ITERATIONS, samples=SAMPLES)
        try:
            async with _bare() as (bare, bare_url):
                serving.start()
                started = await serving.ready()
                plan = Plan(
                    server=serving.url, bare=bare_url, words=DIALECTS[args.dialect], clients=args.clients,
                    rate=args.rate, seconds=args.seconds, submits=args.submits, warm_seconds=WARM_SECONDS,
                )  # fmt: skip
                loading = asyncio.create_task(_generated(plan))
                begun = time.monotonic()
                while not loading.done() and (waited := time.monotonic() - begun) < WARM_SECONDS:
                    tell(waited)
                    await asyncio.sleep(0.2)
                engine = max(serving.children(), key=lambda process: process.memory_info().rss)
                watched = {
                    "server": serving.process, "engine": engine, "bare": bare,
                    "scripted servers": psutil.Process(servers.process.pid),
                }  # fmt: skip
                rendering: list[int] = []
                async with Watch(watched) as watch:
                    while not loading.done():
                        tell(time.monotonic() - begun)
                        rendering.append(await _rendering(servers))
                        await asyncio.sleep(1)
                taken = watch.taken()
                return Measured(await loading, taken, median(rendering), round(started, 2), load_before)
        finally:
            serving.stop()


async def _rendering(servers: Servers) -> int:
    with suppress(OSError, ValueError):
        return await asyncio.to_thread(servers.waiting)
    return 0


@asynccontextmanager
async def _bare() -> AsyncIterator[tuple[psutil.Process, str]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.server.bare", "--port", str(port))
    )
    try:
        line = Line(f"http://127.0.0.1:{port}")
        for _ in range(300):
            with suppress(OSError):
                await line.ask(line.request("GET", "/status/0"))
                break
            await asyncio.sleep(0.1)
        await line.close()
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def _generated(plan: Plan) -> Loaded:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.server.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate(plan.model_dump_json().encode())
    return Loaded.model_validate_json(told)


if __name__ == "__main__":
    sys.exit(main())
