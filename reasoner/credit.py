"""Which edits of a tried caption helped, where a rewrite answered several criteria at once."""

from collections.abc import Mapping, Sequence

from reasoner.types import Revision

GAINED = 0.002
"""A smaller gain of the overall score on paired seeds is taken for none: what a criterion won, others have lost."""

CLEAR = 0.05
"""A criterion's mean must have moved by more than this against the whole for its edits to be judged by it. Well above
`GAINED`: renders are spent on what is tried a second time."""


def credit(history: Sequence[Revision], index: int) -> Mapping[str, bool]:
    """Whether the edits of a caption helped, by the criterion that they were made for; empty without a paired gain.

    The gain of the whole score decides for all of them. Only where edits for several criteria were made in one rewrite
    can some be right and others wrong: those whose own criterion moved clearly against the whole count by themselves.
    Where all of them did, something else paid for it, and the whole decides again.

    Args:
        history: the captions tried. Their criterion means are taken for paired: a run's captions share their seeds.
        index: of the caption in it.
    """
    revision = history[index]
    if revision.gain is None:
        return {}
    before = {} if revision.parent is None else history[revision.parent].criteria
    names = tuple(dict.fromkeys(edit.criterion for edit in revision.caption.edits))
    gained = revision.gain >= GAINED
    sign = -1 if gained else 1
    against = [
        name
        for name in names
        if name in before and name in revision.criteria and sign * (revision.criteria[name] - before[name]) > CLEAR
    ]
    if len(against) == len(names):
        against = []
    return {name: gained != (name in against) for name in names}


def lost(revision: Revision) -> bool:
    """Whether a caption is known not to have gained on paired seeds."""
    return revision.gain is not None and revision.gain < GAINED
