"""Rubrics out of YAML: the user's own, and the questions that come with this package."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from critic.types import Axis, Criterion, Rubric
from critic.vlm.texts import text

PROMPT: Final = "{prompt}"
"""Where a question holds the user's prompt."""
_MOST = 64
_MAX_BYTES = 256 * 1024

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=1000)]
_CURES: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such key; leave it out",
    "missing": "is missing",
    "string_pattern_mismatch": "must be lower case letters, digits and underscores, beginning with a letter",
}


_PLACE = re.compile(r"\{\s*\w*\s*\}")
"""What looks like a place to be filled in."""


class RubricError(ValueError):
    """A rubric file that cannot be used: names the file, the key and the cure."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    name: _Name
    title: str = ""
    axis: Axis
    question: _Words
    negation: _Words | None = None
    weight: float = Field(default=1.0, gt=0, le=100)
    floor: float = Field(default=0.0, ge=0, lt=1)
    depends_on: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    version: int = Field(ge=1)
    criteria: list[_Entry] = Field(min_length=1, max_length=_MOST)


def read(path: Path) -> Rubric:
    """A user's rubric.

    Raises:
        RubricError: it cannot be used as it stands.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    if len(data) > _MAX_BYTES:
        raise RubricError(f"{path}: is over {_MAX_BYTES:,} bytes, and so no rubric")
    try:
        return parse(data.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise RubricError(f"{path}: is not a text file in UTF-8; save it as one") from error


def parse(words: str, source: str) -> Rubric:
    """A rubric out of a file's text; `source` names it in errors."""
    try:
        data = yaml.safe_load(words)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = getattr(error, "problem", None) or "nested too deeply"
        raise RubricError(
            f"{source}: {where}is not YAML: {what} (is a question with a colon or braces without its quotes?)"
        ) from error
    if not isinstance(data, dict):
        raise RubricError(f"{source}: must be a mapping of name, version and criteria; see configs/rubrics/film.yaml")
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise RubricError("\n".join(_fault(source, fault, data) for fault in error.errors())) from error
    _check(file, source)
    return Rubric(name=file.name, version=file.version, criteria=tuple(_criterion(entry) for entry in file.criteria))


def _criterion(entry: _Entry) -> Criterion:
    return Criterion(
        name=entry.name,
        title=entry.title or title_of(entry.name),
        axis=entry.axis,
        definition=entry.question,
        negation=entry.negation or "",
        depends_on=entry.depends_on,
        weight=entry.weight,
        floor=entry.floor,
    )


def _check(file: _File, source: str) -> None:
    """What one entry alone cannot show."""
    seen: set[str] = set()
    for at, entry in enumerate(file.criteria):
        where = f"{source}: criteria[{at}] ({entry.name})"
        if entry.name in seen:
            raise RubricError(f"{where}.name: stands twice; give each question a name of its own")
        if entry.depends_on is not None and entry.depends_on not in seen:
            known = ", ".join(sorted(seen)) or "none"
            raise RubricError(
                f"{where}.depends_on: {entry.depends_on!r} is no question before this one ({known}); name one of them, "
                "or move that one up"
            )
        if entry.axis == "physics" and PROMPT in entry.question + (entry.negation or ""):
            raise RubricError(
                f"{where}.question: a physics question may not hold {PROMPT}: judges grow lenient when they know what "
                "was meant; leave it out, or ask on the axis adherence"
            )
        if other := _PLACE.search(f"{entry.question} {entry.negation or ''}".replace(PROMPT, "")):
            raise RubricError(
                f"{where}.question: {other[0]} stands for nothing; {PROMPT} is the one place that is filled in, with "
                "what the user asked"
            )
        seen.add(entry.name)


def _fault(source: str, fault: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    where, value = "", data.get("criteria")
    for key in fault["loc"]:
        if isinstance(key, int):
            entry = value[key] if isinstance(value, list) and key < len(value) else None
            name = entry.get("name") if isinstance(entry, dict) else None
            where += f"[{key}]" + (f" ({name})" if isinstance(name, str) else "")
        else:
            where += f".{key}" if where else str(key)
    return f"{source}: {where}: {_CURES.get(fault['type'], fault['msg'])}"


def title_of(name: str) -> str:
    """A name for people: 'red_ball' -> 'Red ball'."""
    return name.replace("_", " ").strip().capitalize()


def filled(rubric: Rubric, prompt: str) -> Rubric:
    """The rubric with the prompt in its place."""
    words = " ".join(prompt.split()).rstrip("?")
    return rubric.model_copy(
        update={
            "criteria": tuple(
                c.model_copy(
                    update={
                        "definition": c.definition.replace(PROMPT, words),
                        "negation": c.negation.replace(PROMPT, words),
                    }
                )
                for c in rubric.criteria
            )
        }
    )


def without(criteria: Iterable[Criterion], axis: Axis) -> tuple[Criterion, ...]:
    """The criteria without those of an axis, and without those that hang on one of them."""
    kept: dict[str, Criterion] = {}
    for criterion in criteria:
        if criterion.axis != axis and (criterion.depends_on is None or criterion.depends_on in kept):
            kept[criterion.name] = criterion
    return tuple(kept.values())


@cache
def standing() -> Rubric:
    """The questions that every written checklist ends with."""
    return parse(text("standing.yaml"), "critic/vlm/standing.yaml")


@cache
def builtin() -> Rubric:
    """The questions in place of a checklist that cannot be used."""
    return parse(text("builtin.yaml"), "critic/vlm/builtin.yaml")
