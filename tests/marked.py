"""Little runs on disk to be marked, a tenth of a second each."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from agent import journal
from agent.files import write_atomically
from agent.run import Run
from agent.types import Ending
from generator.types import RenderSpec
from reasoner.types import Caption
from tests import runs

SPEC = RenderSpec(width=160, height=96, num_frames=9, fps=24)


def write(
    folder: Path, scores: Sequence[float] = (0.5, 0.9, 0.52), *, prompt: str = runs.PROMPT, first_frame: bool = False
) -> Run:
    """A finished run of one iteration whose candidates differ in their clips' bytes. `scores`: of a criterion."""
    spec = SPEC.model_copy(update={"first_frame": folder / "first_frame.png" if first_frame else None})
    run = runs.begin(folder, prompt=prompt, spec=spec)
    if spec.first_frame is not None:
        Image.new("RGB", (spec.width, spec.height), "steelblue").save(spec.first_frame)
    run = run.with_caption(Caption.raw(prompt), tuple(range(4100, 4100 + len(scores))))
    for seed, score in enumerate(scores, 4100):
        run = run.with_candidate(runs.candidate(run, 0, seed, {"camera": score}))
    return put(run.stopped(Ending(reason="iterations")))


def put(run: Run) -> Run:
    """The run, with its run.json as the journal writes it."""
    write_atomically(run.folder / journal.RUN, journal._dump(run))
    return run
