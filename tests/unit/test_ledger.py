"""What a run took: pure sums over its captions, clips and critiques."""

import json
from pathlib import Path

import pytest

from agent.events import RenderProgressed, RunStarted, after
from agent.journal import Journal, load
from agent.ledger import fallback, fallbacks, ledger
from agent.lines import cost
from agent.report.page import render
from agent.types import Candidate
from generator.types import Progress, Rendering
from reasoner.types import Caption
from tests import runs
from tests.parts import make_clip, make_critique, make_run


def test_each_step_adds_up_what_it_took(tmp_path: Path) -> None:
    found = ledger(runs.asked(tmp_path / "run"))
    caption, render, judge = (found.steps[step] for step in ("caption", "render", "judge"))
    assert (caption.count, caption.seconds, caption.usage.calls) == (2, 29.75, 4)
    assert (render.count, render.seconds, render.usage.calls) == (6, 6 * 1_234.5, 0)
    assert (judge.count, judge.seconds, judge.usage.cached_tokens) == (6, 6 * 12.25, 6 * 39_900)
    assert judge.tokens == 6 * (48_210 + 1_204)
    assert found.total.count == 14
    assert found.total.usage == caption.usage + judge.usage
    assert found.total.seconds == pytest.approx(29.75 + 6 * 1_234.5 + 6 * 12.25)


def test_the_hit_rate_is_the_servers_and_none_where_nothing_was_looked_up(tmp_path: Path) -> None:
    found = ledger(runs.asked(tmp_path / "run"))
    assert found.steps["judge"].hit_rate == 40_016 / 48_210
    assert found.steps["caption"].hit_rate is None


def test_a_run_that_has_not_begun_took_nothing(tmp_path: Path) -> None:
    found = ledger(make_run(tmp_path))
    assert (found.total.count, found.total.seconds, found.total.usage.calls, found.total.hit_rate) == (0, 0, 0, None)


def test_an_unjudged_clip_is_rendered_and_not_judged(tmp_path: Path) -> None:
    found = ledger(runs.failed(tmp_path / "run"))
    assert (found.steps["render"].count, found.steps["render"].seconds, found.steps["judge"].count) == (1, 2.4, 0)


def test_a_caption_tried_again_is_not_written_again(tmp_path: Path) -> None:
    run = runs.asked(tmp_path / "run")
    again = run.with_caption(run.iterations[1].caption.on_fresh_seeds("nothing is left to edit"), (4103,))
    assert ledger(again).steps["caption"] == ledger(run).steps["caption"]


def test_a_fallback_is_told_from_words_that_were_wanted() -> None:
    assert fallback(Caption.raw("a boat", "no caption could be had")) == "no caption could be had"
    assert fallback(Caption.raw("a boat")) == ""
    assert fallback(Caption(prompt="a", source="rewrite", diagnosis="too dark", reasoner="r")) == ""


def test_run_json_holds_the_ledger_and_the_fallbacks_and_is_read_back(tmp_path: Path) -> None:
    run = runs.asked(tmp_path / "run")
    Journal(run)(RunStarted(run=run))
    result = json.loads((run.folder / "run.json").read_text())["result"]
    assert result["ledger"]["total"] == ledger(run).total.facts()
    assert result["ledger"]["steps"]["judge"]["hit_rate"] == 40_016 / 48_210
    assert result["ledger"]["steps"]["caption"]["prompt_tokens"] == 6_240
    assert [f["iteration"] for f in result["fallbacks"]] == list(fallbacks(run)) == [0]
    assert "tiny-cosmos3-reasoner answered twice" in result["fallbacks"][0]["why"]
    assert load(run.folder) == run


def test_the_users_words_on_fresh_seeds_are_still_a_fallback(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("a boat", "nothing readable came"), [1])
    again = run.iterations[0].caption.on_fresh_seeds("the server is down")
    run = run.with_caption(again, [2])
    assert fallbacks(run) == {0: "nothing readable came", 1: "nothing readable came"}


def test_what_is_billed_and_what_was_lost_is_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10, 11))
    assert (ledger(run).price_usd, ledger(run).lost_seconds) == (None, 0.0)
    for seed, price in ((10, 0.4), (11, None)):
        rendering = Rendering(endpoint="http://127.0.0.1:8091", price_usd=price)
        run = run.with_candidate(
            Candidate(clip=make_clip(tmp_path, seed, rendering=rendering), critique=make_critique(0.5))
        )
    for stage, seconds in (("queued", 9.0), ("abandoned", 12.5), ("resubmitted", 3.0), ("rendering", 7.0)):
        run = after(run, RenderProgressed(progress=Progress(seed=10, stage=stage, seconds=seconds)))
    found = ledger(run)
    assert (found.price_usd, found.lost_seconds) == (0.4, 15.5)
    assert (found.facts()["price_usd"], found.facts()["lost_seconds"]) == (0.4, 15.5)
    assert cost(run) == "$0.40 for renders; 15.5 s of rendering that nobody could use"
    page = render(run)
    assert "Renders cost $0.40" in page
    assert "15.5 s of the generator's time" in page
