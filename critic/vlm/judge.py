"""The critic `vlm`: show the clip, ask the questions, ask for defects."""

import asyncio
import hashlib
import logging
import time
from pathlib import Path

from critic.config import HybridConfig, VLMConfig
from critic.types import Critique, Defect, Rubric, RubricWriter, Score, WrittenRubric
from critic.vlm import feedback
from critic.vlm.questions import Questions
from critic.vlm.show import Shown, first_frame_part, show, video_form
from critic.vlm.texts import VERSION
from reasoner.chat.client import Chat
from reasoner.chat.config import VideoForm
from reasoner.chat.types import Image, Refused, TooLong, Usage

log = logging.getLogger("critic.vlm")

LEAST_FRAMES = 4
LEAST_SIDE = 128
_FORMS: dict[VideoForm, str] = {
    "timed_frames": "as one video with their times",
    "mp4": "as an mp4",
    "frames": "as one video that the server takes for one frame a second, with their times in words",
    "images": "as single pictures with their times in words, since the server takes no video",
}


class VLM:
    """Judges clips by questions to a vision language model. Implements `critic.types.Critic`.

    The chat must be connected. What a server fails at (`ChatError`) is passed on as it is: unlike a `JudgeError` it is
    not this clip's fault.
    """

    def __init__(self, config: VLMConfig | HybridConfig, chat: Chat, rubrics: RubricWriter) -> None:
        self._config, self._chat, self._rubrics = config, chat, rubrics
        self._slots = asyncio.Semaphore(config.concurrency)
        self._questions = Questions(chat)
        self._written: dict[str, WrittenRubric] = {}
        self._writing = asyncio.Lock()
        self._form: VideoForm | None = None
        self._probing = asyncio.Lock()
        self._most, self._side = config.max_frames, config.long_side

    @property
    def id(self) -> str:
        """Model, questions and what is shown of a clip."""
        c = self._config
        return (
            f"vlm/1 {self._chat.model} questions/{VERSION} fps={c.fps:g} frames<={c.max_frames} side={c.long_side} "
            f"rubric={self._rubrics.id}"
        )

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """Judge one clip.

        Raises:
            JudgeError: the clip or the first frame does not decode, or an answer cannot be read.
            OSError: a file cannot be read.
            ChatError: the server gives no answers.
        """
        async with self._slots:
            began = time.monotonic()
            log.info("judge start %s", clip)
            form, used = await self._probed()
            shown = await asyncio.to_thread(self._show, clip, form)
            written, more = await self._rubric(prompt, first_frame)
            used += more
            while True:
                try:
                    image = await asyncio.to_thread(self._image, first_frame)
                    rubric = written.rubric
                    scores, defects, summary, notes, more = await self._asked(shown, image, rubric)
                except (TooLong, Refused) as error:
                    if not self._less(shown, error):
                        raise
                    shown = await asyncio.to_thread(self._show, clip, form)
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
                notes=[*written.notes, *self._said(shown), *notes],
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

    async def _probed(self) -> tuple[VideoForm, Usage]:
        async with self._probing:
            if self._form is not None:
                return self._form, Usage()
            self._form, used = await video_form(self._chat)
            log.info("%s is shown clips as %s", self._chat.model, self._form)
            return self._form, used

    async def _rubric(self, prompt: str, first_frame: Path | None) -> tuple[WrittenRubric, Usage]:
        """The request's questions, written once; what it took counts for the clip that came first."""
        picture = "" if first_frame is None else hashlib.sha256(first_frame.read_bytes()).hexdigest()
        key = f"{picture}\n{prompt}"
        async with self._writing:
            if key in self._written:
                return self._written[key], Usage()
            written = await self._rubrics.write(prompt, first_frame)
            self._written[key] = written
            return written, written.usage

    def _show(self, clip: Path, form: VideoForm) -> Shown:
        return show(clip, form, fps=self._config.fps, most=self._most, long_side=self._side)

    def _image(self, first_frame: Path | None) -> Image | None:
        return None if first_frame is None else first_frame_part(first_frame, self._side)

    def _less(self, shown: Shown, error: TooLong | Refused) -> bool:
        """Show later clips less; False: that is not the trouble, or there is no less."""
        if isinstance(error, Refused) and not (shown.form == "images" and error.param == "image"):
            return False
        if shown.count > LEAST_FRAMES:
            self._most = min(self._most, max(LEAST_FRAMES, shown.count // 2))
        elif isinstance(error, TooLong) and max(shown.size) // 2 >= LEAST_SIDE:
            self._side = min(self._side, max(shown.size) // 2)
        else:
            return False
        log.warning("%s: shown less: at most %d frames, %d pixels", error, self._most, self._side)
        return True

    def _said(self, shown: Shown) -> list[str]:
        width, height = shown.size
        notes = [f"{self._chat.model} was shown {shown.count} frames of {width}x{height}, {_FORMS[shown.form]}."]
        if self._most < self._config.max_frames or self._side < self._config.long_side:
            notes.append(
                f"Clips are shown with at most {self._most} frames of {self._side} pixels: {self._config.max_frames} "
                f"of {self._config.long_side}, as the config allows, do not fit into what the server takes at once."
            )
        return notes
