"""A video from a server that is not trusted onto the disk, going on where an earlier attempt was cut off."""

import asyncio
import fcntl
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

import httpcore

from agent.errors import IntakeError
from agent.files import write_atomically
from agent.intake.fetch import Answer, Request, follow
from agent.intake.formats import HEAD, recognise
from agent.intake.guard import Resolve, system_resolve
from agent.intake.rules import VIDEO, FetchRules
from agent.intake.source import too_large

SILENCE: Final = 30.0
"""Seconds without a byte after which a server is given up."""
_POLL: Final = 0.1
"""Seconds between two looks whether another process is done with the same file."""
_MAY_BE: Final = {"a video", "GIF", "not an image"}
"""What `recognise` says of files that may be videos."""
_RANGE: Final = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")
_LONGEST_TAG: Final = 200


async def download(
    url: str,
    into: Path,
    rules: FetchRules,
    *,
    check: Callable[[Path], str],
    resolve: Resolve = system_resolve,
    dial: httpcore.AsyncNetworkBackend | None = None,
) -> None:
    """Fetch a video to `into`, in pieces and never into memory. It comes into being whole, or not at all.

    What arrives is written beside it, as `<into>.part`, and stays there when the attempt is cut off: a further one asks
    for the rest, where the server says by an ETag or a date that the file is still the same. Several processes may
    fetch the same file: one does, the others wait for it.

    Args:
        url: http(s).
        into: in an existing folder.
        rules: the limits, as for images; each redirect is held to them.
        check: why the whole file is no video, in words that follow its name; "" if it is. What is none is thrown away.
        resolve: how a host becomes addresses.
        dial: what opens a connection to a checked address; the system's sockets if None.

    Raises:
        IntakeError: refused or failed, in a sentence without the URL's query and credentials.
        OSError: the disk failed.
    """
    part = _Part(into, rules)
    with await part.alone() as file:
        if into.exists():
            part.path.unlink(missing_ok=True)
            return
        try:
            for again in (True, False):
                request = Request(url, rules, VIDEO, part.asking(), {200, 206, 416}, SILENCE)
                name = await follow(request, partial(part.take, file=file, again=again), resolve=resolve, dial=dial)
                if name:
                    break
        finally:
            file.flush()
            part.tidy()
        os.fsync(file.fileno())
        if wrong := await asyncio.to_thread(check, part.path):
            part.give_up()
            raise IntakeError(f"video: {name} {wrong}", "format")
        part.path.replace(into)
        part.tag.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file so far."""

    into: Path
    rules: FetchRules

    @property
    def path(self) -> Path:
        return self.into.with_name(f"{self.into.name}.part")

    @property
    def tag(self) -> Path:
        """What the server calls this state of the file."""
        return self.into.with_name(f"{self.into.name}.tag")

    async def alone(self) -> IO[bytes]:
        """The file, open for appending, once no other process has it.

        Raises:
            IntakeError: another has it for longer than a fetch may take.
        """
        until = time.monotonic() + self.rules.timeout_seconds
        while time.monotonic() < until:
            file = self.path.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # while this one waited, the other may have moved or thrown away what it had opened
                if self.path.exists() and os.path.samestat(os.fstat(file.fileno()), self.path.stat()):
                    return file
            except BlockingIOError:
                await asyncio.sleep(_POLL)
            except BaseException:
                file.close()
                raise
            file.close()
        raise IntakeError(
            f"video: another process has been fetching it for {self.rules.timeout_seconds:g} s; wait for it"
        )

    def asking(self) -> dict[str, str]:
        """What a request says to get the rest alone; nothing where there is none, or it cannot be known the same."""
        have = self.path.stat().st_size
        tag = self.tag.read_text(encoding="ascii") if self.tag.is_file() else ""
        return {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}

    async def take(self, answer: Answer, file: IO[bytes], *, again: bool) -> str:
        """What errors call the file, which is whole now. "": what there was is of no use, and all must be asked for."""
        have = file.seek(0, os.SEEK_END)
        if answer.response.status != 200:
            begins = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            if answer.response.status == 416 or not have or begins is None or int(begins[1]) != have:
                self._start_anew(file)
                if not again:
                    raise IntakeError(
                        f"video: {answer.name} answered with another part than asked for; {VIDEO.by_hand}"
                    )
                return ""
        else:
            self._start_anew(file)
            have = 0
            write_atomically(self.tag, _tag(answer))
        await self._write(answer, file, have)
        return answer.name

    async def _write(self, answer: Answer, file: IO[bytes], have: int) -> None:
        """The body to the file's end, given up as soon as it is too long or can be no video."""
        head = b"" if have == 0 else None
        async for chunk in answer.response.aiter_stream():
            have += len(chunk)
            if have > self.rules.max_bytes:
                self.give_up()
                raise too_large(answer.name, self.rules.max_bytes, VIDEO)
            file.write(chunk)
            if head is not None:
                head += chunk
                if len(head) >= HEAD:
                    self._check_head(head[:HEAD], answer.name)
                    head = None
        if head is not None:
            self._check_head(head, answer.name)

    def _check_head(self, head: bytes, name: str) -> None:
        found = recognise(head) if head else "empty"
        if found not in _MAY_BE:
            self.give_up()
            raise IntakeError(f"video: {name} is {found}; give the link of the video file itself", "format")

    def _start_anew(self, file: IO[bytes]) -> None:
        file.truncate(0)
        self.tag.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Leave nothing where nothing has arrived."""
        if self.path.exists() and not self.path.stat().st_size:
            self.give_up()

    def give_up(self) -> None:
        """Throw away what is of no use."""
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _tag(answer: Answer) -> str:
    """What shows that a file is still the same (RFC 9110, 13.1.5): a strong ETag, else its date; "": nothing does."""
    etag = answer.headers.get("etag", "")
    told = etag if etag.startswith('"') else answer.headers.get("last-modified", "")
    return told if told.isascii() and told.isprintable() and len(told) <= _LONGEST_TAG else ""
