"""Threshold files as `retake bench calibrate` writes them, for tests of what uses them."""

from datetime import date
from pathlib import Path
from typing import Any

from critic.instrument import Instrument
from critic.threshold import Bound, Threshold

SIGNALS = Instrument(critic="signals/1", rubric="signals/1")
"""What the embedded critic says of itself."""
ACCEPT = Bound(target=0.8, lower_bound=0.816, confidence=0.95, level=0.98, n=48, right=46, design_effect=1.6)
REJECT = Bound(target=0.85, lower_bound=0.87, confidence=0.95, level=0.98, n=45, right=44, design_effect=1.0)


def threshold(at: float = 0.82, below: float | None = None, **changes: Any) -> Threshold:
    """A threshold of the embedded critic, with what 120 labels say."""
    facts: dict[str, Any] = {
        "threshold": at,
        "accept": ACCEPT,
        "reject_below": below,
        "reject": None if below is None else REJECT,
        "n": 120,
        "groups": 40,
        "pass_at": "label >= 4 of 1-5",
        "dataset": "clips.csv",
        "instrument": SIGNALS,
        "made": date(2026, 3, 14),
        "retake": "0.1.0",
    }
    return Threshold.model_validate({**facts, **changes})


def write(path: Path, made: Threshold) -> Path:
    """The file."""
    path.write_text(made.to_yaml(), encoding="utf-8")
    return path
