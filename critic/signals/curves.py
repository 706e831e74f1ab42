"""From a measured figure to a score: one table of piecewise-linear curves."""

from typing import Final

import numpy as np

CURVES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "motion": ((0, 0), (0.3, 0.25), (1, 0.55), (2.5, 0.9), (4, 1)),
    "frozen": ((0.06, 1), (0.12, 0.9), (0.2, 0.7), (0.35, 0.45), (0.6, 0.15), (1, 0)),
    "duplicates": ((0, 1), (0.02, 0.95), (0.1, 0.7), (0.25, 0.4), (0.5, 0)),
    "cuts": ((0, 1), (1, 0.4), (2, 0.25), (4, 0.1), (8, 0)),
    "black": ((0, 1), (0.003, 0.58), (0.1, 0.4), (0.3, 0.2), (0.8, 0)),  # one black frame is under the floor
    "flicker": ((0, 1), (0.25, 0.98), (0.6, 0.9), (1.5, 0.6), (4, 0.25), (25, 0)),
    "shake": ((0, 1), (0.6, 0.98), (1.5, 0.88), (3, 0.6), (8, 0.25), (40, 0)),
    "warping": ((0, 1), (0.5, 0.97), (1, 0.88), (2, 0.6), (4, 0.25), (8, 0)),
    "blur": ((2.2, 1), (2.9, 0.97), (3.4, 0.88), (4.3, 0.6), (6.5, 0.25), (10, 0)),
    "noise": ((0, 1), (1.3, 0.98), (2, 0.9), (4, 0.65), (8, 0.35), (25, 0)),
    "blockiness": ((0, 1), (0.12, 0.98), (0.25, 0.88), (0.5, 0.6), (1.2, 0.3), (4, 0)),
    "banding": ((0, 1), (0.02, 0.9), (0.12, 0.65), (0.5, 0.3), (1.5, 0)),
    "exposure: mean": ((5, 0), (18, 0.2), (40, 0.6), (62, 0.9), (75, 1), (190, 1), (205, 0.9), (230, 0.4), (255, 0)),
    "exposure: mean when dark is asked": ((3, 0), (8, 0.3), (18, 0.8), (28, 1), (105, 1), (140, 0.7), (200, 0.2)),
    "exposure: clipped": ((0.02, 1), (0.06, 0.9), (0.2, 0.6), (0.45, 0.25), (1, 0)),
    "saturation": ((0, 1), (0.04, 0.9), (0.12, 0.7), (0.3, 0.35), (0.6, 0)),
    "first_frame: shift": ((0.005, 1), (0.02, 0.9), (0.05, 0.6), (0.12, 0.3), (0.3, 0)),
    "first_frame: matched": ((0.02, 0), (0.08, 0.3), (0.18, 0.85), (0.3, 1)),
    "first_frame: likeness": ((0.2, 0), (0.6, 0.4), (0.9, 0.8), (0.96, 0.92), (1, 1)),
    "first_frame: likeness when plain": ((0.7, 0), (0.9, 0.4), (0.96, 0.85), (1, 1)),
    "first_frame: drift": ((3, 1), (6, 0.9), (12, 0.6), (25, 0.25), (60, 0)),
    "camera: amount": ((0, 0), (0.25, 0.2), (0.6, 0.6), (1, 0.9), (1.5, 1)),
    "camera: extra": ((0.5, 1), (1, 0.85), (2, 0.6), (4, 0.4)),
    "camera: static": ((0.15, 1), (0.3, 0.9), (0.6, 0.6), (1.2, 0.25), (2.5, 0)),
}
"""Points (measured, score), straight lines between, flat outside. Placed on the procedural clips of
`benchmarks.signals`, encoded as H.264 at CRF 18: .9 lies above what clean clips measure, .6 where a person notices,
.25 where it ruins a clip."""

TOLERANCE: Final[dict[str, dict[str, float]]] = {
    "flicker": {"flicker": 8},
    "shake": {"unsteady": 6, "fast": 2},
    "warping": {"fluid": 2.5, "unsteady": 2},
    "blur": {"soft": 2, "unsteady": 1.2},
    "noise": {"grain": 3, "dark": 1.5},
    "exposure: clipped": {"bright": 4, "flicker": 2, "vivid": 2},
    "saturation": {"vivid": 4},
    "first_frame: drift": {"flicker": 4, "black": 10, "fast": 2},
    "cuts": {"cuts": 30, "falling": 3, "flicker": 3, "unsteady": 3},
    "black": {"black": 400},
    "motion": {"still": 0.05},
    "frozen": {"still": 20},
    "duplicates": {"still": 20, "fast": 1.5},
}
"""By curve, how many times as much a wish of the prompt (`critic.signals.words`) makes tolerable. Below 1 for
`motion`, where the wish makes less enough."""


def score(curve: str, measured: float, wishes: frozenset[str] = frozenset()) -> float:
    """The score in [0, 1] of `measured` on a curve, eased by what the prompt wishes."""
    eases = [factor for wish, factor in TOLERANCE.get(curve, {}).items() if wish in wishes]
    ease = max(eases, default=1.0, key=lambda factor: abs(np.log(factor)))
    x, y = zip(*CURVES[curve], strict=True)
    return float(np.interp(measured / ease, x, y))
