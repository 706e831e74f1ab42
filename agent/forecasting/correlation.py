"""How well drafts rank captions as renders at the target tier do: measured, or said not to be."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigError

DATA = Path(__file__).with_name("draft_correlation.yaml")
MAX_BYTES = 1 << 20
"""Of a user's file."""
FEWEST = 5
"""Prompts below which nothing is told from chance: 4 correlations are all above 0 by chance once in 16 times."""
KEY = "search.draft_correlation"
"""The config's, that names it."""
ABOUT = """# How well drafts rank the captions of a prompt as renders at the target tier do. Not listed is not known.
# Written by {by}
#
# generator: engine. draft, target: tiers. steps, frames: of a draft, as shares of the target's. value: Spearman's
# correlation over the captions of a prompt, scores averaged over seeds, averaged over prompts; low, high: its 95 %
# interval by bootstrap over prompts.
"""


class Measured(BaseModel):
    """A rank correlation of draft and target scores over captions of one prompt, as a benchmark found it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: str
    """Its engine, e.g. "animatic"."""
    draft: int
    """Tier of the drafts."""
    target: int
    """Tier of the renders as asked."""
    steps: float = Field(gt=0, le=1)
    """Denoising steps of a draft as a share of the target's."""
    frames: float = Field(gt=0, le=1)
    """Frames likewise."""
    value: float = Field(ge=-1, le=1)
    """Spearman's, averaged over prompts."""
    low: float = Field(ge=-1, le=1)
    """Ends of its 95 % interval by bootstrap over prompts."""
    high: float = Field(ge=-1, le=1)
    prompts: int
    captions: int
    """Of each prompt."""
    source: str
    """The command that measured it."""

    def enough(self, least: float) -> bool:
        """Whether drafts rank captions this well, and surely better than chance."""
        return self.value >= least and self.low > 0 and self.prompts >= FEWEST


@cache
def measured() -> tuple[Measured, ...]:
    """The data file, read once."""
    return tuple(Measured.model_validate(row) for row in yaml.safe_load(DATA.read_text(encoding="utf-8")) or ())


def read(path: Path) -> tuple[Measured, ...]:
    """A user's own measurements, a file of the packaged one's form: `retake bench drafts` writes it.

    Raises:
        ConfigError: it cannot be read, or is of another form; names the place.
    """
    where = f"{KEY}: {path}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{where}: is over {MAX_BYTES:,} bytes, and so no such file")
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{where}: cannot be read ({error.strerror or error}); `retake bench drafts` writes it"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ConfigError(f"{where}: {at}is not YAML") from error
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{where}: must be a list of measurements, as `retake bench drafts` writes it")
    return tuple(_row(row, f"{where}: measurement {number}") for number, row in enumerate(rows, 1))


def _row(row: object, where: str) -> Measured:
    try:
        found = Measured.model_validate(row)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        said = f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"
        raise ConfigError(f"{where}: {f'{key}: ' if key else ''}{said} (got {fault['input']!r:.60})") from error
    if not found.low <= found.value <= found.high:
        raise ConfigError(f"{where}: value {found.value:g} is not between low {found.low:g} and high {found.high:g}")
    return found


def written(rows: Sequence[Measured], by: str) -> str:
    """Such a file. `by`: who wrote it, in its head."""
    data = [row.model_dump() for row in rows]
    return ABOUT.format(by=by) + yaml.safe_dump(data, sort_keys=False, width=120, allow_unicode=True)


def correlation(
    generator: str, draft: int, target: int, steps: float, frames: float, rows: Sequence[Measured] | None = None
) -> Measured | None:
    """What was measured of such drafts; None: nothing.

    Of several kinds that do no less work than these, the one nearest to them: a draft with more steps or frames than
    was measured ranks no worse for all that is known; one with fewer is not covered.

    Args:
        generator: its engine.
        draft: tier of the drafts.
        target: tier of the renders as asked.
        steps: of a draft, as a share of the target's.
        frames: likewise.
        rows: what was measured. None: what comes with this package.
    """
    rows = measured() if rows is None else rows
    rows = [row for row in rows if (row.generator, row.draft, row.target) == (generator, draft, target)]
    covering = [row for row in rows if row.steps <= steps + 0.01 and row.frames <= frames + 0.01]
    return max(covering, key=lambda row: row.steps * row.frames, default=None)
