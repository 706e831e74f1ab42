"""A threshold: the bound by its definition, the search step by step, and that the promise is kept."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, t

from agent.bench import calibrating
from agent.bench.alike import alikeness, alikeness_so_far, design_effects, scarcity
from agent.bench.calibrating import Sample, cross_validated, find, least_labels

DICE = np.random.default_rng(11)


def sample(
    scores: list[float], passed: list[int], groups: list[int] | None = None, *, below: tuple[int, ...] = ()
) -> Sample:
    """`below`: places of clips that are below a floor."""
    score = np.array(scores, float)
    accepts = ~np.isnan(score)
    accepts[list(below)] = False
    return Sample(score, accepts, np.array(passed, bool), np.array(groups or range(len(scores)), np.int64))


def drawn(n: int, groups: int, *, sharp: float = 12.0, middle: float = 0.4, alike: float = 0.0) -> Sample:
    """Clips whose chance to pass rises with the score, prompts easier or harder by `alike`."""
    group = DICE.integers(0, groups, n)
    score = DICE.uniform(0, 1, n).round(4)
    chance = 1 / (1 + np.exp(-(sharp * (score - middle) + DICE.normal(0, alike, groups)[group])))
    return Sample(score, np.ones(n, bool), DICE.random(n) < chance, group)


@pytest.mark.parametrize(("right", "n", "confidence"), [(1, 1, 0.95), (23, 23, 0.95), (46, 48, 0.9), (3, 40, 0.99)])
def test_the_bound_is_clopper_and_pearsons(right: int, n: int, confidence: float) -> None:
    """By its definition: the share under which so many or more are seen with a chance of 1 - confidence."""
    by_definition = brentq(lambda p: binom.sf(right - 1, n, p) - (1 - confidence), 0, 1, xtol=1e-14)
    assert calibrating.lower_bound(right, n, confidence) == pytest.approx(by_definition, abs=1e-9)


def test_nothing_right_bounds_nothing() -> None:
    assert calibrating.lower_bound(0, 20, 0.95) == 0


@pytest.mark.parametrize(("target", "confidence", "least"), [(0.9, 0.95, 29), (0.8, 0.95, 14), (0.5, 0.75, 2)])
def test_least_labels(target: float, confidence: float, least: int) -> None:
    assert least_labels(target, confidence) == least
    assert calibrating.lower_bound(least, least, confidence) >= target - 1e-12
    assert calibrating.lower_bound(least - 1, least - 1, confidence) < target


def test_alikeness_by_its_definition() -> None:
    """Against analysis of variance written out, with groups of several sizes."""
    passed, group = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 1], bool), np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    values = [[float(p) for p, g in zip(passed, group, strict=True) if g == one] for one in range(4)]
    n, k, mean = 10, 4, 0.5
    between = sum(len(v) * (sum(v) / len(v) - mean) ** 2 for v in values) / (k - 1)
    within = sum(sum((x - sum(v) / len(v)) ** 2 for x in v) for v in values) / (n - k)
    typical = (n - sum(len(v) ** 2 for v in values) / n) / (k - 1)
    expected = (between - within) / (between + (typical - 1) * within)
    assert alikeness(passed, group) == pytest.approx(max(expected, 0), abs=1e-12)


def test_prompts_that_pass_or_fail_as_one_count_once() -> None:
    passed, group = np.repeat([True, False], 10), np.repeat(np.arange(4), 5)
    assert alikeness(passed, group) == 1
    assert design_effects(group[:5], 1.0).tolist() == [1, 2, 3, 4, 5]
    assert alikeness(passed, np.arange(20)) == 0


def by_hand(of: Sample, target: float, confidence: float) -> float | None:
    """The search, one threshold after the other, on clips of which no two score alike or share a prompt."""
    order = sorted(range(len(of)), key=lambda i: -of.score[i])
    (starts,) = {calibrating._starts(len(of), target, confidence)}
    level = 1 - (1 - confidence) / len(starts)
    lowest = None
    for start in starts:
        for count in range(start, len(of) + 1):
            right = sum(of.passed[i] for i in order[:count])
            if calibrating.lower_bound(right, count, level) < target:
                break
            lowest = min(lowest if lowest is not None else 2.0, of.score[order[count - 1]])
    return lowest


def test_the_search_is_that_of_a_fixed_sequence() -> None:
    outcomes = []
    for _ in range(60):
        of = drawn(90, 90)
        of = Sample(np.arange(90) / 90, of.accepts, of.passed[np.argsort(of.score)], np.arange(90))
        found = find(of, target=0.8, confidence=0.9)
        assert found is not None
        expected = by_hand(of, 0.8, 0.9)
        assert (found.at if found.holds else None) == expected
        outcomes.append(expected)
    assert len(set(outcomes)) > 10


def test_the_bound_is_of_the_clips_that_the_threshold_accepts() -> None:
    of = drawn(300, 300)
    found = find(of, target=0.8, confidence=0.95)
    assert found is not None
    assert found.holds
    beyond = of.score >= found.at
    assert (found.bound.n, found.bound.right) == (beyond.sum(), (beyond & of.passed).sum())
    assert found.bound.level == pytest.approx(1 - 0.05 / 5)
    effect = found.bound.design_effect
    expected = calibrating.lower_bound(found.bound.right / effect, found.bound.n / effect, found.bound.level)
    assert found.bound.lower_bound == pytest.approx(expected, abs=1e-12)
    assert found.bound.lower_bound >= 0.8


def test_a_saturated_judge_is_accepted_or_refused_as_one() -> None:
    """A threshold cannot split clips of one score, though the first of them all passed."""
    of = sample([0.8] * 60, [1] * 40 + [0] * 20)
    found = find(of, target=0.9, confidence=0.95)
    assert found is not None
    assert not found.holds
    assert found.bound.n == 60


def test_a_clip_below_a_floor_is_not_accepted_and_not_counted_among_the_accepted() -> None:
    scores, passed = [0.9] * 40 + [0.1] * 20, [1] * 30 + [0] * 30
    found = find(sample(scores, passed, below=tuple(range(30, 40))), target=0.8, confidence=0.95)
    assert found is not None
    assert found.holds
    assert (found.bound.n, found.bound.right) == (30, 30)
    none = find(sample([math.nan] * 20, [1] * 20), target=0.8, confidence=0.95)
    assert none is None


def test_alike_clips_take_more_labels() -> None:
    """40 clips of 40 prompts bear out what 40 of 8 prompts do not."""
    scores = [0.9] * 40 + [0.1] * 40
    passed = [1] * 40 + [0] * 40
    apart = find(sample(scores, passed), target=0.9, confidence=0.95)
    alike = find(sample(scores, passed, [i // 5 for i in range(80)]), target=0.9, confidence=0.95)
    assert apart is not None
    assert alike is not None
    assert (apart.holds, alike.holds) == (True, False)
    assert apart.bound.design_effect == 1
    assert alike.bound.design_effect == pytest.approx(5 * (t.ppf(0.95, 15) / t.ppf(0.95, 79)) ** 2, abs=1e-6)


def test_few_prompts_count_for_less() -> None:
    assert [scarcity(groups, 200, 0.95) for groups in (200, 1)] == [1, 1]
    assert scarcity(10, 200, 0.95) == pytest.approx((1.8331129 / 1.6525467) ** 2, abs=1e-6)
    assert scarcity(10, 200, 0.01) > 1


def test_a_rejection_tells_scores_apart_that_lie_nearer_than_its_step() -> None:
    """Probabilities of a table may all but touch: the file's count is that of the clips below its own figure."""
    score = np.concatenate([np.arange(60) * 3e-8, 1 - np.arange(60) * 1e-9])
    of = sample(list(score), [0] * 60 + [1] * 60)
    high = find(of, target=0.9, confidence=0.95)
    assert high is not None
    low = find(of.mirrored(), target=0.9, confidence=0.95, least=-high.at)
    assert low is not None
    assert low.holds
    assert low.bound.n == (score < -low.at).sum() < 120
    assert low.bound.right == (~of.passed[score < -low.at]).sum()
    assert -low.at <= high.at


