"""How quickly Retake starts: seconds beside a bare Python's, medians of interleaved runs.

python -m benchmarks.startup [--runs 7]
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import agent": ["-c", "import agent"],
    "from agent import refine_and_generate": ["-c", "from agent import refine_and_generate"],
    "python -m agent --help": ["-m", "agent", "--help"],
}
HEAVY = ("torch", "cv2", "fastapi", "av", "numpy")


def seconds(arguments: Sequence[str]) -> float:
    """Wall seconds of one Python process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    return time.perf_counter() - begun


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="runs a command (default: 7)")
    args = parser.parse_args(argv)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(args.runs):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = median(times["python -c pass"])
    for name, found in times.items():
        print(f"{name:40}{median(found):.3f} s  {median(found) / bare:5.1f} x a bare start")
    code = (
        f"import agent, sys; agent.refine_and_generate; print(*sorted({set(HEAVY)!r} & set(sys.modules)) or ['none'])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - as above
    print(f"heavy modules loaded by it: {loaded.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
