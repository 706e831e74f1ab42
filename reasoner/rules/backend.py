"""`Rules`: the embedded reasoner behind the Protocol."""

import time
from collections.abc import Callable, Sequence

from reasoner.config import RulesConfig
from reasoner.given import given_caption, given_object
from reasoner.rules.notes import OTHER_SCHEMA, notes
from reasoner.rules.rewrite import rewrite
from reasoner.rules.upsample import upsample
from reasoner.types import Caption, CaptionRequest, Revision


class Rules:
    """Writes captions by rules: without a model, without state, and the same each time."""

    def __init__(self, config: RulesConfig) -> None:
        self.config = config

    @property
    def id(self) -> str:
        """Method and version."""
        return "rules/2"

    async def upsample(self, request: CaptionRequest) -> Caption:
        """Write the first caption, or take the prompt for it when it already is one."""
        return _timed(lambda: self._first(request))

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """Answer the champion's lowest criteria by edits; on fresh seeds and unchanged when no edit is left."""
        return _timed(lambda: rewrite(request, history, champion, self.id))

    def _first(self, request: CaptionRequest) -> Caption:
        given = given_object(request.prompt)
        if given is None:
            structured, told = upsample(request), notes(request.prompt)
        elif (fitted := given_caption(given, request)) is not None:
            structured, told = fitted, ()
        else:
            return Caption(prompt=request.prompt, source="raw", notes=(OTHER_SCHEMA,), reasoner=self.id)
        return Caption(prompt=structured.text(), structured=structured, source="upsample", notes=told, reasoner=self.id)


def _timed(write: Callable[[], Caption]) -> Caption:
    start = time.perf_counter()
    caption = write()
    return caption.model_copy(update={"seconds": round(time.perf_counter() - start, 4)})
