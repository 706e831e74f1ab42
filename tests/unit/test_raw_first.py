"""The user's own words as a caption of their own: `search.include_raw_prompt`."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from agent import journal, refine_and_generate_async, resume
from agent.config import RunConfig
from agent.controller import Controller
from agent.errors import ConfigError
from agent.ledger import fallbacks
from agent.lines import heading
from agent.reading import check
from agent.report.page import render
from agent.run import Run
from reasoner.types import Caption, CaptionError, CaptionRequest, Revision
from tests.pages import Page
from tests.parts import Recorder, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_run


class Noting(ScriptedReasoner):
    """Keeps which caption it was told is the best."""

    best: tuple[int, ...] = ()

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        self.best = (*self.best, champion)
        return await super().rewrite(request, history, champion)


async def refine(folder: Path, reasoner: ScriptedReasoner, scores: dict[str, float], **budget: object) -> Run:
    """A run in which each text has its score, a seed a little more than the one before."""
    run = make_run(folder, **budget).model_copy(update={"raw_first": True})  # type: ignore[arg-type]
    critic = ScriptedCritic(lambda text, seed: scores[text] + (seed - 10) * 0.02)
    controller = Controller(reasoner=reasoner, generator=ScriptedGenerator(), critic=critic, emit=Recorder())
    return await controller.refine(run)


@pytest.mark.parametrize(("expanded", "best"), [(0.6, 1), (0.3, 0), (0.4, 0)])
async def test_the_better_of_both_on_the_same_seeds_is_rewritten(tmp_path: Path, expanded: float, best: int) -> None:
    reasoner = Noting()
    scores = {"a boat": 0.4, "caption 0 of a boat": expanded, "caption 2 of a boat": 0.1}
    run = await refine(tmp_path, reasoner, scores, max_iterations=3)
    assert [i.caption.source for i in run.iterations] == ["raw", "upsample", "rewrite"]
    assert [i.seeds for i in run.iterations] == [(10, 11)] * 3
    gain = run.iterations[1].gain_over(run.iterations[0])
    assert gain is not None
    assert gain.mean == pytest.approx(expanded - 0.4)
    assert reasoner.best == (best,)
    assert run.iterations[2].parent == best
    assert (run.best_iteration, run.renders) == (best, 6)


async def test_it_is_shown_as_what_it_is(tmp_path: Path) -> None:
    run = await refine(tmp_path, ScriptedReasoner(), {"a boat": 0.4, "caption 0 of a boat": 0.3})
    assert [heading(i, n + 1, run) for n, i in enumerate(run.iterations)] == [
        "Iteration 1 of 2  prompt as written",
        "Iteration 2 of 2  prompt expanded",
    ]
    assert fallbacks(run) == {}
    said = Page(render(run)).said
    assert "the prompt as written, for its expansion to be compared with" in said
    assert "the prompt, expanded" in said
    assert "The expansion gained nothing and is not kept." in said
    assert "against 0.41, the mean of the prompt as written over 2 seeds: all of it is the seed's doing." in said


async def test_the_gain_over_the_words_is_attributed(tmp_path: Path) -> None:
    run = await refine(tmp_path, ScriptedReasoner(), {"a boat": 0.4, "caption 0 of a boat": 0.7})
    shown = Page(render(run)).said
    assert "The expansion is kept: later ones start from it." in shown
    assert (
        "+0.31 against 0.41, the mean of the prompt as written over the 2 seeds that both have: +0.30 is the caption's "
        "doing, +0.01 the seed's, 0.00 of the two together." in shown
    )
    assert "Final prompt the first caption" in shown


async def test_an_expansion_that_fails_is_said_and_costs_no_render_twice(tmp_path: Path) -> None:
    run = await refine(tmp_path, ScriptedReasoner(error=CaptionError("no reply")), {"a boat": 0.4})
    assert [i.seeds for i in run.iterations] == [(10, 11), (12, 13)]
    assert list(fallbacks(run)) == [1]
    assert "NOT EXPANDED" in heading(run.iterations[1], 2, run)


async def test_without_expansion_there_is_nothing_to_compare(tmp_path: Path) -> None:
    run = await refine(tmp_path, ScriptedReasoner(), {"a boat": 0.4, "caption 1 of a boat": 0.5}, expand=False)
    assert [i.caption.source for i in run.iterations] == ["raw", "rewrite"]


@pytest.mark.parametrize(
    ("budget", "cure"),
    [
        ({"max_iterations": 1}, "raise budget.max_iterations to 2"),
        ({"max_renders": 2}, "raise budget.max_renders above budget.samples_per_iteration"),
    ],
)
def test_a_budget_without_room_for_the_expansion_is_refused(budget: dict[str, int], cure: str) -> None:
    with pytest.raises(ConfigError, match=cure):
        check({"budget": budget, "search": {"include_raw_prompt": True}})
    assert isinstance(check({"budget": budget}), RunConfig)


def test_what_a_promotion_keeps_is_no_room_for_the_expansion() -> None:
    data = {"budget": {"max_renders": 3}, "search": {"include_raw_prompt": True, "draft": {}}}
    with pytest.raises(ConfigError, match=r"above budget\.samples_per_iteration and the 1 of a promotion"):
        check(data)
    assert isinstance(check({**data, "budget": {"max_renders": 4}}), RunConfig)


async def test_money_for_the_words_alone_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "hush:hush")
    Image.new("RGB", (320, 192)).save(tmp_path / "first.png")
    settings = {
        "request": {"prompt": "a boat", "image": str(tmp_path / "first.png")},
        "generator": {"backend": "fal", "price_usd": 0.25},
        "budget": {"max_price_usd": 0.5},
        "search": {"include_raw_prompt": True},
    }
    with pytest.raises(ConfigError, match=r"include_raw_prompt: .*max_price_usd .*a render costs \$0\.25"):
        await refine_and_generate_async(config=settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_to_the_first_caption_that_it_was_begun_with(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = make_run(tmp_path / "clips").model_copy(update={"folder": folder})
    wish = {"prompt": "a boat", "size": "320x192", "num_frames": 9, "fps": 24, "negative_prompt": "", "seed": 10}
    settings = check({"request": wish, "search": {"include_raw_prompt": True}})
    journal.create(folder, settings, run, {})
    with pytest.raises(ConfigError, match=r"search\.include_raw_prompt is not what this run was begun with"):
        resume(folder)
