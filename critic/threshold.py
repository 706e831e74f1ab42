"""The threshold file: a score to accept at, what stands behind it, and the critic that it holds for."""

import math
from datetime import date
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from critic.instrument import Instrument

_MAX_BYTES = 64 * 1024


def told(share: float) -> str:
    """A share in per cent, never rounded up: a promise of 89.97 % is none of 90 %."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:g}%"


class ThresholdFileError(ValueError):
    """A threshold file that cannot be used: names the file, the key and the cure."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Bound(_Noun):
    """A share of clips that people would take (or, for a rejection, would not), and what stands behind it.

    The promise is `target`: that the share is lower has a chance of at most 1 - `confidence`, the choice of the
    threshold included. `lower_bound` is the one-sided Clopper-Pearson bound (Biometrika 26, 1934) of `right` of `n`,
    both divided by the design effect where clips of one group are alike or groups few (as Korn and Graubard do, Survey
    Methodology 24, 1998): `scipy.stats.beta.ppf(1 - level, right / d, (n - right) / d + 1)`.
    """

    target: float = Field(gt=0, lt=1)
    """The share that is promised."""
    lower_bound: float = Field(ge=0, le=1)
    """Of the share, at `level`: never below `target` where a promise is made."""
    confidence: float = Field(gt=0, lt=1)
    """Of the promise."""
    level: float = Field(gt=0, lt=1)
    """Confidence of the bound alone: higher, since the threshold was searched for from several places."""
    n: int = Field(ge=1)
    """Labelled clips beyond the threshold."""
    right: int = Field(ge=0)
    """Of these, the clips that people took (for a rejection: did not take)."""
    design_effect: float = Field(ge=1)
    """By how much clips of one prompt that are alike, and few prompts, lower the effective number; 1: independent."""

    @model_validator(mode="after")
    def _borne_out(self) -> Self:
        if self.right > self.n:
            raise ValueError("right must not be above n")
        if self.lower_bound > self.right / self.n:
            raise ValueError("lower_bound must not be above right / n: no bound lies over what was seen")
        # clips that are alike only lower a bound; what is written down may be rounded
        if self.level >= 0.5 and _chance(self.right, self.n, self.lower_bound - 1e-4) > 1 - self.level:
            raise ValueError(f"lower_bound must not be above what {self.right} of {self.n} clips bear out at level")
        return self

    def words(self) -> str:
        """The promise, for people: "at least 80% (95% confidence: 46 of 48 labelled clips)"."""
        borne_out = f"{told(self.confidence)} confidence: {self.right} of {self.n} labelled clips"
        return f"at least {told(self.target)} ({borne_out})"


def _chance(right: int, n: int, share: float) -> float:
    """Of at least `right` of `n` clips, where people take each with the chance `share`, below right / n."""
    if right == 0 or share <= 0:
        return float(right == 0)
    ways = math.lgamma(n + 1) - math.lgamma(right + 1) - math.lgamma(n - right + 1)
    term, total = math.exp(ways + right * math.log(share) + (n - right) * math.log1p(-share)), 0.0
    for k in range(right, n + 1):
        total += term
        term *= (n - k) / (k + 1) * share / (1 - share)
        if term < total * 1e-12:
            break
    return total


class Threshold(_Noun):
    """A threshold with what stands behind it, as `retake bench calibrate` writes it."""

    threshold: float = Field(ge=0, le=1)
    """Overall score at which a clip is accepted."""
    accept: Bound
    """Of the clips at or above it, the share that people take: precision."""
    reject_below: float | None = Field(default=None, ge=0, le=1)
    """Overall score below which a clip is surely not to be taken. Between the two the critic abstains. None: no score
    is, and it abstains on everything below the threshold."""
    reject: Bound | None = None
    """Of the clips below it, the share that people do not take."""
    n: int = Field(ge=1)
    """Labelled clips in all."""
    groups: int = Field(ge=1)
    """Prompts that they come from."""
    pass_at: str = ""
    """What counts as taken, in words, e.g. "label >= 4 of 1-5"."""
    dataset: str = ""
    """Name of what the labels came from."""
    dataset_sha256: str = ""
    """Of the labels' bytes."""
    instrument: Instrument | None = None
    """The critic that gave the scores. None: not known, since the scores came as a table."""
    made: date
    retake: str = ""
    """Version that wrote it."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.reject_below is None) != (self.reject is None):
            raise ValueError("reject_below and reject stand or fall together")
        if self.reject_below is not None and self.reject_below > self.threshold:
            raise ValueError("reject_below must not be above threshold")
        for name, bound in (("accept", self.accept), ("reject", self.reject)):
            if bound is not None and bound.lower_bound < bound.target:
                raise ValueError(f"{name}.lower_bound must not be below {name}.target: such a promise is not borne out")
        return self

    def sentence(self) -> str:
        """What it is worth, for people."""
        bound = self.accept
        return (
            f"Of clips at or above {figure(self.threshold)} people take at least {told(bound.target)} "
            f"({told(bound.confidence)} confidence: {bound.right} of {bound.n} such clips of {self.n} labelled)."
        )

    def to_yaml(self) -> str:
        """As a file."""
        data = self.model_dump(mode="json")
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def figure(value: float) -> str:
    """A threshold for people: two decimals, up to four where it has them, six where else it would be a 0 or a 1."""
    text = f"{value:.4f}"
    if float(text) in {0, 1} and value != float(text):
        text = f"{value:.6f}"
    return text[:4] + text[4:].rstrip("0")


def read(path: Path) -> Threshold:
    """A threshold file.

    Raises:
        ThresholdFileError: it cannot be used as it stands.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return parse(file.read(_MAX_BYTES + 1), str(path))


def parse(data: bytes, source: str) -> Threshold:
    """A threshold out of a file's bytes; `source` names it in errors.

    Raises:
        ThresholdFileError: it cannot be used as it stands.
    """
    if len(data) > _MAX_BYTES:
        raise ThresholdFileError(f"{source}: is over {_MAX_BYTES:,} bytes, and so no threshold file")
    try:
        content: Any = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ThresholdFileError(f"{source}: is not YAML in UTF-8: {error}") from error
    if not isinstance(content, dict):
        raise ThresholdFileError(f"{source}: must be what `retake bench calibrate` writes, a mapping with threshold")
    try:
        return Threshold.model_validate(content)
    except ValidationError as error:
        faults = [f"{source}: {'.'.join(map(str, f['loc'])) or 'as a whole'}: {f['msg']}" for f in error.errors()]
        raise ThresholdFileError("\n".join(faults)) from error
