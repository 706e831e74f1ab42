"""Stands where NVIDIA's guardrail package lies, whose weights are gated: Diffusers imports it by this name."""

from typing import Any, ClassVar


class CosmosSafetyChecker:
    """Refuses prompts with the word "forbidden", and does with videos what `video` says."""

    video: ClassVar[str] = "pass"
    asked: ClassVar[list[str]] = []

    def to(self, _device: object) -> "CosmosSafetyChecker":
        return self

    def check_text_safety(self, prompt: str) -> bool:
        self.asked.append("text")
        return "forbidden" not in prompt

    def check_video_safety(self, frames: Any) -> Any:
        self.asked.append("video")
        match self.video:
            case "refuse":
                return None
            case "blur":
                frames[:, :8, :8] = 127
        return frames
