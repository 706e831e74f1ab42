"""A config's threshold file: read, its figure taken, and held against the critic that judges."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.calibration import UNNAMED, Calibration
from agent.config import RunConfig
from agent.errors import ConfigError
from critic.config import CriticConfig
from critic.instrument import Instrument
from critic.threshold import Threshold, ThresholdFileError, parse

NAME: Final = "threshold.yaml"
"""The file in a run's folder, as it was when the run began."""
_MOST: Final = 1 << 20
"""Bytes that are read of a file; more than any threshold file has."""


@dataclass(frozen=True)
class Stated:
    """A threshold file as it lies there."""

    path: str
    data: bytes
    threshold: Threshold

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def stated(critic: CriticConfig) -> Stated | None:
    """The threshold file that a config names; None: it names none.

    Raises:
        ConfigError: it cannot be used.
    """
    path = critic.threshold_file
    if path is None:
        return None
    try:
        if Path(path).is_fifo():  # it would be waited for, and it is read more than once
            raise ConfigError(f"critic.threshold_file: {path}: is no plain file; write it to one")
        with Path(path).open("rb") as file:
            data = file.read(_MOST)
        return Stated(path, data, parse(data, path))
    except FileNotFoundError:
        raise ConfigError(
            f"critic.threshold_file: {path}: there is no such file; put it there (`retake bench calibrate` "
            "writes one), or take the key out"
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, ThresholdFileError):
            raise ConfigError(f"critic.threshold_file: {error}") from error
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"critic.threshold_file: {path}: cannot be read: {why}") from error


def settled(config: RunConfig) -> RunConfig:
    """The config with `accept_at` as its threshold file has it.

    Raises:
        ConfigError: the file cannot be used, or the config names another `accept_at` beside it.
    """
    critic = config.critic
    found = stated(critic)
    if found is None:
        return config
    value = found.threshold.threshold
    if "accept_at" in critic.model_fields_set and critic.accept_at != value:
        given = "null" if critic.accept_at is None else f"{critic.accept_at:g}"
        raise ConfigError(
            f"critic.accept_at ({given}) and critic.threshold_file ({found.path}: {value:g}) name two thresholds; "
            "take one of them out"
        )
    return config.model_copy(update={"critic": critic.model_copy(update={"accept_at": value})})


def same(critic: CriticConfig, known: Calibration | None) -> bool:
    """Whether a config's threshold file is still the one that a run was held against.

    Raises:
        ConfigError: it cannot be used.
    """
    found = stated(critic)
    return (None if found is None else found.sha256) == (None if known is None else known.sha256)


def held(critic: CriticConfig, found: Stated, instrument: Instrument, unknown: Collection[str] = ()) -> Calibration:
    """A threshold file, held against the critic that judges.

    Args:
        critic: the config's.
        found: its file.
        instrument: that critic's own account.
        unknown: names of what is not known of it yet, and not compared.

    Raises:
        ConfigError: it is for another critic, and the config does not allow that.
    """
    own = found.threshold.instrument
    differs = (UNNAMED,) if own is None else own.differences(instrument, unknown)
    if differs and critic.threshold_must_match:
        what = "" if own is None else "is for another critic (there) than the one that judges (here):\n  "
        raise ConfigError(
            f"critic.threshold_file: {found.path}: {what}" + "\n  ".join(differs) + "\n"
            "Calibrate this critic (retake bench run CLIPS --config CONFIG --out BENCH; retake bench calibrate BENCH "
            "--out threshold.yaml), or give critic.threshold_must_match: false for a run that is labelled uncalibrated"
        )
    return Calibration(threshold=found.threshold, sha256=found.sha256, differs=differs)
