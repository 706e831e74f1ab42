"""One `retake bench degrade`: from its arguments to the files that it leaves."""

import argparse
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from agent.api import versions
from agent.bench.degrade import figures, told
from agent.bench.degrade.bases import Base, Size, made
from agent.bench.degrade.catalogue import DEGRADATIONS, VERSION, Degradation, chosen
from agent.bench.degrade.own import Own, own
from agent.bench.degrade.page import write_page
from agent.bench.degrade.suite import Maker, judge
from agent.bench.degrade.types import Judged, Suite
from agent.bench.extra import need
from agent.building import build_judges
from agent.config import RunConfig
from agent.errors import ConfigError, boundary
from agent.events import Event, StepRecalled
from agent.files import file_hash, write_atomically
from agent.journal import only_writer
from agent.lines import span
from agent.memory import Memory, RememberedCritic
from agent.reading import expand, load_config
from critic.instrument import Instrument
from generator.sizes import parse

ABOUT: Final = "suite.yaml"
"""How the suite's clips are made: held against it when it is gone on with."""
RESULT, WORDS, PAGE, SCORES = "degrade.json", "degrade.md", "degrade.html", "scored.csv"
FETCHED: Final = "fetched"
"""In the suite's folder: clips of the user's list that were not on this machine."""
BASES: Final = 12
BOOTSTRAP: Final = 1000
EVERY: Final = 10.0
"""Seconds between two lines on how far it is."""
MOST_PIXELS: Final = 1280 * 720
MOST_FRAMES: Final = 397


