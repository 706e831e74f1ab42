"""How long Cosmos3-Nano takes for each step on an H100 80GB, in whole milliseconds: published, or computed from that.

NVIDIA's figures for vLLM and vLLM-Omni, which it calls pre-release: image-to-video at 480p with 189 frames takes
59.77 s; a question about a video sampled at 2 fps takes 228.8 ms, a reply of 100 tokens 967 ms; sampled at 1 fps one
token takes 145.5 ms and 100 tokens 866 ms.
"""

from dataclasses import dataclass
from typing import Final

RENDER: Final = 59_770
QUESTIONS: Final = 14
"""Six that every clip is asked and eight of a checklist, one after the other; their twins are not counted."""
JUDGE: Final = round(QUESTIONS * 228.8) + 967
"""The questions, and then 100 tokens of critique in words."""
TOKEN: Final = (866 - 145.5) / 99
"""Milliseconds for each further token of a reply."""
UPSAMPLE: Final = round(145.5 + 1_499 * TOKEN)
"""A structured caption of 1,500 tokens."""
REWRITE: Final = round(145.5 + 499 * TOKEN)
"""Edits of 500 tokens."""


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of each step of a run."""

    upsample: int = UPSAMPLE
    rewrite: int = REWRITE
    renders: tuple[int, ...] = (RENDER,)
    """Of an iteration's candidates in turn, by seed; begun again where there are more candidates."""
    judge: int = JUDGE
    paces: tuple[float, ...] = (1.0,)
    """What a render takes on each endpoint in turn, as a multiple; begun again where there are more endpoints."""

    def render(self, candidate: int, endpoint: int = 0) -> int:
        """Of one candidate, counted from 0, on one endpoint, likewise."""
        return round(self.renders[candidate % len(self.renders)] * self.paces[endpoint % len(self.paces)])


UNEQUAL: Final = Latencies(
    renders=tuple(round(RENDER * share) for share in (1.0, 0.82, 1.17, 0.91, 1.2, 0.8, 1.08, 1.02))
)
"""Renders that differ by up to a fifth either way."""

MIXED: Final = Latencies(paces=(1.0, 107_770 / RENDER))
"""Every other endpoint is an RTX PRO 6000, where NVIDIA's figure for the same render is 107.77 s."""
