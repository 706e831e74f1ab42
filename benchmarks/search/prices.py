"""What a render takes: as published for Cosmos3, and as recorded of the animatic."""

from statistics import median

from agent.forecasting.latencies import latencies, render_seconds
from benchmarks.schedule.latencies import JUDGE
from benchmarks.search.landscape import TARGET, Landscape, Tier
from benchmarks.search.tables import Prices
from generator.types import RenderSpec

MODEL, HARDWARE, MODE = "Cosmos3-Nano", "H100 80GB", "image2video"
FRAMES = 189
"""Of a published render. A recorded clip has fewer, and a draft its share of them."""


def published(landscape: Landscape) -> Prices:
    """Seconds of Cosmos3-Nano's image-to-video on one H100, on a server that stops no running render."""
    made = landscape.header
    rows = [
        row
        for row in latencies().renders
        if (row.model, row.hardware, row.mode, row.gpus) == (MODEL, HARDWARE, MODE, 1)
    ]
    seconds: dict[Tier, float] = {}
    for name, tier in made.tiers.items():
        frames = round(FRAMES * tier.frames / made.tiers[TARGET].frames)
        spec = RenderSpec(
            width=tier.width, height=tier.height, num_frames=frames, fps=24, num_inference_steps=tier.steps
        )
        seconds[name] = render_seconds(rows, spec).expected

    return Prices(
        name="published",
        render=lambda tier, _: seconds[tier],
        judge=lambda _: JUDGE / 1000,
        ratio=lambda tier: seconds[TARGET] / seconds[tier],
        stoppable=False,
    )


def recorded(landscape: Landscape) -> Prices:
    """Seconds of one core that each clip took, in a process that stops a render between two frames."""
    middle = {
        tier: median(cell.render_seconds for (_, _, where, _), cell in landscape.cells.items() if where == tier)
        for tier in landscape.header.tiers
    }
    return Prices(
        name="recorded",
        render=lambda _, cell: cell.render_seconds,
        judge=lambda cell: cell.judge_seconds,
        ratio=lambda tier: middle[TARGET] / middle[tier],
        stoppable=True,
    )
