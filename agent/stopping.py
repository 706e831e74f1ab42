"""When a run stops: one pure function a rule, each of the run alone, and the words for people."""

from collections.abc import Callable, Sequence

from agent.course import draft_accepted, finals_affordable, ranked, tried
from agent.gain import ENOUGH, compared, expected_gain, spread
from agent.run import Run
from agent.spending import Cost
from agent.types import Candidate, Ending, Iteration, StopReason, Verdict
from agent.worth import behind
from critic.threshold import figure

Rule = Callable[[Run], Verdict | None]
"""What it says of a run, with the figures; None where it is not in force."""


def accepted(run: Run) -> Verdict | None:
    """A candidate reached the threshold, with every floor held."""
    if run.accept_at is None or not run.budget.early_stop:
        return None
    holds = run.accepted and run.trusted
    words = (
        f"Accepted: a clip reached {_told(run)}, at or above the threshold of {figure(run.accept_at)}{_bare(run)}, "
        f"and every floor held.{_given_up(run)}{f' {behind(run)}' if run.calibrated else ''}"
        if holds
        else f"{_against(run).strip() or 'No clip is judged.'} {behind(run)}"
    )
    words += _untrusted(run)
    return Verdict(rule="accepted", holds=holds, words=words, value=run.score, limit=run.accept_at)


def failed(run: Run) -> Verdict | None:
    """Every attempt of an iteration failed, or the machine did."""
    ending = run.ending
    detail = ending.detail if ending else ""
    holds = any(map(_nothing_came, run.iterations)) or (ending is not None and ending.reason == "failed")
    why = f"Stopped by a failure: {detail or 'every attempt of an iteration failed'}."
    return Verdict(rule="failed", holds=holds, words=why if holds else "No iteration failed as a whole.")


def iterations(run: Run) -> Verdict | None:
    """As many captions as allowed were tried."""
    count, limit = tried(run), run.budget.max_iterations
    holds = count >= limit
    words = f"{count} of {limit} iterations {_are(count)} used."
    if holds:
        words = f"All {count} iterations are used" if count != 1 else "The one iteration is used"
        more = len(run.iterations) - count
        words += f"; {more} more rendered a caption as asked and {_are(more)} not counted." if more else "."
    return Verdict(rule="iterations", holds=holds, words=words, value=count, limit=limit)


def renders(run: Run) -> Verdict | None:
    """As many renders as allowed were made."""
    limit = run.budget.max_renders
    if limit is None:
        return None
    held = 0 if run.request.draft is None else run.request.draft.seeds
    holds = run.renders + held >= limit
    words = f"{run.renders} of {limit} renders {_are(run.renders)} used."
    if run.renders >= limit:
        words = f"All {limit} renders are used."
    elif holds:
        words = f"{words[:-1]}, and the rest would go into a promotion."
    return Verdict(rule="renders", holds=holds, words=words, value=run.renders, limit=limit)


def gpu_seconds(run: Run) -> Verdict | None:
    """One more render would take the generator's time over the limit."""
    limit = run.budget.max_gpu_seconds
    if limit is None:
        return None
    spent, each, *_ = run.gpu
    words = f"{spent:,.1f} of {limit:,.1f} s of the generator's time are used"
    words += "." if each is None else f"; {_compared(run)} takes {each:,.1f} s{_kept(run.gpu, limit)}."
    return Verdict(rule="gpu_seconds", holds=run.gpu.pays_for(limit) < 1, words=words, value=spent, limit=limit)


def price(run: Run) -> Verdict | None:
    """One more render would take the price over the limit."""
    limit = run.budget.max_price_usd
    if limit is None:
        return None
    spent, each, *_ = run.price
    words = f"${spent:,.2f} of ${limit:,.2f} {_are(spent)} spent"
    more = "; no price of a render is known."
    words += more if each is None else f"; {_compared(run)} costs ${each:,.2f}{_kept(run.price, limit)}."
    return Verdict(rule="price", holds=run.price.pays_for(limit) < 1, words=words, value=spent, limit=limit)


