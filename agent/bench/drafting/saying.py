"""What a measurement of drafts comes to, in words."""

from collections.abc import Iterator

from agent.bench.drafting.agreement import FEW, NEAR
from agent.bench.drafting.types import Agreement, Landscape
from agent.bench.figures.types import Figure
from agent.forecasting.correlation import FEWEST

LINES = 10
"""Of what is left out that are shown; all of them are in the file."""
FEW_CAPTIONS = 4
MUCH = 0.5
"""Correlation of renders as asked over two seeds below which seeds move captions about."""


def told(landscape: Landscape, found: Agreement, least: float) -> list[str]:
    """For people. `least`: search.draft.min_correlation."""
    kind = landscape.kind
    seeds = sorted({len(each.target) for pairs in landscape.prompts for each in pairs.captions})
    on = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    over = f"{count(found.prompts, 'prompt')}, {found.captions} captions each, on {on} seed{'s' * (seeds[-1] > 1)}."
    lines = [
        f"Drafts ({kind.draft_spec}) against renders as asked ({kind.target_spec})",
        f"by {kind.generator}, judged by {kind.critic}, captions by {kind.reasoner}: {over}",
        "",
        *(f"  {name:<17}{value:<26}{words}".rstrip() for name, value, words in _figures(found)),
        "",
        *notes(landscape, found, least),
    ]
    return [*lines, *left_out(landscape)]


def _figures(found: Agreement) -> Iterator[tuple[str, str, str]]:
    yield "rank correlation", _shown(found.spearman), "over the captions of a prompt; 0 is chance"
    yield "  one seed", _shown(found.one_seed), "of a draft with a render as asked on another seed"
    yield "  seeds alone", _shown(found.ceiling), "of renders as asked on two seeds: what flawless drafts would have"
    yield "finds the best", _shown(found.best), f"by chance {found.best_by_chance:.2f}"
    yield f"  or within {NEAR:g}", _shown(found.near), f"by chance {found.near_by_chance:.2f}"
    yield "score lost", _shown(found.loss, 4), f"by taking any caption {_shown(found.loss_by_chance, 4)}"
    if found.draft_seconds is None or found.target_seconds is None:
        yield "seconds", "not known", ""
    else:
        share = found.draft_seconds / found.target_seconds if found.target_seconds else 0.0
        seconds = f"{found.draft_seconds:.2f} s a draft"
        yield "seconds", seconds, f"{share:.3f} of the {found.target_seconds:.2f} s of a render as asked"


def _shown(figure: Figure, digits: int = 2) -> str:
    if figure.value is None:
        return "not known"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def notes(landscape: Landscape, found: Agreement, least: float) -> list[str]:
    """What the figures do and do not say, in sentences."""
    return [*_verdict(found.spearman, least), *_limits(landscape, found)]


def _verdict(rank: Figure, least: float) -> Iterator[str]:
    if rank.value is None:
        yield f"Nothing can be said: {rank.why}."
        return
    if rank.low is None or rank.high is None:
        yield "One prompt has no interval, and says nothing of others: give more."
        return
    if rank.n < FEWEST:
        yield (
            f"{rank.n} prompts with a correlation are too few to tell it from chance: give {FEWEST} at least. "
            "`search.draft: auto` makes no drafts by so few."
        )
    elif rank.high < 0:
        yield "Drafts rank the captions the wrong way round."
    elif rank.low <= 0:
        yield "It cannot be told from chance: the interval contains 0."
    elif rank.low >= least:
        yield f"Drafts rank captions well: the interval lies above search.draft.min_correlation ({least:g})."
    elif rank.high < least:
        yield f"Drafts rank captions worse than search.draft.min_correlation ({least:g}) asks for."
    else:
        yield (
            f"Better than chance; whether it reaches search.draft.min_correlation ({least:g}) is not settled: the "
            f"interval contains it. A run goes by the value, {rank.value:.2f}."
        )


def _limits(landscape: Landscape, found: Agreement) -> Iterator[str]:
    if FEWEST <= found.spearman.n < FEW:
        yield f"{found.spearman.n} prompts are few: with under {FEW}, such an interval is narrower than the truth."
    if found.captions < FEW_CAPTIONS:
        yield f"{found.captions} captions of a prompt rank coarsely: --captions {FEW_CAPTIONS} or more say more."
    if found.tied:
        yield f"{count(found.tied, 'prompt')} without a correlation: one tier scores all captions the same."
    one, ceiling = found.one_seed.value, found.ceiling.value
    if ceiling is None:
        yield f"What the dice of seeds alone allow is not known: {_why_no_ceiling(landscape)}."
    elif ceiling < MUCH:
        yield (
            "The dice count for much: over two seeds, renders as asked rank the captions with a correlation of "
            f"{ceiling:.2f} themselves. A low figure is not the drafts' doing alone, and more --seeds say more."
        )
    elif one is not None and one >= ceiling:
        yield "On one seed, drafts agree with renders as asked as well as these do with one another."
    if landscape.failures:
        yield f"{count(landscape.failures, 'render')} came to nothing."


def _why_no_ceiling(landscape: Landscape) -> str:
    if any(len(each.target) > 1 for pairs in landscape.prompts for each in pairs.captions):
        return "captions share no two seeds on which they differ"
    return "each caption was rendered on one seed; give --seeds 2 or more"


def left_out(landscape: Landscape) -> list[str]:
    """What does not count, the first of it."""
    lines = list(landscape.left_out[:LINES])
    if len(landscape.left_out) > LINES:
        lines.append(f"… and {len(landscape.left_out) - LINES} more, in drafts.json.")
    return lines


def count(number: int, what: str) -> str:
    """1 prompt, 12 prompts."""
    return f"{number:,} {what}{'s' * (number != 1)}"
