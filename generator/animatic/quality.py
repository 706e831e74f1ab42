"""How steps, guidance and seed show in the picture, as users of a diffusion model know it."""

from dataclasses import dataclass

import numpy as np

from generator.animatic.noise import dice
from generator.animatic.scenario import Scenario
from generator.types import RenderSpec


@dataclass(frozen=True)
class Quality:
    """What a render's settings do to it."""

    detail: float
    """Internal size as a share of the frame's."""
    noise: float
    """Standard deviation of the noise in 8-bit levels."""
    flicker: float
    """Standard deviation of the brightness gain from frame to frame."""
    warp: float
    """Amplitude of local warping, in thousandths of the frame's height."""
    shake: float
    """Added camera shake: 1 is handheld."""
    gain: float
    """Factor on every asked-for camera move."""
    vague: float
    """Share of unplanned drift, 0-1."""
    cooked: float
    """Over-guided contrast and colour, 0-1."""
    pale: float
    """Under-guided, washed-out look, 0-1."""


def quality_of(spec: RenderSpec, scenario: Scenario, seed: int) -> Quality:
    """The quality of a render.

    What denoising leaves undone falls as exp(-steps / 14), and about 30 steps leave nothing to be seen. The shape and
    the constant are the animatic's own, chosen so that 4, 10, 20 and 35 steps look clearly apart.
    """
    rng = dice(seed, "quality")
    strength = rng.uniform(0.5, 1.0)
    lack = max(0.0, float(np.exp(-spec.num_inference_steps / 14)) - 0.09) / 0.91
    lack *= rng.uniform(0.85, 1.15)
    guidance = spec.guidance_scale
    cooked = float(np.clip((guidance - 9) / 8, 0, 1))
    steady = "shak" in spec.negative_prompt.lower()
    return Quality(
        detail=1.0 - 0.5 * lack,
        noise=float(np.hypot(0.35 + 13 * lack**1.2, scenario.look.grain)),
        flicker=0.035 * lack**1.1,
        warp=5.0 * lack,
        shake=0.5 * lack * (0.6 if steady else 1.0),
        gain=float(np.clip(0.34 + 0.11 * guidance, 0.34, 1.2)) * strength,
        vague=float(np.clip((5 - guidance) / 5, 0, 1)),
        cooked=cooked,
        pale=float(np.clip((3 - guidance) / 4, 0, 1)),
    )
