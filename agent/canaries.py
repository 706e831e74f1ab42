"""When a run's critic is tested on doctored clips, and on which: `critic.canaries` makes the test."""

from agent.errors import CriticError, boundary
from agent.events import CriticTested, CriticTestFailed
from agent.run import Run
from critic.types import Critic

FOLDER = "canaries"
"""In the run's folder: the doctored versions, for as long as they are judged."""


def due(run: Run) -> bool:
    """Whether the next iteration would take the run beyond what an untested critic may decide about."""
    if run.canaries is None or run.self_test is not None or run.self_test_failure or not run.candidates:
        return False
    count = run.budget.samples_per_iteration
    gpu, price = run.gpu, run.price
    return run.canaries.exceeded(gpu.spent + count * (gpu.each or 0.0), price.spent + count * (price.each or 0.0))


async def tested(run: Run, critic: Critic) -> CriticTested | CriticTestFailed:
    """Test the critic on the run's first clip. A failure to test is told, and costs the run nothing but its early stop.

    Raises:
        StorageError: the disk failed.
    """
    from critic.canaries.self_test import self_test  # noqa: PLC0415 - loads PyAV: only where a test is made

    clip = run.candidates[0].clip
    try:
        with boundary(CriticError, "testing the critic"):
            test = await self_test(critic, clip.path, run.request.prompt, clip.spec.first_frame, run.folder / FOLDER)
    except CriticError as error:
        return CriticTestFailed(message=str(error))
    return CriticTested(test=test)
