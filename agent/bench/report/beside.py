"""What may lie beside the figures in a benchmark's folder: a threshold, or why there is none, and a replay."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.bench.folder import REPLAY, THRESHOLD, WITHHELD
from agent.bench.replay_figures import Replay
from critic.threshold import Threshold, ThresholdFileError
from critic.threshold import read as read_threshold

_MAX_BYTES: Final = 1024 * 1024
_MAX_WORDS: Final = 4096
"""Characters of `withheld.txt` that are shown."""


@dataclass(frozen=True)
class Beside:
    """What was found."""

    threshold: Threshold | None = None
    withheld: str = ""
    """Why there is no threshold."""
    replay: Replay | None = None
    coverage: float | None = None
    """Share of the main axis's rows that the threshold accepts. None: there is no threshold, or it is of another score
    than the one that the plots are of."""
    notes: tuple[str, ...] = ()
    """What is there and could not be read."""


def beside(folder: Path) -> Beside:
    """What lies in a folder. What cannot be used is a note: it costs the report nothing."""
    notes = []
    threshold = replay = None
    try:
        threshold = read_threshold(folder / THRESHOLD)
    except FileNotFoundError:
        pass
    except (ThresholdFileError, OSError) as error:
        notes.append(f"{THRESHOLD} cannot be used: {error}")
    try:
        if data := _bytes(folder / REPLAY):
            replay = Replay.model_validate_json(data)
    except (ValidationError, OSError) as error:
        notes.append(f"{REPLAY} cannot be used: {str(error).splitlines()[0]}")
    withheld = ""
    try:
        withheld = _bytes(folder / WITHHELD).decode("utf-8", "replace").strip()[:_MAX_WORDS]
    except OSError as error:
        notes.append(f"{WITHHELD} cannot be used: {error}")
    return Beside(threshold, withheld, replay, notes=tuple(notes))


def _bytes(path: Path) -> bytes:
    """A file's bytes; none where it is not there."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    if len(data) > _MAX_BYTES:
        raise OSError(f"has over {_MAX_BYTES:,} bytes")
    return data
