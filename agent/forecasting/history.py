"""What finished runs in the same folder took: plain facts out of their run.json, those that cannot be read left out."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.run import Run

RUNS = 20
"""Latest runs that are read."""
BYTES = 32 << 20
"""Of all run.json together: a forecast must not keep a run waiting."""
KEPT = 64
"""Latest renders of each kind that count."""
FEWEST_ACCEPTED = 5
"""Finished runs from which a rate of acceptance is known well enough to be counted on."""


@dataclass(frozen=True)
class Seen:
    """A render that was made."""

    width: int
    height: int
    num_frames: int
    steps: int
    guidance_scale: float
    mode: str
    seconds: float
    generator: str
    endpoint: str

    @property
    def volume(self) -> float:
        """Pixels x frames."""
        return float(self.width * self.height * self.num_frames)


@dataclass(frozen=True)
class Asked:
    """What a caption or a critique took."""

    seconds: float
    requests: int
    tokens: int
    volume: float = 0.0
    """Pixels x frames of the clip that was judged, or doctored."""


@dataclass
class History:
    """What earlier runs took. The latest come first."""

    renders: list[Seen] = field(default_factory=list)
    captions: list[Asked] = field(default_factory=list)
    critiques: list[Asked] = field(default_factory=list)
    tests: list[Asked] = field(default_factory=list)
    """Of the critic on doctored clips."""
    comparisons: list[Asked] = field(default_factory=list)
    """Of two clips."""
    accepted: list[tuple[int, bool]] = field(default_factory=list)
    """Of each run that might have stopped early: the captions tried, and whether the last one ended it."""
    own: bool = False
    """These are the run's own renders."""

    @property
    def acceptance(self) -> float | None:
        """How likely one caption ends a run, by these runs. None: too few, or none could be."""
        if len(self.accepted) < FEWEST_ACCEPTED:
            return None
        return sum(ok for _, ok in self.accepted) / sum(count for count, _ in self.accepted)


@dataclass(frozen=True)
class Wanted:
    """Which earlier work tells something of what is planned."""

    generator: Callable[[str], bool]
    """Whether a generator's id is the one that will render, as far as it is known."""
    endpoints: Collection[str]
    """Addresses that it will render at; empty: in this process, or hosted."""
    reasoner: str
    """How the id of the reasoner begins."""
    critic: Callable[[str], bool]
    """Whether a critic's id is of the kind that will judge."""
    accept_at: float | None
    drafts: bool = False
    """Captions are compared by drafts: how often such a run ends early is known by others of its kind."""


def history(folder: Path, wanted: Wanted, *, leave_out: str = "") -> History:
    """What the latest finished runs in a folder took, those that `wanted` is about.

    Of several versions of a generator only the latest run's counts. `leave_out`: name of a run's folder.
    """
    found = History()
    for run in _finished(folder, leave_out):
        _add(found, run, wanted)
    found.renders = list(_latest(found.renders))
    return found


def own(run: Run, wanted: Wanted) -> History:
    """What a run itself took so far."""
    found = History(own=True)
    _add(found, json.loads(run.model_dump_json()), wanted)
    found.accepted.clear()
    return found


def _latest(renders: Iterable[Seen]) -> Iterator[Seen]:
    """The first of each kind: many drafts push out no render as asked."""
    counted = Counter[tuple[object, ...]]()
    for seen in renders:
        kind = (seen.volume, seen.mode, seen.steps, seen.guidance_scale)
        counted[kind] += 1
        if counted[kind] <= KEPT:
            yield seen


def _finished(folder: Path, leave_out: str) -> Iterator[dict[str, Any]]:
    dated: list[tuple[float, Path]] = []
    with suppress(OSError):
        for place in folder.iterdir():
            with suppress(OSError):
                if place.name != leave_out:
                    dated.append(((place / "run.json").stat().st_mtime, place / "run.json"))
    left = BYTES
    for _, path in sorted(dated, reverse=True)[:RUNS]:
        try:
            left -= path.stat().st_size
            if left < 0:
                return
            run = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(run, dict) and isinstance(run.get("ending"), dict):
            yield run


