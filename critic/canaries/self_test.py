"""Judges doctored versions of a clip beside the clip itself."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from critic.canaries import doctor, swaps
from critic.canaries.types import Canary, CanaryKind, SelfTest
from critic.together import together
from critic.types import Critic, Critique, JudgeError

log = logging.getLogger("critic.canaries")


class Stopped(Exception):  # noqa: N818 - not an error: the caller has gone
    """The thread that makes versions was told to stop."""


async def self_test(
    critic: Critic, clip: Path, prompt: str, first_frame: Path | None, folder: Path, *, keep: bool = False
) -> SelfTest:
    """Have a critic judge a clip and, side by side as far as it takes them, doctored versions of it.

    The clip is encoded once more as the versions are, and that control is what they are held against: a critic that
    only sees encoding tells nothing apart. All are judged against `prompt` and `first_frame`, but for the one that has
    another prompt and, where there is a first frame, the one that has another of these. A critic that writes its
    questions for each request writes them for the other prompt, too.

    The versions lie in `folder` as `.*.part` and are removed when done, unless `keep` gives them their names. They have
    the same bytes each time, so a critic that remembers critiques by a clip's bytes judges none twice.

    Raises:
        JudgeError: the clip or the first frame does not decode, or the control cannot be judged.
        OSError: the disk or folder failed.
        ChatError: a model that the critic asks gives no answers.
    """
    began = time.monotonic()
    log.info("self-test start %s", clip)
    folder.mkdir(parents=True, exist_ok=True)
    versions = _Versions(clip, folder)
    other = swaps.other_prompt(prompt)

    async def tried(version: doctor.Version, asked: str, image: Path | None) -> Critique | str:
        try:
            return await critic.judge(await versions.clip(version), asked, image)
        except JudgeError as error:
            return str(error)

    try:
        # the control by itself: where it cannot be judged, nothing else is asked
        control = await critic.judge(await versions.clip("control"), prompt, first_frame)
        swapped = None if first_frame is None else await versions.picture(first_frame)
        tries: dict[CanaryKind, Coroutine[Any, Any, Critique | str]] = {
            "frozen": tried("frozen", prompt, first_frame),
            "reversed": tried("reversed", prompt, first_frame),
            "shuffled": tried("shuffled", prompt, first_frame),
            "prompt_swapped": tried("control", other, first_frame),
        }
        if swapped is not None:
            tries["first_frame_swapped"] = tried("control", prompt, swapped)
        found = dict(zip(tries, await together(list(tries.values())), strict=True))
    finally:
        await versions.end(keep=keep)
    judged = {kind: critique for kind, critique in found.items() if isinstance(critique, Critique)}
    return SelfTest.of(
        [Canary.of(kind, critique.overall, control.overall) for kind, critique in judged.items()],
        critic=critic.id,
        control=control.overall,
        seconds=time.monotonic() - began,
        unjudged={kind: why for kind, why in found.items() if isinstance(why, str)},
        usage=sum((critique.usage for critique in judged.values()), control.usage),
        notes=[f"The other prompt was: {other}"],
    )


class _Versions:
    """The files of one test, each made when it is first asked for, one at a time."""

    def __init__(self, clip: Path, folder: Path) -> None:
        self._clip, self._folder = clip, folder
        self._begun: list[Path] = []
        self._made: dict[str, Path] = {}
        self._making = asyncio.Lock()
        self._writing: asyncio.Future[None] | None = None
        self._stop = threading.Event()

    async def clip(self, version: doctor.Version) -> Path:
        """The file of a version."""
        async with self._making:
            if version not in self._made:
                to = self._place(f"{version}.mp4")
                await self._written(doctor.write, self._clip, version, to, check=self._check)
                self._made[version] = to
            return self._made[version]

    async def picture(self, first_frame: Path) -> Path:
        """The file of another first frame."""
        to = self._place("first_frame.png")
        await self._written(swaps.other_picture, first_frame, to)
        return to

    async def end(self, *, keep: bool) -> None:
        """Stop what is being made; remove what was, and the folder if nothing else is in it."""
        self._stop.set()
        if self._writing is not None:  # the thread holds its file until the next frame
            await asyncio.gather(self._writing, return_exceptions=True)
        for path in self._begun:
            if keep and path.exists():
                path.replace(path.with_name(path.name.removeprefix(".").removesuffix(".part")))
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.rmdir()

    async def _written(self, write: Callable[..., None], *args: object, **kwargs: object) -> None:
        """Write in a thread. Whoever is cancelled leaves it to `end` to wait for it."""
        self._writing = asyncio.ensure_future(asyncio.to_thread(write, *args, **kwargs))
        await asyncio.shield(self._writing)

    def _place(self, name: str) -> Path:
        to = self._folder / f".{name}.part"
        self._begun.append(to)
        return to

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped
