"""Forecasts of whole configs: by what is published, by earlier runs, by the run itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.config import RunConfig
from agent.errors import ConfigError
from agent.forecast import Bounds, Forecast
from agent.forecasting import History, asking, forecast, history, own, wanted
from agent.plan import plan
from agent.reading import check, load_config
from agent.request import plain
from agent.types import Candidate, Ending, Failure
from generator.capabilities import capabilities
from generator.types import Rendering, RenderSpec
from reasoner.chat.types import Usage
from reasoner.openai import insisting
from reasoner.types import Caption
from tests.parts import make_clip, make_critique, make_run

CONFIGS = Path(__file__).parents[2] / "configs"
ID = "vllm_omni/1 nvidia/Cosmos3-Nano"
HERE = "http://127.0.0.1:8091"
NANO = RenderSpec(width=832, height=480, num_frames=189, fps=24)


def settings(name: str = "cosmos3-nano", **more: Any) -> RunConfig:
    data = load_config(CONFIGS / f"{name}.yaml").model_dump(mode="json")
    for key, value in more.items():
        section, _, key_ = key.partition("__")
        data[section][key_] = value
    return check(data)


def made(config: RunConfig, seen: History | None = None, hardware: str | None = None) -> Forecast:
    return forecast(config, plain(config.request, capabilities(config.generator)), seen or History(), hardware)


def finished(
    folder: Path,
    name: str,
    seconds: float,
    *,
    spec: RenderSpec = NANO,
    generator: str = ID,
    endpoint: str = HERE,
    reason: str = "iterations",
    judge: str = "signals/1",
    accept_at: float | None = 0.96,
) -> Path:
    """A run that lies finished in `folder`: one iteration of two renders."""
    run = make_run(folder / name, accept_at=accept_at)
    usage = Usage(calls=2, prompt_tokens=900, completion_tokens=100)
    caption = Caption(prompt="a", source="upsample", reasoner="openai/1 m", seconds=4.0, usage=usage)
    run = run.with_caption(caption, (10, 11))
    for seed in (10, 11):
        rendering = Rendering(endpoint=endpoint, render_seconds=seconds if endpoint else None)
        clip = make_clip(run.clip_path(0, seed), seed, spec, generator=generator, rendering=rendering, seconds=seconds)
        critique = make_critique(0.5).model_copy(update={"judge": judge, "seconds": 3.0, "usage": usage})
        run = run.with_candidate(Candidate(clip=clip, critique=critique))
    run = run.stopped(Ending.model_validate({"reason": reason}))
    path = folder / name / "run.json"
    path.write_text(run.model_dump_json())
    return path


def seen(folder: Path, config: RunConfig, generator: str = "") -> History:
    return history(folder, wanted(config, generator))


def test_without_history_there_is_a_line_for_each_published_hardware() -> None:
    found = made(settings())
    assert {p.name: p.render.expected for p in found.places} == {
        "RTX PRO 6000": 105.61,
        "H100 80GB": 58.17,
        "H200 141GB": 58.14,
        "B200": 32.04,
    }
    assert any("The hardware is not known" in words for words in found.assumes)
    assert any("aca7057" in words for words in found.sources)
    low, high = found.seconds("render") or pytest.fail("not known")
    assert [low.expected, high.worst] == pytest.approx([6 * 32.04, 6 * 105.61])


def test_named_hardware_is_one_line_and_must_be_published_for_the_generator() -> None:
    (place,) = made(settings(), hardware="B200").places
    assert (place.name, place.render.expected) == ("B200", 32.04)
    with pytest.raises(ConfigError, match="no latency of vllm_omni of nvidia/Cosmos3-Super is published for H100 80GB"):
        made(settings(generator__serve={"model": "nvidia/Cosmos3-Super"}), hardware="H100 80GB")


@pytest.mark.parametrize(
    ("generator", "seconds", "words"),
    [
        ({"serve": {"tensor_parallel_size": 4}}, 19.95, None),
        ({"serve": {"tensor_parallel_size": 2, "cfg_parallel_size": 2}}, 19.95, None),
        ({"serve": {"tensor_parallel_size": 2}}, 58.17, "No latency on 2 GPUs is published"),
        ({"serve": None, "endpoints": ["http://a:1"], "model": "nvidia/Cosmos3-Nano"}, 58.17, "One GPU to a server"),
    ],
)
def test_gpus_of_a_render(generator: dict[str, Any], seconds: float, words: str | None) -> None:
    found = made(settings(**{f"generator__{key}": value for key, value in generator.items()}), hardware="H100 80GB")
    assert found.places[0].render.expected == pytest.approx(seconds)
    assert words is None or any(words in said for said in found.assumes)


def test_a_model_that_only_its_server_knows_may_be_any_published_one() -> None:
    found = made(settings(generator__serve=None), hardware="H200 141GB")
    assert [(p.model, p.render.expected) for p in found.places] == [
        ("Cosmos3-Nano", 58.14),
        ("Cosmos3-Super", 219.11),
    ]


def test_a_run_knows_the_model_by_its_generators_id() -> None:
    config = settings(generator__serve=None)
    request = plain(config.request, capabilities(config.generator))
    assert {p.model for p in forecast(config, request, History(), generator=ID).places} == {"Cosmos3-Nano"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("nim", {}),
        ("fal", {}),
        ("cosmos3-nano", {"generator__serve": {"model": "nvidia/Cosmos3-Edge"}}),
        ("diffusers", {"generator__family": "cosmos3_distilled", "request__num_inference_steps": 4}),
        ("diffusers", {"generator__family": "cogvideox", "request__size": "720x480"}),
    ],
)
def test_what_nobody_published_is_not_guessed(name: str, more: dict[str, Any]) -> None:
    found = made(settings(name, **more))
    assert (found.places, found.seconds("render"), found.wall) == ((), None, None)
    assert any("How long a render takes is not known" in words for words in found.assumes)


def test_earlier_runs_stand_before_what_is_published(tmp_path: Path) -> None:
    config = settings()
    finished(tmp_path, "a", 40.0)
    finished(tmp_path, "b", 44.0)
    found = made(config, seen(tmp_path, config))
    (place,) = found.places
    assert (place.name, place.render.expected, place.render.worst) == (HERE, 42.0, 44.0)
    assert place.basis == f"4 renders of earlier runs by {ID}"
    assert (place.seconds["caption"].expected, place.seconds["render"].worst) == (3 * 4.0, 6 * 44.0)
    named = made(config, seen(tmp_path, config), "H100 80GB")
    assert named.places[0].render.expected == 58.17


def test_requests_and_tokens_come_from_earlier_runs(tmp_path: Path) -> None:
    config = settings(critic__accept_at=0.9)
    judge = "signals/1+vlm/1 nvidia/Cosmos3-Nano" if config.critic.backend == "hybrid" else "vlm/1 nvidia/Cosmos3-Nano"
    before = made(config).steps
    assert (before["caption"].tokens, before["judge"].tokens) == (None, None)
    finished(tmp_path, "a", 40.0, judge=judge)
    after = made(config, seen(tmp_path, config)).steps
    assert (after["caption"].requests, after["caption"].tokens) == tuple(
        type(after["render"].count)(expected=n, worst=n) for n in (6, 3000)
    )
    assert after["judge"].tokens is not None
    assert after["judge"].tokens.expected == 6 * 1000


@pytest.mark.parametrize(
    "other",
    [
        {"generator": "animatic/1"},
        {"generator": "vllm_omni/1 nvidia/Cosmos3-Super"},
        {"endpoint": "http://10.0.0.7:8091"},
    ],
)
def test_other_generators_and_endpoints_tell_nothing(tmp_path: Path, other: dict[str, str]) -> None:
    config = settings()
    finished(tmp_path, "a", 40.0, **other)  # type: ignore[arg-type]
    assert seen(tmp_path, config).renders == []


def test_a_run_knows_its_generators_exact_id(tmp_path: Path) -> None:
    config = settings()
    finished(tmp_path, "a", 40.0)
    finished(tmp_path, "b", 9.0, generator=f"{ID} settings=12345678")
    assert {s.seconds for s in seen(tmp_path, config, ID).renders} == {40.0}


def test_of_several_versions_only_the_latest_runs_counts(tmp_path: Path) -> None:
    import os

    config = settings()
    os.utime(finished(tmp_path, "a", 40.0), (1, 1))
    finished(tmp_path, "b", 30.0, generator="vllm_omni/2 nvidia/Cosmos3-Nano")
    assert {s.seconds for s in seen(tmp_path, config).renders} == {30.0}


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", '{"ending": {"reason": "accepted"}}', '{"ending": {}, "iterations": 7}']
)
def test_damaged_and_unfinished_runs_are_left_out(tmp_path: Path, damage: str) -> None:
    config = settings()
    path = finished(tmp_path, "a", 40.0)
    running = json.loads(path.read_text()) | {"ending": None}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text(json.dumps(running))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").write_text(damage)
    (tmp_path / "d").write_text("a file")
    assert [s.seconds for s in seen(tmp_path, config).renders] == [40.0, 40.0]
    assert history(tmp_path / "nowhere", wanted(config)).renders == []


def test_renders_of_another_kind_are_brought_to_this_one(tmp_path: Path) -> None:
    config = settings()
    half = NANO.model_copy(update={"num_inference_steps": 70})
    finished(tmp_path, "a", 100.0, spec=half)
    (place,) = made(config, seen(tmp_path, config)).places
    assert place.render.expected == pytest.approx(50.0)
    assert "brought to this size" in place.basis
    small = NANO.model_copy(update={"width": 320, "height": 192})
    finished(tmp_path, "a", 2 * 6.97, spec=small)  # twice what an H100 takes
    (place,) = made(config, seen(tmp_path, config)).places
    assert place.render.expected == pytest.approx(2 * 58.17, rel=1e-4)


def test_renders_of_just_this_kind_stand_before_others(tmp_path: Path) -> None:
    config = settings()
    finished(tmp_path, "a", 10.0, spec=NANO.model_copy(update={"width": 320, "height": 192}))
    finished(tmp_path, "b", 40.0)
    (place,) = made(config, seen(tmp_path, config)).places
    assert (place.render.expected, place.render.worst) == (40.0, 40.0)


def test_the_embedded_renderer_is_known_by_its_own_runs(tmp_path: Path) -> None:
    config = load_config(CONFIGS / "quickstart.yaml")
    spec = RenderSpec(width=320, height=192, num_frames=61, fps=24)
    before = made(config)
    finished(tmp_path, "a", 5.0, generator="animatic/9", endpoint="", spec=spec)
    (place,) = made(config, seen(tmp_path, config)).places
    assert (place.name, place.render.expected, place.seconds["judge"].expected) == ("this machine", 5.0, 4 * 3.0)
    assert before.places[0].render.expected != 5.0


def test_early_stopping_counts_once_enough_runs_tell_how_often(tmp_path: Path) -> None:
    config = settings("quickstart")
    spec = RenderSpec(width=320, height=192, num_frames=61, fps=24)
    for n in range(5):
        assert made(config, seen(tmp_path, config)).steps["render"].count.expected == 4
        reason = "accepted" if n < 2 else ("iterations", "renders", "patience")[n % 3]
        finished(tmp_path, f"{n}", 1.0, generator="animatic/9", endpoint="", spec=spec, reason=reason)
    found = made(config, seen(tmp_path, config))
    assert (found.steps["render"].count.expected, found.steps["render"].count.worst) == (2 + 2 * 0.6, 4)
    assert any("probability of 0.40, as in 5 earlier runs" in words for words in found.assumes)
    other = settings("quickstart", critic__accept_at=0.9)
    assert made(other, seen(tmp_path, other)).steps["render"].count.expected == 4


def test_a_runs_own_renders_stand_before_all_others(tmp_path: Path) -> None:
    config = settings()
    run = make_run(tmp_path).with_caption(Caption.raw("a"), (10, 11))
    assert own(run, wanted(config, ID)).renders == []
    rendering = Rendering(endpoint=HERE, render_seconds=33.0)
    clip = make_clip(tmp_path / "x.mp4", 10, NANO, generator=ID, rendering=rendering)
    run = run.with_candidate(Candidate(clip=clip, critique=make_critique(0.5)))
    unjudged = clip.model_copy(update={"seed": 11})
    run = run.with_failure(Failure(step="judge", seed=11, message="no", clip=unjudged))
    (place,) = made(config, own(run, wanted(config, ID))).places
    assert (place.render.expected, place.basis) == (33.0, f"2 renders of this run by {ID}")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 4 * 0.25),  # 117 frames at 24: five seconds begun, at $0.05
        ({"request__num_frames": 189}, 4 * 0.40),
        ({"budget__max_renders": 3}, 3 * 0.25),
        ({"generator__price_usd": 1.5}, 6.0),
        ({"generator__model": "fal-ai/cogvideox-5b/image-to-video"}, None),
    ],
)
def test_price(more: dict[str, Any], expected: float | None) -> None:
    fixed = {"request__num_frames": None, "request__size": "auto", "request__fps": None}
    more = {**(fixed if "generator__model" in more else {}), **more}
    price = made(settings("fal", **more)).price_usd
    assert (price and price.worst) == (pytest.approx(expected) if expected else None)


def test_questions_are_counted_from_the_rubric() -> None:
    alone = made(settings(critic__rubric=None)).steps["judge"].requests
    assert alone is not None
    assert (alone.expected, alone.worst) == (6 * (12 + 16 + 1) + 4, 6 * (12 + 20 + 1) + 8)
    rubric = CONFIGS / "rubrics" / "film.yaml"
    questions = rubric.read_text().count("question:") + rubric.read_text().count("negation:")
    filmed = made(settings(critic__rubric=str(rubric), critic__feedback=False, request__image="x.png"))
    asked = filmed.steps["judge"].requests
    assert asked is not None
    assert 0 < asked.expected <= 6 * questions + 3
    with pytest.raises(ConfigError, match=r"critic\.rubric"):
        made(settings(critic__rubric="nowhere.yaml"))


def test_the_clock_never_goes_beyond_the_time_limit() -> None:
    found = made(settings(budget__max_seconds=100.0))
    assert {p.wall.worst for p in found.places} == {100.0}
    assert any("No run takes longer than its 100 s" in words for words in found.assumes)


def test_what_captions_begun_ahead_save_is_not_foretold() -> None:
    plain, ahead = made(settings()), made(settings(budget__speculate=True))
    assert (plain.places, plain.steps) == (ahead.places, ahead.steps)
    assert ahead.assumes[-1].startswith("Not counted: ")
    assert "the time that budget.speculate saves, and the renders that it may lose" in ahead.assumes[-1]
    assert "speculate" not in " ".join(plain.assumes)


@pytest.mark.parametrize("name", ["quickstart", "cosmos3-nano", "nim", "diffusers", "fal"])
def test_no_expectation_is_above_the_worst(name: str) -> None:
    _, found = plan(settings(name))
    bounds = [b for place in found.places for b in (place.render, place.wall, *place.seconds.values())]
    for step in found.steps.values():
        bounds += [b for b in (step.count, step.requests, step.tokens) if b]
    assert [b for b in bounds if b.expected > b.worst] == []
    assert Forecast.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--hardware", "abacus"], "'abacus' is none of those published; give one of RTX PRO 6000, H100 80GB"),
        (["--hardware", "h100"], "no latency of animatic is published for H100 80GB"),
        (["-s", "request.num_frames=400"], "request.num_frames: 400 is over"),
        (["-s", "request.image=/nowhere.png"], "/nowhere.png"),
    ],
)
def test_a_wrong_plan_is_one_sentence(args: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(CONFIGS / "quickstart.yaml"), *args]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 1


def test_the_readme_shows_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(CONFIGS / "cosmos3-nano.yaml"), "-s", f"output.dir={tmp_path}"]) == 0
    readme = (CONFIGS.parent / "README.md").read_text()
    assert capsys.readouterr().out in readme
    more = ["--hardware", "h100", "-s", "request.size=1280x720", "-s", "search.draft.tier=256p"]
    assert main(["plan", str(CONFIGS / "cosmos3-nano.yaml"), "-s", f"output.dir={tmp_path}", *more]) == 0
    figures, _, assumed = capsys.readouterr().out.partition("\nAssumed:")
    assert f"retake plan configs/cosmos3-nano.yaml {' '.join(more)}\n{figures}" in readme
    assert "Captions are compared by drafts" in assumed


def test_a_plan_fetches_no_image(tmp_path: Path) -> None:
    config = settings(request__image="http://127.0.0.1:1/x.png", request__size="auto")
    request, found = plan(config)
    assert request.spec.mode == "image2video"
    assert found.assumes[0].startswith("The image is not fetched")


def test_a_rewrite_that_repeats_the_run_is_asked_for_again() -> None:
    config = settings()
    assert asking.TURNS == insisting.TURNS
    assert asking.caption_requests(config, first=True, expand=True) == Bounds(expected=1, worst=2)
    assert asking.caption_requests(config, first=False, expand=True) == Bounds(expected=2, worst=3 * 2 + 1)
    found = asking.caption_seconds("Cosmos3-Nano", "H100 80GB")
    assert found is not None
    first, rewrite = found
    assert (first.expected, first.worst) == (rewrite.expected, 2 * first.expected)
    assert 6 * first.expected < rewrite.worst < 6.5 * first.expected  # and one short reply, the check
