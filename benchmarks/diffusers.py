"""The in-process backend beside the bare Diffusers pipeline, on the same work: wall time, idle device, memory.

python -m benchmarks.diffusers --tiny            # tiny random Cosmos3 on whatever torch finds; under a minute on a CPU
python -m benchmarks.diffusers --tiny --write    # and into docs/diffusers-benchmark.md
python -m benchmarks.diffusers --random-nano     # Cosmos3-Nano's real size with random weights: a GPU of 80 GB
python -m benchmarks.diffusers --model FOLDER    # a real checkpoint

Runs where torch and Diffusers are: in the environment that tests/real/provision.py builds, or, for a GPU, where
torch and the extra `bench` are installed.
"""

import argparse
import asyncio
import importlib
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import psutil

from benchmarks import random_nano
from benchmarks.diffusers_page import PAGE, Side, page
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.diffusers.torch_pipeline import TorchPipeline
from generator.encode import ClipWriter
from generator.types import RenderSpec
from tests.real.provision import QUIET, provide

PROMPT = "A sailing boat on a lake at dawn, mountains behind. The camera pushes in."
TINY = {"width": 192, "height": 128, "num_frames": 25, "num_inference_steps": 4}
REAL = {"width": 832, "height": 480, "num_frames": 189, "num_inference_steps": 35}


Name = Literal["bare", "ours"]
SIDES: tuple[Name, Name] = ("bare", "ours")


@dataclass(frozen=True)
class Work:
    """What both sides do."""

    model: Path | None
    """Folder of a checkpoint. None: `random_nano`."""
    spec: RenderSpec
    clips: int

    @property
    def seeds(self) -> range:
        """Of the clips."""
        return range(1, self.clips + 1)


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
def shared(work: Work) -> Iterator[tuple[Any, Any, Any, Diffusers]]:
    """torch, the device, the bare pipeline, and our backend over the very same one."""
    os.environ.update(QUIET)
    torch, library = importlib.import_module("torch"), importlib.import_module("diffusers")
    library.utils.logging.disable_progress_bar()
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if place.type == "cpu":  # else its threads wait for one another whenever the encoder has the core of one of them
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    if work.model is None:
        if place.type == "cpu":
            raise SystemExit("--random-nano needs a GPU: 32 GB of weights. Use --tiny here.")
        base = random_nano.build(torch, library, place)
    else:
        base = library.Cosmos3OmniPipeline.from_pretrained(
            str(work.model),
            dtype=torch.bfloat16 if place.type == "cuda" else torch.float32,
            local_files_only=True,
            enable_safety_checker=False,
        ).to(place)
    pipeline = TorchPipeline(torch, library, base, place, "cosmos3", None)
    config = DiffusersConfig(model=str(work.model or random_nano.NAME), family="cosmos3")
    backend = Diffusers(config, load_pipeline=lambda *_: pipeline)
    with tempfile.TemporaryDirectory() as scratch:
        bare(torch, base, work.spec, [0], Path(scratch))  # the first render of a process is slower
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


async def measure(work: Work, rounds: int) -> tuple[list[Side], list[Side], str]:
    """Both sides in turn, the first of a round changing; and what they ran on."""
    load = os.getloadavg()[0]
    sides: dict[Name, list[Side]] = {"bare": [], "ours": []}
    with shared(work) as (torch, place, base, backend), tempfile.TemporaryDirectory() as scratch:
        await backend.load()
        for turn in range(rounds):
            folders = {name: Path(scratch) / f"{name}-{turn}" for name in SIDES}
            for name in SIDES[:: -1 if turn % 2 == 0 else 1]:
                folders[name].mkdir()
                sides[name].append(await once(name, torch, place, base, backend, work, folders[name]))
                print(f"round {turn + 1} {name}: {sides[name][-1].wall:.2f} s", file=sys.stderr)
            for seed in work.seeds:
                a, b = (folders[name] / f"{seed}.mp4" for name in SIDES)
                if a.read_bytes() != b.read_bytes():
                    raise RuntimeError(f"seed {seed}: the two sides gave different files, so they did different work")
        device = torch.cuda.get_device_name(place) if place.type == "cuda" else processor()
        versions = f"diffusers {importlib.import_module('diffusers').__version__}, torch {torch.__version__}"
        await backend.close()
    if place.type == "cpu":  # this process has done both by now: its memory says nothing about either
        for name in SIDES:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                memory = await asyncio.wrap_future(process.submit(alone, name, work))
            sides[name] = [replace(side, memory=memory) for side in sides[name]]
    machine = f"{device}; {versions}, Python {sys.version.split()[0]}; load average before it {load:.1f}"
    return sides["bare"], sides["ours"], machine


async def once(name: Name, torch: Any, place: Any, base: Any, backend: Diffusers, work: Work, folder: Path) -> Side:
    """One side does the work."""
    encoding = 0.0
    with Sampler(torch, place) as sampler:
        begun, used = time.perf_counter(), time.process_time()
        if name == "bare":
            encoding = await asyncio.to_thread(bare, torch, base, work.spec, work.seeds, folder)
        else:
            await ours(backend, work.spec, work.seeds, folder)
        wall, used = time.perf_counter() - begun, time.process_time() - used
    return Side(wall, sampler.memory, place.type == "cuda", sampler.idle, used, encoding)


def alone(name: Name, work: Work) -> float:
    """Peak MiB of a process that does one side's work, and nothing else. For a process of its own."""

    async def run() -> float:
        with shared(work) as (torch, place, base, backend), tempfile.TemporaryDirectory() as scratch:
            await backend.load()
            side = await once(name, torch, place, base, backend, work, Path(scratch))
            await backend.close()
        return side.memory

    return asyncio.run(run())


def processor() -> str:
    """The processor's name and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'CPU'}, {len(os.sched_getaffinity(0))} cores"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diffusers", description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--tiny", action="store_true", help="the tiny random Cosmos3 of tests/real")
    which.add_argument("--random-nano", action="store_true", help=f"{random_nano.NAME}, on a GPU")
    which.add_argument("--model", type=Path, help="folder of a Cosmos3 checkpoint")
    parser.add_argument("--clips", type=int, default=4, help="clips a round (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--steps", type=int, help="denoising steps (default: 4 for --tiny, else 35)")
    parser.add_argument("--write", action="store_true", help="write docs/diffusers-benchmark.md")
    args = parser.parse_args(argv)
    args.shown = list(argv if argv is not None else sys.argv[1:])
    if args.model is not None:
        args.shown = [word if word != str(args.model) else args.model.name for word in args.shown]
    model = provide().models / "cosmos3" if args.tiny else args.model
    size = TINY if args.tiny else REAL
    steps = {} if args.steps is None else {"num_inference_steps": args.steps}
    spec = RenderSpec.model_validate({"fps": 24, "guardrails": False, **size, **steps})
    text = page(args, spec, *asyncio.run(measure(Work(model, spec, args.clips), args.rounds)))
    if args.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
