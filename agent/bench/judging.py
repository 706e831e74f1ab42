"""A labelled row becomes a scored one: its clips are found, judged once, and the critique read on the row's axis."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from agent.bench.types import Labelled, Row, RowAxis, Scored
from agent.bench.watching import Again, Watched, WatchedComparer
from agent.errors import CriticError, RetakeError, ServingError, StorageError, boundary
from agent.memory import Memory, RememberedComparer, RememberedCritic
from critic.hybrid import NOT_ASKED
from critic.types import Comparer, Critic, Critique, JudgeError
from reasoner.chat.types import ChatError, Refused, ServerFailed, TooLong

NOT_TAKEN: Final = {400, 413, 415, 422}
"""With which servers refuse this clip, and not everything."""
IN_A_ROW: Final = 5
"""Clips that a server fails at one after another before it is the server that is at fault, and not the clips."""


class Files(Protocol):
    """The files behind rows: `agent.bench.fetching.Clips`. What cannot be had is a RetakeError or an OSError."""

    async def video(self, place: str) -> Path:
        """The clip at a row's path or URL."""
        ...

    async def first_frame(self, place: str, clip: Path) -> Path:
        """The first frame at a row's path or URL, fitted to its clip."""
        ...


class Judged(NamedTuple):
    """A row's outcome."""

    scored: Scored
    recalled: bool
    """All that it took was remembered."""


class UnjudgedError(CriticError):
    """A row gets no score; the message says why. Never leaves this module."""


def second_time(sample_id: str, share: float) -> bool:
    """Whether a sample is among the `share` in [0, 1] that is judged twice: by its name's hash, so always the same."""
    drawn = int.from_bytes(hashlib.sha256(f"retest {sample_id}".encode()).digest()[:8], "big")
    return drawn < share * 2**64


def on_axis(critique: Critique, axis: RowAxis) -> float | None:
    """A critique's score on an axis, in [0, 1]: the weighted mean of its criteria. None: it has none on that axis.

    A clip that `hybrid` asked nothing about has one on every axis: what its answers count as.
    """
    if axis == "overall":
        return critique.overall
    scores = [s for s in critique.scores if s.axis == axis or s.criterion == NOT_ASKED]
    whole = sum(s.weight for s in scores)
    return round(sum(s.value * s.weight for s in scores) / whole, 6) if scores else None


