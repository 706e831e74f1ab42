"""Two critics compared on the same rows, by axis."""

from collections.abc import Sequence

from agent.bench.extra import need
from agent.bench.figures.joining import join
from agent.bench.figures.paired_types import Comparison
from agent.bench.types import AXES, RowAxis, Scored
from agent.errors import ConfigError


def compare(
    a: Sequence[Scored],
    b: Sequence[Scored],
    *,
    names: tuple[str, str] = ("A", "B"),
    axis: RowAxis | None = None,
    pass_at: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Two critics on the rows that both have, joined by sample and axis.

    Args:
        a: the one's rows.
        b: the other's.
        names: what they are called, for people.
        axis: one alone. None: each that both have.
        pass_at: least label that passes, on its own scale. None: see `Labelled.passes`.
        resamples: of the bootstrap over groups, and permutations; with very many rows fewer are made.
        seed: the same seed and rows give the same comparison, in whatever order the rows are.

    Raises:
        ConfigError: they have no row in common, or scikit-learn or scipy are missing.
    """
    need("scipy.stats", "sklearn.metrics", "sklearn.isotonic")
    from agent.bench.figures.paired import compare_axis  # noqa: PLC0415 - now that both are known to be there

    present = [{row.axis for row in rows} for rows in (a, b)]
    wanted = [x for x in AXES if x in present[0] & present[1] and axis in {None, x}]
    found = [join(x, a, b) for x in wanted]
    if not any(joined.a for joined in found):
        raise ConfigError(_nothing_shared(a, b, names, axis, sum(joined.unequal for joined in found)))
    axes = tuple(compare_axis(joined, names, pass_at, resamples, seed) for joined in found if joined.a)
    return Comparison(a=names[0], b=names[1], seed=seed, axes=axes)


def _nothing_shared(
    a: Sequence[Scored], b: Sequence[Scored], names: tuple[str, str], axis: RowAxis | None, unequal: int
) -> str:
    if unequal:
        return f"{names[0]} and {names[1]}: all {unequal:,} rows that both have differ in their labels"
    first, second = (sorted({f"{row.sample_id[:40]!r} on {row.axis}" for row in rows})[:1] for rows in (a, b))
    on = f" on the axis {axis}" if axis else ""
    return (
        f"{names[0]} and {names[1]} have no row in common{on}: rows are joined by sample_id and axis "
        f"({names[0]} has {first[0] if first else 'none'}, {names[1]} {second[0] if second else 'none'})"
    )