@pytest.mark.thorough
@pytest.mark.parametrize(("n", "groups"), [(60, 10), (200, 10), (200, 20), (1000, 10)])
def test_promises_are_kept_with_few_prompts_that_are_alike(n: int, groups: int) -> None:
    """A critic that says nothing, and prompts of which people take somewhat less than the share asked for."""
    given, sets = 0, 500
    for _ in range(sets):
        group = DICE.integers(0, groups, n)
        easy = DICE.beta(0.79, 0.21, groups)[group]  # clips of one prompt correlate by a half
        of = Sample(DICE.random(n), np.ones(n, bool), DICE.random(n) < easy, group)
        found = find(of, target=0.8, confidence=0.95)
        given += found is not None and found.holds
    assert binom.sf(given - 1, sets, 0.05) > 0.001


def test_no_bound_that_is_high_enough_is_told_where_a_threshold_is_withheld() -> None:
    """The best bound of many may reach the target by luck, off the path that was tested."""
    lucky = 0
    for _ in range(16):
        found = find(of := drawn(200, 50, alike=1.0), target=0.9, confidence=0.95)
        assert found is not None
        if not found.holds:
            assert found.bound.lower_bound < 0.9
            more = calibrating.needed(of, target=0.9, confidence=0.95)
            assert more is not None
            lucky += 1
    assert lucky


