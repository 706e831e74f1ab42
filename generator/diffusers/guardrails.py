"""NVIDIA's safety checks, watched: they refuse in our own words, and it is known whether they really acted."""

import importlib
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from generator.types import BackendError, BlockedError

PACKAGE = "cosmos_guardrail"
OFF = "or, if you may, switch the checks off with request.guardrails: false"


class Guardrail:
    """`cosmos_guardrail.CosmosSafetyChecker` and a record of what it did.

    The pipelines ask only objects of that very class, pass over any other without a word, and Predict 2.5 stumbles
    over a refused video instead of naming it. So the checker stays what it is, and its two questions are listened to.
    """

    def __init__(self, checker: Any) -> None:
        self.checker = checker
        self.texts = self.videos = 0
        self.changed = False
        self._check_text, self._check_video = checker.check_text_safety, checker.check_video_safety
        checker.check_text_safety, checker.check_video_safety = self._text, self._video

    @classmethod
    def loaded(cls) -> Self:
        """The real one.

        Raises:
            BackendError: the package or its gated weights are missing. It is never left out silently.
        """
        try:
            package = importlib.import_module(PACKAGE)
        except ImportError as error:
            raise BackendError(
                f"The guardrails are on, but their package is not installed ({error}). pip install {PACKAGE}, {OFF}."
            ) from error
        try:
            return cls(package.CosmosSafetyChecker())
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise BackendError(
                f"The guardrails are on, but cannot be loaded ({type(error).__name__}: {said}). Accept the licence of "
                f"huggingface.co/nvidia/Cosmos-1.0-Guardrail and log in with `hf auth login`, {OFF}."
            ) from error

    def begin(self) -> None:
        """Forget the last render."""
        self.texts = self.videos = 0
        self.changed = False

    def acted(self) -> tuple[str, ...]:
        """Notes on the render since `begin`.

        Raises:
            BackendError: a check was asked for and not made.
        """
        if not self.texts or not self.videos:
            missing = "prompt" if not self.texts else "video"
            raise BackendError(
                f"The guardrails are on, but the pipeline did not check the {missing}; the clip is thrown away. "
                f"Install matching versions of diffusers and {PACKAGE} and start again."
            )
        return ("The guardrails changed frames of this clip: they blur faces.",) if self.changed else ()

    def _text(self, prompt: str) -> bool:
        self.texts += 1
        if not self._check_text(prompt):
            raise BlockedError("The guardrails refused the prompt as unsafe. Change the prompt.")
        return True

    def _video(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        self.videos += 1
        before = frames.copy()  # the checker may blur in place
        checked: npt.NDArray[np.uint8] | None = self._check_video(frames)
        if checked is None:
            raise BlockedError("The guardrails refused the rendered video as unsafe. Change the prompt or the seed.")
        self.changed = not np.array_equal(before, checked)
        return checked


class Unchecked:
    """Stands where Predict 2.5 insists on a checker, when the checks are switched off: it refuses nothing."""

    def to(self, _device: object) -> Self:
        """Nothing to move."""
        return self

    def check_text_safety(self, _prompt: str) -> bool:
        """Always safe."""
        return True

    def check_video_safety(self, frames: Any) -> Any:
        """As they are."""
        return frames
