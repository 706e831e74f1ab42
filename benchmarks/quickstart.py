"""What the loop gains on the embedded parts: 20 prompts, fixed seeds, rewriting told apart from selection.

python -m benchmarks.quickstart             # the table on the terminal
python -m benchmarks.quickstart --write     # and into docs/quickstart-benchmark.md
python -m benchmarks.quickstart --json      # one JSON object
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from agent import Run, RunConfig, refine_and_generate
from agent.api import versions

PROMPTS = (
    "A small sailing boat crosses a calm bay at golden hour. The camera slowly pushes in.",
    "A lighthouse on a cliff above a stormy sea. The camera pans left.",
    "A red car drives along a coastal road at sunset. The camera pans right.",
    "A hot air balloon rises over misty mountains at dawn. The camera tilts up.",
    "A quiet pine forest in falling snow. Static shot, locked-off camera.",
    "A neon city street in the rain at night. The camera pulls back.",
    "A delivery robot moves through a warehouse. The camera pushes in, then pans right.",
    "Desert dunes with blowing dust under a noon sun. The camera pans left, then pushes in.",
    "A dog runs across a meadow on a bright day. The camera pans right.",
    "A robot arm on a workbench in a workshop. The camera orbits to the right.",
    "A gull flies over a harbour on an overcast day. The camera tilts up.",
    "A man walks through a foggy forest. Handheld camera.",
    "A truck on a mountain road in the evening. The camera pulls out.",
    "A fishing boat on a lake at night under the moon. The camera pushes in.",
    "A skyline at dusk. The camera rolls clockwise.",
    "Waves break on a beach. The camera tilts down.",
    "An autumn forest with drifting leaves. The camera pans left, slowly.",
    "A wide view of snowy mountains at sunrise. The camera pulls back, then tilts up.",
    "A woman stands at the edge of a lake. The camera pushes in.",
    "A street with parked cars in heavy rain. The camera pans right, then pulls out.",
)
SETTINGS = {"size": "320x192", "num_frames": 61, "fps": 24, "num_inference_steps": 35, "guidance_scale": 6.0}


@dataclass(frozen=True)
class Row:
    """What came of one prompt."""

    prompt: str
    seed: int
    first: float
    """Score of the first candidate of the first caption."""
    selected: float
    """Best score of the first caption: what selection alone gives."""
    chosen: float
    """Score of the chosen clip."""
    paired_gain: float
    """Best mean gain of a rewritten caption over the one it was rewritten from, on the same seeds."""
    answered: str
    """Criteria that the edits of that rewrite answered."""
    renders: int
    seconds: float
    """Render and judge seconds."""


def measure(prompt: str, seed: int, folder: Path, iterations: int, samples: int) -> Row:
    """One run of the loop, never stopped early."""
    config = RunConfig.model_validate(
        {
            "request": {**SETTINGS, "seed": seed},
            "budget": {"max_iterations": iterations, "samples_per_iteration": samples},
            "critic": {"accept_at": None},
        }
    )
    run = refine_and_generate(prompt, config=config, out=folder)
    gain, answered = best_rewrite(run)
    first = run.iterations[0]
    if run.score is None or first.best is None:
        raise RuntimeError(f"no clip for {prompt!r}")
    return Row(
        prompt=prompt,
        seed=seed,
        first=first.candidates[0].score,
        selected=first.best.score,
        chosen=run.score,
        paired_gain=gain,
        answered=answered,
        renders=run.renders,
        seconds=run.seconds["render"] + run.seconds["judge"],
    )


def best_rewrite(run: Run) -> tuple[float, str]:
    """The largest paired gain of any rewrite, and what it answered. 0 and "" if nothing was rewritten."""
    gains = [(0.0, "")] * (not any(i.caption.edits for i in run.iterations))
    for iteration in run.iterations:
        if iteration.parent is not None and iteration.caption.edits:
            gain = iteration.gain_over(run.iterations[iteration.parent])
            if gain is not None:
                gains.append((gain.mean, ", ".join(dict.fromkeys(e.criterion for e in iteration.caption.edits))))
    return max(gains)


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """The figures under the table."""
    return {
        "prompts": len(rows),
        "chosen_below_first": sum(r.chosen < r.first for r in rows),
        "rewrite_raised_paired_score": sum(r.paired_gain > 0 for r in rows),
        "rewrite_raised_by_001": sum(r.paired_gain >= 0.01 for r in rows),
        "mean_first": round(fmean(r.first for r in rows), 4),
        "mean_selected": round(fmean(r.selected for r in rows), 4),
        "mean_chosen": round(fmean(r.chosen for r in rows), 4),
        "mean_paired_gain": round(fmean(r.paired_gain for r in rows), 4),
    }


PAGE = """# What the loop gains on the embedded parts