def patience(run: Run) -> Verdict | None:
    """No caption since the best one gained anything on the same seeds: about words, whatever the dice did."""
    limit = run.budget.patience
    if limit is None:
        return None
    # the expansion of a raw prompt is the first caption, and no rewrite that came to nothing
    later = [n for n in run.explored if n > run.leader]
    count = len(later) - int(run.raw_first and run.leader == 0 and bool(later))
    words = f"{count} {_iterations(count)} in a row without a gain on the same seeds; budget.patience is {limit}."
    return Verdict(rule="patience", holds=count >= limit, words=words, value=count, limit=limit)


def plateau(run: Run) -> Verdict | None:
    """The best score of all, by words or by dice, hardly rose over the last iterations."""
    limit, window = run.budget.plateau, run.budget.plateau_iterations
    if limit is None:
        return None
    # the raw prompt and its expansion are where it starts, and no window of rewrites
    compared = [run.iterations[n] for n in run.explored]
    early = run.raw_first and len(compared) - window < 2
    before = None if early else _best(run, compared[:-window])
    now = _best(run, compared)
    if before is None or now is None:
        words = f"Too early to say whether the best score still rises by {limit:g} in {window} {_iterations(window)}."
        return Verdict(rule="plateau", holds=False, words=words, limit=limit)
    rise = round(now.score - before.score, 6)
    over = f"the last {window} iterations" if window > 1 else "the last iteration"
    words = f"The best score rose by {rise:.3f} over {over}; budget.plateau is {limit:g}."
    first = run.accepts(now) and not run.accepts(before)  # accepted by a lower score than a clip below a floor had
    return Verdict(rule="plateau", holds=rise < limit and not first, words=words, value=rise, limit=limit)


def gain(run: Run) -> Verdict | None:
    """One more render is not expected to be worth its price in score. Never before the second iteration is done."""
    limit = run.budget.min_expected_gain
    if limit is None:
        return None
    value, count = round(expected_gain(run), 6), len(compared(run))
    basis = f"by {count} scores" if count >= ENOUGH else "assumed"
    words = (
        f"One more render is expected to gain {value:.4f} (spread {spread(run):.3f} {basis}); "
        f"budget.min_expected_gain is {limit:g}."
    )
    holds = len(run.explored) >= 2 + int(run.raw_first) and value < limit
    return Verdict(rule="expected_gain", holds=holds, words=words, value=value, limit=limit)


def deadline(run: Run) -> Verdict | None:
    """The wall clock reached the limit: as the run's ending says, for a run holds no clock."""
    limit = run.budget.max_seconds
    if limit is None:
        return None
    holds = run.stop_reason == "deadline"
    words = f"The time limit of {limit:,.1f} s was {'' if holds else 'not '}reached."
    return Verdict(rule="deadline", holds=holds, words=words, limit=limit)


def cancelled(run: Run) -> Verdict | None:
    """Somebody interrupted the run: as its ending says."""
    holds = run.stop_reason == "cancelled"
    return Verdict(rule="cancelled", holds=holds, words="Interrupted." if holds else "Nobody interrupted the run.")


RULES: dict[StopReason, Rule] = {
    "accepted": accepted,
    "failed": failed,
    "iterations": iterations,
    "renders": renders,
    "gpu_seconds": gpu_seconds,
    "price": price,
    "patience": patience,
    "plateau": plateau,
    "expected_gain": gain,
    "deadline": deadline,
    "cancelled": cancelled,
}
"""The reason of a stop is the first that holds."""
OVER: tuple[StopReason, ...] = (
    "failed",
    "iterations",
    "renders",
    "gpu_seconds",
    "price",
    "patience",
    "plateau",
    "expected_gain",
)
"""The rules that end the drafts, and not the run while there is one to promote."""


def verdicts(run: Run) -> tuple[Verdict, ...]:
    """What each rule in force says: as written down at the end, or as it stands."""
    if run.ending is not None and run.ending.rules:
        return run.ending.rules
    return tuple(verdict for rule in RULES.values() if (verdict := rule(run)) is not None)


def stop_reason(run: Run) -> StopReason | None:
    """Why the run should stop before another iteration; None to go on."""
    held = [verdict.rule for verdict in verdicts(run) if verdict.holds]
    if promotion(run) is not None:  # what ends the drafts is no reason to go without the clip that they are for
        held = [rule for rule in held if rule not in OVER]
    return next(iter(held), None)


