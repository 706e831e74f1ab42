"""What going on with a run from its folder means: what may not have changed, what is made again, what is done."""

from collections.abc import Callable

from agent.config import DraftConfig, RunConfig
from agent.controller import Lost
from agent.course import affordable, finals_affordable
from agent.drafts import draft_spec
from agent.request import plain
from agent.run import Run
from agent.spending import prices, seconds
from agent.stopping import stop_reason
from agent.types import Budget
from generator.capabilities import capabilities
from generator.types import Clip


def changed(stored: Run, settings: RunConfig) -> str:
    """The key of the config that another request or first caption would come from; "" if none."""
    wish, spec = settings.request, stored.request.spec
    asked = plain(wish, capabilities(settings.generator))
    if wish.image != (None if spec.first_frame is None else str(spec.first_frame)):
        return "request.image"
    if wish.video != (None if spec.source_video is None else str(spec.source_video)):
        return "request.video"
    if [(c.kind, c.path, c.weight) for c in wish.controls] != [(c.kind, str(c.path), c.weight) for c in spec.controls]:
        return "request.controls"
    if _drafts(stored, settings):
        return "search.draft"
    if stored.raw_first != (settings.search.include_raw_prompt and stored.request.expand):
        return "search.include_raw_prompt"
    files = {"first_frame", "source_video", "controls"}
    old_facts, new_facts = (
        {
            **r.spec.model_dump(exclude=files),
            "prompt": r.prompt,
            "seed": r.seed,
            "enable_prompt_expansion": r.expand,
        }
        for r in (stored.request, asked)
    )
    name = next((key for key in old_facts if old_facts[key] != new_facts[key]), "")
    return name and f"request.{'size' if name in {'width', 'height'} else name}"


def _drafts(stored: Run, settings: RunConfig) -> bool:
    """Whether the config asks for other drafts. More of them to be promoted are no others."""
    draft, wish = stored.request.draft, settings.search.draft
    if wish == "auto":  # of a run from before there were drafts: its own config says what it came to
        return False
    if draft is None or wish is None:
        return (draft is None) != (wish is None)
    return stored.request.tier_of(draft_spec(wish, stored.request.spec, capabilities(settings.generator))) == "target"


def reopened(stored: Run, *, keep: Callable[[Clip], bool], retry_failed: bool) -> Run:
    """The run without its ending, without the candidates whose clips `keep` denies, and maybe without failures.

    What is rendered again was paid for once already, and stays spent. The final choice is made anew.
    """
    iterations, lost = [], []
    for i in stored.iterations:
        gone = tuple(c for c in i.candidates if not keep(c.clip))
        failed = i.failures if retry_failed else ()
        kept = tuple(c for c in i.candidates if c not in gone)
        iterations.append(i.model_copy(update={"candidates": kept, "failures": () if failed else i.failures}))
        anew = tuple(f for f in failed if f.clip is None or not keep(f.clip))
        lost.append(i.model_copy(update={"candidates": gone, "failures": anew}))
    changes = {"iterations": tuple(iterations), "ending": None, "export_failure": "", "duels": (), "choice": None}
    untested = "" if retry_failed else stored.self_test_failure
    run = stored.model_copy(update={**changes, "self_test_failure": untested})
    return run.with_lost(sum(seconds(lost)), sum(prices(lost)))


def under(run: Run, settings: RunConfig) -> Run:
    """A run, reopened, as its config now has it: as many promotions, the critic's test, and `within` its budget."""
    draft, wish = run.request.draft, settings.search.draft
    if draft is not None and isinstance(wish, DraftConfig):
        draft = draft.model_copy(update={"promote": wish.promote, "seeds": wish.seeds})
    request = run.request.model_copy(update={"draft": draft})
    run = run.model_copy(update={"request": request, "canaries": settings.search.canaries})
    return within(run, settings.budget, settings.critic.accept_at)


def within(run: Run, budget: Budget, accept_at: float | None) -> Run:
    """A run, reopened, under another budget.

    If it is not settled, the seeds that were given up are to be rendered, and a last iteration that the old one cut
    short gets more, both as far as the new one pays for it. An iteration of which nothing came then is taken back: it
    was begun ahead.
    """
    forecast = run.forecast if (budget, accept_at) == (run.budget, run.accept_at) else None
    same = budget == run.budget
    run = run.model_copy(update={"budget": budget, "accept_at": accept_at, "forecast": forecast})
    if not run.iterations or run.settled:
        return run
    iterations = list(run.iterations)
    for index, iteration in enumerate(iterations):
        paid = finals_affordable(run) if iteration.tier == "target" else affordable(run)
        back = int(min(paid, len(iteration.given_up)))
        iterations[index] = iteration.model_copy(update={"given_up": iteration.given_up[back:]})
        run = run.model_copy(update={"iterations": tuple(iterations)})  # what comes back is under way
    while len(iterations) > 1 and len(iterations[-1].given_up) == len(iterations[-1].seeds):
        iterations.pop()
    last = iterations[-1]
    if not same and last.promoted is None:  # of one that is promoted as many as were asked for, whatever the budget
        more = int(min(budget.samples_per_iteration - len(last.seeds), affordable(run)))
        seeds = (*last.seeds, *(last.seeds[-1] + 1 + n for n in range(more)))
        iterations[-1] = last.model_copy(update={"seeds": seeds})
    return run.model_copy(update={"iterations": tuple(iterations)})


def again(stored: Run, run: Run) -> Lost:
    """What going on with `run`, which is `stored` reopened, makes again in any case: iteration and seed.

    Clips that were there once; of a settled run, which needs no more of them, failures that a person wants retried.
    """
    found: list[tuple[int, int]] = []
    for number, (before, now) in enumerate(zip(stored.iterations, run.iterations, strict=False)):
        found += [(number, candidate.seed) for candidate in before.candidates if candidate not in now.candidates]
        if run.settled:
            found += [(number, failure.seed) for failure in before.failures if failure not in now.failures]
    return found


def finished(stored: Run, run: Run) -> bool:
    """Whether going on with `run`, which is `stored` reopened, would do nothing."""
    if stored.ending is None or run.candidates != stored.candidates:
        return False
    if stored.stop_reason == "deadline":
        return (stored.budget, stored.accept_at) == (run.budget, run.accept_at)
    return not any(i.missing for i in run.iterations) and stop_reason(run) == stored.stop_reason
