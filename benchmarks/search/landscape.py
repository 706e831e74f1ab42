"""The score landscape: every caption of every prompt on every seed at both tiers, rendered and judged once."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Tier = str
"""Name of a size, and of the steps and frames that a clip of it is made with."""
DRAFT, TARGET = "256p", "480p"
CAPTIONS, SEEDS = 5, 4
"""Of each prompt, beside its raw words; of each caption."""
TABLE, HEADER = (Path(__file__).with_name(name) for name in ("landscape.csv", "landscape.json"))
_FIXED = ("prompt", "caption", "tier", "seed", "score", "floors_hold", "render_seconds", "judge_seconds")


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wording(_Noun):
    """A caption, but for its text: the rules write the same again."""

    kind: Literal["raw", "upsample", "rewrite", "detour"]
    """raw: the user's words. rewrite: of the champion, as the loop does it. detour: of another caption, since the rules
    had no word left for the champion."""
    parent: int | None
    """Index of the caption that it was rewritten from."""
    answers: tuple[str, ...]
    """Criteria that its edits answer."""
    sha256: str
    """Of the text."""


class Setting(_Noun):
    """What is rendered at a tier."""

    tier: int
    """As Cosmos3 calls it."""
    width: int
    height: int
    frames: int
    steps: int


class Asked(_Noun):
    """A prompt and the captions written for it, the raw words first."""

    prompt: str
    seeds: tuple[int, ...]
    captions: tuple[Wording, ...]


class Header(_Noun):
    """How the table was made."""

    command: str
    parts: tuple[str, ...]
    """Who wrote, rendered and judged."""
    versions: dict[str, str]
    seconds: float
    """Wall seconds of the recording."""
    fps: int
    tiers: dict[Tier, Setting]
    covers: dict[Tier, tuple[int, ...]]
    """Prompts rendered at each; at tiers beside the draft and the target tier without their raw words."""
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class Cell:
    """One clip: rendered, and judged against the user's prompt."""

    score: float
    floors_hold: bool
    criteria: Mapping[str, float]
    render_seconds: float
    """Of one core."""
    judge_seconds: float
    """Of one core."""


Key = tuple[int, int, Tier, int]
"""Prompt; caption, 0 being the raw words; tier; seed, counted from 0."""


@dataclass(frozen=True)
class Landscape:
    """The table and how it was made."""

    header: Header
    cells: Mapping[Key, Cell]

    @property
    def prompts(self) -> range:
        """Indices of the prompts."""
        return range(len(self.header.asked))

    @property
    def complete(self) -> tuple[Tier, ...]:
        """Tiers at which every prompt was rendered."""
        return tuple(tier for tier, prompts in self.header.covers.items() if len(prompts) == len(self.prompts))

    def first(self, count: int) -> "Landscape":
        """Its first prompts alone."""
        made = self.header
        covers = {tier: tuple(n for n in prompts if n < count) for tier, prompts in made.covers.items()}
        header = made.model_copy(update={"asked": made.asked[:count], "covers": covers})
        return Landscape(header, {key: cell for key, cell in self.cells.items() if key[0] < count})

    def score(self, prompt: int, caption: int, tier: Tier, seed: int) -> float:
        """Overall score in [0, 1]."""
        return self.cells[prompt, caption, tier, seed].score


def load(table: Path = TABLE, header: Path = HEADER) -> Landscape:
    """Read what was recorded.

    Raises:
        ValueError: a cell is missing, or there is one too many.
    """
    made = Header.model_validate_json(header.read_text(encoding="utf-8"))
    with table.open(encoding="utf-8", newline="") as file:
        cells = dict(map(_cell, csv.DictReader(file)))
    expected = {
        (n, caption, tier, seed)
        for tier, prompts in made.covers.items()
        for n in prompts
        for caption in range(0 if tier in (DRAFT, TARGET) else 1, len(made.asked[n].captions))
        for seed in range(len(made.asked[n].seeds))
    }
    if cells.keys() != expected:
        raise ValueError(f"{table.name}: {len(expected - cells.keys())} cells are missing; record it again")
    return Landscape(made, cells)


def written(header: Header, cells: Mapping[Key, Cell]) -> tuple[str, str]:
    """The table as CSV, a row a clip, and its header as JSON."""
    criteria = list(dict.fromkeys(name for cell in cells.values() for name in cell.criteria))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*_FIXED, *criteria])
    for key in sorted(cells):
        cell = cells[key]
        scores = [f"{cell.criteria[name]:g}" if name in cell.criteria else "" for name in criteria]
        fixed = [f"{cell.score:.6f}", int(cell.floors_hold), f"{cell.render_seconds:.3f}", f"{cell.judge_seconds:.3f}"]
        rows.writerow([*key, *fixed, *scores])
    return text.getvalue(), header_text(header)


def header_text(header: Header) -> str:
    """As JSON, a caption a line."""
    data = header.model_dump(mode="json")
    asked = ",\n".join(_asked(each) for each in data.pop("asked"))
    lines = [f' "{name}": {json.dumps(value)}' for name, value in data.items()]
    return "{\n" + ",\n".join([*lines, f' "asked": [\n{asked}\n ]']) + "\n}\n"


def _asked(asked: dict[str, Any]) -> str:
    captions = ",\n".join(f"    {json.dumps(caption)}" for caption in asked["captions"])
    return f'  {{"prompt": {json.dumps(asked["prompt"])}, "seeds": {asked["seeds"]}, "captions": [\n{captions}]}}'


def _cell(row: Mapping[str, str]) -> tuple[Key, Cell]:
    cell = Cell(
        score=float(row["score"]),
        floors_hold=row["floors_hold"] == "1",
        criteria={name: float(value) for name, value in row.items() if name not in _FIXED and value},
        render_seconds=float(row["render_seconds"]),
        judge_seconds=float(row["judge_seconds"]),
    )
    return (int(row["prompt"]), int(row["caption"]), row["tier"], int(row["seed"])), cell


def keyed(rows: Iterable[Sequence[Any]]) -> dict[Key, Cell]:
    """Cells from `[prompt, caption, tier, seed, cell as a mapping]`, as they are kept while recording."""
    return {(int(p), int(c), t, int(s)): Cell(**cell) for p, c, t, s, cell in rows}
