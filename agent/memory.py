"""Finished steps are remembered on disk, so that none is done again that a killed session had not yet told the journal.

Each wrapper implements the Protocol of what it wraps. A step's key is the hash of everything that decides its outcome.
Final failures are remembered too, or a resumed run would take another path than the undisturbed one.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel, ValidationError

from agent.errors import StorageError, boundary
from agent.events import Emit, StepRecalled
from agent.files import file_hash, write_atomically
from agent.types import Step
from critic.instrument import Instrument
from critic.types import Comparer, Comparison, Critic, Critique, JudgeError, RubricWriter, WrittenRubric
from generator import job_slip
from generator.delivery import delivered, slip_path
from generator.types import BlockedError, Clip, Generator, RenderError, Rendering, RenderSpec
from reasoner.chat.types import Usage
from reasoner.types import Caption, CaptionError, CaptionRequest, Reasoner, Revision

FINAL: dict[str, type[Exception]] = {e.__name__: e for e in (CaptionError, RenderError, BlockedError, JudgeError)}
"""Failures that the parts declare: trying again would fail again. Anything else is not remembered."""

UNREMEMBERED = ".unremembered-"
"""Begins the name of a clip's file before it is remembered."""

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Memory:
    """The remembered steps of one run folder."""

    folder: Path
    """The run folder. Records lie in its `memory/`."""
    emit: Emit
    shared: bool = False
    """Serves several critics, each of which is to ask its own questions: rubrics are remembered by their writer too."""
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary, init=False)
    """By key, while it is wanted: of two that want the same step at once, one does it and the other recalls it."""

    def key(self, step: Step, inputs: dict[str, Any]) -> str:
        """The hash that a step with these inputs is remembered under."""
        text = json.dumps({"step": step, **inputs}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def recall(self, step: Step, key: str, kind: type[T]) -> T | None:
        """What is remembered under `key`; None if nothing usable is.

        Raises:
            CaptionError, RenderError, JudgeError: the step is remembered to have failed, for good.
        """
        record = self._read(step, key)
        if record is None:
            return None
        failure = record.get("failure")
        if isinstance(failure, dict) and failure.get("type") in FINAL:
            self.emit(StepRecalled(step=step, key=key))
            raise _failed(failure)
        try:
            value = kind.model_validate(record["value"], context={"folder": self.folder})
            if isinstance(value, Clip) and not self._adopt(value.path, record["sha256"]):
                return None
        except (KeyError, ValidationError):
            return None
        self.emit(StepRecalled(step=step, key=key))
        return value

    async def remember(self, step: Step, inputs: dict[str, Any], kind: type[T], do: Callable[[], Awaitable[T]]) -> T:
        """Recall the step with these inputs, or do it and write down what came of it."""
        key = self.key(step, inputs)
        async with self._turns.setdefault(key, asyncio.Lock()):
            return await self._remember(step, key, inputs, kind, do)

    async def _remember(
        self, step: Step, key: str, inputs: dict[str, Any], kind: type[T], do: Callable[[], Awaitable[T]]
    ) -> T:
        known = self.recall(step, key, kind)
        if known is not None:
            return known
        begun = time.perf_counter()
        try:
            value = await do()
        except tuple(FINAL.values()) as error:
            failure: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
            if isinstance(error, RenderError) and error.rendering is not None:
                failure["rendering"] = error.rendering.model_dump(mode="json")
            spent = round(time.perf_counter() - begun, 3)
            self._write(step, key, {"inputs": inputs, "failure": failure, "seconds": spent})
            raise
        record: dict[str, Any] = {
            "inputs": inputs,
            "value": value.model_dump(mode="json", context={"folder": self.folder}),
        }
        if isinstance(value, Clip):
            record["sha256"] = file_hash(aside(value.path))
        self._write(step, key, record)
        if isinstance(value, Clip):
            # only now: a clip under its own name is always a remembered one, so none is ever rendered twice
            _rename(value.path)
        return value

    def intact(self, clip: Clip) -> bool:
        """Whether a clip's file is there: with the bytes that are remembered of it, or at least with its frames."""
        if not clip.path.exists():
            return False
        name = clip.path.relative_to(self.folder).as_posix()
        for path in (self.folder / "memory").glob("render-*.json"):
            record = self._load(path) or {}
            value = record.get("value")
            if isinstance(value, dict) and value.get("path") == name:
                return bool(record.get("sha256") == file_hash(clip.path))
        from generator.probe import probe  # noqa: PLC0415 - loads PyAV, and only a run without its memory needs it

        try:
            return probe(clip.path) == clip.effective
        except RenderError:
            return False

    def clean(self) -> None:
        """Remove what killed sessions left half-written. The run's lock must be held."""
        for pattern in (".*.tmp", ".*.part"):
            for litter in self.folder.rglob(pattern):
                litter.unlink(missing_ok=True)
        for slip in self.folder.rglob(slip_path(Path(f"{UNREMEMBERED}*")).name):
            if not slip.with_suffix("").exists():
                slip.unlink(missing_ok=True)

    def forget_failures(self) -> int:
        """Drop the remembered failures, so that a resumed run tries them again. Returns how many there were."""
        count = 0
        for path in (self.folder / "memory").glob("*.json"):
            step, _, key = path.stem.partition("-")
            if "failure" in (self._read(step, key) or {}):
                path.unlink()
                count += 1
        return count

    def _read(self, step: str, key: str) -> dict[str, Any] | None:
        return self._load(self._path(step, key))

    def _load(self, path: Path) -> dict[str, Any] | None:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None

    def _path(self, step: str, key: str) -> Path:
        return self.folder / "memory" / f"{step}-{key}.json"

    def _write(self, step: Step, key: str, record: dict[str, Any]) -> None:
        path = self._path(step, key)
        path.parent.mkdir(exist_ok=True)
        with boundary(StorageError, f"keeping {path}"):
            write_atomically(path, json.dumps({"step": step, "key": key, **record}, indent=1))

    def _adopt(self, clip: Path, sha256: str) -> bool:
        """Whether the remembered clip is there unchanged, finishing a rename that a kill cut off."""
        if clip.exists():
            return file_hash(clip) == sha256
        if aside(clip).exists() and file_hash(aside(clip)) == sha256:
            _rename(clip)
            return True
        return False


def _failed(failure: dict[str, Any]) -> Exception:
    """A remembered failure as it was, with what it cost."""
    error = FINAL[failure["type"]](failure.get("message", ""))
    if isinstance(error, RenderError) and "rendering" in failure:
        with suppress(ValidationError):
            error.rendering = Rendering.model_validate(failure["rendering"])
    return error


def aside(clip: Path) -> Path:
    """Where a clip is rendered to before it is remembered."""
    return clip.with_name(f"{UNREMEMBERED}{clip.name}")


def _rename(clip: Path) -> None:
    """Give a remembered clip its own name. A slip that a kill leaves here has no clip: `Memory.clean` removes it."""
    aside(clip).replace(clip)
    slip_path(aside(clip)).unlink(missing_ok=True)


def _contents(data: BaseModel) -> dict[str, Any]:
    """A model as plain data, with each file named by its content and not by its place."""
    return {name: _content(value) for name, value in data}


def _content(value: Any) -> Any:
    match value:
        case Path():
            return file_hash(value)
        case BaseModel():
            return _contents(value)
        case tuple() | list():
            return [_content(item) for item in value]
        case _:
            return value


@dataclass(frozen=True)
class RememberedReasoner:
    """A reasoner that writes each caption once."""

    inner: Reasoner
    memory: Memory

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def upsample(self, request: CaptionRequest) -> Caption:
        """As the inner one, once."""
        inputs = {"by": self.id, "request": _contents(request)}
        return await self.memory.remember("caption", inputs, Caption, lambda: self._timed(self.inner.upsample(request)))

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """As the inner one, once."""
        past = [r.model_dump(mode="json", exclude={"caption": {"seconds"}}) for r in history]
        digest = hashlib.sha256(json.dumps(past, sort_keys=True).encode()).hexdigest()
        inputs = {"by": self.id, "request": _contents(request), "history": digest, "champion": champion}
        return await self.memory.remember(
            "caption", inputs, Caption, lambda: self._timed(self.inner.rewrite(request, history, champion))
        )

    async def _timed(self, work: Awaitable[Caption]) -> Caption:
        begun = time.perf_counter()
        caption = await work
        return caption.model_copy(update={"seconds": round(time.perf_counter() - begun, 3)})


@dataclass(frozen=True)
class RememberedGenerator:
    """A generator that renders each clip once."""

    inner: Generator
    memory: Memory

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """As the inner one, once."""
        inputs = {"by": self.id, "prompt": prompt, "spec": _contents(spec), "seed": seed}

        async def render() -> Clip:
            clip = delivered(aside(to), prompt, spec, seed, self.id)
            if clip is None:
                clip = await self.inner.render(prompt, spec, seed=seed, to=aside(to))
            else:
                job_slip.settle(self.inner, aside(to))
            return clip.model_copy(update={"path": to})

        return await self.memory.remember("render", inputs, Clip, render)


@dataclass(frozen=True)
class RememberedCritic:
    """A critic that judges each clip once."""

    inner: Critic
    memory: Memory

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    @property
    def instrument(self) -> Instrument:
        """The inner one's."""
        return Instrument.of(self.inner)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """As the inner one, once for the bytes of a clip."""
        frame = None if first_frame is None else file_hash(first_frame)
        inputs = {"by": self.id, "clip": file_hash(clip), "prompt": prompt, "first_frame": frame}
        return await self.memory.remember(
            "judge", inputs, Critique, lambda: self.inner.judge(clip, prompt, first_frame)
        )


@dataclass(frozen=True)
class RememberedComparer:
    """A comparer that compares each two clips once."""

    inner: Comparer
    memory: Memory

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """As the inner one, once for the bytes of two clips in this order."""
        frame = None if first_frame is None else file_hash(first_frame)
        clips = {"first": file_hash(first), "second": file_hash(second)}
        inputs = {"by": self.id, **clips, "prompt": prompt, "first_frame": frame}
        return await self.memory.remember(
            "compare", inputs, Comparison, lambda: self.inner.compare(first, second, prompt, first_frame)
        )


@dataclass(frozen=True)
class RememberedRubric:
    """A rubric writer that writes each request's rubric once, so that a resumed run asks the same questions."""

    inner: RubricWriter
    memory: Memory

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        """As the inner one, once."""
        frame = None if first_frame is None else file_hash(first_frame)
        fresh = False

        async def write() -> WrittenRubric:
            nonlocal fresh
            fresh = True
            return await self.inner.write(prompt, first_frame)

        # in a run, whoever would write it today: clips that were asked other questions cannot be compared
        inputs = {"prompt": prompt, "first_frame": frame} | ({"by": self.id} if self.memory.shared else {})
        written = await self.memory.remember("rubric", inputs, WrittenRubric, write)
        if fresh:
            return written
        notes = written.notes
        if written.by != self.id:
            notes = (*notes, f"The questions are those that this run began with, by {written.by}.")
        return written.model_copy(update={"notes": notes, "usage": Usage()})  # what it took is counted already
