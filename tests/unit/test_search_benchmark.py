"""benchmarks.search: the real loop on a table of scores, and what is computed from it, by hand."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml

from agent.bench.ranking import estimate, kendall, ranks, spearman
from benchmarks.search import correlation, drawing, pairwise
from benchmarks.search.curves import Curve, compared
from benchmarks.search.findings import Findings, figures
from benchmarks.search.landscape import (
    CAPTIONS,
    DRAFT,
    SEEDS,
    TARGET,
    Asked,
    Cell,
    Header,
    Landscape,
    Setting,
    Wording,
    load,
    written,
)
from benchmarks.search.measure import curve, measured
from benchmarks.search.page import page, pictures
from benchmarks.search.prices import LARGER, published, recorded
from benchmarks.search.prompts import PROMPTS
from benchmarks.search.replay import Point, Replay, Trace
from benchmarks.search.resampling import weights
from benchmarks.search.strategies import CHEAP, DEFAULT, REFERENCE, Drafts, Strategy, strategies
from benchmarks.search.tables import Prices

PRICES = Prices(
    name="by hand",
    render=lambda tier, _: 10.0 if tier == TARGET else 1.0,
    judge=lambda _: 0.5,
    ratio=lambda _: 10.0,
    stoppable=False,
)


def cell(score: float) -> Cell:
    return Cell(score=score, floors_hold=True, criteria={"motion": score}, render_seconds=2.0, judge_seconds=0.5)


def landscape(prompts: int = 2) -> Landscape:
    """Every caption is 0.05 better than the one before and every seed 0.01; drafts score a tenth less.

    The second prompt's third caption is the worst of all at the target tier, which drafts do not see.
    """
    cells = {}
    for n in range(prompts):
        for c in range(CAPTIONS + 1):
            for s in range(SEEDS):
                score = 0.5 + 0.05 * c + 0.01 * s
                worse = 0.12 if n == 1 and c == 3 else 0.0
                cells[n, c, TARGET, s] = cell(round(score - worse, 6))
                cells[n, c, DRAFT, s] = cell(round(score - 0.1, 6))
                if c:
                    cells[n, c, CHEAP, s] = cell(round(score - 0.2, 6))
    wording = Wording(kind="rewrite", parent=None, answers=("motion",), sha256="0")
    asked = Asked(prompt="A dog runs.", seeds=(10, 11, 12, 13), captions=(wording,) * (CAPTIONS + 1))
    made = Header(
        command="by hand",
        parts=("by hand",),
        versions={},
        seconds=1.0,
        fps=12,
        tiers={
            DRAFT: Setting(tier=256, width=320, height=192, frames=25, steps=35),
            TARGET: Setting(tier=480, width=832, height=480, frames=25, steps=35),
            CHEAP: Setting(tier=256, width=320, height=192, frames=25, steps=12),
        },
        covers={tier: tuple(range(prompts)) for tier in (DRAFT, TARGET, CHEAP)},
        asked=(asked,) * prompts,
    )
    return Landscape(made, cells)


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay(landscape()) as replay:
        yield replay


def test_the_reference_renders_two_captions_on_two_seeds(replay: Replay) -> None:
    trace = replay.trace(REFERENCE, PRICES, 0, 0)
    assert trace.renders == (10, 20, 30, 40)
    assert trace.points == (Point(10, 0.55), Point(20, 0.56), Point(30, 0.6), Point(40, 0.61))
    assert (trace.spent, trace.score, trace.reason) == (40, 0.61, "iterations")


def test_another_order_of_seeds(replay: Replay) -> None:
    trace = replay.trace(REFERENCE, PRICES, 0, 3)  # seeds 3 and 0
    assert [point.score for point in trace.points] == [0.58, 0.58, 0.63, 0.63]


def test_drafts_compare_captions_and_the_best_is_rendered(replay: Replay) -> None:
    drafted = Strategy("drafted", 3, 2, drafts=Drafts(DRAFT))
    trace = replay.trace(drafted, PRICES, 0, 0)
    assert trace.renders == (1, 2, 3, 4, 5, 6, 16)
    assert trace.points == (Point(16, 0.65),)  # caption 3, seed 0; a draft is no clip to hand over
    assert replay.trace(drafted, PRICES, 1, 0).score == 0.53  # what the drafts could not see


def test_drafts_on_other_seeds_and_finals_on_the_best_seed(replay: Replay) -> None:
    one = Strategy("one", 1, 2, drafts=Drafts(DRAFT, keep_seed=True))
    assert replay.trace(one, PRICES, 0, 0).score == 0.56
    assert replay.trace(replace(one, drafts=Drafts(DRAFT)), PRICES, 0, 0).score == 0.55
    assert replay.trace(replace(one, drafts=Drafts(DRAFT, shift=2)), PRICES, 0, 0).score == 0.55


def test_early_stop_and_racing(replay: Replay) -> None:
    raced = Strategy("raced", 2, 4, accept_at=0.55)
    assert replay.trace(raced, PRICES, 0, 0).renders == (10,)  # the second waits for the verdict on the first
    raced = replace(raced, waits=False)
    assert replay.trace(raced, PRICES, 0, 0).renders == (10, 20)  # the second was under way when the first was judged
    assert replay.trace(raced, replace(PRICES, stoppable=True), 0, 0).renders == (10, 10.5)
    assert replay.trace(replace(raced, racing=False), PRICES, 0, 0).renders == (10, 20, 30, 40)


def test_every_caption_on_seeds_of_its_own(replay: Replay) -> None:
    trace = replay.trace(Strategy("unpaired", 2, 2, paired=False), PRICES, 0, 0)
    assert [point.score for point in trace.points] == [0.55, 0.56, 0.62, 0.63]


def test_the_raw_prompt_first(replay: Replay) -> None:
    trace = replay.trace(Strategy("raw", 2, 1, raw_first=True), PRICES, 0, 0)
    assert [point.score for point in trace.points] == [0.5, 0.55]


def test_what_was_not_recorded_is_an_error(replay: Replay) -> None:
    with pytest.raises(RuntimeError, match="seed 4 of 4 was not recorded"):
        replay.trace(Strategy("too many", 1, 5), PRICES, 0, 0)


def test_a_cap_lets_no_render_end_beyond_it() -> None:
    trace = Trace(renders=(1, 2, 12, 22), points=(Point(12, 0.7), Point(22, 0.8)), reason="iterations")
    assert [trace.at(cap) for cap in (0.5, 11, 12, 21, 22)] == [(0, 0), (2, 0), (12, 0.7), (12, 0.7), (22, 0.8)]


def test_seconds_to_the_reference_score() -> None:
    reference = Curve.of([Trace((10, 20), (Point(10, 0.4), Point(20, 0.6)), ""), Trace((10,), (Point(10, 0.6),), "")])
    quick = Curve.of([Trace((3, 6), (Point(3, 0.5), Point(6, 0.7)), ""), Trace((3, 6), (Point(3, 0.6),), "")])
    level = weights(prompts=2, orders=1, resamples=50)
    found = compared(quick, reference, level)
    assert found.reach.value == pytest.approx(6 / 15)  # at a cap of 3 the mean is 0.55, and 0.6 are wanted
    assert found.difference.value == pytest.approx(0.05)
    assert found.cost.value == pytest.approx(6 / 15)
    assert found.unreached == 0
    never = compared(Curve.of([Trace((3,), (Point(3, 0.5),), "")] * 2), reference, level)
    assert (never.reach.value, never.reach.high, never.unreached) == (math.inf, math.inf, 1)


def test_resamples() -> None:
    level = weights(prompts=3, orders=4, resamples=200)
    assert level.shape == (201, 12)
    assert level.sum(axis=1) == pytest.approx(np.ones(201))
    assert level[0] == pytest.approx(np.full(12, 1 / 12))
    by_prompt = level[1:].reshape(200, 3, 4).sum(axis=2)
    assert set(np.unique((by_prompt * 3).round(9))) == {0, 1, 2, 3}  # whole prompts are drawn
    assert (weights(3, 4, 200) == level).all()
    told = estimate(np.array([5.0, *range(1, 41), math.inf]))
    assert (told.value, told.low, told.high) == (5, 2, 40)
    assert estimate(np.array([5.0, 1.0, math.inf])).high == math.inf


def test_rank_correlations() -> None:
    one, other = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert ranks(np.array([5.0, 7, 5, 1])).tolist() == [2.5, 4, 2.5, 1]
    assert spearman(one, other) == pytest.approx(0.8)
    assert kendall(one, other) == pytest.approx(2 / 3)
    assert kendall(one, np.array([1.0, 1, 2, 2])) == pytest.approx(4 / math.sqrt(24))
    assert spearman(one, -one) == kendall(one, -one) == -1
    assert math.isnan(spearman(one, np.ones(4)))
    assert math.isnan(kendall(one, np.ones(4)))


def test_how_far_drafts_agree() -> None:
    found = correlation.agreement(landscape(), DRAFT, resamples=20)
    # the first prompt's captions stand in the same order; of the second, the third is last and not in the middle
    assert found.spearman.value == pytest.approx((1 + 0.7) / 2)
    assert found.kendall.value == pytest.approx((1 + 0.6) / 2)
    assert found.one_seed.value == pytest.approx((1 + 0.7) / 2)
    assert found.other_seeds.value == pytest.approx((1 + 0.7) / 2)
    assert found.regret.value == 0
    assert found.prompts == 2
    row = correlation.row(landscape(), found, "by hand")
    assert (row.draft, row.target, row.steps, row.frames, row.value) == (256, 480, 1, 1, 0.85)


def test_prices() -> None:
    made = landscape()
    by_nvidia, by_clock = published(made), recorded(made)
    assert by_nvidia.render(TARGET, cell(0.5)) == pytest.approx(59.77)
    assert by_nvidia.ratio(DRAFT) == pytest.approx(59.77 / 7.37, rel=1e-3)
    assert (by_nvidia.stoppable, by_clock.stoppable) == (False, True)
    assert by_clock.render(TARGET, cell(0.5)) == 2


def test_a_judge_of_pairs_helps_a_noisy_critic_and_not_a_sure_one(replay: Replay) -> None:
    helped, alone, questions = pairwise._regrets(replay, PRICES, noise=0.05, accuracy=1.0, draws=4, seed=1)
    assert (helped <= alone).all()
    assert helped.mean() < alone.mean()
    assert questions.max() == 12  # all four clips within the margin: six pairs in both orders
    helped, alone, _ = pairwise._regrets(replay, PRICES, noise=0.0, accuracy=0.5, draws=1, seed=1)
    assert alone.max() == 0 < helped.mean()


def test_from_which_accuracy_a_judge_of_pairs_is_worth_its_questions() -> None:
    def worth_it(*helped: float) -> float | None:
        return pairwise.Choices(noise=0.05, alone=0.02, helped=helped, questions=2).worth_it

    assert worth_it(0.03, 0.03, 0.01, 0.0, 0.0, 0.0) == pytest.approx(0.65)
    assert worth_it(0.01, 0.03, 0.03, 0.01, 0.0, 0.0) == pytest.approx(0.75)  # luck at 0.5 counts for nothing
    assert worth_it(0.01, 0.01, 0.01, 0.01, 0.0, 0.0) == 0.5
    assert worth_it(0.03, 0.03, 0.03, 0.03, 0.03, 0.02) is None


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = landscape()
    table, header = written(made.header, made.cells)
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    (tmp_path / "header.json").write_text(header, encoding="utf-8")
    assert load(tmp_path / "table.csv", tmp_path / "header.json") == made
    (tmp_path / "table.csv").write_text(table.rsplit("\n", 2)[0] + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="1 cells are missing"):
        load(tmp_path / "table.csv", tmp_path / "header.json")


def test_the_recorded_table_is_complete() -> None:
    made = load()
    assert len(made.prompts) == len(PROMPTS) == 40
    assert [asked.prompt for asked in made.header.asked] == list(PROMPTS)
    full = [key for key in made.cells if key[1] > 0 and key[2] in (DRAFT, TARGET)]
    assert len(full) == 40 * CAPTIONS * SEEDS * 2
    assert all(len({w.sha256 for w in asked.captions}) == CAPTIONS + 1 for asked in made.header.asked)


def test_runs_with_drafts_go_by_the_recorded_table() -> None:
    made = load()
    rows = {(row["steps"], row["frames"]): row for row in yaml.safe_load(correlation.DATA.read_text(encoding="utf-8"))}
    found = correlation.agreement(made, DRAFT, resamples=1)
    assert rows[1.0, 1.0]["value"] == pytest.approx(found.spearman.value, abs=6e-4)


def test_page_pictures_and_figures(replay: Replay) -> None:
    made = replay.landscape
    among = [REFERENCE, Strategy("1x1", 1, 1), DEFAULT]
    at = [measured(replay, prices(made), among, resamples=20) for prices in (published, recorded)]
    found = Findings(
        landscape=made,
        published=at[0],
        recorded=at[1],
        larger=measured(replay, published(made, LARGER), (REFERENCE, DEFAULT), resamples=20),
        agreements=tuple(correlation.agreement(made, tier, resamples=20) for tier in (DRAFT, CHEAP)),
        choices=(pairwise.Choices(noise=0.05, alone=0.02, helped=(0.03, 0.03, 0.01, 0.0, 0.0, 0.0), questions=2),),
        command="by hand",
        resamples=20,
    )
    told = figures(found)
    # five drafts of 12 steps and one final against four renders, which score less
    cheap = 7.37 * 12 / 35
    assert told["ratio"] == pytest.approx((5 * cheap + 59.77) / (4 * 59.77), abs=1e-3)
    assert told["goal_met"]
    assert told["ratio_720p"] == pytest.approx((5 * cheap + 205.97) / (4 * 205.97), abs=1e-3)
    assert told["best_within_the_goal"] == "1x1"
    assert told["strategies"]["published"]["1x1"]["ratio"] == [None, None, None]
    assert told["strategies"]["published"]["1x1"]["cost"] == [0.25, 0.25, 0.25]
    text = page(found)
    assert "meets the goal of a third" in text
    assert "| 1x1 | never | -0.0" in text
    for picture in pictures(found).values():
        assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own
    assert "a &lt; b" in drawing.text(0, 0, "a < b")


def test_strategies_have_names_of_their_own_and_ask_for_nothing_that_is_not_recorded(replay: Replay) -> None:
    every = strategies(replay.landscape.complete)
    assert len({strategy.name for strategy in every}) == len(every)
    assert REFERENCE in every
    assert DEFAULT in every
    for strategy in every:
        assert replay.trace(strategy, PRICES, 0, 1).points
    assert all(s.drafts is None or s.drafts.tier == DRAFT for s in strategies([DRAFT, TARGET]))


def test_every_order_of_seeds_is_replayed(replay: Replay) -> None:
    found = curve(replay, PRICES, REFERENCE)
    assert found.final.shape == (2 * SEEDS,)
    assert found.final[:4].tolist() == [0.61, 0.62, 0.63, 0.63]
