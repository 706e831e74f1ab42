"""What the rules write of a place, the animatic reads as that place."""

import pytest

from generator.animatic.scenario import read
from generator.types import RenderSpec
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.types import CaptionRequest

SPEC = RenderSpec(width=320, height=192, num_frames=61, fps=24)


@pytest.mark.parametrize(
    ("prompt", "place"),
    [
        ("A warehouse.", "hall"),
        ("A factory.", "hall"),
        ("A delivery robot crosses a warehouse.", "hall"),
        ("An AMR drives between tall shelves in a warehouse; the camera follows.", "hall"),
        ("A robot arm on a workbench in a workshop.", "hall"),
        ("A cat sleeps in a living room.", "room"),
        ("A chef stirs a pot in a kitchen.", "room"),
        ("A neon city street in the rain at night.", "street"),
        ("A skyline at dusk.", "city"),
        ("Waves break on a beach.", "sea"),
        ("A fishing boat on a lake at night.", "lake"),
        ("A quiet pine forest in falling snow.", "forest"),
        ("Desert dunes under a noon sun.", "desert"),
        ("A dog runs across a meadow.", "field"),
        ("A truck on a mountain road.", "road"),
        ("Snowy mountains at sunrise.", "mountains"),
    ],
)
async def test_a_place_stays_the_place(prompt: str, place: str) -> None:
    request = CaptionRequest(prompt=prompt, width=320, height=192, num_frames=61, fps=24)
    caption = await Rules(RulesConfig()).upsample(request)
    assert read(caption.prompt, SPEC).place == place
    assert read(prompt, SPEC).place == place
