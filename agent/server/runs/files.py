"""The files of a run's folder that its clients may have, and run.json without what is the operator's business."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from agent import report
from agent.files import file_hash, inside
from agent.journal import RUN
from agent.report.shared import without_config
from agent.sending import BYTES, MEDIA, REPORT_HEADERS, file_response
from agent.server.config import Served
from agent.server.media import FILE_HEADERS, SENT
from agent.server.scrub import Scrub
from agent.server.types import refused

_MOST: Final = 10_000
"""Files of a folder that are listed."""


class Veil:
    """Takes out of what a run has written down what is for the server's operator alone.

    Args:
        served: the config, whose addresses and folder nobody else is told.
    """

    def __init__(self, served: Served) -> None:
        self._scrub = Scrub(served.models.values(), [served.folder, Path.home()])

    def event(self, text: str) -> str | None:
        """One event's JSON. Of a server that is waited for, its log is left out. None: a kill cut the line off."""
        try:
            event = json.loads(text)
        except ValueError:
            return None
        if event.get("type") == "server_waiting":
            text = json.dumps({**event, "line": ""}, separators=(",", ":"))
        return self._scrub(text)

    def run(self, folder: Path) -> bytes | None:
        """run.json as clients may have it; None: there is none yet."""
        text = _read(folder / RUN)
        return None if text is None else self._scrub(text).encode()

    def report(self, folder: Path) -> bytes | None:
        """report.html likewise."""
        text = _read(folder / report.NAME)
        return None if text is None else self._scrub(without_config(text)).encode()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def listed(folder: Path, veil: Veil) -> list[dict[str, Any]]:
    """Path, bytes, sha256 and content_type of each file. Reads all of a file that it has not seen before.

    Args:
        folder: the run's; it may not be there.
        veil: what is left out of run.json and the report.
    """
    found = []
    for name, made, kind in (
        (RUN, veil.run(folder), "application/json"),
        (report.NAME, veil.report(folder), "text/html"),
    ):
        if made is not None:
            found.append(_entry(name, len(made), hashlib.sha256(made).hexdigest(), kind))
    for path in _plain(folder):
        name = path.relative_to(folder).as_posix()
        if name in {RUN, report.NAME} or SENT.fullmatch(name) is None or inside(path, folder) != path:
            continue
        try:
            told = path.stat()
            digest = _digest(str(path), told.st_mtime_ns, told.st_size)
        except OSError:  # replaced or gone just now
            continue
        found.append(_entry(name, told.st_size, digest, MEDIA.get(path.suffix.lower(), BYTES)))
    return sorted(found, key=lambda one: one["path"])


def _plain(folder: Path) -> list[Path]:
    """Files of the folder and of the folders in it, no deeper: a run has no more."""
    try:
        top = list(folder.iterdir())
        below = [path for place in top if place.is_dir() and not place.is_symlink() for path in place.iterdir()]
    except OSError:
        return []
    return [path for path in [*top, *below] if path.is_file()][:_MOST]


def _entry(name: str, size: int, digest: str, kind: str) -> dict[str, Any]:
    return {"path": name, "bytes": size, "sha256": digest, "content_type": kind}


@lru_cache(maxsize=4096)
def _digest(path: str, changed: int, size: int) -> str:
    """Of a file as it was then."""
    del changed, size
    return file_hash(Path(path))


def with_urls(files: list[dict[str, Any]], its: str) -> list[dict[str, Any]]:
    """The list with an address for each. `its`: of the run."""
    return [{**one, "url": f"{its}/files/{quote(one['path'])}"} for one in files]


async def sent(folder: Path, name: str, veil: Veil) -> Response:
    """A file of the folder, or the ranges of it that are asked for.

    Raises:
        Refused: there is none of that name that clients may have.
    """
    folder = folder.resolve()
    if name == RUN:
        return _made(await asyncio.to_thread(veil.run, folder), "application/json", FILE_HEADERS)
    if name == report.NAME:
        page = await asyncio.to_thread(veil.report, folder)
        return _made(page, "text/html", {**FILE_HEADERS, **REPORT_HEADERS})
    response = None
    if SENT.fullmatch(name) is not None and inside(folder / name, folder) == folder / name:
        response = file_response(folder / name, FILE_HEADERS)
    if response is None:
        raise _missing()
    return response


def _made(data: bytes | None, kind: str, headers: Mapping[str, str]) -> Response:
    if data is None:
        raise _missing()
    return Response(data, media_type=kind, headers=dict(headers))


def _missing() -> Exception:
    return refused(404, "not_found", "there is no such file of this run yet, or it is none that is given out")
