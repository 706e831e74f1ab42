"""Forecasts of runs with drafts, with the critic's test, with comparisons, and under a limit of seconds: by hand."""

import json
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from agent.cli import main
from agent.config import RunConfig
from agent.drafts import tiered
from agent.forecast import Bounds, Forecast
from agent.forecasting import forecast, history, wanted
from agent.forecasting.beside import near_pairs
from agent.forecasting.latencies import critique_seconds
from agent.plan import plan
from agent.reading import check
from agent.request import plain
from agent.types import Candidate, Choice, Draft, Duel, Ending, Entrant
from critic.canaries.types import Canary, SelfTest
from critic.types import Comparison
from generator.capabilities import capabilities
from generator.types import Rendering, RenderSpec
from reasoner.chat.types import Usage
from reasoner.types import Caption
from tests.parts import make_clip, make_critique, make_run

NANO = "nvidia/Cosmos3-Nano"
HERE = "http://127.0.0.1:8091"
ID = f"vllm_omni/1 {NANO}"
NOT_FETCHED = "http://127.0.0.1:1/x.png"


def settings(**more: Any) -> RunConfig:
    """Nano at 720p, four captions of two drafts, judged by a model of which no speed is published.

    `more`: a section, or with __ a key of one.
    """
    data: dict[str, Any] = {
        "request": {"prompt": "a robot arm lifts a cup", "size": "1280x720"},
        "generator": {"backend": "vllm_omni", "model": NANO, "endpoints": [HERE]},
        "critic": {"backend": "vlm", "endpoint": {"base_url": "http://127.0.0.1:1/v1", "model": "other"}},
        "budget": {"max_iterations": 4, "samples_per_iteration": 2},
        "search": {"draft": {"tier": "256p"}, "pairwise": None},
    }
    for key, value in more.items():
        section, _, inner = key.partition("__")
        data[section] = {**data.get(section, {}), inner: value} if inner else value
    return check(data)


def made(hardware: str | None = "H100", **more: Any) -> Forecast:
    _, found = plan(settings(**more), hardware)
    return found


def test_drafts_and_the_best_as_asked_on_an_h100_by_hand() -> None:
    found = made(request__image=NOT_FETCHED)  # published from an image: 7.37 s at 256p, 205.97 s at 720p
    (place,) = found.places
    assert (place.draft, place.render) == (Bounds.sure(7.37), Bounds.sure(205.97))
    assert place.seconds["render"].expected == pytest.approx(8 * 7.37 + 205.97)
    # at worst two captions are drafted; the first is tried again twice, and the second outdoes it
    assert place.seconds["render"].worst == pytest.approx(4 * 7.37 + 3 * 205.97)
    assert place.wall.expected == pytest.approx(8 * 7.37 + 205.97)  # one renderer, and rules that write in no time
    renders = found.steps["render"]
    assert (renders.count, renders.drafts, renders.finals) == (
        Bounds.sure(9),
        Bounds.sure(8),
        Bounds(expected=1, worst=3),
    )


def test_an_accepted_draft_can_fall_short_as_often_as_there_are_captions() -> None:
    found = made(request__image=NOT_FETCHED, critic__accept_at=0.9)
    assert found.steps["render"].count == Bounds(expected=9, worst=12)
    assert found.places[0].seconds["render"].worst == pytest.approx(8 * 7.37 + 4 * 205.97)
    assert any("its draft is accepted, and its render is not" in words for words in found.assumes)


def test_two_endpoints_render_the_drafts_of_a_caption_at_once() -> None:
    found = made(request__image=NOT_FETCHED, generator__endpoints=[HERE, "http://127.0.0.1:8092"])
    assert found.places[0].wall.expected == pytest.approx(4 * 7.37 + 205.97)


def test_more_promotions_and_seeds() -> None:
    found = made(search__draft={"tier": "256p", "promote": 2, "seeds": 3})
    assert found.steps["render"].finals is not None
    assert found.steps["render"].finals.expected == 6
    assert found.places[0].seconds["render"].expected == pytest.approx(8 * 6.97 + 6 * 202.29)


def test_each_tier_is_judged_as_long_as_its_clips_are_large() -> None:
    found = made(critic={"backend": "signals"})
    small, large = (critique_seconds(width * height * 189).expected for width, height in ((320, 192), (1280, 720)))
    assert found.places[0].seconds["judge"].expected == pytest.approx(8 * small + large, abs=1e-3)


def test_a_plan_says_what_is_assumed_of_the_drafts_and_why_there_are_none() -> None:
    found = made()
    assert any(words.startswith("Captions are compared by drafts of 320x192") for words in found.assumes)
    none = made(request__size="320x192")
    assert none.assumes[0].startswith("No drafts are made: one of 320x192")
    assert none.steps["render"].drafts is None
    assert (none.steps["render"].count, none.places[0].draft) == (Bounds.sure(8), None)


