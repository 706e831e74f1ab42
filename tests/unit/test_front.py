"""Which captions are worth looking back at, which of their edits helped, and when the seeds decide more."""

import random
from collections.abc import Mapping

import pytest

from reasoner.credit import CLEAR, GAINED, credit
from reasoner.dice import LEAST, dice
from reasoner.front import TOLERANCE, ahead, front
from reasoner.types import Caption, Edit, Revision

PLAIN = Caption(prompt="a", source="rewrite", reasoner="test/1")


def tried(
    criteria: Mapping[str, float],
    *edited: str,
    parent: int | None = None,
    gain: float | None = None,
    spread: float | None = None,
    reseed: bool = False,
) -> Revision:
    edits = tuple(Edit(field=name, before="a", after="b", criterion=name, reason="x") for name in edited)
    caption = PLAIN.on_fresh_seeds("again") if reseed else PLAIN.model_copy(update={"edits": edits})
    return Revision(
        caption=caption,
        score=sum(criteria.values()) / len(criteria),
        criteria=criteria,
        spread=spread,
        feedback="",
        parent=parent,
        gain=gain,
    )


@pytest.mark.parametrize(
    ("means", "on_it"),
    [
        ([(0.5, 0.5)], (0,)),
        ([(0.5, 0.5), (0.6, 0.6)], (1,)),
        ([(0.6, 0.6), (0.5, 0.5)], (0,)),
        ([(0.5, 0.5), (0.6, 0.4), (0.4, 0.6)], (0, 1, 2)),
        ([(0.5, 0.5), (0.7, 0.5)], (1,)),
        ([(0.5, 0.5), (0.5, 0.5)], (0, 1)),
        ([(0.505, 0.5), (0.5, 0.7)], (1,)),
        ([(0.52, 0.5), (0.5, 0.7)], (0, 1)),
    ],
)
def test_who_is_beaten_by_nobody(means: list[tuple[float, float]], on_it: tuple[int, ...]) -> None:
    assert front([tried({"a": a, "b": b}) for a, b in means]) == on_it


def test_only_common_criteria_are_compared() -> None:
    assert front([tried({"a": 0.5, "b": 0.9}), tried({"a": 0.6, "c": 0.1})]) == (1,)
    assert front([tried({"a": 0.5}), tried({"b": 0.9})]) == (0, 1)
    assert front([]) == ()


def test_a_second_try_on_fresh_seeds_neither_stands_nor_beats() -> None:
    assert front([tried({"a": 0.5}), tried({"a": 0.9}, parent=0, reseed=True)]) == (0,)


def test_tolerances_do_not_add_up_to_a_ring() -> None:
    """Each of these would beat the next, and the last the first, were it for the tolerance alone."""
    step = TOLERANCE * 0.9
    means = [(0, 0, 0), (-2 * step, step, step), (-step, -step, 2 * step)]
    history = [tried(dict(zip("abc", (0.5 + by for by in moved), strict=True))) for moved in means]
    for one, next_one in zip(history, [*history[1:], history[0]], strict=True):
        assert ahead(one, next_one)
        assert not ahead(next_one, one)
    assert front(history)


def test_the_front_holds_the_best_at_everything() -> None:
    draw = random.Random(7)
    for _ in range(200):
        history = [tried({name: draw.random() for name in "abcd"}) for _ in range(draw.randint(1, 8))]
        on_it = front(history)
        for name in "abcd":
            best = max(revision.criteria[name] for revision in history)
            assert max(history[index].criteria[name] for index in on_it) >= best - TOLERANCE
        for index in set(range(len(history))) - set(on_it):  # somebody has all that it has, and more
            assert any(not ahead(history[index], other) and ahead(other, history[index]) for other in history)


def test_ahead_names_the_largest_first() -> None:
    gaps = ahead(tried({"a": 0.6, "b": 0.9, "c": 0.5}), tried({"a": 0.5, "b": 0.5, "c": 0.5}))
    assert list(gaps) == ["b", "a"]


def credited(gain: float | None, **moved: float) -> Mapping[str, bool]:
    first = tried(dict.fromkeys(moved, 0.5))
    second = tried({name: 0.5 + by for name, by in moved.items()}, *moved, parent=0, gain=gain)
    return credit([first, second], 1)


def test_the_whole_decides_for_a_single_criterion() -> None:
    assert credited(GAINED, a=-0.3) == {"a": True}
    assert credited(GAINED / 2, a=0.3) == {"a": False}


def test_without_a_paired_gain_nothing_is_known() -> None:
    assert credited(None, a=0.3) == {}


def test_what_moved_clearly_against_the_whole_counts_by_itself() -> None:
    assert credited(-0.1, a=0.3, b=-0.5) == {"a": True, "b": False}
    assert credited(-0.1, a=CLEAR * 0.9, b=-0.5) == {"a": False, "b": False}
    assert credited(0.1, a=0.5, b=-0.3) == {"a": True, "b": False}


def test_where_all_moved_against_the_whole_something_else_paid() -> None:
    assert credited(-0.1, a=0.3, b=0.3) == {"a": False, "b": False}
    assert credited(0.1, a=-0.3, b=-0.3) == {"a": True, "b": True}


def history(spread: float | None, *gains: float | None) -> list[Revision]:
    rewrites = [tried({"a": 0.5}, "a", parent=0, gain=gain) for gain in gains]
    return [tried({"a": 0.5}, spread=spread), *rewrites]


@pytest.mark.parametrize(
    ("spread", "gains", "decide"),
    [
        (0.1, (-0.03, 0.0), True),
        (0.1, (-0.03,), False),  # one rewrite may have been a bad guess
        (0.1, (-0.03, None), False),
        (0.1, (-0.12, 0.0), False),  # words do move it
        (LEAST / 2, (0.0, 0.0), False),
        (None, (0.0, 0.0), False),
    ],
)
def test_seeds_decide_where_they_spread_wider_than_words_reach(
    spread: float | None, gains: tuple[float | None, ...], decide: bool
) -> None:
    assert bool(dice(history(spread, *gains), 0)) is decide


def test_the_figures_are_said() -> None:
    assert "spread by 0.100" in dice(history(0.1, -0.03, 0.01), 0)
    assert "2 rewrites moved them by 0.030" in dice(history(0.1, -0.03, 0.01), 0)


def test_words_have_their_turn_after_fresh_seeds() -> None:
    past = [*history(0.1, -0.03, 0.0), tried({"a": 0.5}, parent=0, reseed=True)]
    for expected in (False, False, True):
        assert bool(dice(past, 0)) is expected
        past.append(tried({"a": 0.5}, "a", parent=0, gain=-0.01))


def test_rewrites_of_another_caption_say_nothing_of_this_one() -> None:
    past = [*history(0.1, -0.03, 0.02), tried({"a": 0.6}, spread=0.1, parent=0, gain=0.1)]
    assert dice(past, 3) == ""
