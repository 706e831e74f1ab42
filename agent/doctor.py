"""What a config needs on this machine: checked, and said with the cure."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.building import build_critic, build_generator, build_reasoner
from agent.config import RunConfig
from agent.errors import RetakeError
from agent.request import exact
from critic.types import Critic
from generator.types import RenderSpec
from reasoner.types import Reasoner

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    what: str
    good: bool
    found: str
    cure: str = ""


def examine(config: RunConfig, console: Console | None = None) -> bool:
    """Check what a config needs, print a line a check, and return whether all is well."""
    console = console or Console()
    findings = []
    for finding in checks(config):
        findings.append(finding)
        mark = Text(f"{'ok' if finding.good else 'missing':9}", style="green" if finding.good else "red")
        console.print(mark + Text(f"{finding.what:12}{finding.found}"), soft_wrap=True)
        if not finding.good:
            console.print(Text(f"{'':21}{finding.cure}", style="bold"), soft_wrap=True)
    good = all(f.good for f in findings)
    console.print("All is well." if good else "Mend what is missing above, then ask again.")
    return good


def checks(config: RunConfig) -> Iterator[Finding]:
    """Each check in turn, cheapest first."""
    yield _output(config.output.folder)
    yield _request(config)
    for name, build in (("reasoner", build_reasoner(config.reasoner)), ("critic", build_critic(config.critic))):
        yield asyncio.run(_part(name, build))
    yield asyncio.run(_trial(config))


def _output(folder: Path) -> Finding:
    place = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding("output.dir", False, f"{place} cannot be written: {error.strerror}", "choose another output.dir")
    free = shutil.disk_usage(place).free
    room = f"{folder} ({free / 1e9:,.1f} GB free)"
    if free < 500 * MEGABYTE:
        return Finding("output.dir", False, room, "free some space: a run keeps every clip")
    return Finding("output.dir", True, room)


def _request(config: RunConfig) -> Finding:
    # a config without a prompt is complete: the prompt comes by --prompt
    wish = config.request if config.request.prompt else config.request.model_copy(update={"prompt": "anything"})
    try:
        request, _ = asyncio.run(exact(wish))
    except RetakeError as error:
        return Finding("request", False, str(error), "change the key named")
    spec = request.spec
    size = f"{spec.width}x{spec.height}, {spec.num_frames} frames at {spec.fps} fps ({spec.seconds:.1f} s)"
    return Finding("request", True, "; ".join([size, *request.notes]))


async def _part(name: str, build: AbstractAsyncContextManager[Reasoner | Critic]) -> Finding:
    try:
        async with build as part:
            return Finding(name, True, part.id)
    except ImportError as error:
        return Finding(
            name, False, str(error), "install Retake again into its own environment: pip install cosmos-retake"
        )


async def _trial(config: RunConfig) -> Finding:
    """Render and judge the smallest clip with the config's own settings: what no look at versions can prove."""
    wish = config.request
    spec = RenderSpec(
        width=320,
        height=192,
        num_frames=5,
        fps=wish.fps,
        num_inference_steps=wish.num_inference_steps,
        guidance_scale=wish.guidance_scale,
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with build_generator(config.generator) as generator, build_critic(config.critic) as critic:
                clip = await generator.render("A hill.", spec, seed=0, to=Path(folder) / "trial.mp4")
                critique = await critic.judge(clip.path, "A hill.", None)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Finding(
            "trial clip", False, f"{type(error).__name__}: {error}", "install Retake again into its own environment"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("trial clip", True, f"{clip.generator} rendered it, {critique.judge} judged it ({cores} cores)")
