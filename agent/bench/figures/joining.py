"""The rows that two critics both have."""

from collections.abc import Sequence
from typing import NamedTuple

from agent.bench.types import RowAxis, Scored


class Joined(NamedTuple):
    """Rows of one axis that both have with the same label, in the same order and of the same groups."""

    axis: RowAxis
    a: Sequence[Scored]
    b: Sequence[Scored]
    only_a: int
    only_b: int
    unequal: int
    """Rows of both whose labels differ. They are left out."""


def join(axis: RowAxis, a: Sequence[Scored], b: Sequence[Scored]) -> Joined:
    """Rows of an axis by their samples.

    A group is what either says: rows that share one for A or one for B are in one group, and so on from row to row,
    since a table without groups knows of none.
    """
    first, second = ({row.sample_id: row for row in rows if row.axis == axis} for rows in (a, b))
    shared = sorted(first.keys() & second.keys())
    same = [name for name in shared if _label(first[name]) == _label(second[name])]
    group = _groups([(first[name].group, second[name].group) for name in same])
    return Joined(
        axis=axis,
        a=[first[name].model_copy(update={"group": g}) for name, g in zip(same, group, strict=True)],
        b=[second[name].model_copy(update={"group": g}) for name, g in zip(same, group, strict=True)],
        only_a=len(first) - len(shared),
        only_b=len(second) - len(shared),
        unequal=len(shared) - len(same),
    )


def _label(row: Scored) -> tuple[object, ...]:
    return row.label_type, row.label, row.scale


def _groups(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """One name for all rows that are connected by a group of A's or of B's, in the order of their first rows."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above]
            node = parent[node]
        return node

    for one, other in pairs:
        ends = sorted((root(("A", one)), root(("B", other))))
        parent[ends[1]] = ends[0]
    number: dict[tuple[str, str], int] = {}
    return [f"{number.setdefault(root(('A', one)), len(number)):07}" for one, _ in pairs]
