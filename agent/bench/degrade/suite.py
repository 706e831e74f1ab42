"""Makes and judges the suite's clips: each once, also when it is interrupted and started again."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from pydantic import ValidationError

from agent.bench.degrade.bases import Base, Made, Size
from agent.bench.degrade.catalogue import Degradation, Material
from agent.bench.degrade.types import Case, Judged
from agent.bench.degrade.video import encode
from agent.errors import ServingError
from critic.together import together
from critic.types import Critic, JudgeError
from reasoner.chat.types import ChatError

log = logging.getLogger("agent.bench.degrade")

CASES: Final = "cases.jsonl"
"""In the suite's folder: a `Case` a line, once its files are there whole; without a clip where it cannot be done."""
Wanted = tuple[str, int]
"""A degradation's name and severity; "" and 0 for the base itself."""


@dataclass
class Maker:
    """Makes the suite's files. Whatever was made before is taken as it is."""

    folder: Path
    bases: Sequence[Base]
    degradations: dict[str, Degradation]
    _cases: dict[tuple[str, str, int], Case | None] = field(default_factory=dict, init=False)
    """What was made, by base, degradation and severity; None: it cannot be done to that base."""
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _alone: dict[Path, threading.Lock] = field(default_factory=dict, init=False)
    made: int = 0
    """Clips and images that this session made."""

    def __post_init__(self) -> None:
        self._material = lru_cache(2)(lambda number: self.bases[number].material())
        for litter in self.folder.glob("clips/*/.*.part.*"):  # a killed session's
            litter.unlink()
        try:
            lines = (self.folder / CASES).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                case = Case.model_validate_json(line)
            except ValidationError:  # a killed session's last line
                continue
            key = case.base, case.degradation, case.severity
            if not case.clip:
                self._cases[key] = None
            elif self._whole(case):
                self._cases[key] = case

    def case(self, number: int, wanted: Wanted) -> Case | None:
        """A case of a base, its files made if they are not there. None: it cannot be done to this base. Blocks."""
        name, severity = wanted
        key = self.bases[number].name, name, severity
        if key not in self._cases:
            self._cases[key] = self._make(number, name, severity)
        return self._cases[key]

    def _whole(self, case: Case) -> bool:
        return all((self.folder / name).is_file() for name in (case.clip, case.first_frame) if name is not None)

    def _make(self, number: int, name: str, severity: int) -> Case | None:
        base = self.bases[number].name
        with self._turn:  # one of several threads reads or renders a base, and the others find it read
            material = self._material(number)
            other = self._other(number, material) if name else material
        changed = self.degradations[name].change(material, other, severity) if name else material
        if changed is None:
            self._note(Case(base=base, degradation=name, severity=severity, prompt="", clip=""))
            return None
        clip = f"clips/{base}/base.mp4"
        if name and changed.video is not material.video:
            clip = f"clips/{base}/{name}-{severity}.mp4"
        image = None
        if changed.first_frame is not None:
            own = not name or changed.first_frame is material.first_frame
            image = f"clips/{base}/base.png" if own else f"clips/{base}/{name}-{severity}.png"
        self._write(self.folder / clip, lambda to: encode(changed.video, to, fps=changed.fps, threads="1"))
        if image is not None and changed.first_frame is not None:
            self._write(self.folder / image, Image.fromarray(changed.first_frame).save)
        case = Case(base=base, degradation=name, severity=severity, prompt=changed.prompt, clip=clip, first_frame=image)
        self._note(case)
        return case

    def _other(self, number: int, material: Material) -> Material:
        """The next base with other pictures: a clip that is cut into itself is no other clip."""
        for step in range(1, len(self.bases)):
            other = self._material((number + step) % len(self.bases))
            if not np.array_equal(other.video, material.video):
                return other
        return self._spare

    @cached_property
    def _spare(self) -> Material:
        return Made(1, Size(), 0).material()

    def _note(self, case: Case) -> None:
        with self._turn, (self.folder / CASES).open("a", encoding="utf-8") as file:
            file.write(case.model_dump_json() + "\n")

    def _write(self, to: Path, write: Callable[[Path], object]) -> None:
        """Write a file whole or not at all, unless it is there."""
        to.parent.mkdir(parents=True, exist_ok=True)
        aside = to.with_name(f".{to.stem}.part{to.suffix}")
        with self._alone.setdefault(to, threading.Lock()):  # the base's files are wanted by several cases at once
            if to.exists():
                return
            try:
                write(aside)
                aside.replace(to)
            finally:
                aside.unlink(missing_ok=True)
            self.made += 1


async def judge(
    maker: Maker,
    wanted: Sequence[Wanted],
    critic: Critic,
    *,
    at_once: int,
    tell: Callable[[int, int], None],
) -> tuple[Judged, ...]:
    """Have a critic judge every base clip as it is, and as each of `wanted`.

    Args:
        maker: makes the clips.
        wanted: degradations with their severities.
        critic: judges them; remembers what it judged, if it is to be asked once.
        at_once: cases that are made or judged at the same time. Each holds its frames in memory.
        tell: hears how many of how many cases are done.

    Raises:
        ConfigError: a base clip cannot be read.
        ServingError: a model that the critic asks gives no answers.
        OSError: the disk failed.
    """
    slots = asyncio.Semaphore(at_once)
    total, done = len(maker.bases) * (len(wanted) + 1), 0

    async def one(number: int, what: Wanted) -> Judged | None:
        nonlocal done
        async with slots:
            case = await asyncio.to_thread(maker.case, number, what)
            found = None if case is None else await _judged(case, maker.folder, critic)
        done += 1
        tell(done, total)
        return found

    found: list[Judged | None] = []
    for number in range(len(maker.bases)):  # base by base, so that few are held in memory
        found += await together([one(number, what) for what in (("", 0), *wanted)])
    return tuple(each for each in found if each is not None)


async def _judged(case: Case, folder: Path, critic: Critic) -> Judged:
    image = None if case.first_frame is None else folder / case.first_frame
    try:
        critique = await critic.judge(folder / case.clip, case.prompt, image)
    except JudgeError as error:
        return Judged(case=case, failure=str(error))
    except ChatError as error:
        raise ServingError(f"judging {case.clip}: {error}; start the same command again to go on") from error
    criteria = {score.criterion: score.value for score in critique.scores}
    return Judged(case=case, score=critique.overall, criteria=criteria)
