"""One model that looks at clips: what all who ask it share, and how much of a clip each of them can show it."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from critic.config import HybridConfig, VLMConfig
from critic.vlm.show import Shown, first_frame_part, show, takes_two, video_form
from reasoner.chat.client import Chat
from reasoner.chat.config import VideoForm
from reasoner.chat.types import Image, Refused, TooLong, Usage

log = logging.getLogger("critic.vlm")

LEAST_FRAMES = 4
LEAST_SIDE = 128
TWO_VIDEOS: Final = "--limit-mm-per-prompt '{\"video\": 2}'"
"""What has vLLM take two videos in one question."""
_FORMS: dict[VideoForm, str] = {
    "timed_frames": "as one video with their times",
    "mp4": "as an mp4",
    "frames": "as one video that the server takes for one frame a second, with their times in words",
    "images": "as single pictures with their times in words, since the server takes no video",
}


class Viewer:
    """A model behind a connected chat, shared by those who show it clips.

    Args:
        config: how clips are shown, and how many at the same time.
        chat: the model's server.
    """

    def __init__(self, config: VLMConfig | HybridConfig, chat: Chat) -> None:
        self.config, self.chat = config, chat
        self.slots = asyncio.Semaphore(config.concurrency)
        """One for each clip, or pair of clips, that is judged."""
        self._form: VideoForm | None = None
        self._two: bool | None = None
        self._probing = asyncio.Lock()

    async def form(self) -> tuple[VideoForm, Usage]:
        """The form in which the server takes clips, found out once, and what finding it out took now.

        Raises:
            ChatError: the server cannot be asked, or does not look at pictures.
        """
        async with self._probing:
            if self._form is not None:
                return self._form, Usage()
            self._form, used = await video_form(self.chat)
            log.info("%s is shown clips as %s", self.chat.model, self._form)
            return self._form, used

    async def pair_form(self) -> tuple[VideoForm, str, Usage]:
        """The form in which the server takes two clips in one question, and what finding it out took now.

        Single pictures where it takes one video only or, which it may do in silence, looks at one only. The words say
        why it is single pictures; "" where it is not.

        Raises:
            ChatError: as `form`.
        """
        form, used = await self.form()
        if form == "images":
            return form, "since the server takes no video", used
        async with self._probing:
            if self._two is None:
                self._two, more = await takes_two(self.chat, form)
                used += more
        if self._two:
            return form, "", used
        return "images", f"since the server takes one video in a question: let it take two (vLLM: {TWO_VIDEOS})", used


class Fit:
    """How much of a clip is shown: as the config allows, and less from the moment on when that did not fit."""

    def __init__(self, config: VLMConfig | HybridConfig) -> None:
        self._config = config
        self._most, self._side = config.max_frames, config.long_side

    def show(self, clip: Path, form: VideoForm) -> Shown:
        """A clip's frames; raises as `critic.vlm.show.show` does."""
        return show(clip, form, fps=self._config.fps, most=self._most, long_side=self._side)

    def image(self, first_frame: Path | None) -> Image | None:
        """The user's first frame in the clips' size; raises as `first_frame_part` does."""
        return None if first_frame is None else first_frame_part(first_frame, self._side)

    def less(self, shown: Shown, error: TooLong | Refused) -> bool:
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

    def said(self, shown: Shown, model: str) -> list[str]:
        """How a clip was shown, in sentences for people."""
        width, height = shown.size
        return [f"{model} was shown {shown.count} frames of {width}x{height}, {_FORMS[shown.form]}.", *self.lessened()]

    def lessened(self) -> list[str]:
        """That clips are shown with less than the config allows, in a sentence for people."""
        if self._most == self._config.max_frames and self._side == self._config.long_side:
            return []
        most = f"at most {self._most} frames of {self._side} pixels"
        allowed = f"{self._config.max_frames} of {self._config.long_side}, as the config allows"
        return [f"Clips are shown with {most}: {allowed}, do not fit into what the server takes at once."]
