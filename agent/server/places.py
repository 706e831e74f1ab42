"""Where the server keeps what: run folders beside one another, and its own things in `.server`."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths below the folder of runs (`output.dir`)."""

    folder: Path

    @property
    def own(self) -> Path:
        """What is the server's own: jobs.sqlite, inputs, uploads, its keys."""
        return self.folder / ".server"

    @property
    def jobs(self) -> Path:
        """The jobs."""
        return self.own / "jobs.sqlite"

    @property
    def uploads(self) -> Path:
        """Files that clients sent ahead of their requests, each in a folder of its own."""
        return self.own / "uploads"

    def run(self, id: str) -> Path:  # noqa: A002 - the noun's own field
        """A job's run folder."""
        return self.folder / id

    def size(self, id: str) -> int:  # noqa: A002 - as above
        """Bytes of the files in a job's run folder; 0 where there is none."""
        total = 0
        for folder, _, names in os.walk(self.run(id)):
            for name in names:
                with suppress(OSError):  # gone just now
                    total += Path(folder, name).lstat().st_size
        return total

    def inputs(self, id: str) -> Path:  # noqa: A002 - as above
        """Media that came with a job's request."""
        return self.own / "inputs" / id
