"""Drawings in the house's look: one size, few colours, and the same bytes whenever the figures are the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agent.files import write_atomically

COLOURS: Final = {
    "ink": "#1b1c1e",
    "soft": "#5b5f66",
    "line": "#dfdfda",
    "sheet": "#ffffff",
    "accent": "#0a5fc4",
    "fill": "#7c93b0",
    "bad": "#b3261e",
}
"""By day, as agent/report/page.css names them. In the page these are its variables, and so follow day and night."""
INK, SOFT, LINE, SHEET, ACCENT, FILL, BAD = COLOURS.values()

SIZE: Final = (5.0, 3.75)
"""Inches: 360 by 270 points, so that text of 11 points stays readable in a window 380 pixels wide."""
DPI: Final = 160
"""Of the PNG: 800 by 600 pixels."""
_LOOK: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "retake",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 11,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.facecolor": SHEET,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": SHEET,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "lines.linewidth": 2.0,
    "legend.fontsize": 10,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": LINE,
    "legend.facecolor": SHEET,
    "legend.handlelength": 2.2,
    "legend.borderpad": 0.4,
    "legend.labelspacing": 0.3,
    "hatch.linewidth": 1.2,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw and write within this: the machine's own matplotlibrc has no say."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOK)
        yield


def blank(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """An empty drawing with its title and its axes' names."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.145, 0.165, 0.825, 0.735))
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def share(axes: Axes, *, x: bool = True, y: bool = True) -> None:
    """Axes that go from 0 to 1, with a little room so that lines at the ends are whole."""
    if x:
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    if y:
        axes.set_ylim(-0.02, 1.04)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


def save(figure: Figure, path: Path) -> str:
    """Write a drawing as `path` with .svg and with .png, without dates or versions. Returns the SVG.

    Raises:
        OSError: the disk failed.
    """
    drawn = BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue().decode("utf-8")
    write_atomically(path.with_suffix(".svg"), svg)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    write_atomically(path.with_suffix(".png"), picture.getvalue())
    return svg
