"""The in-process backend beside the bare Diffusers pipeline, on the same work: wall time, idle device, memory.

python -m benchmarks.diffusers --tiny            # tiny random Cosmos3 on whatever torch finds; under a minute on a CPU
python -m benchmarks.diffusers --tiny --write    # and into docs/diffusers-benchmark.md
python -m benchmarks.diffusers --model FOLDER    # a real checkpoint

Runs where torch and Diffusers are: for --tiny, in the environment that tests/real/provision.py builds.
"""

import argparse
import asyncio
import importlib
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil

from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.diffusers.torch_pipeline import TorchPipeline
from generator.encode import ClipWriter
from generator.types import RenderSpec
from tests.real.provision import QUIET, provide

PROMPT = "A sailing boat on a lake at dawn, mountains behind. The camera pushes in."
TINY = {"width": 192, "height": 128, "num_frames": 25, "num_inference_steps": 4}
REAL = {"width": 832, "height": 480, "num_frames": 189, "num_inference_steps": 35}
PAGE = Path(__file__).parents[1] / "docs" / "diffusers-benchmark.md"


@dataclass(frozen=True)
class Side:
    """One way of doing the work, once."""

    wall: float
    """Seconds for all clips, files included."""
    memory: float
    """Peak MiB: of the GPU's tensors, or of the process on a CPU."""
    idle: float | None
    """Share of the time in which the GPU ran nothing; None on a CPU, or without NVML."""
    cpu: float
    """Processor seconds of this process: unlike wall seconds, hardly touched by what else runs."""
    encoding: float = 0.0
    """Seconds of it in which only the encoder worked."""


class Sampler:
    """Watches memory and the GPU from a thread of its own, every 20 ms."""

    def __init__(self, torch: Any, place: Any) -> None:
        self._torch, self._place = torch, place
        self._stop = threading.Event()
        self._busy: list[float] = []
        self._resident = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if self._place.type == "cuda":
            self._torch.cuda.reset_peak_memory_stats(self._place)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def memory(self) -> float:
        """Peak MiB."""
        if self._place.type == "cuda":
            return float(self._torch.cuda.max_memory_allocated(self._place)) / 2**20
        return self._resident

    @property
    def idle(self) -> float | None:
        """Share of samples in which the GPU ran nothing, weighted by how much it ran."""
        return 1 - fmean(self._busy) / 100 if self._busy else None

    def _watch(self) -> None:
        process = psutil.Process()
        nvml = self._place.type == "cuda"
        while not self._stop.wait(0.02):
            self._resident = max(self._resident, process.memory_info().rss / 2**20)
            if nvml:
                try:
                    self._busy.append(float(self._torch.cuda.utilization(self._place)))
                except Exception as error:  # noqa: BLE001 - NVML fails in many ways, and is only a column here
                    print(f"GPU use is not known: {error}", file=sys.stderr)
                    nvml = False


@contextmanager
def shared(model: Path, spec: RenderSpec) -> Iterator[tuple[Any, Any, Any, Diffusers]]:
    """torch, the device, the bare pipeline, and our backend over the very same one."""
    os.environ.update(QUIET)
    torch, library = importlib.import_module("torch"), importlib.import_module("diffusers")
    library.utils.logging.disable_progress_bar()
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if place.type == "cpu":  # else its threads wait for one another whenever the encoder has the core of one of them
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    base = library.Cosmos3OmniPipeline.from_pretrained(
        str(model),
        dtype=torch.bfloat16 if place.type == "cuda" else torch.float32,
        local_files_only=True,
        enable_safety_checker=False,
    ).to(place)
    pipeline = TorchPipeline(torch, library, base, place, "cosmos3", None)
    backend = Diffusers(DiffusersConfig(model=str(model)), load_pipeline=lambda *_: pipeline)
    with tempfile.TemporaryDirectory() as scratch:
        bare(torch, base, spec, [0], Path(scratch))  # the first render of a process is slower
    yield torch, place, base, backend


def bare(torch: Any, base: Any, spec: RenderSpec, seeds: Sequence[int], folder: Path) -> float:
    """What a script without Retake does: render, then encode, one clip after the other. Seconds spent encoding."""
    encoding = 0.0
    for seed in seeds:
        frames = base(
            PROMPT,
            negative_prompt="",
            width=spec.width,
            height=spec.height,
            num_frames=spec.num_frames,
            fps=float(spec.fps),
            num_inference_steps=spec.num_inference_steps,
            guidance_scale=spec.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
        ).video
        begun = time.perf_counter()
        with ClipWriter(folder / f"{seed}.mp4", spec.width, spec.height, spec.fps) as writer:
            for frame in frames:
                writer.write(np.asarray(frame))
        encoding += time.perf_counter() - begun
    return encoding