def promotion(run: Run) -> int | None:
    """Index of the drafts whose caption is to be rendered as asked next; None: of none, or there are no drafts.

    The best ones, each as soon as a draft of it is accepted, or a rule says that no more drafts shall be made. None
    once a promotion failed as a whole: what fails once fails for the next best, too.
    """
    draft = run.request.draft
    if draft is None or not run.explored or finals_affordable(run) < 1:
        return None
    if any(i.tier == "target" and _nothing_came(i) for i in run.iterations):
        return None
    done = {i.promoted for i in run.iterations}
    waiting = [n for n in ranked(run)[: draft.promote] if n not in done]
    over = [verdict for name in OVER if (verdict := RULES[name](run)) is not None and verdict.holds]
    return waiting[0] if waiting and (over or draft_accepted(run, waiting[0])) else None


def ended(run: Run, reason: StopReason, detail: str = "") -> Ending:
    """The ending of a run, with all rules as they stand at it."""
    ending = Ending(reason=reason, detail=detail)
    return ending.model_copy(update={"rules": verdicts(run.stopped(ending))})


def sentence(run: Run) -> str:
    """Why the run stopped, in words for people."""
    if run.ending is None:
        return "Still running."
    reason = run.ending.reason
    words = next((v.words for v in verdicts(run) if v.rule == reason), f"Stopped by its rule {reason}.")
    if reason == "accepted":
        return words
    if reason in {"deadline", "cancelled", "failed"}:
        return words if run.score is None else f"{words} The best clip so far scores {run.score:.2f}."
    return f"{words}{_against(run)}{_untrusted(run)}"


def _nothing_came(iteration: Iteration) -> bool:
    """Whether every attempt of an iteration failed."""
    return not (iteration.candidates or iteration.missing or iteration.given_up)


def _best(run: Run, among: Sequence[Iteration]) -> Candidate | None:
    """The chosen candidate of the first iterations."""
    return max((c for i in among for c in i.candidates), key=lambda c: (run.accepts(c), c.score), default=None)


def _compared(run: Run) -> str:
    """A render that captions are compared by."""
    return "a render" if run.request.draft is None else "a draft"


def _kept(cost: Cost, limit: float) -> str:
    """Why no more are made though there is something left; "" where nothing is kept back."""
    kept = cost.pays_for(limit) < 1 <= cost._replace(held=0.0).pays_for(limit)
    return ", and the rest would go into a promotion" if kept else ""


def _are(count: float) -> str:
    return "is" if count == 1 else "are"


def _iterations(count: int) -> str:
    return "iteration" if count == 1 else "iterations"


def _given_up(run: Run) -> str:
    count = sum(len(i.given_up) for i in run.iterations)
    if not count:
        return ""
    return " The one render that was left was given up." if count == 1 else f" The {count} renders left were given up."


def _bare(run: Run) -> str:
    """Said beside a threshold that nothing is known of."""
    return "" if run.calibrated else " (uncalibrated)"


def _told(run: Run) -> str:
    """The best score with as many decimals as it takes to tell it from the threshold."""
    score, threshold = run.score or 0.0, run.accept_at
    if threshold is None or score == threshold:
        return f"{score:.2f}"
    return next((text for d in (2, 3, 4) if (text := f"{score:.{d}f}") != f"{threshold:.{d}f}"), f"{score:.6f}")


def _untrusted(run: Run) -> str:
    """Why a run goes on although a clip is accepted; "" if it does not."""
    if not run.accepted or not run.budget.early_stop or run.trusted:
        return ""
    why = "it was not tested"
    if run.self_test is not None:
        why = "it did not pass its self-test"
    elif run.self_test_failure:
        why = "its self-test could not be made"
    return f" The critic may not end the run: {why}."


def _against(run: Run) -> str:
    if run.best is None:
        return ""
    start = f" The best clip scores {_told(run)}"
    if run.accept_at is None:
        return f"{start}; no threshold was set."
    if run.accepted:
        return f"{start}, at or above the threshold of {figure(run.accept_at)}."
    if run.is_draft(run.best):
        return f"{start} as a draft, and a draft is not accepted."
    if run.best.score >= run.accept_at:
        return f"{start}, but a criterion is below its floor, so it is not accepted."
    return f"{start}, below the threshold of {figure(run.accept_at)}."
