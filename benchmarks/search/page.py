"""What was found, as docs/search-benchmark.md."""

from math import isfinite
from pathlib import Path
from statistics import fmean

from agent.bench.ranking import Estimate
from benchmarks.search import plot
from benchmarks.search.curves import Comparison
from benchmarks.search.findings import GOAL, Findings
from benchmarks.search.landscape import CAPTIONS, DRAFT, SEEDS, TARGET
from benchmarks.search.measure import Measured
from benchmarks.search.pairwise import ACCURACIES, BIAS, MARGIN, Choices
from benchmarks.search.prices import FRAMES, HARDWARE, MODEL
from benchmarks.search.strategies import DEFAULT, REFERENCE, ablations
from benchmarks.search.texts import TEXT
from reasoner.config import RulesConfig
from reasoner.rules import Rules

DOCS = Path(__file__).parents[2] / "docs"


def pictures(found: Findings) -> dict[str, str]:
    """By file name in docs/."""
    first = "1x4: selection only"
    shown = [REFERENCE.name, DEFAULT.name, first, "2x2, accept at 0.96", "5x1", "5x1 drafts of 12 steps + 1"]
    named = list(dict.fromkeys(name for name in shown if name in found.published.curves))
    return {
        "search-benchmark.svg": plot.curves(found.published, named),
        "search-benchmark-ratios.svg": plot.ratios(found.published),
        "search-benchmark-pairs.svg": plot.simulation(found.choices),
    }


def page(found: Findings) -> str:
    """The page, as Markdown."""
    made, published = found.landscape.header, found.published
    draft, target = (made.tiers[tier] for tier in (DRAFT, TARGET))
    cells = found.landscape.cells
    seconds = {tier: [cell for (_, _, at, _), cell in cells.items() if at == tier] for tier in (DRAFT, TARGET)}
    kinds = [wording.kind for asked in made.asked for wording in asked.captions]
    agreement = next(each for each in found.agreements if each.tier == DRAFT)
    return TEXT.format(
        command=found.command,
        recorded_by=made.command,
        resamples=found.resamples,
        prompts=len(made.asked),
        clips=len(cells),
        captions=CAPTIONS,
        seeds=SEEDS,
        orders=len(made.asked) * SEEDS,
        parts=", ".join(made.parts),
        rules=Rules(RulesConfig()).id,
        library=", ".join(f"{k} {v}" for k, v in made.versions.items() if k != "machine"),
        frames=target.frames,
        fps=made.fps,
        steps=target.steps,
        width=target.width,
        height=target.height,
        draft_width=draft.width,
        draft_height=draft.height,
        rewrites=kinds.count("rewrite"),
        detours=kinds.count("detour"),
        headline=_headline(found),
        default=DEFAULT.name,
        reference=REFERENCE.name,
        score=f"{published.reference.final.mean():.3f}",
        total=f"{published.reference.total.mean():.1f}",
        total_recorded=f"{found.recorded.reference.total.mean():.2f}",
        price=f"{published.reference.total.mean() / 4:.2f}",
        draft_price=f"{published.reference.total.mean() / 4 / published.prices.ratio(DRAFT):.2f}",
        model=MODEL,
        hardware=HARDWARE,
        published_frames=FRAMES,
        target_seconds=f"{fmean(cell.render_seconds for cell in seconds[TARGET]):.2f}",
        draft_seconds=f"{fmean(cell.render_seconds for cell in seconds[DRAFT]):.2f}",
        judge_seconds=f"{fmean(cell.judge_seconds for cell in seconds[TARGET]):.2f}",
        strategies=_strategies(published, found.recorded),
        ablations=_ablations(found),
        correlations=_correlations(found),
        spearman=_told(agreement.spearman),
        pooled=_told(agreement.pooled),
        regret=f"{agreement.regret.value:.4f}",
        range=f"{agreement.differences:.3f}",
        tiers_of_prompts=_covered(found),
        pairs=_pairs(found.choices),
        bias=BIAS,
        margin=MARGIN,
    )


