"""Whether the seeds decide more than the words: then fresh seeds are the better use of the next renders."""

from collections.abc import Sequence

from reasoner.types import Revision

REWRITES = 2
"""Rewrites of a caption that must have gained nothing before its seeds are blamed: one may have been a bad guess. As
many are tried again after each time, so words and seeds take turns while neither helps."""

LEAST = 0.02
"""A smaller spread is not worth a render: fresh seeds raise the best of two by half a spread (the best of four normal
draws is expected 1.03 standard deviations above their mean, that of two 0.56)."""


def dice(history: Sequence[Revision], champion: int) -> str:
    """A sentence that says so, with the figures; "" where words may still do more.

    Seeds decide where the champion's scores spread wider over its seeds than any rewrite of it moved their mean, up or
    down. Rewrites count since the last fresh seeds.
    """
    spread = history[champion].spread
    moved: list[float] = []
    for revision in reversed(history):
        if revision.caption.reseed:
            break
        if revision.parent == champion and revision.caption.edits and revision.gain is not None:
            moved.append(abs(revision.gain))
    if spread is None or spread < LEAST or len(moved) < REWRITES or spread <= max(moved):
        return ""
    return (
        f"The seeds decide more than the words: this caption's scores spread by {spread:.3f} over its seeds (standard "
        f"deviation), and its last {len(moved)} rewrites moved them by {max(moved):.3f} at most on the same seeds."
    )
