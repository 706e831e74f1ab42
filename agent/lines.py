"""One fact of a run in one line, as a terminal shows it."""

from agent.course import tried
from agent.events import AttemptFailed, SeedGivenUp, ServerReady, ServerWaiting
from agent.forecast import Bounds, Forecast, StepForecast
from agent.ledger import fallback, ledger
from agent.run import Run
from agent.spending import worked
from agent.stopping import verdicts
from agent.types import Candidate, GivenUp, Iteration, Step
from generator.types import Clip, Progress, RenderSpec

NAMES: dict[Step, str] = {
    "caption": "captions",
    "render": "renders",
    "judge": "critiques",
    "test": "tests",
    "compare": "comparisons",
}
"""What is counted of each step."""


def printable(text: str) -> str:
    """Text without what a terminal would obey: a prompt or a server's message may hold escape sequences."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def span(seconds: float) -> str:
    """Seconds as people read them: 9.4 s, 1:05, 2:03:10."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def amount(value: float) -> str:
    """A count, or the mean of several: 4, 1,024, 3.5."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def reach(found: tuple[Bounds, Bounds] | None, *, worst: bool = False) -> str:
    """Seconds over all hardware that a forecast knows: "9.4 s", "3:12 to 10:34"; "" where they are not known."""
    if found is None:
        return ""
    low, high = (span(b.worst if worst else b.expected) for b in found)
    return low if low == high else f"{low} to {high}"


def forecast_line(made: Forecast) -> str:
    """What a run is expected to take, and at worst, in one line."""
    return f"{_taking(made)}; at worst {_taking(made, worst=True)}"


def _taking(made: Forecast, *, worst: bool = False) -> str:
    price = made.price_usd and (made.price_usd.worst if worst else made.price_usd.expected)
    rendering, whole = reach(made.seconds("render"), worst=worst), reach(made.wall, worst=worst)
    facts = [
        _renders(made.steps["render"], worst=worst),
        rendering and f"{rendering} of rendering",
        whole and f"{whole} in all",
        price is not None and f"${price:,.2f}",
    ]
    return ", ".join(fact for fact in facts if fact)


def _renders(step: StepForecast, *, worst: bool = False) -> str:
    """E.g. "4 renders", "8 drafts and 1 render"."""

    def counted(what: str, bounds: Bounds) -> str:
        count = bounds.worst if worst else bounds.expected
        return f"{amount(count)} {what}{'' if count == 1 else 's'}"

    if step.drafts is None or step.finals is None:
        return counted("render", step.count)
    return f"{counted('draft', step.drafts)} and {counted('render', step.finals)}"


def spent(run: Run) -> str:
    """What each step took beside what was forecast, in one line; "" where nothing was."""
    forecast, took = run.forecast, ledger(run)
    if forecast is None:
        return ""
    parts = []
    for step, name in NAMES.items():
        one, actual = forecast.steps.get(step), took.steps.get(step)
        if actual is None and (one is None or not one.count.expected):
            continue
        count, seconds = (actual.count, f", {span(actual.seconds)}") if actual else (0, "")
        told = f"{name} {count:,}"
        expected = "0" if one is None else amount(one.count.expected)
        if step == "render" and one is not None and one.drafts is not None:
            told += f", {sum(len(i.candidates) for i in run.iterations if i.tier == 'draft'):,} of them drafts"
            expected += f", {amount(one.drafts.expected)} of them drafts"
        known = reach(forecast.seconds(step))
        parts.append(f"{told}{seconds} (forecast {expected}{f', {known}' if known else ''})")
    return "; ".join(parts)


def heading(iteration: Iteration, number: int, run: Run) -> str:
    """One line on a caption: what was changed, or where it came from."""
    caption, draft = iteration.caption, run.request.draft
    if iteration.promoted is not None:
        again = ", fresh seeds" if caption.reseed else ""
        what = f"caption of iteration {iteration.promoted + 1} rendered as asked{again}"
    elif fallback(caption):
        what = "PROMPT NOT EXPANDED, used as written"
    elif caption.reseed:
        what = "fresh seeds, same caption"
    elif caption.edits:
        answered = ", ".join(dict.fromkeys(e.criterion for e in caption.edits))
        what = f"{len(caption.edits)} edit{'s' if len(caption.edits) != 1 else ''} for {answered}"
    else:
        what = {"upsample": "prompt expanded", "raw": "prompt as written", "rewrite": "no edit"}[caption.source]
    if draft is None:
        return f"Iteration {number} of {run.budget.max_iterations}  {what}"
    if iteration.promoted is not None:
        return f"Iteration {number}  {what}, {size(run.request.spec)}"
    count = tried(run.model_copy(update={"iterations": run.iterations[:number]}))
    return f"Iteration {number}  caption {count} of {run.budget.max_iterations}, drafts {size(draft.spec)}: {what}"


def size(spec: RenderSpec) -> str:
    """Pixels as requested: 320x192."""
    return f"{spec.width}x{spec.height}"


def trust_line(run: Run) -> str:
    """What came of the critic's self-test, in one line; "" where none was made."""
    if run.canaries is None:
        return ""
    told = "" if run.self_test is None else run.self_test.sentence(run.canaries.least_auc)
    if run.self_test is None and run.ending is not None:
        amount = f"{run.canaries.beyond_gpu_seconds:,.0f} s of rendering or ${run.canaries.beyond_price_usd:,.2f}"
        told = f"The critic was not tested: a test was to come before more than {amount}."
    if run.self_test_failure:
        told = f"The critic could not be tested: {run.self_test_failure.rstrip('.')}."
    return f"{told} It may not end the run early." if told and not run.trusted else told