def _add(found: History, run: dict[str, Any], wanted: Wanted) -> None:
    """Take one run in, all of it or, where it is not built as a run is, nothing."""
    try:
        renders = [seen for seen in _renders(run) if _renders_there(seen, wanted)]
        if not renders or renders[0].generator != (found.renders or renders)[0].generator:
            return
        captions = [
            _asked(i["caption"])
            for i in run["iterations"]
            if str(i["caption"]["reasoner"]).startswith(wanted.reasoner) and not i["caption"].get("reseed")
        ]
        candidates = [c for i in run["iterations"] for c in i["candidates"]]
        judged = [
            _asked(c["critique"], c["clip"]["spec"]) for c in candidates if wanted.critic(str(c["critique"]["judge"]))
        ]
        test, duels = run.get("self_test"), [d["comparison"] for d in run.get("duels", ())]
        tests = [_asked(test, _doctored(run))] if test and wanted.critic(str(test["critic"])) else []
        compared = [_asked(comparison) for comparison in duels] if judged else []
        ended = _ended(run, wanted) if len(judged) == len(candidates) else None
    except (AttributeError, LookupError, TypeError, ValueError):
        return
    found.renders += renders
    found.captions += captions
    found.critiques += judged
    found.tests += tests
    found.comparisons += compared
    found.accepted += [] if ended is None else [ended]


def _renders(run: dict[str, Any]) -> Iterable[Seen]:
    for iteration in run["iterations"]:
        failed = [f["clip"] for f in iteration["failures"] if f.get("clip")]
        for clip in [*(c["clip"] for c in iteration["candidates"]), *failed]:
            spec, how = clip["spec"], clip["rendering"]
            seconds = how["render_seconds"] if how["render_seconds"] is not None or how["endpoint"] else clip["seconds"]
            if seconds:
                yield Seen(
                    width=int(spec["width"]),
                    height=int(spec["height"]),
                    num_frames=int(spec["num_frames"]),
                    steps=int(spec["num_inference_steps"]),
                    guidance_scale=float(spec["guidance_scale"]),
                    mode=_mode(spec),
                    seconds=float(seconds),
                    generator=str(clip["generator"]),
                    endpoint=str(how["endpoint"]),
                )


def _mode(spec: dict[str, Any]) -> str:
    if spec["controls"]:
        return "transfer"
    if spec["source_video"]:
        return "video2video"
    return "image2video" if spec["first_frame"] else "text2video"


def _renders_there(seen: Seen, wanted: Wanted) -> bool:
    return wanted.generator(seen.generator) and (not wanted.endpoints or seen.endpoint in wanted.endpoints)


def _asked(taken: dict[str, Any], spec: dict[str, Any] | None = None) -> Asked:
    usage = taken["usage"]
    return Asked(
        seconds=float(taken["seconds"]),
        requests=int(usage["calls"]),
        tokens=int(usage["prompt_tokens"]) + int(usage["completion_tokens"]),
        volume=float(spec["width"] * spec["height"] * spec["num_frames"]) if spec else 0.0,
    )


def _doctored(run: dict[str, Any]) -> dict[str, Any] | None:
    """The spec of the clip that the critic was tested on; None: it is gone."""
    tested = run["tested"]
    clips = [c["clip"] for c in run["iterations"][tested["iteration"]]["candidates"]]
    return next((clip["spec"] for clip in clips if clip["seed"] == tested["seed"]), None)


def _ended(run: dict[str, Any], wanted: Wanted) -> tuple[int, bool] | None:
    """Captions tried by a run that stopped where this one would, and whether the last ended it; None: tells nothing."""
    reason, drafts = run["ending"]["reason"], bool(run["request"].get("draft"))
    same = run["budget"]["early_stop"] and run["accept_at"] == wanted.accept_at and wanted.accept_at is not None
    if not same or drafts != wanted.drafts:
        return None
    if reason in {"failed", "deadline", "cancelled"} or not run["iterations"]:
        return None
    if not drafts:
        return len(run["iterations"]), reason == "accepted"
    tried = [i for i in run["iterations"] if i["promoted"] is None or i["caption"]["reseed"]]
    early = any(
        _reached(c["critique"], run["accept_at"]) for i in tried if i["tier"] == "draft" for c in i["candidates"]
    )
    # a render that was accepted after the last draft, none of which was, has saved none
    return len(tried), reason == "accepted" and early


def _reached(critique: dict[str, Any], accept_at: float) -> bool:
    return bool(critique["floors_hold"] and critique["overall"] >= accept_at)
