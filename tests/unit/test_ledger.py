"""What a run took: pure sums over its captions, clips and critiques."""

import json
from pathlib import Path

import pytest

from agent.events import RunStarted
from agent.journal import Journal, load
from agent.ledger import fallback, fallbacks, ledger
from reasoner.types import Caption
from tests import runs
from tests.parts import make_run


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
