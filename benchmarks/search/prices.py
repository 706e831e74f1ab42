"""What a render takes: as published for Cosmos3, and as recorded of the animatic."""

from statistics import median

from agent.forecasting.latencies import latencies, render_seconds
from benchmarks.schedule.latencies import JUDGE
from benchmarks.search.landscape import TARGET, Landscape, Tier
from benchmarks.search.tables import Prices
from generator.types import RenderSpec

MODEL, HARDWARE, MODE = "Cosmos3-Nano", "H100 80GB", "image2video"
LARGER = (1280, 720)
"""Size of a render that costs more beside its draft."""
FRAMES = 189
"""Of a published render. A recorded clip has fewer, and a draft its share of them."""


def published(landscape: Landscape, size: tuple[int, int] | None = None) -> Prices:
    """Seconds of Cosmos3-Nano's image-to-video on one H100, on a server that stops no running render.

    Args:
        landscape: whose tiers have a price.
        size: that a render as asked is paid for. None: its own.
    """
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
            width=size[0] if size and name == TARGET else tier.width,
            height=size[1] if size and name == TARGET else tier.height,
            num_frames=frames,
            fps=24,
            num_inference_steps=tier.steps,
        )
        seconds[name] = render_seconds(rows, spec).expected

    return Prices(
        name="published" if size is None else f"published, {size[0]}x{size[1]}",
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
