"""The captions of a prompt: the expanded prompt, and rewrites as a run with drafts writes them."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.run import Run
from agent.writing import next_caption
from reasoner.types import Caption, CaptionRequest, Reasoner, Revision


@dataclass(frozen=True)
class Distinct:
    """A reasoner asked for new words until there are none: for the champion, then for the next best caption.

    A run tries its champion on fresh seeds where there is no new word for it. Captions cannot be compared by that.
    """

    inner: Reasoner

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    async def upsample(self, request: CaptionRequest) -> Caption:
        """As the inner one."""
        return await self.inner.upsample(request)

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """As the inner one, of the first caption that it has new words for; one on fresh seeds if there is none."""
        tried = {revision.caption.prompt for revision in history}
        others = sorted(set(range(len(history))) - {champion}, key=lambda n: -history[n].score)
        for start in (champion, *others):
            caption = await self.inner.rewrite(request, history, start)
            if not caption.reseed and caption.prompt not in tried:
                return caption
        return history[champion].caption.on_fresh_seeds("no new words were found")


async def new_caption(run: Run, reasoner: Distinct) -> Caption | None:
    """The next caption of a run, which knows its drafts alone; None: there are no new words.

    Raises:
        StorageError: the disk failed.
    """
    caption = await next_caption(run, reasoner)
    tried = {iteration.caption.prompt for iteration in run.iterations}
    return None if run.iterations and (caption.reseed or caption.prompt in tried) else caption