def test_a_rejection_is_of_the_clips_below() -> None:
    of = drawn(400, 400, sharp=20, middle=0.5)
    low = find(of.mirrored(), target=0.9, confidence=0.95)
    assert low is not None
    assert low.holds
    below = of.score < -low.at
    assert (low.bound.n, low.bound.right) == (below.sum(), (below & ~of.passed).sum())


def test_as_many_more_as_are_needed_do_four_times_in_five() -> None:
    """With the shares seen, a threshold tested first is borne out by so many labels, and not by far fewer."""
    scores, passed = np.arange(100)[::-1] / 100, [int(i % 20 != 3) for i in range(50)] + [0] * 50
    more = calibrating.needed(sample(list(scores), passed), target=0.9, confidence=0.95)
    assert more is not None

    def power(labels: int) -> float:
        starts = calibrating._starts(labels, 0.9, 0.95)
        level = 1 - 0.05 / len(starts)
        found = []
        for n in starts:
            place = math.ceil(n * 100 / labels)
            least = next((r for r in range(n + 1) if calibrating.lower_bound(r, n, level) >= 0.9), n + 1)
            found.append(binom.sf(least - 1, n, (sum(passed[:place]) + 1.8) / (place + 2)))
        return float(max(found))

    assert power(100 + more) >= 0.8
    assert power(round((100 + more) / 1.5)) < 0.8
    worse = sample(list(scores), [int(i % 5 != 3) for i in range(100)])
    assert calibrating.needed(worse, target=0.9, confidence=0.95) is None


def test_cross_validation_counts_clips_of_prompts_that_were_not_chosen_on() -> None:
    of = drawn(400, 80)
    n, right = cross_validated(of, target=0.8, confidence=0.95)
    assert 0 < right <= n < len(of)
    assert right / n > 0.75


@pytest.mark.thorough
@pytest.mark.parametrize(("n", "groups", "alike"), [(60, 60, 0.0), (200, 50, 1.0), (200, 20, 1.5)])
@pytest.mark.parametrize(("sharp", "middle"), [(6.0, 0.5), (12.0, 0.4), (3.0, 0.3)])
def test_promises_are_kept(n: int, groups: int, alike: float, sharp: float, middle: float) -> None:
    """Of 400 drawn sets of labels no more give a threshold whose true share is lower than the confidence allows."""
    target, confidence, sets = 0.8, 0.95, 400
    broken = 0
    at = np.linspace(0, 1, 2001)
    hard = np.linspace(-4, 4, 81) * alike if alike else np.zeros(1)
    weight = np.exp(-(np.linspace(-4, 4, 81) ** 2) / 2) if alike else np.ones(1)
    chance = ((1 / (1 + np.exp(-(sharp * (at[:, None] - middle) + hard)))) * weight).sum(1) / weight.sum()
    for _ in range(sets):
        found = find(drawn(n, groups, sharp=sharp, middle=middle, alike=alike), target=target, confidence=confidence)
        if found is not None and found.holds:
            broken += bool(chance[at >= found.at].mean() < target)
    assert binom.sf(broken - 1, sets, 1 - confidence) > 0.001


def test_the_alikeness_so_far_is_that_of_each_beginning() -> None:
    passed, group = DICE.random(80) < 0.7, DICE.integers(0, 15, 80)
    expected = [alikeness(passed[:n], group[:n]) for n in range(1, 81)]
    assert alikeness_so_far(passed, group) == pytest.approx(expected, abs=1e-12)
    assert max(expected) > 0


def test_a_prompt_that_fools_the_critic_counts_once_though_low_scores_hide_it() -> None:
    """Of 20 prompts two fool it: all of their ten clips that score high are refused, as are all that score low."""
    group = np.repeat(np.arange(20), 20)
    high = np.tile([True, False], 200)
    passed = high & (group >= 2)
    score = np.where(high, 0.9, 0.1)
    found = find(Sample(score, np.ones(400, bool), passed, group), target=0.8, confidence=0.95)
    assert alikeness(passed, group) < 0.1
    assert found is not None
    assert found.bound.design_effect >= 10  # clips of a prompt that are accepted
    assert not found.holds  # 18 of 20 prompts bear out 72 %, 180 of 200 clips would 86 %


@pytest.mark.thorough
def test_promises_are_kept_where_prompts_fool_the_critic() -> None:
    """Of a fifth of the prompts and some more no clip is taken, so that every threshold of 80 % breaks the promise."""
    given, sets, group = 0, 400, np.repeat(np.arange(30), 20)
    for _ in range(sets):
        score, fools = DICE.random(600), DICE.random(30) < 0.22
        of = Sample(score, np.ones(600, bool), (score >= 0.5) & ~fools[group], group)
        found = find(of, target=0.8, confidence=0.95)
        given += found is not None and found.holds
    assert binom.sf(given - 1, sets, 0.05) > 0.001
