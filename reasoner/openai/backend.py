"""`OpenAI`: the reasoner behind the Protocol."""

import hashlib
import time
from collections.abc import Sequence

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.client import Chat
from reasoner.chat.objects import Unreadable
from reasoner.chat.types import Sampling
from reasoner.config import OpenAIConfig
from reasoner.given import given_caption, given_object
from reasoner.openai.asking import THINKING, Asking
from reasoner.openai.fitting import motion_caption
from reasoner.openai.instructions import VERSION
from reasoner.openai.rewriting import rewrite
from reasoner.openai.writing import REPAIRED, write
from reasoner.types import Caption, CaptionRequest, Revision

OTHER_SCHEMA = "The prompt is JSON of a schema that is not Cosmos3's; it is passed on as it is."


class OpenAI:
    """Has a model write and rewrite captions, its replies bound to our schema and checked on our side as well."""

    def __init__(self, config: OpenAIConfig, chat: Chat) -> None:
        self.config = config
        self._chat = chat
        self._asking = Asking(chat, config.sampling, config.enable_thinking)

    @property
    def id(self) -> str:
        """Method, model, texts, form and sampling: whatever else would give another caption."""
        sampling = self.config.sampling or (THINKING if self.config.enable_thinking else Sampling())
        drawn = hashlib.sha256(sampling.model_dump_json().encode()).hexdigest()[:8]
        thinking = " thinking" if self.config.enable_thinking else ""
        asked = f"caption={self.config.caption}{thinking} sampling={drawn}"
        return f"openai/2 {self._chat.model} instructions/{VERSION} {asked}"

    async def upsample(self, request: CaptionRequest) -> Caption:
        """Have the first caption written, or take the prompt for it when it already is one.

        A reply that cannot be used, and whose repair cannot either, leaves the user's own words: `source` is "raw", and
        the diagnosis and a note say why.

        Raises:
            ChatError: the server gave no reply.
            CaptionError: the first frame cannot be read.
        """
        start = time.perf_counter()
        caption = self._given(request) or await self._written(request)
        return caption.model_copy(update={"seconds": round(time.perf_counter() - start, 4)})

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """Have the champion's lowest criteria answered by edits; on fresh seeds and unchanged when none is left.

        Raises:
            ChatError: the server gave no reply.
            CaptionError: the first frame cannot be read.
        """
        start = time.perf_counter()
        caption = await rewrite(self._asking, self.config.caption, request, history, champion, self.id)
        return caption.model_copy(update={"seconds": round(time.perf_counter() - start, 4)})

    def _given(self, request: CaptionRequest) -> Caption | None:
        given = given_object(request.prompt)
        if given is None:
            return None
        structured: StructuredCaption | MotionCaption | None = given_caption(given, request)
        if structured is None and "subjects" not in given:
            try:
                structured = motion_caption(given, request)
            except Unreadable:
                structured = None
        if structured is None:
            return Caption(prompt=request.prompt, source="raw", notes=(OTHER_SCHEMA,), reasoner=self.id)
        return Caption(prompt=structured.text(), structured=structured, source="upsample", reasoner=self.id)

    async def _written(self, request: CaptionRequest) -> Caption:
        answer = await write(self._asking, self.config.caption, request)
        if answer.value is None:
            why = (
                f"No caption could be read from {self._chat.model}: {answer.why}; the prompt is used as it was written."
            )
            raw = Caption.raw(request.prompt, diagnosis=why, reasoner=self.id)
            return raw.model_copy(update={"notes": (why,), "usage": answer.usage})
        return Caption(
            prompt=answer.value.structured.text(),
            structured=answer.value.structured,
            negative_prompt=answer.value.negative_prompt,
            source="upsample",
            notes=(f"{REPAIRED}: {answer.why}.",) if answer.outcome == "repaired" else (),
            reasoner=self.id,
            usage=answer.usage,
        )