@dataclass
class Judging:
    """Judges rows: each clip once for a critic, a prompt and a first frame, however many rows it stands in."""

    critic: Critic
    memory: Memory
    files: Files
    comparer: Comparer | None = None
    _failed: int = field(default=0, init=False)
    """Clips that the server failed at since it last answered."""

    async def row(self, row: Row, *, again: bool = False) -> Judged:
        """Judge a row. `again`: a second time, afresh, as well.

        Raises:
            ServingError: the server is gone, or fails at every clip.
            StorageError: the disk failed.
        """
        label = {name: getattr(row, name) for name in Labelled.model_fields}
        work = _Work()
        try:
            scored = await self._scored(row, label, work, again=again)
        except UnjudgedError as why:
            scored = Scored.model_validate({**label, "failure": _line(str(why))})
        return Judged(scored, recalled=not work.fresh)

    async def _scored(self, row: Row, label: dict[str, object], work: "_Work", *, again: bool) -> Scored:
        work.fresh = True  # unless all that follows is remembered
        clips = [await _had("the clip", self.files.video(v)) for v in (row.video, row.video_b) if v is not None]
        frame = None
        if row.first_frame is not None:
            frame = await _had("the first frame", self.files.first_frame(row.first_frame, clips[0]))
        work.fresh = False
        critiques = [await self._critique(self.critic, clip, row.prompt, frame, work) for clip in clips]
        scores = [on_axis(critique, row.axis) for critique in critiques]
        whole = {"overall": critiques[0].overall, "floors_hold": critiques[0].floors_hold}
        if None in scores:
            return Scored.model_validate({**label, **whole, "failure": f"no question on axis {row.axis}"})
        orders = None
        if self.comparer is not None and len(clips) == 2 and row.axis == "overall":  # the axis that it asks about
            orders = await self._orders(self.comparer, clips, row.prompt, frame, work)
        retest = await self._retest(row, clips[0], frame, work) if again else None
        return Scored.model_validate(
            {
                **label,
                "score": scores[0],
                "score_b": scores[1] if len(scores) == 2 else None,
                **whole,
                "orders": orders,
                "retest": retest,
                "words": len(critiques[0].feedback.split()),
                "seconds": round(work.seconds, 3),
            }
        )

    async def _critique(self, critic: Critic, clip: Path, prompt: str, frame: Path | None, work: "_Work") -> Critique:
        watched = Watched(critic)
        try:
            async with self._answered(watched):
                critique = await RememberedCritic(watched, self.memory).judge(clip, prompt, frame)
        finally:
            work.fresh = work.fresh or watched.asked
        work.seconds += critique.seconds if watched.asked else 0.0
        return critique

    async def _orders(
        self, comparer: Comparer, clips: list[Path], prompt: str, frame: Path | None, work: "_Work"
    ) -> tuple[float, float] | None:
        """P(the first clip is better) in both orders; None: they could not be compared, and the scores stand."""
        watched = WatchedComparer(comparer)
        try:
            async with self._answered(watched):
                found = await RememberedComparer(watched, self.memory).compare(clips[0], clips[1], prompt, frame)
        except UnjudgedError:
            return None
        finally:
            work.fresh = work.fresh or watched.asked
        work.seconds += found.seconds if watched.asked else 0.0
        return found.orders

    async def _retest(self, row: Row, clip: Path, frame: Path | None, work: "_Work") -> float | None:
        """The score of a second judgement; None: it failed, and the first one stands."""
        beside = _Work()
        try:
            return on_axis(await self._critique(Again(self.critic), clip, row.prompt, frame, beside), row.axis)
        except UnjudgedError:
            return None
        finally:
            work.fresh = work.fresh or beside.fresh

    @asynccontextmanager
    async def _answered(self, watched: "Watched | WatchedComparer") -> AsyncIterator[None]:
        """Tell what is this clip's trouble from what is everyone's."""
        try:
            with boundary(CriticError, "the critic failed"):
                try:
                    yield
                except JudgeError as error:
                    raise UnjudgedError(f"cannot be judged: {error}") from error
                except ChatError as error:
                    self._blame(error)
                    raise UnjudgedError(f"the server fails at it: {error}") from error
        except UnjudgedError:
            raise
        except CriticError as error:
            raise UnjudgedError(str(error)) from error
        if watched.asked:
            self._failed = 0

    def _blame(self, error: ChatError) -> None:
        """Raise where the server is at fault."""
        its_own = isinstance(error, TooLong | ServerFailed) or (
            isinstance(error, Refused) and error.status in NOT_TAKEN
        )
        if not its_own:
            raise ServingError(f"judging: {error}") from error
        self._failed += 1
        if self._failed >= IN_A_ROW:
            raise ServingError(
                f"judging: {error} So it was with {IN_A_ROW} clips one after another; those that are written down as "
                "failed are tried again by --retry-failed"
            ) from error


@dataclass
class _Work:
    """What judging a row took."""

    fresh: bool = False
    """Something was done that was not remembered."""
    seconds: float = 0.0


async def _had(what: str, finding: Awaitable[Path]) -> Path:
    try:
        with boundary(CriticError, f"{what} cannot be had"):
            return await finding
    except (StorageError, ServingError):
        raise
    except CriticError as error:
        raise UnjudgedError(str(error)) from error
    except RetakeError as error:
        raise UnjudgedError(f"{what} cannot be had: {error}") from error


def _line(text: str) -> str:
    """In one line of a bearable length."""
    return re.sub(r"\s+", " ", text)[:500]
