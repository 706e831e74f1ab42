"""One `retake bench run`: what is asked for, the folder that it is written to, and what it came to."""

import argparse
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.bench import folder as folders
from agent.bench.fetching import Clips
from agent.bench.folder import ABOUT, About
from agent.bench.judging import Judging
from agent.bench.lines import Lines
from agent.bench.progress import Silent
from agent.bench.readers import open_dataset
from agent.bench.running import Asked, Bench
from agent.bench.tally import Tally
from agent.bench.types import AXES, RowAxis
from agent.building import build_judges
from agent.building.judges import Judges
from agent.config import RunConfig
from agent.errors import ConfigError, StorageError, boundary
from agent.journal import LOCK, only_writer
from agent.memory import Memory
from agent.reading import expand, load_config
from critic.instrument import Instrument

OUT: Final = "bench"
"""Folder of the benchmarks that are given none."""


def prepare(args: argparse.Namespace) -> "Session":
    """What a command line asks for, found fit. Nothing is written, and no server is asked.

    Raises:
        ConfigError: the config, the dataset or an argument is wrong.
    """
    config = load_config(args.config, args.overrides)
    if args.concurrency is not None:
        critic = config.critic.model_copy(update={"concurrency": args.concurrency})
        config = config.model_copy(update={"critic": critic})
    scale = _scale(args.scale)
    dataset = open_dataset(expand(args.data, "DATA"), args.format, scale=scale)
    asked = Asked(dataset, _axis(args.axis), args.limit)
    asked.survey()
    out = expand(args.out, "--out") if args.out else Path(OUT) / f"{dataset.name}-{config.critic.backend}"
    cache = expand(args.cache, "--cache") if args.cache else None
    return Session(config, asked, out, cache=cache, scale=scale, retest=args.retest, retry=args.retry_failed)


def _axis(name: str | None) -> RowAxis | None:
    if name is None:
        return None
    axis = next((axis for axis in AXES if axis == name), None)
    if axis is None:
        raise ConfigError(f"--axis {name!r}: there is no such axis; known are {', '.join(AXES)}")
    return axis


