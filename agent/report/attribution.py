"""Whose doing a gain is, the prompt's or the seed's: a two-way decomposition over the same seeds, and its sentences."""

from dataclasses import dataclass
from statistics import fmean

from agent.paired import Gain
from agent.report.tiers import agreement
from agent.report.wording import count, gain, score
from agent.run import Run


@dataclass(frozen=True)
class Attribution:
    """What the chosen clip is above the mean of the first caption: the sum of the three parts."""

    score: float
    """The chosen clip's."""
    first: float
    """Mean of the first caption over the seeds that both captions have."""
    caption: Gain | None
    """The chosen caption's gain over the first on those seeds. None: it is the first, maybe on other seeds."""
    seed: float
    """How far the chosen seed lies above the mean of its seeds, under either caption alike."""
    both: float
    """What the chosen seed has under the chosen caption alone."""
    seeds: int
    """That the mean is of."""
    separable: bool
    """Whether the chosen seed was judged under the first caption too; if not, `seed` holds both parts."""

    @property
    def total(self) -> float:
        """Score gained."""
        return self.score - self.first


def attribution(run: Run) -> Attribution | None:
    """Where the chosen clip's gain over the first caption comes from; None where no two clips can be compared.

    Among drafts it is the chosen draft's; a render as asked has none of the first caption to be compared with.

    With scores y of caption c and seed s it is y(c, s) - y(0, .) = [y(c, .) - y(0, .)] + [y(., s) - y(., .)] + rest, a
    dot standing for the mean over the seeds that both captions have, or over both captions.
    """
    best, index = run.best, run.best_iteration
    if best is None or index is None or run.iterations[index].tier != run.iterations[0].tier:
        return None
    home = index
    while run.iterations[home].caption.reseed and (parent := run.iterations[home].parent) is not None:
        home = parent  # the same words, on other seeds
    before = {c.seed: c.score for c in run.iterations[0].candidates}
    after = {c.seed: c.score for c in run.iterations[home].candidates}
    shared = [seed for seed in after if seed in before]
    if not shared or (home == 0 and len(before) == 1 and index == 0):
        return None
    first, here = fmean(before[seed] for seed in shared), fmean(after[seed] for seed in shared)
    separable = index == home != 0 and best.seed in before
    seed = best.score - here
    if separable:
        seed = (best.score + before[best.seed]) / 2 - (here + first) / 2
    return Attribution(
        score=best.score,
        first=first,
        caption=None if home == 0 else run.iterations[home].gain_over(run.iterations[0]),
        seed=seed,
        both=best.score - here - seed,
        seeds=len(shared),
        separable=separable,
    )


def attributed(run: Run) -> str:
    """Whether prompt or seed made the chosen clip better, in a sentence with the figures; "" if none can say."""
    promoted = None if run.best_iteration is None else run.iterations[run.best_iteration].promoted
    if promoted is not None:
        return _by_drafts(run, promoted)
    found = attribution(run)
    if found is None:
        return ""
    name = _first(run)
    chosen = "By drafts alone, the chosen one" if run.request.draft is not None else "The chosen clip"
    start = f"{chosen} scores {gain(found.total)} against {score(found.first)}, the mean of {name}"
    if found.caption is None:
        return f"{start} over {count(found.seeds, 'seed')}: all of it is the seed's doing."
    shared = "the one seed" if found.seeds == 1 else f"the {found.seeds:,} seeds"
    made = f"{start} over {shared} that both have: {gain(found.caption.mean)} is the caption's doing"
    if not found.separable:
        made = f"{made}, {gain(found.seed)} that of its own seed"
    elif found.seeds > 1:
        made = f"{made}, {gain(found.seed)} the seed's, {gain(found.both)} of the two together"
    return f"{made}. {sure(found.caption)}"


def _by_drafts(run: Run, source: int) -> str:
    """What the caption of the chosen clip did, by drafts alone, and what the clip came to beside them.

    Args:
        run: whose chosen clip is rendered as asked.
        source: index of the drafts of its caption.
    """
    best, index = run.best, run.best_iteration
    if best is None or index is None:
        return ""
    first, drafts = run.iterations[0], run.iterations[source]
    known = drafts.gain_over(first)
    before = {c.seed: c.score for c in first.candidates}
    if source == 0:
        said = [f"The chosen clip has the words of {_first(run)}."]
    elif known is None:
        said = ["No seed has drafts of both the chosen clip's caption and the first one: what the caption did is open."]
    else:
        shared = "the one seed" if known.n == 1 else f"the {known.n:,} seeds"
        mean = score(fmean(before[seed] for seed in known.by_seed))
        start = f"By drafts, on the same seeds, the chosen clip's caption scores {gain(known.mean)} against {mean}"
        said = [f"{start}, the mean of {_first(run)} over {shared} that both have.", sure(known)]
    same = next((c.score for c in drafts.candidates if c.seed == best.seed), None)
    of_seed = "" if same is None else f"; the draft of its seed had {score(same)}"
    mean_of = f", its caption's drafts {score(fmean(c.score for c in drafts.candidates))}" if drafts.candidates else ""
    said.append(f"Rendered as asked the clip scores {score(best.score)}{mean_of}{of_seed}.")
    said.append("What its seed did cannot be told: at another size the same seed is other noise.")
    if (found := agreement(run)) is not None:
        held, pairs = found
        said.append(
            f"In {held} of {count(pairs, 'pair')} of captions the better drafts had the better render as asked."
        )
    return " ".join(said)


def _first(run: Run) -> str:
    return "the prompt as written" if run.iterations[0].caption.source == "raw" else "the first caption"


def sure(found: Gain) -> str:
    """How sure a caption's mean gain is, in a sentence."""
    if found.interval is None:
        return f"{count(found.n, 'seed')} {'is' if found.n == 1 else 'are'} too few for an interval."
    low, high = found.interval
    ends = f"The caption's 95 % interval is {gain(low)} to {gain(high)} ({found.n} seeds)"
    return f"{ends} and contains 0: it may be chance." if found.interval.holds_zero else f"{ends}."
