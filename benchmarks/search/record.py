"""Record the score landscape from the embedded parts: 40 prompts, 5 captions, 4 seeds, 2 tiers. An hour of a core.

python -m benchmarks.search.record              # resumes what runs/search-landscape.jsonl holds; then writes the table
python -m benchmarks.search.record --workers 2  # two prompts side by side
"""

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from agent import Run, RunConfig
from agent.api import versions
from agent.controller import Controller
from agent.journal import now
from agent.request import plain
from benchmarks.search.landscape import (
    CAPTIONS,
    DRAFT,
    HEADER,
    SEEDS,
    TABLE,
    TARGET,
    Asked,
    Header,
    Setting,
    Tier,
    keyed,
    written,
)
from benchmarks.search.prompts import PROMPTS
from benchmarks.search.recorders import Alone, Distinct, worded
from critic.config import SignalsConfig
from critic.signals import Signals
from generator.animatic import Animatic
from generator.capabilities import capabilities
from generator.config import AnimaticConfig
from generator.sizes import TIERS
from reasoner.types import Caption

FPS = 12


def _setting(tier: int, frames: int = 25, steps: int = 35) -> Setting:
    width, height = TIERS[tier]["16,9"]
    return Setting(tier=tier, width=width, height=height, frames=frames, steps=steps)


SETTINGS: dict[Tier, Setting] = {
    DRAFT: _setting(256),
    TARGET: _setting(480),
    "256p, 12 steps": _setting(256, steps=12),
    "256p, 20 steps": _setting(256, steps=20),
    "256p, 6 steps": _setting(256, steps=6),
    "256p, 13 frames": _setting(256, frames=13),
}
EVERYWHERE: Final = (DRAFT, TARGET, "256p, 12 steps")
"""Tiers recorded for every prompt; the others for one of five, to see what cheaper drafts would be worth."""
PARTS = Path("runs/search-landscape.jsonl")


def first_seed(prompt: int) -> int:
    """Others for every prompt: the animatic's seeds are luck that goes with any scene."""
    return 1000 + 10 * prompt


Part = dict[str, Any]
"""A prompt as it is kept while recording: `prompt`, `cells`, `wall` seconds; of its captions also `asked` and `texts`;
of a tier rendered after them its `tier`."""


async def captions(number: int, folder: Path, work: Alone) -> Part:
    """A prompt's captions as the real loop writes them at the target tier, and all cells of them and the raw words."""
    reasoner = Distinct()
    run = new_run(number, folder)
    (folder / "clips").mkdir()
    controller = Controller(reasoner=reasoner, generator=work, critic=work, emit=lambda _: None)
    done = await controller.refine(run)
    cells = [
        [number, index + 1, TARGET, each.seed - run.request.seed, asdict(work.cell(each.clip.path))]
        for index, iteration in enumerate(done.iterations)
        for each in iteration.candidates
    ]
    if len(cells) != CAPTIONS * SEEDS:
        raise RuntimeError(f"prompt {number}: {done!r}: {[i.failures for i in done.iterations]}")
    raw = Caption.raw(run.request.prompt)
    texts = [raw.prompt, *(iteration.caption.prompt for iteration in done.iterations)]
    cells += await rendered(work, number, 0, raw.prompt, TARGET, folder)
    for caption, text in enumerate(texts):
        cells += await rendered(work, number, caption, text, DRAFT, folder)
    asked = Asked(
        prompt=run.request.prompt,
        seeds=tuple(run.request.seed + n for n in range(SEEDS)),
        captions=(worded(raw, "raw", None), *reasoner.wordings),
    )
    return {"asked": asked.model_dump(mode="json"), "cells": cells, "texts": texts}


async def rendered(work: Alone, number: int, caption: int, text: str, tier: Tier, folder: Path) -> list[list[Any]]:
    """A caption's cells at a tier."""
    request = new_run(number, folder).request
    spec = request.spec.model_copy(update=spec_of(SETTINGS[tier]))
    cells = []
    for seed in range(SEEDS):
        to = folder / f"{caption}-{tier}-{seed}.mp4"
        clip = await work.render(text, spec, seed=request.seed + seed, to=to)
        await work.judge(clip.path, request.prompt, None)
        cells.append([number, caption, tier, seed, asdict(work.cell(to))])
    return cells


def spec_of(setting: Setting) -> dict[str, int]:
    """What a tier changes in a render."""
    return {
        "width": setting.width,
        "height": setting.height,
        "num_frames": setting.frames,
        "num_inference_steps": setting.steps,
    }