def _scale(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    from agent.bench.readers.plain import parse_scale  # noqa: PLC0415 - a reader is loaded when it is needed

    scale = parse_scale(text)
    if scale is None or scale[0] >= scale[1]:
        raise ConfigError(f"--scale {text!r}: must be the worst and the best label, as 1-5")
    return scale


@dataclass
class Session:
    """A critic over a dataset, begun or gone on with."""

    config: RunConfig
    asked: Asked
    folder: Path
    cache: Path | None = None
    """Where judgements are remembered, and clips that were fetched. None: in `folder`."""
    scale: tuple[float, float] | None = None
    """Of labels whose file does not say it."""
    retest: float = 0.0
    """Share of the samples that are judged a second time."""
    retry: bool = False
    """Whether rows are tried again that failed."""
    tally: Tally = field(init=False)
    about: About | None = field(default=None, init=False)
    """None: it did not come to the first row."""

    def __post_init__(self) -> None:
        self.tally = Tally(self.asked.total, self.asked.bad_rows)

    @property
    def begun(self) -> bool:
        """Whether the folder is a benchmark's."""
        return self.about is not None

    async def run(self, shown: Silent) -> None:
        """Judge every row that has no line yet.

        Raises:
            ConfigError: the folder is of something else.
            RunFolderError: another process works on it.
            ServingError: a server cannot be reached or started, or is gone.
            StorageError: the disk failed.
        """
        known = self._known()
        cache = self.cache or self.folder
        with boundary(StorageError, f"making the folder {self.folder}"):
            for place in (self.folder, cache):
                place.mkdir(parents=True, exist_ok=True)
        with only_writer(self.folder, "benchmark"):
            memory = Memory(cache, shown.event, shared=True)
            if self.cache is None:
                memory.clean()
            async with build_judges(self.config, memory, shown.event, self.folder) as judges:
                self.about = self._held_against(known, Instrument.of(judges.critic))
                await self._judge(judges, memory, shown, self.about)

    async def _judge(self, judges: Judges, memory: Memory, shown: Silent, about: About) -> None:
        lines = Lines(self.folder)
        lines.mend()
        lines.fit(self.asked.total)
        folders.write(self.folder, about)
        if self.retry:
            memory.forget_failures()
            lines.retry()
        files = Clips(self.asked.dataset.folder, memory.folder, self.config.request.image_fetch)
        judging = Judging(judges.critic, memory, files, judges.comparer)
        concurrency = self.config.critic.concurrency
        await Bench(self.asked, lines, judging, self.tally, shown, self.retest, concurrency).run()
        self.about = about.model_copy(update={"done": True})
        folders.write(self.folder, self.about)

    def _known(self) -> About | None:
        """What the folder is of already; None: nothing."""
        if (self.folder / ABOUT).exists():
            return folders.read(self.folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder}: is a file; choose another --out")
        mine = {LOCK, folders.MEMORY}
        if self.folder.exists() and any(
            p.name not in mine and not p.name.endswith(("-server.log", ".tmp")) for p in self.folder.iterdir()
        ):
            raise ConfigError(f"{self.folder}: is there already and is no benchmark's; choose another --out")
        return None

    def _held_against(self, known: About | None, instrument: Instrument) -> About:
        dataset = self.asked.dataset
        now = About(
            dataset=dataset.name,
            source=str(dataset.path.absolute()),
            format=dataset.format,
            sha256=dataset.sha256,
            instrument=instrument,
            made=datetime.now(UTC) if known is None else known.made,
            limit=self.asked.limit,
            scale=self.scale,
            axis=self.asked.axis,
            retest=self.retest,
            bad_rows=self.asked.bad_rows,
        )
        if known is not None and (differences := known.differences(now)):
            raise ConfigError(
                f"{self.folder}: holds another benchmark ({'; '.join(differences)}); choose another --out (and, with "
                f"--cache {shlex.quote(str(self.cache or self.folder))}, what is judged there is not judged again)"
            )
        return now

    def warnings(self) -> list[str]:
        """What of the dataset cannot be used, and what was guessed."""
        path, bad = self.asked.dataset.path, self.asked.bad_rows
        told = [f"{path}: line {row.line}: {row.why}" for row in self.asked.bad]
        if bad > len(told):
            told.append(f"{path}: {bad - len(told):,} more rows cannot be used")
        return [*self.asked.dataset.notes, *told]

    def summary(self) -> list[str]:
        """The last lines: what was judged, what failed and why, and what comes next."""
        tally, critic = self.tally, "" if self.about is None else self.about.instrument.name
        rows = f"rows     {tally.judged:,} of {tally.total:,} judged"
        facts = {
            f"{tally.recalled:,} of them judged already": tally.recalled,
            f"{tally.failed:,} failed": tally.failed,
            f"{tally.not_asked:,} on an axis that the critic does not ask about": tally.not_asked,
            f"{tally.bad_rows:,} bad row{'s' * (tally.bad_rows > 1)} left out": tally.bad_rows,
            f"{tally.total - tally.done:,} still to come": tally.total - tally.done,
        }
        lines = [", ".join([rows, *(words for words, count in facts.items() if count)])]
        for reason, count in tally.failures.most_common(5):
            first = tally.first_of.get(reason)
            lines.append(f"failed   {count:,}: {reason}" + (f"; the first: {first}" if first else ""))
        if tally.failed:
            lines.append("again    the same command with --retry-failed tries what failed again")
        if tally.means:
            lines.append(f"mean     {tally.means}")
        lines += [f"critic   {critic}", f"folder   {self.folder}"]
        if tally.judged and tally.done == tally.total:
            lines.append(f"next     retake bench report {shlex.quote(str(self.folder))}")
        return lines

    def facts(self, seconds: float, error: str = "") -> dict[str, Any]:
        """What --json prints."""
        tally = self.tally
        facts = {
            "bench_dir": str(self.folder),
            "dataset": self.asked.dataset.name,
            "rows": tally.total,
            "judged": tally.judged,
            "failed": tally.failed,
            "not_asked": tally.not_asked,
            "bad_rows": tally.bad_rows,
            "recalled": tally.recalled,
            "failures": dict(tally.failures),
            "seconds": round(seconds, 3),
            "critic": None if self.about is None else self.about.instrument.name,
        }
        return {**facts, "error": error} if error else facts
