"""What a report is made of."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.bench.figures.types import AxisFigures, Figures
from agent.bench.folder import THRESHOLD, About
from agent.bench.report.beside import Beside
from agent.bench.report.wording import state
from agent.bench.types import Scored


@dataclass(frozen=True)
class Material:
    """Figures with the rows that they were computed from, and what lies beside them."""

    figures: Figures
    rows: Sequence[Scored]
    folder: Path
    """Where the report is written, and a threshold lies where one was made."""
    beside: Beside
    about: About | None = None
    """None: the scores came as a table."""
    source: str = ""
    """What another command takes for these rows, as a shell reads it: a folder or `--scores FILE`, and which labels."""
    command: str = ""
    """That made the report."""
    seed: int = 0
    """Of the bootstrap."""

    @property
    def main(self) -> AxisFigures | None:
        """The axis that a threshold is about; None: there is no row."""
        return self.figures.main if self.figures.axes else None

    @property
    def unfinished(self) -> str:
        """That more rows are to be judged, in a sentence; "" where none are."""
        if self.about is None or self.about.done:
            return ""
        return "Judging is not finished: these are the rows judged so far; `retake bench run` goes on."

    @property
    def axes(self) -> tuple[AxisFigures, ...]:
        """The main axis, then those with the most rows."""
        main = self.main
        others = sorted((a for a in self.figures.axes if a is not main), key=lambda a: -(a.n + a.n_pairs))
        return () if main is None else (main, *others)


def onward(material: Material) -> tuple[str, str]:
    """How to go on: words, and a command or "" for none."""
    main, found = material.main, material.beside
    path = shlex.quote(str(material.folder / THRESHOLD))
    out = f" --out {path}" if material.about is None else ""
    calibrate = f"retake bench calibrate {material.source} --precision 0.8{out}"
    if main is None or state(main) == "nothing judged":
        return "Mend what is under failures, then judge the rows again.", ""
    if found.threshold is not None:
        return "To stop runs at this threshold:", f"retake run CONFIG -s critic.threshold_file={path}"
    if found.withheld:
        return "When that is mended:", calibrate
    if not main.n_pass + main.n_fail:
        return _unsaid(material, main)
    if state(main) == "better than chance":
        return "For a threshold that you can defend:", calibrate
    return "No threshold on this score could be defended. More labels, or another critic:", "retake bench run --help"


def _unsaid(material: Material, main: AxisFigures) -> tuple[str, str]:
    words = "A threshold needs to know which clips people take."
    if not main.n:
        return f"{words} Pairs do not say.", ""
    return f"{words} Say it:", f"retake bench report {material.source} --pass-at LABEL"
