"""A benchmark's folder: which file of it holds what."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.bench.types import RowAxis, Scored
from agent.errors import ConfigError
from agent.files import write_atomically
from critic.instrument import Instrument

ABOUT: Final = "bench.yaml"
"""What was judged by whom."""
SCORED: Final = "scored.jsonl"
"""One `Scored` a line, appended as they come."""
FIGURES: Final = "figures.json"
REPORT: Final = "report.html"
PLOTS: Final = "plots"
THRESHOLD: Final = "threshold.yaml"
WITHHELD: Final = "withheld.txt"
"""Why it has no threshold."""
REPLAY: Final = "replay.json"
MEMORY: Final = "memory"
"""Judgements, remembered by `agent.memory`."""


class About(BaseModel):
    """What a benchmark is of: the dataset and the critic. Written when it begins, and held against it when resumed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    """Name, for people."""
    source: str
    """File or folder that it was read from, whole: the report finds the clips again from anywhere."""
    format: str
    sha256: str
    """Of the labels' bytes."""
    instrument: Instrument
    made: datetime
    limit: int | None = None
    """Rows that were asked for. None: all."""
    scale: tuple[float, float] | None = None
    """Worst and best label, as given for a file that does not say it."""
    axis: RowAxis | None = None
    """Rows of this axis alone were asked for. None: of all."""
    retest: float = Field(default=0.0, ge=0, le=1)
    """Share of the samples that were to be judged a second time."""
    bad_rows: int = 0
    done: bool = False
    """Whether every row has its line in `scored.jsonl`."""

    def differences(self, now: "About") -> tuple[str, ...]:
        """What is not as it was when the benchmark began, in words; its rows could not stand beside new ones."""
        same = {
            "the labels' SHA-256": (self.sha256, now.sha256),
            "the format": (self.format, now.format),
            "--scale": (_told(self.scale), _told(now.scale)),
            "--axis": (self.axis or "all", now.axis or "all"),
            "--retest": (f"{self.retest:g}", f"{now.retest:g}"),
        }
        return (
            *(f"{name}: {there} there, {here} here" for name, (there, here) in same.items() if there != here),
            *self.instrument.differences(now.instrument),
        )


def _told(scale: tuple[float, float] | None) -> str:
    return "none" if scale is None else f"{scale[0]:g}-{scale[1]:g}"


def write(folder: Path, about: About) -> None:
    """Write what the benchmark is of.

    Raises:
        OSError: the disk failed.
    """
    text = yaml.safe_dump(about.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    write_atomically(folder / ABOUT, text)


def read(folder: Path) -> About:
    """What a benchmark is of.

    Raises:
        ConfigError: the folder holds none.
    """
    path = folder / ABOUT
    if not path.is_file():
        what = f"it has no {ABOUT}" if folder.is_dir() else "it does not exist"
        if folder.is_file():
            what = "it is a file (a table of scores is given by --scores)"
        raise ConfigError(f"{folder}: is no benchmark's folder, {what}; `retake bench run` makes one")
    try:
        return About.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = "it is no YAML in UTF-8"
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise ConfigError(f"{path}: is damaged ({what}); put it back, or choose another folder") from error


def scored(path: Path) -> Iterator[Scored]:
    """The lines of a `scored.jsonl`, one after another. A last one that a kill cut off is left out.

    Raises:
        ConfigError: another line is damaged.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Scored.model_validate_json(line)
            except ValueError as error:
                raise ConfigError(f"{path}: line {number} is damaged; take it out, or choose another --out") from error
