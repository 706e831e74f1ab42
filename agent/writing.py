"""The next caption of a run: the prompt as it is, its expansion, or the best caption so far rewritten."""

from agent.course import expands_next, history
from agent.errors import ReasonerError, boundary
from agent.run import Run
from reasoner.types import Caption, Reasoner


async def next_caption(run: Run, reasoner: Reasoner) -> Caption:
    """Upsample the user's prompt, then rewrite the best caption so far. `Run.raw_first`: as it is before both.

    A reasoner that fails costs its edit and not the run: the words it was given go on, and the caption says so.

    Raises:
        StorageError: the disk failed.
    """
    request = run.request.caption_request()
    try:
        if expands_next(run):
            with boundary(ReasonerError, "expanding the prompt"):
                return await reasoner.upsample(request)
        if run.iterations:
            with boundary(ReasonerError, "rewriting the caption"):
                return await reasoner.rewrite(request, *history(run))
    except ReasonerError as error:
        if expands_next(run):
            why = f"{error}; the prompt is used as it was written."
            return Caption.raw(request.prompt, why, reseed=run.raw_first)
        return run.iterations[run.leader].caption.on_fresh_seeds(f"{error}; the best caption is tried again.")
    return Caption.raw(request.prompt)
