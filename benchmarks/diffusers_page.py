"""The page that `benchmarks.diffusers` writes."""

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from benchmarks import random_nano
from generator.types import RenderSpec

PAGE = Path(__file__).parents[1] / "docs" / "diffusers-benchmark.md"


@dataclass(frozen=True)
class Side:
    """One way of doing the work, once."""

    wall: float
    """Seconds for all clips, files included."""
    memory: float
    """Peak MiB: of the GPU's tensors, or, on a CPU, of a process that does nothing else."""
    on_gpu: bool
    idle: float | None
    """Share of the time in which the GPU ran nothing; None on a CPU, or without NVML."""
    cpu: float
    """Processor seconds of this process: unlike wall seconds, hardly touched by what else runs."""
    encoding: float = 0.0
    """Seconds of it in which only the encoder worked."""


TEXT = """# The in-process backend beside the bare pipeline

Made by `{command}` on {machine}.

{clips} clips of {width}x{height}, {frames} frames, {steps} steps, from {what}; {rounds} rounds, the two sides in turn.
Both use the very same loaded pipeline and the same H.264 encoder, and gave byte-for-byte the same files.

* *bare*: a script that calls the pipeline and then encodes, one clip after the other.
* *ours*: the backend `diffusers`, asked for all clips at once: a clip is encoded while the next one renders, and the
  checks of every finished file (decodable, frames, size, rate) are made as well.

| | wall, median (min-max) | a clip | processor time | peak memory ({memory}) | GPU idle |
|---|---|---|---|---|---|
{rows}

**Wall ratio ours / bare: {ratio:.2f}** (median of the rounds' own ratios: {ratios}). The encoder took {encode:.1%} of
the bare side's time, so {bound:.2f} is the best that hiding it behind the next render could give. What
the ratio of a round differs by, and whatever lies under that, is what else the machine was doing.
{remark}"""
ON_A_CPU = """
On a CPU there is no device to keep busy: torch was given all cores but one, which is left to the encoder on both sides.
The tiny model's rendering time says nothing about a real checkpoint's.
"""
IDLE_UNKNOWN = """
How much of the time the GPU was idle is not known: NVML could not be asked. Install nvidia-ml-py, as the extra `bench`
does.
"""


def page(args: argparse.Namespace, spec: RenderSpec, bare_: list[Side], ours_: list[Side], machine: str) -> str:
    """The page, as Markdown."""
    ratios = [b.wall / a.wall for a, b in zip(bare_, ours_, strict=True)]
    encode = median(side.encoding / side.wall for side in bare_)
    on_gpu = bare_[0].on_gpu
    remark = "" if on_gpu else ON_A_CPU
    if on_gpu and any(side.idle is None for side in (*bare_, *ours_)):
        remark = IDLE_UNKNOWN

    def row(name: str, sides: list[Side]) -> str:
        walls = sorted(side.wall for side in sides)
        known = [side.idle for side in sides if side.idle is not None]
        idle = f"{fmean(known):.0%}" if len(known) == len(sides) else "not known" if on_gpu else "-"
        return (
            f"| {name} | {median(walls):.2f} s ({walls[0]:.2f}-{walls[-1]:.2f}) | {median(walls) / args.clips:.2f} s "
            f"| {median(side.cpu for side in sides):.2f} s "
            f"| {max(side.memory for side in sides):.0f} MiB | {idle} |"
        )

    return TEXT.format(
        command=shlex.join(["python", "-m", "benchmarks.diffusers", *args.shown]),
        machine=machine,
        clips=args.clips,
        width=spec.width,
        height=spec.height,
        frames=spec.num_frames,
        steps=spec.num_inference_steps,
        what="a tiny random Cosmos3" if args.tiny else args.model.name if args.model else random_nano.NAME,
        rounds=args.rounds,
        rows=f"{row('bare', bare_)}\n{row('ours', ours_)}",
        memory="the GPU's tensors" if on_gpu else "a process of its own",
        ratio=median(ratios),
        ratios=", ".join(f"{ratio:.2f}" for ratio in ratios),
        encode=encode,
        bound=1 - encode * (args.clips - 1) / args.clips,
        remark=remark,
    )
