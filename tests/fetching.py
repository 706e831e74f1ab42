"""A server of clips on loopback that answers as a test wants it, and the `Clips` that ask it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.bench.fetching import Clips
from agent.intake import FetchRules
from generator.types import RenderSpec
from tests.clips import write_clip
from tests.hostile import Answer, HostileServer, Wire, reply, serve

PUBLIC = "93.184.216.34"
SPEC = RenderSpec(width=64, height=48, num_frames=9, fps=24)
RULES = FetchRules(timeout_seconds=5)


async def resolve(host: str, port: int) -> Sequence[str]:
    """A name server that knows pub.test alone. Numbers are their own answer."""
    if host == "pub.test":
        return [PUBLIC]
    if host.replace(".", "").isdigit():
        return [host]
    raise OSError("no such host")


@dataclass
class Fetching:
    """A server at pub.test: `answers` may be changed while it runs. `/ok` is a clip."""

    server: HostileServer
    answers: dict[str, Answer]
    data: bytes
    """The clip's."""
    clip: Path

    def clips(self, folder: Path, **options: int) -> Clips:
        """As another process would have them: they share the folder's cache alone."""
        return Clips(folder, folder / "cache", RULES, resolve=resolve, dial=Wire(self.server.port), **options)

    @property
    def ranges(self) -> list[str]:
        """The Range of each request; "" where it asked for all."""
        heads = (request.lower().split("\r\n") for request in self.server.requests)
        return [next((line[len("range: ") :] for line in head if line.startswith("range: ")), "") for head in heads]


@asynccontextmanager
async def fetching_from(folder: Path) -> AsyncIterator[Fetching]:
    """Serve a clip that is written to `folder`."""
    clip = write_clip(folder / "served" / "a.mp4", SPEC).path
    answers: dict[str, Answer] = {"/ok": reply(200, clip.read_bytes(), ETag='"1"')}
    async with serve(answers) as server:
        yield Fetching(server, answers, clip.read_bytes(), clip)


def kept(folder: Path) -> list[str]:
    """What lies in the cache of `folder`, but for the names' hashes."""
    return sorted(path.name[64:] or "whole" for path in (folder / "cache" / "clips").iterdir())
