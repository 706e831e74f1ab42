"""When a run's critic is tested on doctored clips, and on which: `critic.canaries` makes the test."""

from agent.errors import CriticError, boundary
from agent.events import CriticTested, CriticTestFailed
from agent.run import Run
from agent.stopping import promotion
from agent.types import Entrant
from critic.types import Critic

FOLDER = "canaries"
"""In the run's folder: the doctored versions, for as long as they are judged."""


def tested_by(run: Run, critic: Critic) -> Run:
    """The run without the test of a critic that it had before."""
    if run.self_test is None or run.self_test.critic == critic.id:
        return run
    return run.model_copy(update={"self_test": None, "tested": None})


def untested(run: Run) -> bool:
    """Whether the critic is still to be tested: never was, or on a clip too bad to tell, and there is a better one."""
    if run.canaries is None or run.self_test_failure:
        return False
    if run.self_test is None:
        return True
    return not run.self_test.conclusive and bool(run.candidates) and subject(run) != run.tested


def due(run: Run) -> bool:
    """Whether the next iteration would take the run beyond what an untested critic may decide about."""
    if run.canaries is None or not run.candidates or not untested(run):
        return False
    draft, gpu, price = run.request.draft, run.gpu, run.price
    count = run.budget.samples_per_iteration
    if draft is not None and promotion(run) is not None:
        count, gpu, price = draft.seeds, gpu.of_target(), price.of_target()
    seconds, usd = (cost.spent + cost.pending + count * (cost.each or 0.0) for cost in (gpu, price))
    return run.canaries.exceeded(seconds, usd)


def subject(run: Run) -> Entrant:
    """The candidate that the critic is tested on: the first, or the best where that one told nothing."""
    found = run.entrants
    if run.self_test is None or run.self_test.conclusive:
        return next(iter(found))
    return max(found, key=lambda entrant: found[entrant].score)


async def tested(run: Run, critic: Critic) -> CriticTested | CriticTestFailed:
    """Test the critic on a clip of the run. A failure to test is told, and costs the run nothing but its early stop.

    Raises:
        StorageError: the disk failed.
    """
    from critic.canaries.self_test import self_test  # noqa: PLC0415 - loads PyAV: only where a test is made

    entrant = subject(run)
    clip = run.entrants[entrant].clip
    try:
        with boundary(CriticError, "testing the critic"):
            test = await self_test(critic, clip.path, run.request.prompt, clip.spec.first_frame, run.folder / FOLDER)
    except CriticError as error:
        return CriticTestFailed(message=str(error))
    return CriticTested(test=test, of=entrant)
