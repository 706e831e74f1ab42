"""The critic `vlm`: show the clip, ask the questions, ask for defects."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from critic.config import HybridConfig, VLMConfig
from critic.instrument import Instrument
from critic.types import Critique, Defect, Rubric, RubricWriter, Score, WrittenRubric
from critic.vlm import feedback
from critic.vlm.questions import Questions
from critic.vlm.show import Shown
from critic.vlm.texts import VERSION, mark
from critic.vlm.viewer import Fit, Viewer
from reasoner.chat.client import Chat
from reasoner.chat.types import Image, Refused, TooLong, Usage

log = logging.getLogger("critic.vlm")

KEPT: Final = 256
"""Requests whose questions are kept at hand; those of the one that was judged longest ago are dropped first."""


def instrument(config: VLMConfig | HybridConfig, model: str, rubric: str) -> Instrument:
    """Of a critic that asks a model. `rubric`: the writer's id."""
    return Instrument(
        critic="vlm/1",
        model=model,
        rubric=rubric,
        templates=mark(),
        fps=config.fps,
        max_frames=config.max_frames,
        long_side=config.long_side,
    )


class VLM:
    """Judges clips by questions to a vision language model. Implements `critic.types.Critic`.

    The chat must be connected. What a server fails at (`ChatError`) is passed on as it is: unlike a `JudgeError` it is
    not this clip's fault.

    Args:
        config: how clips are shown and judged.
        chat: the model's server.
        rubrics: writes what is asked.
        viewer: the model, where others show it clips beside this.
    """

    def __init__(
        self, config: VLMConfig | HybridConfig, chat: Chat, rubrics: RubricWriter, viewer: Viewer | None = None
    ) -> None:
        self._config, self._chat, self._rubrics = config, chat, rubrics
        self._viewer = viewer or Viewer(config, chat)
        self._fit = Fit(config)
        self._questions = Questions(chat)
        self._written = OrderedDict[str, WrittenRubric]()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def id(self) -> str:
        """Model, questions and what is shown of a clip."""
        c = self._config
        return (
            f"vlm/1 {self._chat.model} questions/{VERSION} fps={c.fps:g} frames<={c.max_frames} side={c.long_side} "
            f"rubric={self._rubrics.id}"
        )

    @property
    def instrument(self) -> Instrument:
        """What decides what a score means. The frames are the most that are shown: a small context may take fewer."""
        return instrument(self._config, self._chat.model, self._rubrics.id)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """Judge one clip.

        Raises:
            JudgeError: the clip or the first frame does not decode, or an answer cannot be read.
            OSError: a file cannot be read.
            ChatError: the server gives no answers.
        """
        async with self._viewer.slots:
            began = time.monotonic()
            log.info("judge start %s", clip)
            form, used = await self._viewer.form()
            shown = await asyncio.to_thread(self._fit.show, clip, form)
            written, more = await self._rubric(prompt, first_frame)
            used += more
            while True:
                try:
                    image = await asyncio.to_thread(self._fit.image, first_frame)
                    rubric = written.rubric
                    scores, defects, summary, notes, more = await self._asked(shown, image, rubric)
                except (TooLong, Refused) as error:
                    if not self._fit.less(shown, error):
                        raise
                    shown = await asyncio.to_thread(self._fit.show, clip, form)
                else:
                    break
            used += more + await self._chat.cache_since()
            return Critique.of(
                scores,
                feedback=feedback.write(rubric, scores, defects, summary),
                rubric=rubric.id,
                judge=self.id,
                seconds=time.monotonic() - began,
                defects=defects,
                notes=[*written.notes, *self._fit.said(shown, self._chat.model), *notes],
                usage=used,
            )

    async def _asked(
        self, shown: Shown, image: Image | None, rubric: Rubric
    ) -> tuple[list[Score], list[Defect], str, list[str], Usage]:
        scores, used = await self._questions.ask(shown, image, rubric)
        if not self._config.feedback:
            return scores, [], "", [], used
        try:
            defects, summary, notes, more = await feedback.critique(self._chat, shown, rubric, scores)
        except TooLong as error:  # the answers did fit: they stand
            return scores, [], "", [f"No critique in words: {error} The feedback is made from the answers alone."], used
        return scores, defects, summary, notes, used + more

    async def _rubric(self, prompt: str, first_frame: Path | None) -> tuple[WrittenRubric, Usage]:
        """The request's questions, written once; what it took counts for the clip that came first."""
        picture = "" if first_frame is None else hashlib.sha256(first_frame.read_bytes()).hexdigest()
        key = f"{picture}\n{prompt}"
        async with self._writing.setdefault(key, asyncio.Lock()):
            if key in self._written:
                self._written.move_to_end(key)
                return self._written[key], Usage()
            written = await self._rubrics.write(prompt, first_frame)
            self._written[key] = written
            if len(self._written) > KEPT:
                self._written.popitem(last=False)
            return written, written.usage
