"""What changed between two captions, field by field and word by word."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, Literal

from agent.run import Run
from reasoner.types import Caption, Edit

Kind = Literal["same", "added", "removed"]

_TOKEN = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+(?:['\u2019-]\w+)*|[^\w\s])")
"""A word or a sign with the space before it. Scripts without spaces are compared character by character."""

CONTEXT = 7
"""Unchanged words kept beside a change; what lies between is left out of a shortened diff."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a diff."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Change:
    """A caption field that differs, and the edits that made it differ."""

    field: str
    pieces: tuple[Piece, ...]
    edits: tuple[Edit, ...] = ()


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """What to remove from and add to `before` to get `after`, in whole words. Spaces do not count."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    matcher = SequenceMatcher(None, [t.strip() for t in old], [t.strip() for t in new], autojunk=False)
    pieces: list[Piece] = []
    for i1, i2, j1, j2 in _readable(matcher.get_opcodes()):
        if old[i1:i2] and [t.strip() for t in old[i1:i2]] == [t.strip() for t in new[j1:j2]]:
            pieces.append(Piece("same", "".join(new[j1:j2])))
            continue
        if i1 < i2:
            pieces.append(Piece("removed", "".join(old[i1:i2])))
        if j1 < j2:
            pieces.append(Piece("added", "".join(new[j1:j2])))
    return tuple(pieces)


def _readable(opcodes: Sequence[tuple[str, int, int, int, int]]) -> Iterable[tuple[int, int, int, int]]:
    """Blocks as (old from, old to, new from, new to), with a lone unchanged word between changes taken into them."""
    blocks: list[list[int]] = []
    kinds: list[bool] = []
    for index, (tag, i1, i2, j1, j2) in enumerate(opcodes):
        same = tag == "equal" and not (i2 - i1 == 1 and 0 < index < len(opcodes) - 1)
        if blocks and not same and not kinds[-1]:
            blocks[-1][1], blocks[-1][3] = i2, j2
        else:
            blocks.append([i1, i2, j1, j2])
            kinds.append(same)
    return [(a, b, c, d) for a, b, c, d in blocks]


def shortened(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """A diff with its long unchanged stretches cut to a few words beside each change."""
    short: list[Piece] = []
    for index, piece in enumerate(pieces):
        tokens = _TOKEN.findall(piece.text)
        head = CONTEXT if index > 0 else 0
        tail = CONTEXT if index < len(pieces) - 1 else 0
        if piece.kind != "same" or len(tokens) <= head + tail + 4 or head + tail == 0:
            short.append(piece)
        else:
            end = "".join(tokens[len(tokens) - tail :]) if tail else ""
            short.append(Piece("same", "".join(tokens[:head]) + " … " + end.lstrip()))
    return tuple(short)


def fields(caption: Caption) -> dict[str, str]:
    """Every field that says something, by dotted path. Plain words are one field, "prompt"."""
    if caption.structured is None:
        return {"prompt": caption.prompt}
    return dict(_leaves("", caption.structured.model_dump(mode="json")))


def _leaves(path: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        if value not in ("", 0):
            yield path, str(value)
        return
    for key, inner in items:
        yield from _leaves(f"{path}.{key}" if path else str(key), inner)


def changes(first: Caption, last: Caption, edits: Sequence[Edit] = ()) -> tuple[Change, ...]:
    """The fields in which two captions differ, those that an edit names first."""
    before, after = fields(first), fields(last)
    found = [
        Change(
            path, word_diff(before.get(path, ""), after.get(path, "")), tuple(e for e in edits if _names(e.field, path))
        )
        for path in dict.fromkeys([*after, *before])
        if before.get(path) != after.get(path)
    ]
    return tuple(sorted(found, key=lambda change: not change.edits))


def _names(edited: str, path: str) -> bool:
    return path == edited or path.startswith(f"{edited}.")


def negative(run: Run, caption: Caption) -> tuple[Piece, ...]:
    """What a caption's own negative prompt changes in the request's; empty where it has none or the same."""
    asked, own = run.request.spec.negative_prompt, caption.negative_prompt
    return () if own is None or own == asked else word_diff(asked, own)


def lineage(run: Run, iteration: int) -> list[int]:
    """The iterations that a caption came from, the first caption first, itself last.

    An expansion comes from no caption, also where the prompt as written was judged before it. A render as asked stands
    where its drafts do: it has their caption.
    """
    line = [home(run, iteration)]
    while (now := run.iterations[line[0]]).parent is not None and now.caption.source != "upsample":
        line.insert(0, home(run, now.parent))
    return line


def home(run: Run, iteration: int) -> int:
    """Index of the drafts whose caption an iteration renders as asked; else its own."""
    promoted = run.iterations[iteration].promoted
    return iteration if promoted is None else promoted


def origin(run: Run, index: int) -> str:
    """Where the caption of an iteration came from, in a few words. An expansion that failed is not told apart."""
    iteration = run.iterations[index]
    caption, parent = iteration.caption, (iteration.parent or 0) + 1
    if iteration.promoted is not None:
        on = " on fresh seeds" if caption.reseed else ""
        return f"caption of iteration {iteration.promoted + 1}, rendered as asked{on}"
    if caption.source == "raw":
        return f"the prompt as written{', for its expansion to be compared with' if run.raw_first else ''}"
    if caption.reseed:
        return f"caption of iteration {parent}, fresh seeds"
    if iteration.parent is None:
        return "first caption"
    if caption.source == "upsample":
        return "the prompt, expanded"
    finals = [n + 1 for n, i in enumerate(run.iterations[:index]) if i.promoted == iteration.parent and i.candidates]
    beside = f" and its render as asked, iteration {finals[-1]}" if finals else ""
    return f"rewritten from iteration {parent}{beside}"


def since_first(run: Run, iteration: int) -> tuple[Change, ...]:
    """What changed from the run's first caption to that of `iteration`, with the reasons given on the way."""
    line = lineage(run, iteration)
    edits = [edit for _, later in pairwise(line) for edit in run.iterations[later].caption.edits]
    return changes(run.iterations[line[0]].caption, run.iterations[iteration].caption, edits)