def new_run(number: int, folder: Path) -> Run:
    """The run whose loop writes the captions: at the target tier, on all seeds, never stopped early."""
    target = SETTINGS[TARGET]
    config = RunConfig.model_validate(
        {
            "request": {
                "prompt": PROMPTS[number],
                "size": f"{target.width}x{target.height}",
                "num_frames": target.frames,
                "fps": FPS,
                "num_inference_steps": target.steps,
                "seed": first_seed(number),
            },
            "budget": {"max_iterations": CAPTIONS, "samples_per_iteration": SEEDS, "early_stop": False},
            "critic": {"accept_at": None},
        }
    )
    request = plain(config.request, capabilities(config.generator))
    return Run(id=str(number), folder=folder, created_at=now(), request=request, budget=config.budget)


async def cheaper(number: int, folder: Path, work: Alone, tier: Tier, texts: Sequence[str]) -> Part:
    """The cells of a prompt's captions at another tier."""
    cells = []
    for caption, text in enumerate(texts[1:], 1):
        cells += await rendered(work, number, caption, text, tier, folder)
    return {"tier": tier, "cells": cells}


def record(number: int, tier: Tier | None = None, texts: Sequence[str] = ()) -> Part:
    """A prompt's captions, or what they give at one more tier, in a process of its own."""
    began = time.monotonic()
    work = Alone(Animatic(AnimaticConfig(concurrency=1)), Signals(SignalsConfig(concurrency=1)))
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = captions(number, folder, work) if tier is None else cheaper(number, folder, work, tier, texts)
        part = asyncio.run(job)
    by = [Distinct().id, *work.id.split()]
    return {"prompt": number, **part, "by": by, "wall": round(time.monotonic() - began, 1)}


def recorded(path: Path) -> list[Part]:
    """What is there so far. A line that a kill cut off is none."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def assembled(found: Sequence[Part], command: str) -> tuple[str, str]:
    """The table and its header."""
    parts = sorted((part for part in found if "asked" in part), key=lambda part: int(part["prompt"]))
    place = {part["prompt"]: index for index, part in enumerate(parts)}
    kept = [part for part in found if part["prompt"] in place]
    covers: dict[Tier, tuple[int, ...]] = {tier: tuple(place.values()) for tier in (DRAFT, TARGET)}
    for tier in SETTINGS:
        if some := sorted(place[part["prompt"]] for part in kept if part.get("tier") == tier):
            covers[tier] = tuple(some)
    header = Header(
        command=command,
        parts=tuple(dict.fromkeys(name for part in parts for name in part.get("by", ()))),
        versions=versions(),
        seconds=round(sum(part["wall"] for part in kept), 1),
        fps=FPS,
        tiers={tier: SETTINGS[tier] for tier in covers},
        covers=covers,
        asked=tuple(Asked.model_validate(part["asked"]) for part in parts),
    )
    return written(header, keyed([place[part["prompt"]], *rest] for part in kept for _, *rest in part["cells"]))


def missing(found: Sequence[Part]) -> tuple[list[int], list[tuple[int, Tier, list[str]]]]:
    """Prompts without captions, and then what is to be rendered at more tiers, by prompt, tier and captions' texts."""
    # far apart first, so that a part of the table speaks for all of it
    order = [number for start in range(5) for number in range(start, len(PROMPTS), 5)]
    texts = {part["prompt"]: part["texts"] for part in found if "texts" in part}
    done = {(part["prompt"], part.get("tier")) for part in found}
    few = [number for number in order if number % 5 == 0]
    more = [
        (number, tier, texts[number])
        for tier in SETTINGS
        if tier not in (DRAFT, TARGET)
        for number in (order if tier in EVERYWHERE else few)
        if number in texts and (number, tier) not in done
    ]
    return [number for number in order if number not in texts], more


def main(argv: Sequence[str] | None = None) -> int:
    """Record what is missing, then write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search.record", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1, help="prompts recorded at the same time (default: 1)")
    parser.add_argument("--parts", type=Path, default=PARTS, help=f"where finished prompts are kept (default: {PARTS})")
    args = parser.parse_args(argv)
    shown = shlex.join(["python", "-m", "benchmarks.search.record", *(argv if argv is not None else sys.argv[1:])])

    args.parts.parent.mkdir(parents=True, exist_ok=True)
    found = recorded(args.parts)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar,
        ProcessPoolExecutor(args.workers, get_context("spawn")) as pool,
        args.parts.open("a", encoding="utf-8") as file,
    ):
        for rest, what in enumerate(("captions", "cheaper drafts")):
            jobs = [(number,) for number in missing(found)[0]] if not rest else missing(found)[1]
            for future in bar.track(
                as_completed([pool.submit(record, *job) for job in jobs]), total=len(jobs), description=what
            ):
                found.append(future.result())
                file.write(json.dumps(found[-1]) + "\n")
                file.flush()
    table, header = assembled(found, shown)
    TABLE.write_text(table, encoding="utf-8")
    HEADER.write_text(header, encoding="utf-8")
    print(f"{TABLE.name}: {table.count(chr(10)) - 1} clips.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
