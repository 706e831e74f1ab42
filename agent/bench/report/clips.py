"""The clips of a few rows as links with posters, where the dataset is at hand."""

import hashlib
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from agent.bench.folder import About
from agent.bench.readers import open_dataset
from agent.bench.types import Row
from agent.errors import ConfigError
from agent.report.delivery import relative
from agent.report.posters import poster

SUFFIXES: Final = frozenset({".mp4", ".m4v", ".webm", ".mov", ".mkv", ".gif", ".avi"})
"""Files that are linked to: a table may name any file of the machine, and only clips are shown."""
_SECONDS: Final = 4.0
"""That all posters together may take. The clips after that are links alone."""


@dataclass(frozen=True)
class Shown:
    """A clip as the page links to it."""

    url: str
    poster: str | None
    """A data URI."""


def clips(about: About | None, wanted: Collection[str], folder: Path) -> Mapping[str, tuple[Shown, ...]]:
    """The clips of the samples that are wanted: of a pair both. Empty where the dataset is gone, or is another by now.

    Raises:
        OSError: posters cannot be kept.
    """
    if about is None or not wanted:
        return {}
    rows: dict[str, Row] = {}
    try:
        dataset = open_dataset(Path(about.source), about.format, scale=about.scale)
        if about.format != "runs" and dataset.sha256 != about.sha256:  # a mark more makes no other clip of a run's
            return {}
        for row in dataset.rows():
            if isinstance(row, Row) and row.sample_id in wanted:
                rows.setdefault(row.sample_id, row)
    except ConfigError:
        return {}
    until = time.monotonic() + _SECONDS
    return {name: _shown(row, dataset.folder, folder, until) for name, row in rows.items()}


def _shown(row: Row, base: Path, folder: Path, until: float) -> tuple[Shown, ...]:
    found = (_one(name, base, folder, until) for name in (row.video, row.video_b) if name)
    return tuple(shown for shown in found if shown is not None)


def _one(name: str, base: Path, folder: Path, until: float) -> Shown | None:
    if name.startswith(("https://", "http://")):
        return _linked(name)
    path = (base / name).absolute()
    try:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            return None
    except (OSError, ValueError):  # a name that no file can have
        return None
    key = hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    still = poster(path, folder, key) if time.monotonic() < until else None
    return Shown(relative(path, folder), still)


def _linked(url: str) -> Shown | None:
    """A URL without what opens it: a page is passed on, and a password or a signed query is whose table it is."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return Shown(urlunsplit((parts.scheme, host, parts.path, "", "")), None)
    except ValueError:  # a host that none can have
        return None
