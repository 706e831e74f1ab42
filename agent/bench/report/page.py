"""A benchmark as HTML: the template's environment, and what it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agent.bench.figures.types import AxisFigures
from agent.bench.report import wording
from agent.bench.report.clips import clips
from agent.bench.report.inline import inline
from agent.bench.report.material import Material, onward
from agent.bench.report.plots import PLOTS, Drawn
from agent.bench.report.rows import Disagreement, disagreements, of_axis, raters
from agent.report import assets
from agent.report.wording import count, number, percent, words
from critic.threshold import figure

MARKER: Final = '<meta name="generator" content="retake bench report">'
"""Says that a page is ours to replace."""
_HERE: Final = Path(__file__).parent
_MARKS: Final[dict[wording.State, str]] = {
    "better than chance": "✓",
    "chance level": "≈",
    "worse than chance": "✕",
    "cannot be told": "?",
    "nothing judged": "✕",
}


@dataclass(frozen=True)
class Plot:
    """A drawing in the page."""

    name: str
    title: str
    label: str
    """What it shows, for those who do not see it."""
    svg: Markup
    file: str
    """Without its ending, relative to the page."""


@dataclass(frozen=True)
class Section:
    """An axis as the page shows it."""

    figures: AxisFigures
    state: wording.State
    plots: tuple[Plot, ...]
    apart: tuple[Disagreement, ...]
    raters: str


def render(material: Material, drawn: Sequence[Drawn]) -> str:
    """The whole page. Everything that came from a dataset, a critic or a file is text in it, never markup."""
    style = assets.asset("page.css") + _style()
    sections = tuple(_section(material, axis, drawn) for axis in material.axes)
    wanted = {each.row.sample_id for section in sections for each in section.apart}
    return (
        _environment()
        .get_template("bench.html.j2")
        .render(
            material=material,
            figures=material.figures,
            sections=sections,
            state=sections[0].state if sections else "nothing judged",
            onward=onward(material),
            clips=clips(material.about, wanted, material.folder),
            versions=_versions(),
            style=Markup(style),  # noqa: S704 - our own files
            marker=Markup(MARKER),  # noqa: S704 - our own words
            policy=assets.policy(style),
        )
    )


def _section(material: Material, axis: AxisFigures, drawn: Sequence[Drawn]) -> Section:
    rows = of_axis(material.rows, axis)
    plots = tuple(_plot(each) for each in drawn if each.axis == axis.axis)
    return Section(axis, wording.state(axis), plots, disagreements(rows), raters(rows))


def _plot(drawn: Drawn) -> Plot:
    title = PLOTS[drawn.name][1]
    label = f"{title}, {wording.axis(drawn.axis)}: {drawn.says}"
    svg = inline(drawn.svg, drawn.file.stem, label)
    return Plot(drawn.name, title, label, Markup(svg), f"{drawn.file.parent.name}/{drawn.file.name}")  # noqa: S704 - ours


def _versions() -> Mapping[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - for pages alone

    found = {}
    for name in ("cosmos-retake", "scikit-learn", "scipy", "numpy", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


@cache
def _style() -> str:
    return (_HERE / "bench.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    loader = ChoiceLoader([FileSystemLoader(_HERE), FileSystemLoader(assets.HERE)])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        value=wording.value,
        reach=wording.reach,
        number=number,
        percent=percent,
        words=words,
        axis=wording.axis,
        bound=figure,
    )
    environment.globals.update(
        count=count,
        marks=_MARKS,
        first_lines=wording.first_lines,
        other_lines=wording.other_lines,
        sways=wording.sways,
    )
    return environment
