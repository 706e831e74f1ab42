"""How quickly the embedded parts work, on one core: a render and its critique beside the clip's own length.

python -m benchmarks.speed [--runs 3] [--scenes]
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from PIL import Image

from agent.api import versions
from benchmarks.quickstart import PROMPTS
from critic.config import SignalsConfig
from critic.signals import Signals
from generator.animatic import Animatic
from generator.config import AnimaticConfig
from generator.types import RenderSpec

SIZES = ((320, 192, 61), (832, 480, 189))
PROMPT = "A sailing boat on a lake at dawn, mountains behind. The camera pushes in."


async def measure(spec: RenderSpec, folder: Path, prompt: str = PROMPT) -> tuple[float, float, float, float]:
    """Wall seconds that one render and one critique take, then the processor seconds of each.

    On one core the two are the same, but for what else the machine is doing: the second is what an idle one would take.
    """
    clip = folder / "clip.mp4"
    begun, used = time.perf_counter(), time.process_time()
    await Animatic(AnimaticConfig(concurrency=1)).render(prompt, spec, seed=1, to=clip)
    rendered, spent = time.perf_counter(), time.process_time()
    await Signals(SignalsConfig(concurrency=1)).judge(clip, prompt, spec.first_frame)
    return rendered - begun, time.perf_counter() - rendered, spent - used, time.process_time() - spent


def scenes() -> None:
    """Print the processor seconds over many scenes, from text: what a forecast starts from."""
    print(f"{'clip':24}{'render':>22}{'judge':>22}   processor, median (slowest) of {len(PROMPTS)} scenes")
    with tempfile.TemporaryDirectory() as scratch:
        for width, height, frames in SIZES:
            spec = RenderSpec(width=width, height=height, num_frames=frames, fps=24)
            times = [asyncio.run(measure(spec, Path(scratch), prompt)) for prompt in PROMPTS]
            _, _, rendering, judging = zip(*times, strict=True)
            told = [f"{median(each):10.2f} s ({max(each):.2f} s)" for each in (rendering, judging)]
            print(f"{f'{width}x{height}x{frames}':24}{told[0]:>22}{told[1]:>22}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs a size (default: 3)")
    parser.add_argument(
        "--scenes", action="store_true", help="instead: each prompt of benchmarks.quickstart once, middle and slowest"
    )
    args = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    if args.scenes:
        scenes()
        return 0
    print(f"{'':24}{'wall':>10}{'':10}{'processor':>12}")
    print(f"{'clip':24}{'render':>10}{'judge':>10}{'render':>12}{'judge':>10}   render / length")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for width, height, frames in SIZES:
            first = folder / "first.png"
            Image.effect_mandelbrot((width, height), (-2, -1, 1, 1), 80).convert("RGB").save(first)
            for kind, frame in (("text", None), ("image", first)):
                spec = RenderSpec(width=width, height=height, num_frames=frames, fps=24, first_frame=frame)
                times = [asyncio.run(measure(spec, folder)) for _ in range(args.runs)]
                render, judge, rendering, judging = (median(column) for column in zip(*times, strict=True))
                name = f"{width}x{height}x{frames} {kind}"
                busy = f"{rendering:10.2f} s{judging:8.2f} s"
                print(f"{name:24}{render:8.2f} s{judge:8.2f} s{busy}   {render / spec.seconds:.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
