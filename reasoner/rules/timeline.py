"""How a clip's whole seconds are divided into segments."""

from itertools import pairwise

from reasoner.caption import clock
from reasoner.given import duration
from reasoner.types import CaptionRequest


def spans(request: CaptionRequest, phases: int) -> list[tuple[int, int]]:
    """Start and end of each segment in whole seconds, as equal in true time as whole seconds allow.

    As many segments as the camera has phases; with at most one phase 1 up to 3 s, 2 up to 6 s and 3 beyond. The last
    segment ends at `duration`, by which the captions mean the clip's end.
    """
    whole, seconds = duration(request), request.num_frames / request.fps
    count = phases if phases > 1 else 1 + (whole > 3) + (whole > 6)
    inner = [min(round(seconds * index / count), whole) for index in range(count)]
    return list(pairwise([*inner, whole]))


def stamp(span: tuple[int, int]) -> str:
    """Write a span as M:SS-M:SS."""
    return f"{clock(span[0])}-{clock(span[1])}"