@dataclass
class Session:
    """What was asked for."""

    folder: Path
    config: RunConfig
    bases: tuple[Base, ...]
    degradations: tuple[Degradation, ...]
    severities: tuple[int, ...]
    settings: dict[str, str]
    seed: int
    command: str
    say: Callable[[str], None]
    """Told every ten seconds how far it is."""
    recalled: int = 0
    _said: float = field(default=-1e9, init=False)
    _begun: float = field(default_factory=time.monotonic, init=False)

    @classmethod
    def of(cls, args: argparse.Namespace, command: str, say: Callable[[str], None]) -> "Session":
        """Check the arguments.

        Raises:
            ConfigError: one is wrong.
        """
        need("scipy", "sklearn")
        degradations = chosen(args.only)
        size = _size(args.size)
        if args.frames is not None and not 5 <= args.frames <= MOST_FRAMES:
            raise ConfigError(f"--frames {args.frames}: must lie between 5 and {MOST_FRAMES}")
        folder = expand(args.out, "--out").resolve()
        settings = {"suite": str(VERSION), "seed": str(args.seed)}
        bases: tuple[Base, ...]
        if args.clips is None:
            width, height = size or (320, 192)
            whole = Size(width, height, args.frames or 33)
            bases = tuple(made(args.bases or BASES, whole, args.seed))
            settings |= {"size": f"{width}x{height}", "frames": str(whole.frames), "fps": str(whole.fps)}
        else:
            source = expand(args.clips, "--clips")
            bases = found = own(source, folder / FETCHED, count=args.bases, size=size, most=args.frames)
            settings |= {
                "clips": source.name,
                "size": args.size or "their own",
                "frames": f"at most {args.frames or 97}",
                "sha256": _digest(found),
            }
        return cls(
            folder=folder,
            config=load_config(args.config, args.overrides),
            bases=bases,
            degradations=degradations,
            severities=args.severities,
            settings=settings,
            seed=args.seed,
            command=command,
            say=say,
        )

    async def run(self) -> Suite:
        """Make, judge, compute, and write everything into the folder.

        Raises:
            ConfigError: the folder holds another suite, or a clip cannot be read.
            ServingError: the critic's server cannot be reached or started.
            StorageError: the disk failed.
        """
        with boundary(ConfigError, f"--out {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
        with only_writer(self.folder, "suite"), boundary(ConfigError, f"degrading into {self.folder}"):
            self._hold_against()
            begun = time.monotonic()
            memory = Memory(self.folder, self._hear, shared=True)
            async with build_judges(self.config, memory, self._hear, self.folder) as judges:
                wanted = [(each.name, severity) for each in self.degradations for severity in self.severities]
                judged = await judge(
                    Maker(self.folder, self.bases, DEGRADATIONS),
                    wanted,
                    RememberedCritic(judges.critic, memory),
                    at_once=self.config.critic.concurrency + 1,
                    tell=self._tell,
                )
                instrument = Instrument.of(judges.critic)
            suite = self._suite(judged, instrument, time.monotonic() - begun)
            write_atomically(self.folder / RESULT, suite.model_dump_json(indent=1))
            write_atomically(self.folder / WORDS, told.page(suite))
            write_atomically(self.folder / SCORES, told.scores(suite))
            write_page(suite, self.folder, self.folder / PAGE)
        return suite

    def facts(self, suite: Suite) -> dict[str, Any]:
        """What --json prints: everything but the single clips, which are in the folder's file."""
        found: dict[str, Any] = suite.model_dump(mode="json", exclude={"judged"})
        return {"folder": str(self.folder), **found, "blind": [row.degradation for row in suite.blind]}

    def paths(self) -> list[str]:
        """The last lines: where everything lies."""
        return [
            f"page     {self.folder / PAGE}",
            f"figures  {self.folder / RESULT}, {WORDS}",
            f"scores   {self.folder / SCORES}  (retake bench report --scores)",
        ]

    def _suite(self, judged: tuple[Judged, ...], instrument: Instrument, seconds: float) -> Suite:
        bases = {each.case.base: each for each in judged if not each.case.degradation}
        rows = []
        for each in self.degradations:
            of = [one for one in judged if one.case.degradation == each.name]
            rows.append(figures.row(each, bases, of, bootstrap=BOOTSTRAP, seed=self.seed))
        rows.sort(key=lambda row: (2.0 if row.all.auc is None else row.all.auc, row.all.pooled or 0.0))
        return Suite(
            instrument=instrument,
            command=self.command,
            versions={name: text for name, text in versions().items() if name != "machine"},
            settings=self.settings,
            bases={base.name: base.prompt for base in self.bases},
            base_scores={name: each.score for name, each in bases.items() if each.score is not None},
            rows=tuple(rows),
            judged=judged,
            seconds=seconds,
            recalled=self.recalled,
        )

    def _hold_against(self) -> None:
        about = self.folder / ABOUT
        try:
            known = yaml.safe_load(about.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = None
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"{about}: cannot be read ({error}); choose another --out") from error
        if known is None:
            if any(name.name not in {".lock", FETCHED} for name in self.folder.iterdir()):
                raise ConfigError(f"{self.folder}: is there already and holds no suite; choose another --out")
            write_atomically(about, yaml.safe_dump(self.settings, sort_keys=False))
        elif known != self.settings:
            before = known if isinstance(known, dict) else {}
            names = [name for name in {**self.settings, **before} if before.get(name) != self.settings.get(name)]
            told_ = "; ".join(f"{n}: {before.get(n, 'none')} there, {self.settings.get(n, 'none')} here" for n in names)
            raise ConfigError(f"{self.folder}: holds another suite ({told_}); choose another --out")

    def _hear(self, event: Event) -> None:
        self.recalled += isinstance(event, StepRecalled) and event.step == "judge"

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said >= EVERY or done == total:
            self._said = now
            self.say(f"{done:,} of {total:,} clips, {span(now - self._begun)}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        width, height = parse(text)
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error
    if width < 48 or height < 48 or width * height > MOST_PIXELS or width % 2 or height % 2:
        raise ConfigError(f"--size {text}: must be even, 48 or more a side and {MOST_PIXELS:,} pixels at most")
    return width, height


def _digest(bases: tuple[Own, ...]) -> str:
    """Of the user's clips, their prompts and images: what is kept of other ones is not theirs."""
    found = hashlib.sha256()
    for base in bases:
        image = "" if base.image is None else file_hash(base.image)
        found.update(f"{base.name}\0{base.prompt}\0{file_hash(base.video)}\0{image}\n".encode())
    return found.hexdigest()[:16]
