"""How quickly the embedded parts work, on one core: a render and its critique beside the clip's own length.

python -m benchmarks.speed [--runs 3]
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
from critic.config import SignalsConfig
from critic.signals import Signals
from generator.animatic import Animatic
from generator.config import AnimaticConfig
from generator.types import RenderSpec

SIZES = ((320, 192, 61), (832, 480, 189))
PROMPT = "A sailing boat on a lake at dawn, mountains behind. The camera pushes in."


async def measure(spec: RenderSpec, folder: Path) -> tuple[float, float]:
    """Seconds that one render and one critique take."""
    clip = folder / "clip.mp4"
    begun = time.perf_counter()
    await Animatic(AnimaticConfig(concurrency=1)).render(PROMPT, spec, seed=1, to=clip)
    rendered = time.perf_counter()
    await Signals(SignalsConfig(concurrency=1)).judge(clip, PROMPT, spec.first_frame)
    return rendered - begun, time.perf_counter() - rendered


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs a size (default: 3)")
    args = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print(f"{'clip':24}{'render':>10}{'judge':>10}   render / length")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for width, height, frames in SIZES:
            first = folder / "first.png"
            Image.effect_mandelbrot((width, height), (-2, -1, 1, 1), 80).convert("RGB").save(first)
            for kind, frame in (("text", None), ("image", first)):
                spec = RenderSpec(width=width, height=height, num_frames=frames, fps=24, first_frame=frame)
                times = [asyncio.run(measure(spec, folder)) for _ in range(args.runs)]
                render, judge = (median(column) for column in zip(*times, strict=True))
                name = f"{width}x{height}x{frames} {kind}"
                print(f"{name:24}{render:8.2f} s{judge:8.2f} s   {render / spec.seconds:.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
