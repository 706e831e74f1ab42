"""What all painters of a scene share: the stage, the light, and where horizon and sun are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.noise import dice
from generator.animatic.palette import PALETTES, Palette
from generator.animatic.scenario import Scenario
from generator.animatic.stage import Layer, Stage

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class World:
    """A scenario on a stage. Composition comes from the seed and the kind of scene, not from the caption's wording."""

    stage: Stage
    scenario: Scenario
    seed: int
    horizon: float
    """Canvas row of the horizon at rest."""
    sun: tuple[float, float]
    """Canvas column and row of the sun or moon."""
    palette: Palette

    @classmethod
    def of(cls, stage: Stage, scenario: Scenario, seed: int) -> "World":
        """Place horizon and sun."""
        rng = dice(seed, scenario.place, "composition")
        share = {"sea": 0.56, "lake": 0.54, "desert": 0.58, "road": 0.55, "street": 0.55, "hall": 0.50, "room": 0.46}
        horizon = share.get(scenario.place, 0.58) + rng.uniform(-0.03, 0.03)
        side = float(rng.choice((-1, 1)) * rng.uniform(0.08, 0.24))
        low = scenario.hour in ("sunset", "dawn")
        high = rng.uniform(0.08, 0.14) if low else rng.uniform(0.30, 0.40)
        return cls(
            stage=stage,
            scenario=scenario,
            seed=seed,
            horizon=stage.y(horizon),
            sun=(stage.x(0.5 + side), stage.y(horizon) - high * stage.frame_height),
            palette=PALETTES[scenario.hour],
        )

    def rng(self, *names: str) -> np.random.Generator:
        """Dice of a named part of this scene."""
        return dice(self.seed, self.scenario.place, *names)

    def grid(self, top: int, bottom: int) -> tuple[Array, Array]:
        """Columns (1 x width) and rows (rows x 1) of a part of the canvas, float32, to broadcast."""
        return (
            np.arange(self.stage.width, dtype=np.float32)[None, :],
            np.arange(top, bottom, dtype=np.float32)[:, None],
        )

    def sunlight(self, x: Array, y: Array | float, reach: float = 0.35) -> Array:
        """Glow of the sun in the air, 0-1, falling off over `reach` units."""
        distance = np.hypot(x - self.sun[0], y - self.sun[1]) / self.stage.unit
        return np.asarray(self.palette.glow * np.exp(-distance / reach), np.float32)


@dataclass
class Place:
    """A painted place: its layers from far to near, and the ground that subjects stand on."""

    layers: list[Layer]
    ground: tuple[float, float, float]
    """Horizon row, far and near depth: as in `Layer.ground`."""
    front: int
    """Index in `layers` of the first layer that lies before the subjects; their number when none does."""
    reflects: float = 0.0
    """How much of a subject is mirrored in the ground, 0-1."""