def choice_line(run: Run) -> str:
    """Which of several near-equal candidates was chosen, and why, in one line; "" where the score alone decided."""
    choice = run.choice
    if choice is None:
        return ""
    chosen, first = run.candidate(choice.chosen), run.candidate(choice.among[0])
    below = first.score - chosen.score if chosen and first else 0.0
    words = f"seed {choice.chosen.seed} of iteration {choice.chosen.iteration + 1}"
    words += f", {below:.2f} below the highest score" if below >= 0.005 else ""
    return f"{words}. {choice.words}"


def candidate_line(candidate: Candidate) -> str:
    """One line on a candidate: seed, score, lowest criterion, seconds."""
    low = candidate.critique.lowest
    floor = "" if candidate.critique.floors_hold else "  below a floor"
    return (
        f"seed {candidate.seed:<10}  {candidate.score:.2f}  lowest: {low.criterion} {low.value:.2f}"
        f"  {rendered(candidate.clip)}, judge {candidate.critique.seconds:,.1f} s{floor}"
    )


def missing_line(event: AttemptFailed | SeedGivenUp) -> str:
    """One line on a seed that gave no candidate: why."""
    if isinstance(event, SeedGivenUp):
        return f"seed {event.given_up.seed:<10}  {given_up_words(event.given_up)}"
    return f"seed {event.failure.seed:<10}  {event.failure.step} failed: {event.failure.message}"


def given_up_words(given_up: GivenUp) -> str:
    """How far a seed that was given up had come."""
    how = f"after {span(given_up.seconds)} of rendering" if given_up.seconds else "while it was rendered"
    how = "before its render began" if given_up.stage == "queued" else how
    return f"given up {how}: another is accepted"


def rendered(clip: Clip) -> str:
    """How long a clip was rendered, and how long it waited for that, in a few words."""
    told = clip.rendering
    if told.job and told.render_seconds is None:
        return "render time not told"
    wait = f" after {span(told.queue_seconds)} in the queue" if told.queue_seconds >= 1 else ""
    return f"render {worked(clip):,.1f} s{wait}"


def progress_words(told: Progress) -> str:
    """Where a render stands, in a few words."""
    where = f" at {told.endpoint}" if told.endpoint else ""
    match told.stage:
        case "queued":
            return f"queued{where}, {span(told.seconds)}{f': {told.note}' if told.note else ''}"
        case "rendering" if told.step is not None and told.steps:
            return f"step {told.step} of {told.steps}{where}, {span(told.seconds)}"
        case "rendering":
            return f"rendering{where}, {span(told.seconds)}" if told.seconds or where else "rendering"
        case "delivering":
            return f"delivering{where}"
        case "resubmitted":
            return f"lost after {span(told.seconds)}{where} and sent again{f': {told.note}' if told.note else ''}"
        case "abandoned":
            return f"abandoned after {span(told.seconds)}{where}{f': {told.note}' if told.note else ''}"


def cost(run: Run) -> str:
    """What renders cost beside time, in one line; "" where it is nothing."""
    took = ledger(run)
    parts = []
    if took.price_usd is not None:
        parts.append(f"${took.price_usd:.2f} for renders")
    if took.lost_seconds:
        parts.append(f"{span(took.lost_seconds)} of rendering that nobody could use")
    return "; ".join(parts)


def server_line(event: ServerWaiting | ServerReady) -> str:
    """One line on a server: what it is waited for with, or what answers."""
    if isinstance(event, ServerWaiting):
        return f"waiting for the {event.part}: {event.seconds:,.0f} s{f': {event.line}' if event.line else ''}"
    software = f"vLLM {event.version}" if event.version[:1].isdigit() else event.version
    by = f" ({software})" if software else ""
    how = "already running" if event.reused else f"ready after {span(event.seconds)}"
    return f"{event.part}: {event.model} at {event.url}{by}, {how}"


def tokens(run: Run) -> str:
    """What asking models took, in one line; "" where none was asked."""
    took = ledger(run).total
    usage, rate = took.usage, took.hit_rate
    if not usage.calls:
        return ""
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    hits = "" if rate is None else f"; prefix cache {100 * rate:.0f} % hit"
    plural = "" if usage.calls == 1 else "s"
    return (
        f"{usage.prompt_tokens:,} read{cached}, {usage.completion_tokens:,} written "
        f"in {usage.calls:,} request{plural}{hits}"
    )


def standing(run: Run) -> str:
    """The stop rules with a limit: where each stands. E.g. "iterations 2 of 2, plateau 0.02 (stops below 0.01)"."""
    told = []
    for rule, value, limit in ((v.rule, v.value, v.limit) for v in verdicts(run)):
        if limit is None or (rule == "price" and run.price.each is None):  # no price is known: it cannot act
            continue
        if rule in {"plateau", "expected_gain"}:
            at = "not known yet" if value is None else f"{value:.4g}"
            told.append(f"{rule} {at} (stops below {limit:.4g})")
        elif rule == "deadline":
            told.append(f"deadline {limit:.4g} s{' (reached)' if run.stop_reason == rule else ''}")
        else:
            told.append(f"{rule} {limit:.4g}" if value is None else f"{rule} {value:.4g} of {limit:.4g}")
    return ", ".join(told)
