"""What going on with a run from its folder means: what may not have changed, what is made again, what is done."""

from agent.config import RunConfig
from agent.controller import Lost
from agent.drafts import draft_spec
from agent.request import plain
from agent.run import Run
from agent.stopping import stop_reason
from generator.capabilities import capabilities


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
    if draft is None or wish is None:
        return (draft is None) != (wish is None)
    return stored.request.tier_of(draft_spec(wish, stored.request.spec, capabilities(settings.generator))) == "target"


def again(stored: Run, run: Run) -> Lost:
    """What going on with `run`, which is `stored` reopened, makes again in any case: iteration and seed.

    Clips that were there once; of a settled run, which needs no more of them, failures that a person wants retried.
    """
    found: list[tuple[int, int]] = []
    for number, (before, now) in enumerate(zip(stored.iterations, run.iterations, strict=True)):
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
