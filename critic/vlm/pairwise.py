"""The judge of the final choice: which of two clips answers the request better, asked in both orders."""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from critic.together import together
from critic.types import Comparison, JudgeError
from critic.vlm.one_word import OneWord
from critic.vlm.show import Shown
from critic.vlm.texts import text
from critic.vlm.viewer import TWO_VIDEOS, Fit, Viewer
from reasoner.chat.config import VideoForm
from reasoner.chat.types import Image, Message, Refused, Text, TooLong, Video

log = logging.getLogger("critic.vlm")

VERSION: Final = 1
"""Of what is asked; a comparison made with another is not comparable."""
LABELS: Final = ("A", "B")
_MEDIA_REFUSED: Final = {400, 413, 415, 422}
"""With which servers refuse what is shown, and not that they are asked."""
_FORMS: dict[VideoForm, str] = {
    "timed_frames": "as a video with its times",
    "mp4": "as an mp4",
    "frames": "as a video that the server takes for one frame a second, with its times in words",
    "images": "as single pictures with their times in words",
}


class Pairwise:
    """Compares clips by showing both to a vision language model. Implements `critic.types.Comparer`.

    The chat must be connected. What a server fails at (`ChatError`) is passed on as it is, as `critic.vlm.VLM` does.

    Args:
        viewer: the model, which may be a critic's at the same time.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer, self._config, self._chat = viewer, viewer.config, viewer.chat
        self._fit = Fit(viewer.config)
        self._letter = OneWord(viewer.chat, LABELS, LABELS, called="letter")

    @property
    def id(self) -> str:
        """Model, question and what is shown of a clip."""
        c = self._config
        return f"pairwise/{VERSION} {self._chat.model} fps={c.fps:g} frames<={c.max_frames} side={c.long_side}"

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        """Compare two clips, in both orders side by side.

        Raises:
            JudgeError: a clip or the first frame does not decode, the server does not take two clips in one question,
                or an answer cannot be read.
            OSError: a file cannot be read.
            ChatError: the server gives no answers.
        """
        async with self._viewer.slots:
            began = time.monotonic()
            log.info("compare start %s, %s", first, second)
            form, why, used = await self._viewer.pair_form()
            while True:
                clips = await asyncio.to_thread(self._pair, first, second, form)
                image = await asyncio.to_thread(self._fit.image, first_frame)
                try:
                    (one, some), (other, rest) = await together(
                        [
                            self._letter.ask(partial(messages, shown, image), _question(prompt), "which is better")
                            for shown in (clips, clips[::-1])
                        ]
                    )
                except (TooLong, Refused) as error:
                    if isinstance(error, Refused) and error.status not in _MEDIA_REFUSED:
                        raise
                    if not self._fit.less(max(clips, key=lambda shown: (shown.count, shown.size)), error):
                        raise JudgeError(f"{self._chat.model} compares no clips: {error} {_cure(error)}") from error
                else:
                    break
            used += some + rest + await self._chat.cache_since()
            return Comparison.of(
                (one.p, 1 - other.p),
                judge=self.id,
                method="reply" if "reply" in {one.method, other.method} else "logprobs",
                seconds=time.monotonic() - began,
                notes=[self._said(clips, form, why), *self._fit.lessened()],
                usage=used,
            )

    def _pair(self, first: Path, second: Path, form: VideoForm) -> tuple[Shown, Shown]:
        clips = self._fit.show(first, form), self._fit.show(second, form)
        if form == "timed_frames" and _times(clips[0]) != _times(clips[1]):  # a request has one setting for all videos
            return self._fit.show(first, "frames"), self._fit.show(second, "frames")
        return clips

    def _said(self, clips: Sequence[Shown], form: VideoForm, why: str) -> str:
        counts = " and ".join("{} frames of {}x{}".format(shown.count, *shown.size) for shown in clips)
        if clips[0].form != form:
            why = "since they differ in length or frame rate"
        how = ", ".join(part for part in (_FORMS[clips[0].form], why) if part)
        return f"{self._chat.model} was shown both clips in one question, {counts}, each {how}."


def messages(clips: Sequence[Shown], image: Image | None, question: str) -> list[Message]:
    """A question about two clips, in the order given: both after their label, the first frame, the question."""
    parts: list[Text | Image | Video] = []
    for label, shown in zip(LABELS, clips, strict=True):
        parts += [Text(text=f"Video {label}:\n"), *shown.parts]
    if image is not None:
        parts += [image, Text(text="This picture is the first frame that both videos were to start from.\n")]
    return [
        Message(role="system", content=text("judge.txt")),
        Message(role="user", content=(*parts, Text(text=question))),
    ]


def _question(prompt: str) -> str:
    return text("pairwise.txt").replace("{prompt}", prompt)


def _times(shown: Shown) -> list[object]:
    return [part.io for part in shown.parts if isinstance(part, Video)]


def _cure(error: TooLong | Refused) -> str:
    if isinstance(error, TooLong):
        return "Lower critic.max_frames or critic.long_side."
    return f"Let its server take two videos in one question (vLLM: {TWO_VIDEOS})."
