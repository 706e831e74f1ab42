"""All plots of a benchmark as files."""

from collections.abc import Iterator
from pathlib import Path

from agent.bench.figures.types import AxisFigures
from agent.bench.report.beside import Beside
from agent.bench.report.canvas import look, save
from agent.bench.report.material import Material
from agent.bench.report.plots import PLOTS, Drawn, says

ENDINGS = (".svg", ".png")


def draw(material: Material, folder: Path) -> tuple[Drawn, ...]:
    """Draw the plots of every axis into a folder, and take away those of an earlier report that are no more.

    Raises:
        OSError: the disk failed.
    """
    drawn: list[Drawn] = []
    with look():
        for axis in material.axes:
            drawn += _axis(axis, material.beside if axis is material.main else Beside(), folder)
    _tidy(folder, {each.file.name for each in drawn})
    return tuple(drawn)


def _axis(axis: AxisFigures, beside: Beside, folder: Path) -> Iterator[Drawn]:
    for name, (plot, _) in PLOTS.items():
        figure = plot(axis, beside)
        if figure is not None:
            file = folder / f"{axis.axis.replace('_', '-')}-{name}"
            yield Drawn(axis.axis, name, file, save(figure, file), says(name, axis))


def _tidy(folder: Path, kept: set[str]) -> None:
    for file in folder.iterdir():
        axis_and_plot = file.stem.partition("-")[2]
        ours = file.suffix in ENDINGS and any(axis_and_plot.endswith(name) for name in PLOTS)
        if ours and file.stem not in kept:
            file.unlink()