def test_a_plan_and_a_run_forecast_the_same() -> None:
    config = settings(critic__accept_at=0.9)
    request = tiered(config, plain(config.request, capabilities(config.generator)))
    seen = history(config.output.folder, wanted(config))
    assert forecast(config, request, seen, "H100 80GB") == made(critic__accept_at=0.9)


@pytest.mark.parametrize(
    ("budget", "drafts", "finals"),
    [
        ({"max_renders": 5}, 4, 1),
        ({"max_gpu_seconds": 230.0}, 3, 1),  # 202.29 held, then 27.7 s pay for 3 of 6.97
        ({"max_gpu_seconds": 1.0}, 2, 0),  # of the first caption nothing is known
    ],
)
def test_a_limit_keeps_back_what_the_promotion_takes(budget: dict[str, float], drafts: int, finals: int) -> None:
    step = made(budget={"max_iterations": 9, **budget}).steps["render"]
    assert step.drafts is not None
    assert step.finals is not None
    assert (step.drafts.expected, step.finals.expected) == (drafts, finals)


def test_gpu_seconds_pay_for_more_where_renders_are_quick() -> None:
    more = {
        "request__size": "832x480",
        "search__draft": None,
        "budget": {"max_iterations": 3, "max_gpu_seconds": 200.0},
    }
    found = made(None, **more)
    by_name = {place.name: place.seconds["render"].expected for place in found.places if place.model == "Cosmos3-Nano"}
    assert by_name == {
        "RTX PRO 6000": pytest.approx(2 * 105.61),  # the first caption whole, whatever it takes
        "H100 80GB": pytest.approx(3 * 58.17),
        "H200 141GB": pytest.approx(3 * 58.14),
        "B200": pytest.approx(6 * 32.04),
    }
    assert found.steps["render"].count == Bounds.sure(6)
    assert any("the counts are the most of all lines" in words for words in found.assumes)
    assert not any("Not counted: budget.max_gpu_seconds" in words for words in found.assumes)
    unknown = made(None, **more | {"generator": {"backend": "nim"}})
    assert unknown.steps["render"].count == Bounds.sure(6)
    assert any("Not counted: budget.max_gpu_seconds" in words for words in unknown.assumes)


def test_money_by_tier() -> None:
    more: dict[str, Any] = {
        "generator": {"backend": "fal"},  # $0.05 a begun second of a clip
        "request__size": "1280x720",
        "search": {"draft": {"frames": 25}, "pairwise": None},
        "critic__accept_at": 0.9,
    }
    price = made(None, **more).price_usd
    assert price is not None
    assert (price.expected, price.worst) == pytest.approx((8 * 0.1 + 0.4, 8 * 0.1 + 4 * 0.4))
    assert made(None, **more, budget__max_price_usd=1.0).price_usd == Bounds.sure(1.0)


@pytest.mark.parametrize(
    ("critic", "image", "expected", "worst"),
    [
        ({}, None, 5 * 29 + 1, 5 * 33 + 2),  # 29 questions a clip, at most 33, and a checklist for the other prompt
        ({}, NOT_FETCHED, 6 * 29 + 2, 6 * 33 + 4),  # and one for the other first frame
        ({"backend": "hybrid"}, NOT_FETCHED, 4 * 29 + 1, 6 * 33 + 4),  # no question about two that measuring tells
        ({"feedback": False}, None, 5 * 28 + 1, 5 * 32 + 2),
    ],
)
def test_what_the_critics_test_asks(critic: dict[str, Any], image: str | None, expected: int, worst: int) -> None:
    data = settings().critic.model_dump(mode="json") | critic
    if data["backend"] == "hybrid":
        data = {"backend": "hybrid", "endpoint": data["endpoint"]}
    found = made(critic=data, request__image=image, search__canaries={"beyond_gpu_seconds": 100.0})
    step = found.steps["test"]
    assert (step.count, step.tokens) == (Bounds.sure(1), None)
    assert step.requests == Bounds(expected=expected, worst=worst)
    assert "How long tests of the critic take is not known, and not in the seconds of a run." in found.assumes


def test_questions_of_your_own_are_written_for_no_other_prompt() -> None:
    rubric = str(Path(__file__).parents[2] / "configs" / "rubrics" / "film.yaml")
    found = made(critic__rubric=rubric, search__canaries={"beyond_gpu_seconds": 100.0})
    judged, tested = found.steps["judge"].requests, found.steps["test"].requests
    assert judged is not None
    assert tested is not None
    each = (judged.expected - 3) / 9  # nine clips, and three questions on how they are shown
    assert tested == Bounds.sure(5 * each)


