"""What is known of an upload."""

import asyncio
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agent.files import write_atomically
from agent.server.storage.writing import Landing

ABOUT, DATA, PARTS = "about.json", "data", "parts"


class Named(BaseModel):
    """What a client says of a file before it sends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "upload.bin"
    """Plain: it is part of its address."""
    content_type: str = "application/octet-stream"
    keep_seconds: float | None = None
    """From now on, and never longer than the server keeps uploads. None: as long as it does, from the last use on."""
    hidden: bool = False
    """Its address shows it to nobody else (fal's initial_acl)."""


class About(Named):
    """What is kept beside a file."""

    owner: str
    created_at: float
    """Seconds since 1970."""
    bytes: int | None = None
    """None: it is not whole yet."""
    sha256: str = ""


class Upload:
    """One file that a client sent, or is sending."""

    def __init__(self, id: str, folder: Path, about: About) -> None:  # noqa: A002 - its name in addresses
        self.id = id
        self.folder = folder
        self.about = about
        self.parts: dict[int, Landing] = {}
        self.used_at = about.created_at
        self.changing = asyncio.Lock()

    @property
    def path(self) -> Path | None:
        """The file; None: it is not whole yet."""
        return None if self.about.bytes is None else self.folder / DATA

    @property
    def size(self) -> int:
        """Bytes of it that are here."""
        return (self.about.bytes or 0) + sum(part.bytes for part in self.parts.values())

    def write_about(self, **changes: object) -> None:
        """Keep what is known of it, changed."""
        self.about = self.about.model_copy(update=changes)
        write_atomically(self.folder / ABOUT, self.about.model_dump_json())
