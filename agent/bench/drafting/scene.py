"""One prompt: its captions are written and drafted one after the other, and then all of them rendered as asked."""

from asyncio import TaskGroup

from agent.bench.drafting.types import Paired, PromptPairs
from agent.bench.drafting.words import Distinct, new_caption
from agent.controller import Controller
from agent.errors import RetakeError, StorageError, boundary
from agent.events import CaptionReady
from agent.run import Run
from agent.types import Iteration
from reasoner.types import Caption

AS_ASKED = "as-asked"
"""In a prompt's folder: the renders as asked, so that a caption drafted later takes the place of none of them."""


async def compared(controller: Controller, run: Run, reasoner: Distinct, captions: int, seeds: int) -> Run:
    """The run with its captions rendered and judged at both tiers on the same seeds.

    The rewriter sees the drafts' critiques, as in a run with drafts; nothing is rendered as asked before the last
    caption is written. Fewer captions than asked for: there were no new words, or no clip to write them from.

    Raises:
        StorageError, ServingError: the disk failed, or a server is gone for good.
    """
    controller.run = run
    on = tuple(run.request.seed + n for n in range(seeds))
    while len(controller.run.iterations) < captions:
        if controller.run.iterations and not controller.run.candidates:
            break
        caption = await new_caption(controller.run, reasoner)
        if caption is None:
            break
        await _rendered(controller, (_begun(controller, caption, on),))
    drafted, beside = controller.run.iterations, run.folder / AS_ASKED
    with boundary(StorageError, f"making {beside}"):
        (beside / "clips").mkdir(parents=True, exist_ok=True)
    controller.run = controller.run.model_copy(update={"folder": beside})
    finals = [_begun(controller, drafts.caption.once_more(), on, index) for index, drafts in enumerate(drafted)]
    await _rendered(controller, finals)
    return controller.run.model_copy(update={"folder": run.folder})


def _begun(controller: Controller, caption: Caption, seeds: tuple[int, ...], promoted: int | None = None) -> int:
    """Tell that a caption is next, as drafts or as asked. Returns the index of its iteration."""
    index, tier = len(controller.run.iterations), "draft" if promoted is None else "target"
    facts = {"caption": caption, "seeds": seeds, "tier": tier, "promoted": promoted, "parent": promoted}
    controller.tell(CaptionReady.model_validate({"iteration": index, **facts}))
    return index


async def _rendered(controller: Controller, iterations: "tuple[int, ...] | list[int]") -> None:
    try:
        async with TaskGroup() as group:
            for index in iterations:
                controller.begin(index, group)
    except* RetakeError as failed:
        raise failed.exceptions[0] from failed


def pairs_of(run: Run) -> tuple[PromptPairs, tuple[str, ...]]:
    """The scores of a run's captions that have some at both tiers, and why the others have not.

    Works on any run with drafts: its promotions are the renders as asked.
    """
    found, left_out = list[Paired](), list[str]()
    for number, drafts in enumerate(run.iterations):
        finals = [iteration for iteration in run.iterations if iteration.promoted == number]
        if drafts.tier != "draft" or not finals:
            continue
        failed = [failure for iteration in (drafts, *finals) for failure in iteration.failures]
        if failed:
            left_out.append(
                f"{run.request.prompt!r}: caption {number + 1} is left out: {len(failed)} of its renders came to "
                f"nothing ({failed[0].message})"
            )
            continue
        scores = _scores([drafts]), _scores(finals)
        if all(scores):
            text, source = run.request.prompt_for(drafts.caption), drafts.caption.source
            found.append(Paired(text=text, source=source, draft=scores[0], target=scores[1]))
    return PromptPairs(prompt=run.request.prompt, captions=tuple(found)), tuple(left_out)


def _scores(iterations: list[Iteration]) -> dict[int, float]:
    return {candidate.seed: candidate.score for each in iterations for candidate in each.candidates}