Made by `{command}` ({setting}; {library}).

The renderer is the CPU animatic, the writer is rules, the critic is measured signals: no model, no GPU. So this page
shows that the loop works (choosing, paired comparison, rewriting from a critique), **not** what it gains on Cosmos3:

* The animatic answers to a known vocabulary, and what the words leave open the seed decides. Rules and animatic were
  written for one another.
* The critic sees what can be measured in pixels (camera, flicker, exposure, sharpness ...), not meaning. It asks for a
  clear camera move whatever the pace word, so "slowly" is often rewritten to "slowly but clearly".
* A score here says nothing about whether a person would like the clip.

*first*: the first candidate. *selected*: the best of the first caption, what selection alone gives. *chosen*: the best
of all. *paired gain*: the best rewrite against the caption it came from, mean over the same seeds: what the words did,
without the dice.

| # | prompt | first | selected | chosen | paired gain | edits answered | renders |
|---|---|---|---|---|---|---|---|
{rows}

* Chosen below the first candidate: {chosen_below_first} of {prompts}.
* A rewrite raised the paired score: {rewrite_raised_paired_score} of {prompts}; by 0.01 or more:
  {rewrite_raised_by_001} of {prompts}.
* Means: first {mean_first:.3f}, selected {mean_selected:.3f}, chosen {mean_chosen:.3f}, paired gain
  {mean_paired_gain:+.3f}.
"""


def table(rows: Sequence[Row], command: str) -> str:
    """The page, as Markdown."""
    return PAGE.format(
        command=command,
        setting=", ".join(f"{k} {v}" for k, v in SETTINGS.items()),
        library=", ".join(f"{k} {v}" for k, v in versions().items() if k != "machine"),
        rows="\n".join(
            f"| {n} | {r.prompt} | {r.first:.3f} | {r.selected:.3f} | {r.chosen:.3f} | {r.paired_gain:+.3f} "
            f"| {r.answered} | {r.renders} |"
            for n, r in enumerate(rows, 1)
        ),
        **summary(rows),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quickstart", description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="how many of the prompts (default: all)")
    parser.add_argument("--iterations", type=int, default=3, help="captions a prompt (default: 3)")
    parser.add_argument("--samples", type=int, default=2, help="candidates a caption (default: 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="write docs/quickstart-benchmark.md")
    parser.add_argument("--keep", metavar="DIR", help="keep the run folders here")
    args = parser.parse_args(argv)

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(args.keep or scratch)
        for number, prompt in enumerate(PROMPTS[: args.prompts]):
            row = measure(prompt, 100 * (number + 1), home / f"{number + 1:02d}", args.iterations, args.samples)
            rows.append(row)
            print(
                f"{number + 1:2d} {row.first:.3f} -> {row.chosen:.3f}  paired {row.paired_gain:+.3f}  {row.answered}",
                file=sys.stderr,
            )
    page = table(
        rows, shlex.join(["python", "-m", "benchmarks.quickstart", *(argv if argv is not None else sys.argv[1:])])
    )
    if args.write:
        (Path(__file__).parents[1] / "docs" / "quickstart-benchmark.md").write_text(page, encoding="utf-8")
    print(json.dumps({**summary(rows), "rows": [asdict(r) for r in rows]}) if args.json else page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
