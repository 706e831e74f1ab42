"""A benchmark's figures as a terminal shows them: the words first, a table an axis, how to go on, the paths last."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.bench.figures.types import AxisFigures
from agent.bench.report import wording
from agent.bench.report.material import Material, onward
from agent.lines import printable
from agent.report.wording import count

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
"""From none to the most."""
_STYLES: Final[dict[wording.State, str]] = {
    "better than chance": "bold green",
    "chance level": "bold yellow",
    "worse than chance": "bold red",
    "cannot be told": "bold yellow",
    "nothing judged": "bold red",
}


def told(text: str, most: int = 400) -> str:
    """Text of others, cut, without what a terminal would obey."""
    return printable(text) if len(text) <= most else printable(text[:most]) + "…"


def show(material: Material, console: Console) -> None:
    """Print everything that is for people, the paths aside."""
    for part in _parts(material):
        console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def sentence(material: Material) -> str:
    """What the score is worth, in a sentence."""
    main = material.main
    if main is None:
        return "There is no row, and so nothing can be said."
    said = main.words[0] if main.words else wording.state(main)
    return told(f"Chance level. {said}" if wording.state(main) == "chance level" else said)


def _parts(material: Material) -> Iterator[RenderableType]:
    figures, main = material.figures, material.main
    by = "" if figures.instrument is None else f", judged by {figures.instrument.name}"
    yield Text(told(f"{figures.dataset}: {count(figures.rows, 'row')}{by}"), style="dim")
    yield Text(sentence(material), style="bold" if main is None else _STYLES[wording.state(main)])
    for words in () if main is None else main.words[1:]:
        yield Text(told(words))
    if material.unfinished:
        yield Text(material.unfinished, style="yellow")
    if figures.bad_rows:
        yield Text(f"Left out: {count(figures.bad_rows, 'bad row')}.", style="yellow")
    for axis in material.axes:
        yield Text()
        yield _axis(axis, first=axis is main)
    yield Text()
    for note in material.beside.notes:
        yield Text(told(note), style="yellow")
    if material.beside.threshold is not None:
        yield Text(told(f"Threshold: {material.beside.threshold.sentence()}"))
    elif material.beside.withheld:
        yield Text(told(" ".join(material.beside.withheld.split()), 1000), style="yellow")
    words, command = onward(material)
    yield Text(words)
    if command:
        yield Text(f"  {told(command, 4000)}", style="cyan", no_wrap=True)


def _axis(axis: AxisFigures, *, first: bool) -> RenderableType:
    parts = [count(axis.n, "clip")] if axis.n or not axis.n_pairs else []
    parts += [count(axis.n_pairs, "pair")] if axis.n_pairs else []
    parts += [count(axis.groups, "prompt")]
    parts += [f"{axis.n_pass:,} taken, {axis.n_fail:,} not"] if axis.n_pass + axis.n_fail else []
    parts += [f"{axis.n_failed:,} failed"] if axis.n_failed else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("95 % interval")
    table.add_column("n", justify="right")
    table.add_column("chance", justify="right", style="dim")
    for line in (*wording.first_lines(axis), *wording.other_lines(axis)):
        figure = line.figure
        reach = wording.reach(figure) if figure.value is not None else told(figure.why)
        chance = "" if line.chance is None else wording.value(line.chance)
        table.add_row(line.name, wording.value(figure.value), Text(reach), f"{figure.n:,}", chance)
    sways = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for sway in wording.sways(axis):
        if sway.value != wording.DASH:
            sways.add_row(sway.name, Text(told(f"{sway.value}: {sway.meaning}")))
    heading = Text.assemble((wording.axis(axis.axis), "bold"), (f"  {', '.join(parts)}", "dim"))
    worth = () if first else (Text(told(axis.words[0] if axis.words else ""), style=_STYLES[wording.state(axis)]),)
    return Group(heading, *worth, table, *_spread(axis), sways, *_failures(axis))


def _spread(axis: AxisFigures) -> Iterator[Text]:
    """The scores as one row of blocks a label, each to its own highest."""
    bins = axis.histogram
    if not any(b.n for b in bins):
        return
    low, high = wording.value(bins[0].low), wording.value(bins[-1].high)
    ends = f"{low} {high:>{max(0, len(bins) - len(low) - 1)}}"
    if wording.parted(axis):
        yield Text(f"scores, taken      {blocks([b.n_passed for b in bins])}")
        yield Text(f"        not taken  {blocks([b.n - b.n_passed for b in bins])}")
    else:
        yield Text(f"scores             {blocks([b.n for b in bins])}")
    yield Text(f"                   {ends}", style="dim")


def blocks(counts: list[int]) -> str:
    """Counts as blocks of eight heights. What is there at all is seen."""
    most = max([*counts, 1])
    return "".join(BLOCKS[-(-8 * n // most)] for n in counts)


def _failures(axis: AxisFigures) -> Iterator[Text]:
    for reason, times in axis.failures.items():
        yield Text.assemble(("failed ", "red"), f"{times:,}: {told(reason)}")