def test_the_critics_test_by_the_clock() -> None:
    more: dict[str, Any] = {
        "critic": {"backend": "signals", "concurrency": 1},
        "search__canaries": {"beyond_gpu_seconds": 0.0},
    }
    with_test, without = made(**more), made(critic=more["critic"])
    one = critique_seconds(320 * 192 * 189)  # a draft is what is doctored: it is there first
    test = with_test.places[0].seconds["test"]
    assert test.expected == pytest.approx(5 * one.expected)
    assert test.worst == pytest.approx(5 * one.worst)
    longer = with_test.places[0].wall.expected - without.places[0].wall.expected
    assert longer == pytest.approx(5 * one.expected, abs=1e-3)
    assert with_test.steps["test"].requests == Bounds.sure(0)


@pytest.mark.parametrize(
    ("beyond", "count"),
    [
        (300.0, Bounds(expected=0, worst=1)),  # 258 s are expected, and 635 s the most
        (200.0, Bounds.sure(1)),  # before the promotion
        (20.0, Bounds.sure(1)),
        (9000.0, None),
    ],
)
def test_whether_the_critic_is_tested(beyond: float, count: Bounds | None) -> None:
    found = made(search__canaries={"beyond_gpu_seconds": beyond})
    assert ("test" in found.steps) == (count is not None)
    assert count is None or found.steps["test"].count == count
    unknown = made(None, generator={"backend": "nim"}, search__canaries={"beyond_gpu_seconds": beyond})
    assert unknown.steps["test"].count == Bounds(expected=0, worst=1)


def test_near_pairs() -> None:
    assert near_pairs(1, 0.5, 4) == 0
    assert near_pairs(2, 0.5, 4) == pytest.approx(2 * NormalDist().cdf(0.5 / 2**0.5) - 1, abs=1e-6)
    assert near_pairs(3, 99.0, 4) == pytest.approx(3)
    assert near_pairs(9, 99.0, 4) == pytest.approx(6)  # the four best


def test_comparisons_of_the_final_choice() -> None:
    plain_run: dict[str, Any] = {"search": {"pairwise": {"margin": 0.05, "most": 4}}}
    step = made(**plain_run).steps["compare"]
    assert step.count.worst == 6
    assert step.count.expected == pytest.approx(near_pairs(8, 0.5, 4), abs=0.01)
    assert step.requests is not None
    assert step.requests.worst == 2 * 6 + 3 + 2  # both orders; whether two clips are taken; no probabilities are told
    assert "compare" not in made(**plain_run, critic={"backend": "signals"}).steps
    drafts = made(search={"draft": {"tier": "256p"}})  # renders as asked alone: one, at most three
    assert drafts.steps["compare"].count == Bounds(expected=0, worst=3)
    assert "compare" not in made(search={"draft": {"tier": "256p"}}, budget__max_iterations=1).steps


def tiered_run(folder: Path, name: str, *, early: bool, reason: str = "accepted", seconds: float = 1.0) -> None:
    """A finished run of two drafted captions and a render as asked; `early`: the second caption's draft is accepted."""
    target = RenderSpec(width=1280, height=720, num_frames=189, fps=24)
    cheap = target.model_copy(update={"width": 320, "height": 192})
    run = make_run(folder / name, accept_at=0.9)
    draft = Draft(spec=cheap, promote=1, seeds=1, ratio=29, assumes="nothing")
    run = run.model_copy(update={"request": run.request.model_copy(update={"spec": target, "draft": draft})})
    usage = Usage(calls=30, prompt_tokens=900, completion_tokens=100)
    scores = [("draft", 0.5), ("draft", 0.95 if early else 0.6), ("target", 0.95)]
    for n, (tier, score) in enumerate(scores):
        spec, each = (cheap, seconds) if tier == "draft" else (target, 40 * seconds)
        caption = Caption(prompt="a", source="upsample", reasoner="rules/1")
        run = run.with_caption(caption, (10,), "draft" if tier == "draft" else "target", None if tier == "draft" else 1)
        rendering = Rendering(endpoint=HERE, render_seconds=each)
        clip = make_clip(run.clip_path(n, 10), 10, spec, generator=ID, rendering=rendering, seconds=each)
        critique = make_critique(score).model_copy(update={"judge": "vlm/1 other", "seconds": each, "usage": usage})
        run = run.with_candidate(Candidate(clip=clip, critique=critique))
    canary = Canary.of("frozen", 0.1, 0.5)
    test = SelfTest.of([canary], control=0.5, critic="vlm/1 other", seconds=77.0, usage=usage)
    run = run.with_test(test, Entrant(iteration=0, seed=10))
    one, other = Entrant(iteration=0, seed=10), Entrant(iteration=1, seed=10)
    compared = Comparison.of((0.6, 0.6), judge="pairwise/1", method="logprobs", seconds=5.0, usage=Usage(calls=2))
    run = run.with_duel(Duel(first=one, second=other, comparison=compared))
    run = run.with_choice(Choice(chosen=one, among=(one, other), by="score", words="as scripted"))
    run = run.stopped(Ending.model_validate({"reason": reason}))
    (folder / name / "run.json").write_text(run.model_dump_json())