async def ours(backend: Diffusers, spec: RenderSpec, seeds: Sequence[int], folder: Path) -> None:
    """The backend, asked for all clips at once as a run asks it."""
    await asyncio.gather(*(backend.render(PROMPT, spec, seed=seed, to=folder / f"{seed}.mp4") for seed in seeds))


async def measure(model: Path, spec: RenderSpec, clips: int, rounds: int) -> tuple[list[Side], list[Side], str]:
    """Both sides in turn, the first of a round changing; and what they ran on."""
    seeds, load = range(1, clips + 1), os.getloadavg()[0]
    sides: dict[str, list[Side]] = {"bare": [], "ours": []}
    with shared(model, spec) as (torch, place, base, backend), tempfile.TemporaryDirectory() as scratch:
        await backend.load()
        for turn in range(rounds):
            folders = {name: Path(scratch) / f"{name}-{turn}" for name in sides}
            for name in sorted(sides, reverse=bool(turn % 2)):
                folders[name].mkdir()
                encoding = 0.0
                with Sampler(torch, place) as sampler:
                    begun, used = time.perf_counter(), time.process_time()
                    if name == "bare":
                        encoding = await asyncio.to_thread(bare, torch, base, spec, seeds, folders[name])
                    else:
                        await ours(backend, spec, seeds, folders[name])
                    wall, used = time.perf_counter() - begun, time.process_time() - used
                sides[name].append(Side(wall, sampler.memory, sampler.idle, used, encoding))
                print(f"round {turn + 1} {name}: {wall:.2f} s", file=sys.stderr)
            for seed in seeds:
                a, b = (folders[name] / f"{seed}.mp4" for name in sides)
                if a.read_bytes() != b.read_bytes():
                    raise RuntimeError(f"seed {seed}: the two sides gave different files, so they did different work")
        device = torch.cuda.get_device_name(place) if place.type == "cuda" else processor()
        versions = f"diffusers {importlib.import_module('diffusers').__version__}, torch {torch.__version__}"
        await backend.close()
    machine = f"{device}; {versions}, Python {sys.version.split()[0]}; load average before it {load:.1f}"
    return sides["bare"], sides["ours"], machine


def processor() -> str:
    """The processor's name and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'CPU'}, {len(os.sched_getaffinity(0))} cores"


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


def page(args: argparse.Namespace, spec: RenderSpec, bare_: list[Side], ours_: list[Side], machine: str) -> str:
    """The page, as Markdown."""
    ratios = [b.wall / a.wall for a, b in zip(bare_, ours_, strict=True)]
    encode = median(side.encoding / side.wall for side in bare_)
    on_gpu = bare_[0].idle is not None

    def row(name: str, sides: list[Side]) -> str:
        walls = sorted(side.wall for side in sides)
        idle = f"{fmean(side.idle or 0 for side in sides):.0%}" if on_gpu else "-"
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
        what="a tiny random Cosmos3" if args.tiny else args.model.name,
        rounds=args.rounds,
        rows=f"{row('bare', bare_)}\n{row('ours', ours_)}",
        memory="the GPU's tensors" if on_gpu else "the process",
        ratio=median(ratios),
        ratios=", ".join(f"{ratio:.2f}" for ratio in ratios),
        encode=encode,
        bound=1 - encode * (args.clips - 1) / args.clips,
        remark="" if on_gpu else ON_A_CPU,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diffusers", description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--tiny", action="store_true", help="the tiny random Cosmos3 of tests/real")
    which.add_argument("--model", type=Path, help="folder of a Cosmos3 checkpoint")
    parser.add_argument("--clips", type=int, default=4, help="clips a round (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--write", action="store_true", help="write docs/diffusers-benchmark.md")
    args = parser.parse_args(argv)
    args.shown = list(argv if argv is not None else sys.argv[1:])
    if args.model is not None:
        args.shown = [word if word != str(args.model) else args.model.name for word in args.shown]
    model = provide().models / "cosmos3" if args.tiny else args.model
    spec = RenderSpec.model_validate({"fps": 24, "guardrails": False, **(TINY if args.tiny else REAL)})
    text = page(args, spec, *asyncio.run(measure(model, spec, args.clips, args.rounds)))
    if args.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