def _headline(found: Findings) -> str:
    reach, other = found.default.reach, found.recorded.comparisons[DEFAULT.name].reach
    if not isfinite(reach.value):
        met = "It never reaches that score"
    else:
        met = f"It takes {reach.value:.3f} of the render seconds to reach that score"
        met += f" (95 % interval {_end(reach.low)} to {_end(reach.high)})"
    larger = found.larger.comparisons[DEFAULT.name].reach
    goal = "meets the goal of a third" if reach.value <= GOAL else "does not meet the goal of a third"
    if reach.value <= GOAL < reach.high:
        goal += ", and the interval does not exclude that it misses it"
    held = found.held_out.reach
    never = found.default.unreached
    missed = f" In {never:.1%} of the resamples it never gets there." if never else ""
    frugal = ""
    if found.frugal is not None:
        each = found.published.comparisons[found.frugal]
        frugal = (
            f" Of those that spend no more than a third of the seconds by their own rules, {found.frugal} comes "
            f"nearest: {_signed(each.difference)} against the reference's score, for {each.cost.value:.3f} of them."
        )
    return (
        f"{met}, at published prices: it {goal}.{missed} At the published price of 720p, where a draft costs a smaller "
        f"part: {_end(larger.value)} ({_end(larger.low)} to {_end(larger.high)}), if scores were the same there. "
        f"At the seconds of the recording: {_end(other.value)}. "
        f"On every second prompt alone, since it was chosen by looking at all: {_end(held.value)}.{frugal}"
    )


def _end(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "never"


def _told(of: Estimate, digits: int = 2) -> str:
    return f"{of.value:.{digits}f} ({of.low:.{digits}f} to {of.high:.{digits}f})"


def _reach(of: Comparison) -> str:
    if not isfinite(of.reach.value):
        return of.said_of_never
    told = f"{_end(of.reach.value)} ({_end(of.reach.low)} to {_end(of.reach.high)})"
    return f"{told}; {of.said_of_never}" if of.unreached else told


def _signed(of: Estimate) -> str:
    return f"{of.value:+.4f} ({of.low:+.4f} to {of.high:+.4f})"


def _strategies(published: Measured, recorded: Measured) -> str:
    columns = (
        "captions x seeds",
        "seconds to the reference's score, as a share of its own",
        "score at its own end, against the reference's",
        "seconds then",
        "seconds to the reference's score, recorded",
    )
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    rows = [
        f"| {f'**{name}**' if name == DEFAULT.name else name} | {_reach(each)} | {_signed(each.difference)} | "
        f"{each.cost.value:.3f} | {_reach(recorded.comparisons[name])} |"
        for name, each in published.comparisons.items()
    ]
    return "\n".join([*head, *rows])


def _ablations(found: Findings) -> str:
    head = ["| without | of | with it | without it |", "|---|---|---|---|"]
    comparisons = found.published.comparisons
    rows = [
        f"| {part} | {one.name} | {_ablated(comparisons[one.name])} | {_ablated(comparisons[other.name])} |"
        for part, (one, other) in ablations().items()
        if one.name in comparisons and other.name in comparisons
    ]
    return "\n".join([*head, *rows])


def _ablated(of: Comparison) -> str:
    return f"{_reach(of)}; {_signed(of.difference)} for {of.cost.value:.3f}"


def _correlations(found: Findings) -> str:
    head = [
        "| drafts | cost, published | prompts | Spearman | Kendall | one seed | other seeds | pooled | regret |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {each.tier} | {1 / found.published.prices.ratio(each.tier):.3f} | {each.prompts} | "
        f"{_told(each.spearman)} | {_told(each.kendall)} | {_told(each.one_seed)} | {_told(each.other_seeds)} | "
        f"{_told(each.pooled)} | {_told(each.regret, 4)} |"
        for each in found.agreements
    ]
    return "\n".join([*head, *rows])


def _covered(found: Findings) -> str:
    covers, every = found.landscape.header.covers, len(found.landscape.prompts)
    some = [f"{tier} ({len(prompts)})" for tier, prompts in covers.items() if len(prompts) < every]
    return f"Rendered for fewer prompts: {', '.join(some)}." if some else "All were rendered for every prompt."


def _pairs(choices: tuple[Choices, ...]) -> str:
    head = [
        "| noise of the critic | regret by its score | "
        + " | ".join(f"accuracy {accuracy:g}" for accuracy in ACCURACIES)
        + " | worth it from | questions |",
        "|---" * (len(ACCURACIES) + 4) + "|",
    ]
    rows = [
        f"| {each.noise:g} | {each.alone:.4f} | "
        + " | ".join(f"{regret:.4f}" for regret in each.helped)
        + f" | {'never' if each.worth_it is None else f'{each.worth_it:.2f}'} | {each.questions:.1f} |"
        for each in choices
    ]
    return "\n".join([*head, *rows])