def test_earlier_runs_tell_each_tiers_seconds_and_none_the_others(tmp_path: Path) -> None:
    tiered_run(tmp_path, "a", early=False)
    more: dict[str, Any] = {"critic__accept_at": 0.9, "output": {"dir": str(tmp_path)}}
    found = made(None, **more, search__pairwise={}, search__canaries={"beyond_gpu_seconds": 0.0})
    (place,) = found.places
    assert (place.draft, place.render) == (Bounds.sure(1.0), Bounds.sure(40.0))
    assert place.seconds["judge"].expected == 8 * 1.0 + 40.0
    assert place.seconds["test"].expected == 77.0
    assert place.seconds["compare"] == Bounds(expected=0, worst=6 * 5.0)
    assert found.steps["compare"].requests == Bounds(expected=0, worst=6 * 2)
    assert found.steps["test"].tokens == Bounds.sure(1000)


def test_many_drafts_push_out_no_render_as_asked(tmp_path: Path) -> None:
    for n in range(40):
        tiered_run(tmp_path, f"{n}", early=False, seconds=1 + n / 1000)
    seen = history(tmp_path, wanted(settings()))
    assert len([s for s in seen.renders if s.width == 1280]) == 20  # of the 20 runs that are read
    assert len(seen.renders) == 20 + 40


def test_a_draft_is_no_acceptance_and_a_render_after_the_last_draft_is_no_early_one(tmp_path: Path) -> None:
    for n in range(5):
        tiered_run(tmp_path, f"{n}", early=n < 2)
    config = settings(critic__accept_at=0.9)
    seen = history(tmp_path, wanted(config))
    assert seen.accepted.count((2, True)) == 2
    assert seen.accepted.count((2, False)) == 3
    assert seen.acceptance == 0.2
    found = made(critic__accept_at=0.9, output={"dir": str(tmp_path)})
    # 2 x (1 + 0.8 + 0.64 + 0.512) drafts; promoted early or in the end, one render as asked
    assert found.steps["render"].drafts == Bounds(expected=5.904, worst=8)
    assert found.steps["render"].finals == Bounds(expected=1, worst=4)
    assert any("A caption is promoted and accepted with a probability of 0.20" in words for words in found.assumes)
    plain_runs = settings(critic__accept_at=0.9, search__draft=None)
    assert history(tmp_path, wanted(plain_runs)).accepted == []  # how often those end early is another matter


def test_runs_from_before_there_were_drafts_are_read(tmp_path: Path) -> None:
    tiered_run(tmp_path, "a", early=False)
    path = tmp_path / "a" / "run.json"
    facts = json.loads(path.read_text())
    for key in ("self_test", "tested", "duels"):
        del facts[key]
    del facts["request"]["draft"]
    for iteration in facts["iterations"]:
        del iteration["tier"], iteration["promoted"]
    path.write_text(json.dumps(facts))
    seen = history(tmp_path, wanted(settings(critic__accept_at=0.9, search__draft=None)))
    assert (len(seen.renders), seen.accepted, seen.tests) == (3, [(3, True)], [])


def test_the_plan_in_print_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(settings(request__image=NOT_FETCHED, critic__accept_at=0.9, search__pairwise={}).to_yaml())
    assert main(["plan", str(path), "--hardware", "h100"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["renders", "9", "12"] in rows
    assert ["drafts", "8", "8"] in rows
    assert ["as", "asked", "1", "4"] in rows
    assert ["comparisons", "0", "6"] in rows
    assert ["H100", "80GB", "7.4", "s", "3:26", "4:25", "14:43", "4:25", "14:43"] in rows
    assert main(["plan", str(path), "--hardware", "h100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for kind, figures in {"expected": (9, 8, 0, 0), "worst": (12, 8, 0, 6)}.items():
        assert tuple(told[kind][key] for key in ("renders", "drafts", "tests", "comparisons")) == figures
    assert told["expected"]["render_seconds"] == pytest.approx(8 * 7.37 + 205.97)
    assert (told["expected"]["test_seconds"], told["expected"]["compare_seconds"]) == (0, None)
    assert told["places"][0]["seconds_per_draft"] == {"expected": 7.37, "worst": 7.37}


def test_drafts_that_cannot_be_are_refused_by_the_plan_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(settings().to_yaml())
    assert main(["plan", str(path), "-s", "search.draft.steps=99"]) == 2
    assert "search.draft.steps: 99 is more than the 35" in capsys.readouterr().err
