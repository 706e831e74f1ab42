"""The runs that are marked: found again at each look, so that new runs and new candidates appear on reload."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from agent import journal
from agent.errors import ConfigError
from agent.files import file_hash
from agent.reading import expand
from agent.run import Run
from agent.types import Candidate, Entrant

Stamp = tuple[int, int]
"""A file's time of change in ns, and its bytes."""


@dataclass
class Shelf:
    """Runs by number. A number is given once, and means the same folder as long as the shelf lives.

    Args:
        roots: run folders, and folders of such.
    """

    roots: Sequence[Path]
    _folders: list[Path] = field(default_factory=list, init=False)
    _runs: dict[Path, tuple[Stamp, Run]] = field(default_factory=dict, init=False)
    _hashes: dict[Path, tuple[Stamp, str]] = field(default_factory=dict, init=False)

    def look(self) -> tuple[Path, ...]:
        """The folders by number, new ones last."""
        for folder in (run for root in self.roots for run in runs_in(root)):
            if folder not in self._folders:
                self._folders.append(folder)
        return tuple(self._folders)

    def folder(self, number: int) -> Path | None:
        """The folder of that number; None if there is none."""
        return self._folders[number] if 0 <= number < len(self._folders) else None

    def run(self, folder: Path) -> Run:
        """The run in a folder as it is now.

        Raises:
            RunFolderError: it is gone or damaged.
        """
        stamp = _stamp(folder / journal.RUN)
        known = self._runs.get(folder)
        if stamp is None or known is None or known[0] != stamp:
            known = (stamp or (0, 0), journal.load(folder))
            self._runs[folder] = known
        return known[1]

    def hash(self, path: Path) -> str | None:
        """SHA-256 of a file's bytes, read again only when it has changed; None if it cannot be read."""
        stamp = _stamp(path)
        known = self._hashes.get(path)
        if stamp is None:
            return None
        if known is None or known[0] != stamp:
            try:
                known = (stamp, file_hash(path))
            except OSError:
                return None
            self._hashes[path] = known
        return known[1]


def given(folders: Iterable[str]) -> list[Path]:
    """The folders of the command line, each once.

    Raises:
        ConfigError: one is neither a run nor a folder of runs.
        RunFolderError: one is a damaged run.
    """
    roots: list[Path] = []
    for name in folders:
        root = expand(name, "RUN_DIR").resolve()
        if not runs_in(root):
            why = "holds no run" if root.is_dir() else "is a file" if root.exists() else "is not there"
            raise ConfigError(f"{name}: {why}; name a run's folder, or a folder of such (output.dir, runs/ by default)")
        if (root / journal.RUN).exists():
            journal.load(root)
        if root not in roots:
            roots.append(root)
    return roots


def runs_in(root: Path) -> list[Path]:
    """The run folders that a folder is or holds; none where it cannot be read."""
    try:
        return journal.runs_in(root)
    except OSError:
        return []


def ordered(run: Run, *, blind: bool) -> list[tuple[Entrant, Candidate]]:
    """The candidates as they are shown. Blind: in an order by chance that is the same at each look."""
    found = list(run.entrants.items())
    return sorted(found, key=lambda item: dice(run, item[0])) if blind else found


def dice(run: Run, *entrants: Entrant) -> bytes:
    """Chance that is the same for the same run and candidates."""
    text = "/".join([run.id, *(f"{e.iteration}.{e.seed}" for e in entrants)])
    return hashlib.sha256(text.encode()).digest()


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size) if S_ISREG(found.st_mode) else None
