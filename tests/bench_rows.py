"""Rows of a benchmark and a critic that counts, for tests and for measuring.

As a process, `python -m tests.bench_rows FOLDER ROWS [MOST]`, it judges ROWS rows into FOLDER/bench, writes the prompt
of each to FOLDER/judged.txt before it is judged, and prints how much memory it takes after each thousand rows. It kills
itself by SIGKILL when it has begun MOST rows.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from agent.bench.dataset import Dataset
from agent.bench.judging import Judging
from agent.bench.lines import Lines
from agent.bench.running import Asked, Bench
from agent.bench.tally import Tally
from agent.bench.types import BadRow, Row
from agent.memory import Memory
from critic.types import Comparer, Critique, Score

CLIPS = 50
"""Distinct clips of many rows; each row has its own prompt, so that each is judged."""


def row(number: int = 0, **more: Any) -> Row:
    """A labelled clip."""
    facts = {
        "sample_id": f"s{number}",
        "label_type": "binary",
        "label": number % 2,
        "group": f"g{number // 3}",
        "video": f"clip{number % CLIPS}.mp4",
        "prompt": f"boat {number}",
    }
    return Row.model_validate(facts | more)


def critique(value: float, words: str = "fine as it is") -> Critique:
    """A critique on two axes; on `motion` of two criteria that weigh 3 to 1."""
    kinds = [("steady", "motion", value, 3.0), ("smooth", "motion", 0.5, 1.0), ("sharp", "quality", value, 1.0)]
    scores = [
        Score(criterion=name, axis=axis, value=v, weight=w, floor=0.0, explanation="as scripted")
        for name, axis, v, w in kinds
    ]
    return Critique.of(scores, feedback=words, rubric="scripted/1", judge="scripted/1", seconds=0.25)


@dataclass
class CountingCritic:
    """Implements `critic.types.Critic`: tells what it judges, and scores by what `score` makes of a prompt."""

    score: Callable[[str], float | Exception] = lambda prompt: 0.5
    tell: Callable[[str], object] = lambda line: None
    id: str = "counting/1"
    delay: float = 0.0
    judged: MutableSequence[tuple[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        self.judged.append((clip.name, prompt))
        self.tell(f"{prompt}\n")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.at_once -= 1
        outcome = self.score(prompt)
        if isinstance(outcome, Exception):
            raise outcome
        return critique(outcome)


@dataclass(frozen=True)
class Files:
    """Files of a folder, whatever they hold. Implements `agent.bench.judging.Files`."""

    folder: Path

    async def video(self, place: str) -> Path:
        path = self.folder / place
        if not path.exists():
            raise FileNotFoundError(2, "No such file", str(path))
        return path

    async def first_frame(self, place: str, clip: Path) -> Path:
        return await self.video(place)


def dataset(folder: Path, rows: Callable[[], Iterator[Row | BadRow]]) -> Dataset:
    """A dataset whose labels are `rows`, and whose clips are files of a few bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "labels.txt"
    path.write_text("labels")
    for number in range(CLIPS):
        (folder / f"clip{number}.mp4").write_text(f"clip {number}")
    return Dataset(path=path, format="plain", read=lambda path: rows())


def bench(
    folder: Path,
    rows: Sequence[Row | BadRow] | int,
    critic: CountingCritic,
    *,
    comparer: Comparer | None = None,
    tell: Callable[[], None] = lambda: None,
    retest: float = 0.0,
    limit: int | None = None,
) -> Bench:
    """A benchmark of these rows, or of as many, in a folder that is made or gone on with."""
    many = (lambda: map(row, range(rows))) if isinstance(rows, int) else (lambda: iter(rows))
    asked = Asked(dataset(folder / "data", many), limit=limit)
    asked.survey()
    out = folder / "bench"
    out.mkdir(exist_ok=True)

    lines = Lines(out)
    lines.mend()
    judging = Judging(critic, Memory(out, lambda event: None, shared=True), Files(asked.dataset.folder), comparer)
    return Bench(asked, lines, judging, Tally(asked.total, asked.bad_rows), tell, retest=retest)


def main(folder: Path, rows: int, most: int | None = None) -> None:
    """Judge them all, and say how much memory that takes on the way. `most`: see above."""
    process = psutil.Process()
    told = (folder / "judged.txt").open("a", buffering=1)

    def tell() -> None:
        done = work.tally.done
        if done % 1000 == 0 or done == work.tally.total:
            sys.stdout.write(f"{done} rows {process.memory_info().rss / 2**20:.1f} MiB\n")
            sys.stdout.flush()

    def begin(line: str) -> None:
        nonlocal most
        told.write(line)
        if most is not None:
            most -= 1
            if most == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    critic = CountingCritic(tell=begin, judged=deque(maxlen=0))  # it keeps nothing: what grows is not its doing
    work = bench(folder, rows, critic, tell=tell)
    asyncio.run(work.run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
