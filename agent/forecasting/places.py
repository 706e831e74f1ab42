"""Seconds of one render: by an endpoint's own history, or by what is published for each kind of hardware."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from agent.errors import ConfigError
from agent.forecast import Bounds
from agent.forecasting.history import History, Seen
from agent.forecasting.latencies import RenderRow, interpolated, latencies, passes, render_seconds, volume
from agent.forecasting.planned import Planned
from generator.types import RenderSpec

REFERENCE = "H100 80GB"
"""Whose published figures say how a render of another size compares."""


@dataclass(frozen=True)
class Found:
    """Seconds of one render in one place."""

    name: str
    model: str
    gpus: int
    render: Bounds
    basis: str
    source: str = ""
    """Key of the data file's sources; "" for history."""
    brought: bool = False
    """It was computed from other sizes, lengths or numbers of steps."""
    note: str = ""
    """What was taken for something else, in a sentence."""


def known(name: str) -> str:
    """The published hardware that a name means: its beginning, whatever the case and the spaces.

    Raises:
        ConfigError: none, or several.
    """
    plain = _plain(name)
    found = [hardware for hardware in latencies().hardware if plain and _plain(hardware).startswith(plain)]
    if len(found) != 1:
        raise ConfigError(f"--hardware: {name!r} is none of those published; give one of {_listed()}")
    return found[0]


def _listed() -> str:
    return ", ".join(hardware.split("(")[0] for hardware in latencies().hardware)


def _plain(name: str) -> str:
    return "".join(name.lower().split()).replace("-", "").replace("_", "")


def places(plan: Planned, spec: RenderSpec, seen: History, hardware: str | None = None) -> list[Found]:
    """Where a render may be made and how long it takes there: one place where that is known, none if nothing is.

    Args:
        plan: the generator.
        spec: the render.
        seen: earlier runs; they stand before anything published, unless hardware is named.
        hardware: as published; None: not known.

    Raises:
        ConfigError: nothing is published for that generator on that hardware.
    """
    if seen.renders and hardware is None:
        return [_lived(plan, spec, seen)]
    rows = [r for r in latencies().renders if r.engine == plan.engine and r.model in plan.models]
    rows = [r for r in rows if r.mode == spec.mode and hardware in {None, r.hardware}]
    kinds = list(dict.fromkeys((r.model, r.hardware) for r in rows))
    found = [_published(plan, spec, [r for r in rows if (r.model, r.hardware) == kind]) for kind in kinds]
    if hardware is not None and not any(found):
        model = f" of {plan.model}" if plan.model else ""
        raise ConfigError(f"--hardware: no latency of {plan.engine}{model} is published for {hardware}; leave it out")
    return [place for place in found if place]


def ratio(plan: Planned, one: RenderSpec, other: RenderSpec) -> float:
    """How many times as long as `other` the render `one` takes: as published, else by pixels x frames x steps."""
    curve = _curve(plan, one.mode)
    seconds = curve(volume(one)) / curve(volume(other))
    return seconds if plan.engine == "animatic" else seconds * passes(one) / passes(other)


def _published(plan: Planned, spec: RenderSpec, rows: Sequence[RenderRow]) -> Found | None:
    """One kind of hardware, by the rows with the most GPUs that are no more than planned."""
    complete = [g for g in {r.gpus for r in rows} if g <= max(plan.gpus, min(r.gpus for r in rows))]
    complete = [g for g in complete if len([r for r in rows if r.gpus == g]) > 1]  # one size tells no power
    if not complete:
        return None
    gpus = max(complete)
    used = [r for r in rows if r.gpus == gpus]
    note = ""
    if plan.gpus > gpus:
        note = f"No latency on {plan.gpus} GPUs is published for it: that on {gpus} stands in, which is slower."
    on = f" on {gpus} GPU{'s' if gpus > 1 else ''}" if gpus else ""
    return Found(
        name=used[0].hardware,
        model=used[0].model,
        gpus=gpus,
        render=render_seconds(used, spec),
        basis=f"published for {used[0].model}{on}" if gpus else "measured by the benchmark",
        source=used[0].source,
        brought=volume(spec) not in {row.volume for row in used} or passes(spec) != 1,
        note=note,
    )


def _lived(plan: Planned, spec: RenderSpec, seen: History) -> Found:
    """The endpoint's own renders: those of just this kind, and without any the others, brought to it."""
    stepped = plan.engine != "animatic"
    same = [s for s in seen.renders if s.volume == volume(spec) and s.mode == spec.mode]
    same = [s for s in same if not stepped or _passes(s) == passes(spec)]
    curve = _curve(plan, spec.mode)
    each = [s.seconds for s in same]
    if not same:
        each = [s.seconds * curve(volume(spec)) / curve(s.volume) for s in seen.renders]
        if stepped:
            each = [seconds * passes(spec) / _passes(s) for seconds, s in zip(each, seen.renders, strict=True)]
    whose = "this run" if seen.own else "earlier runs"
    brought = "" if same else ", brought to this size, length and number of steps"
    return Found(
        name=", ".join(sorted({s.endpoint for s in seen.renders} - {""})) or "this machine",
        model="",
        gpus=0,
        render=Bounds(expected=round(median(each), 4), worst=round(max(each), 4)),
        basis=f"{len(each)} render{'' if len(each) == 1 else 's'} of {whose} by {seen.renders[0].generator}{brought}",
    )


def _passes(seen: Seen) -> float:
    spec = RenderSpec(
        width=seen.width,
        height=seen.height,
        num_frames=seen.num_frames,
        fps=24,
        num_inference_steps=seen.steps,
        guidance_scale=seen.guidance_scale,
    )
    return passes(spec)


def _curve(plan: Planned, mode: str) -> Callable[[float], float]:
    """How seconds grow with pixels x frames, up to a factor: as published on one GPU, else in proportion."""
    rows = [r for r in latencies().renders if r.engine == plan.engine and r.model in plan.models[:1] and r.gpus <= 1]
    rows = [r for r in rows if r.mode == mode] or [r for r in rows if r.mode == "text2video"]
    rows = [r for r in rows if r.hardware == REFERENCE] or [r for r in rows if r.hardware == rows[0].hardware]
    if not rows:
        return lambda at: at
    return lambda at: interpolated([(row.volume, row.seconds) for row in rows], at)
