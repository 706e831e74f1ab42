"""Whether the critic `signals` passes its own self-test, and what it is blind to, on first clips of many requests.

python -m benchmarks.canaries               # the page on the terminal; three minutes on free cores
python -m benchmarks.canaries --clips 5     # of the first requests only
python -m benchmarks.canaries --write       # and into docs/canaries-benchmark.md
python -m benchmarks.canaries --json        # ends with one JSON line: auc, interval, passed, and the rest
"""

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image

from agent import RunConfig, refine_and_generate
from agent.bench.degrade import scenes
from benchmarks.canaries_page import PAGE, Row, figures, page
from benchmarks.quickstart import PROMPTS, SETTINGS
from critic.canaries.self_test import self_test
from critic.canaries.types import LEAST_AUC
from critic.config import SignalsConfig
from critic.signals import Signals


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    prompt: str
    place: scenes.Place | None = None
    """The picture that the clip shall begin with. None: from text alone."""
    seed: int = 0


NO_MOVE: Final = (
    "Waves roll onto a pebble beach under a grey sky.",
    "A candle burns on a table in a dark room.",
    "A forest river in spring.",
    "A robot waits in an empty corridor.",
    "A quiet harbour at dawn, boats at anchor.",
    "A desert at noon.",
    "A city street at night with neon signs.",
    "A horse stands in a meadow.",
    "A mountain lake, completely still, nothing moves.",
    "Snow falls on a village road.",
    "A train crosses a bridge in the rain.",
    "A balloon drifts over green hills.",
)
"""Beside the prompts of benchmarks.quickstart, nearly all of which ask for a camera move."""
REQUESTS: Final = (
    *(Request(prompt) for prompt in (*PROMPTS, *NO_MOVE)),
    Request("The camera slowly pushes in.", "hills"),
    Request("The camera pans right.", "room"),
    Request("The camera pulls back.", "street"),
    Request("The camera tilts up.", "dunes"),
    Request("The camera pans left.", "hills", 2),
    Request("Static shot, locked-off camera.", "street", 2),
    Request("A calm day, a gentle breeze.", "hills", 1),
    Request("Light falls through the window.", "room", 1),
    Request("People pass by.", "street", 1),
    Request("The wind blows over the dunes.", "dunes", 1),
)


async def measure(request: Request, clip: Path, image: Path | None, folder: Path) -> Row:
    """Judge a clip as it is, and test the critic on it."""
    critic = Signals(SignalsConfig())
    used, begun = time.process_time(), time.perf_counter()
    plain = await critic.judge(clip, request.prompt, image)
    judging, spent = time.perf_counter() - begun, time.process_time() - used
    used = time.process_time()
    test = await self_test(critic, clip, request.prompt, image, folder)
    testing = time.process_time() - used
    return Row(
        prompt=request.prompt,
        image=image is not None,
        plain=plain.overall,
        test=test,
        wall_ratio=test.seconds / judging,
        processor_ratio=testing / spent,
    )


def first_clip(request: Request, seed: int, folder: Path) -> tuple[Path, Path | None]:
    """The first clip of a run of the loop on the embedded parts, and the image it begins with."""
    config = RunConfig.model_validate(
        {
            "request": {**SETTINGS, "seed": seed},
            "budget": {"max_iterations": 1, "samples_per_iteration": 1},
            "critic": {"accept_at": None},
        }
    )
    image = None
    if request.place is not None:
        image = folder / "image.png"
        Image.fromarray(scenes.clip(request.place, request.seed, frames=1)[0]).save(image)
    run = refine_and_generate(request.prompt, image, config=config, out=folder / "run")
    return run.iterations[0].candidates[0].clip.path, image


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canaries", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=len(REQUESTS), help="how many of the requests (default: all)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of the page")
    args = parser.parse_args(argv)
    if not 1 <= args.clips <= len(REQUESTS):
        parser.error(f"argument --clips: there are 1 to {len(REQUESTS)}")
    shown = shlex.join(["python", "-m", "benchmarks.canaries", *(argv if argv is not None else sys.argv[1:])])
    begun = time.monotonic()
    rows = []
    for number, request in enumerate(REQUESTS[: args.clips]):
        with TemporaryDirectory() as scratch:
            clip, image = first_clip(request, 100 + number, Path(scratch))
            rows.append(asyncio.run(measure(request, clip, image, Path(scratch, "canaries"))))
        print(f"{number + 1} of {args.clips}: {rows[-1].test.sentence(LEAST_AUC)}", file=sys.stderr, flush=True)
    text = page(rows, shown, time.monotonic() - begun)
    if args.write:
        PAGE.write_text(text, encoding="utf-8")
    print(json.dumps(figures(rows)) if args.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
