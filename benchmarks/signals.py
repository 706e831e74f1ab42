"""Measures the critic `signals` on controlled degradations: `python -m benchmarks.signals [CRITERION]...`.

Prints a line for each degradation and, unless criteria are named, writes docs/signals.md.
"""

import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from agent.bench.degrade import scenes
from benchmarks.studies import Bench, Study, studies
from critic.signals.curves import CURVES
from critic.signals.rubric import RUBRIC

PAGE: Final = Path(__file__).parent.parent / "docs" / "signals.md"

HEAD: Final = """\
# The critic `signals`

Written by `python -m benchmarks.signals` in {seconds:.0f} s with Python {python}, NumPy {numpy}, OpenCV {opencv},
PyAV {av}. Rubric `{rubric}`.

A score is a measured figure put through a curve to [0, 1]. A clip's overall score is the weighted mean, times
value / floor of the worst broken floor. Words of the prompt shift what is expected (`critic/signals/words.py`).

| criterion | measured | unit | curve (measured: score) | floor | weight |
|---|---|---|---|---|---|
"""

METHOD: Final = """
## Degradations

{bases} procedural base clips of {frames} frames at 320x192 (`agent/bench/degrade/scenes.py`), each degraded at five
severities (`agent/bench/degrade`) and encoded as H.264 at CRF 18, against {clean} clean ones (`benchmarks/studies.py`).
Spearman: rank correlation of severity with badness within a clip, mean over clips. AUC: the chance that a clean clip
scores over a degraded one. This is a small synthetic set: it shows that a signal follows its defect, not that it agrees
with people.

| criterion | degradation | Spearman | AUC | AUC, mildest | clean, worst | scores by severity, median |
|---|---|---|---|---|---|---|
"""

LIMITS: Final = """
## What it cannot see

Whether the picture shows what was asked (people, objects, actions, text), anatomy, physics: no signal looks at content.
The camera's path is a similarity of the plane: a dolly looks like a zoom, a truck like a pan, and an orbit is accepted
in either direction; where under 35 % of the corners agree, the path is unknown and scores .5. Strong noise also raises
warping; rain and snow do a little. Blur, noise, blocks and bands are looked at eight times a second, on nine parts of
80 pixels a side of a frame that is larger than 256x256 pixels, and judged by the worst half second: damage of a single
frame, or in a small corner of a large frame, can fall between (a single strange frame is two cuts, a
single black one is under its floor). Frames out of order
show where something moves by more than a few pixels; a clip played backwards is in order, and only a camera move that
was asked for betrays it. Light and colour are held against the image for half a second;
light or colour that drifts slowly over the whole clip, and a part of the picture that stands still or stays black while
the rest moves, are not seen. Warping below a tenth of a
pixel at 256 pixels, and bands hidden in grain, are not seen. Word rules do not understand sentences.
"""


def page(found: Sequence[Study], bench: Bench, seconds: float) -> str:
    """docs/signals.md."""
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
        "rubric": RUBRIC.id,
    }
    rows = [
        f"| {c.name} | {c.definition} | {c.unit} | {curves(c.name)} | {c.floor:g} | {c.weight:g} |"
        for c in RUBRIC.criteria
    ]
    results = [
        f"| {s.criterion} | {s.degradation} | {s.spearman:.2f} | {s.auc:.2f} | {s.auc_mildest:.2f} "
        f"| {min(s.clean):.2f} | {medians(s)} |"
        for s in found
    ]
    places = len(scenes.PLACES)
    method = METHOD.format(bases=places * len(bench.seeds), frames=bench.frames, clean=places * len(bench.clean_seeds))
    head = HEAD.format(seconds=seconds, **versions)
    return head + "\n".join(rows) + "\n" + method + "\n".join(results) + "\n" + LIMITS


def curves(criterion: str) -> str:
    """All curves of a criterion, in words."""
    texts = []
    for name, points in CURVES.items():
        of, _, part = name.partition(": ")
        if of == criterion:
            texts.append((f"{part}: " if part else "") + ", ".join(f"{x:g}: {y:g}" for x, y in points))
    return "; ".join(texts)


def medians(study: Study) -> str:
    """Median score of the base clips at each severity."""
    return " ".join(f"{value:.2f}" for value in np.median(np.array(study.degraded), axis=0))


def main() -> None:
    """Measure, print, and write the page."""
    cv2.setNumThreads(1)
    bench = Bench()
    began = time.monotonic()
    found = []
    for study in studies(bench, sys.argv[1:] or None):
        found.append(study)
        print(
            f"{study.criterion:12} {study.degradation:14} Spearman {study.spearman:5.2f}  AUC {study.auc:.2f}  "
            f"mildest {study.auc_mildest:.2f}  clean >= {min(study.clean):.2f}  by severity {medians(study)}",
            flush=True,
        )
    if len(sys.argv) == 1:
        PAGE.write_text(page(found, bench, time.monotonic() - began), encoding="utf-8")


if __name__ == "__main__":
    main()
