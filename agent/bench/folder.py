"""A benchmark's folder: which file of it holds what."""

from datetime import datetime
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

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


class About(BaseModel):
    """What a benchmark is of: the dataset and the critic. Written when it begins, and held against it when resumed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    """Name, for people."""
    source: str
    """File or folder that it was read from."""
    format: str
    sha256: str
    """Of the labels' bytes."""
    instrument: Instrument
    made: datetime
    limit: int | None = None
    """Rows that were asked for. None: all."""
    bad_rows: int = 0
    done: bool = False
    """Whether every row has its line in `scored.jsonl`."""


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
    try:
        return About.model_validate(yaml.safe_load((folder / ABOUT).read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{folder}: is no benchmark's folder ({error}); `retake bench run` makes one") from error
