"""`retake bench drafts`: the captions and renders it makes, what it computes of them, and how a run uses that."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

from agent import journal
from agent.arguments import parser
from agent.bench.commands.drafts import command_line
from agent.bench.drafting import result, saying, session
from agent.bench.drafting.agreement import agreement
from agent.bench.drafting.finished import folders, from_runs
from agent.bench.drafting.prompts import Asked, read_prompts
from agent.bench.drafting.scene import compared, pairs_of
from agent.bench.drafting.session import Session, Wish
from agent.bench.drafting.types import Agreement, Kind, Landscape, Paired, PromptPairs
from agent.bench.drafting.watching import foretold
from agent.bench.drafting.words import Distinct
from agent.bench.figures.types import Figure
from agent.building import Parts
from agent.cli import main
from agent.config import DraftConfig, RunConfig
from agent.controller import Controller
from agent.drafts import AUTO, settled, tiered, unasked
from agent.errors import ConfigError, RunFolderError
from agent.events import Event
from agent.forecasting.correlation import DATA, Measured, correlation, measured, read, written
from agent.reading import check, load_config
from agent.request import plain
from agent.run import Run
from agent.stopping import ended
from agent.types import Draft, Request
from benchmarks.search import correlation as recorded
from generator.capabilities import capabilities
from generator.types import Clip, RenderError, RenderSpec
from tests.parts import Recorder, ScriptedCritic, ScriptedReasoner, make_clip, make_run

TARGET = RenderSpec(width=832, height=480, num_frames=9, fps=12, num_inference_steps=30)
DRAFT = TARGET.model_copy(update={"width": 320, "height": 192, "num_inference_steps": 15})
KIND = Kind(
    engine="scripted",
    generator="scripted/1",
    critic="scripted/1",
    reasoner="scripted/1",
    draft=256,
    target=480,
    draft_spec="320x192",
    target_spec="832x480",
    steps=0.5,
    frames=1.0,
)
SCORES = {"draft 0": 0.3, "draft 1": 0.6, "draft 2": 0.5, "target 0": 0.4, "target 1": 0.8, "target 2": 0.9}


class Tiered:
    """Writes tier, caption and seed into the clip; `fails` are tiers, captions and seeds that it has nothing for."""

    id = "scripted/1"

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.started: list[str] = []

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        name = f"{'draft' if spec.width == DRAFT.width else 'target'} {prompt.split()[1]}"
        self.started.append(f"{name} {seed}")
        await asyncio.sleep(0)
        if f"{name} {seed}" in self.fails:
            raise RenderError("as scripted")
        to.write_text(f"{name}|{seed}")
        return make_clip(to, seed, spec, seconds=1.0 if "draft" in name else 8.0)


def scored(text: str, seed: int) -> float:
    """A seed gets a little more than the one before."""
    return SCORES[text] + (seed % 10) * 0.01


def drafting(folder: Path) -> Run:
    run = make_run(folder, max_iterations=9, samples_per_iteration=2)
    draft = Draft(spec=DRAFT, promote=1, seeds=2, ratio=8.0, assumes="nothing")
    return run.model_copy(update={"request": run.request.model_copy(update={"spec": TARGET, "draft": draft})})


async def scene(
    folder: Path, generator: Tiered, reasoner: ScriptedReasoner, captions: int = 3, scores: Any = scored
) -> tuple[Run, Controller]:
    controller = Controller(reasoner=reasoner, generator=generator, critic=ScriptedCritic(scores), emit=Recorder())
    return await compared(controller, drafting(folder), Distinct(reasoner), captions, 2), controller


# captions and renders


async def test_every_caption_is_rendered_at_both_tiers_on_the_same_seeds(tmp_path: Path) -> None:
    generator, reasoner = Tiered(), ScriptedReasoner()
    run, _ = await scene(tmp_path, generator, reasoner)
    assert generator.started == [
        *("draft 0 10", "draft 0 11", "draft 1 10", "draft 1 11", "draft 2 10", "draft 2 11"),
        *("target 0 10", "target 0 11", "target 1 10", "target 1 11", "target 2 10", "target 2 11"),
    ]
    pairs, left_out = pairs_of(run)
    assert not left_out
    assert pairs.captions[0].draft == pytest.approx({10: 0.3, 11: 0.31})
    assert pairs.captions[0].target == pytest.approx({10: 0.4, 11: 0.41})
    assert [each.source for each in pairs.captions] == ["upsample", "rewrite", "rewrite"]
    assert not any(revision.final for asked in reasoner.asked for revision in asked)  # nothing as asked was seen


async def test_where_the_champion_has_no_new_words_the_next_best_is_rewritten(tmp_path: Path) -> None:
    class Stubborn(ScriptedReasoner):
        started: list[int] = []  # noqa: RUF012

        async def rewrite(self, request: Any, history: Any, champion: int) -> Any:
            self.started.append(champion)
            if history[champion].caption.prompt.startswith("caption 1"):
                return history[champion].caption.on_fresh_seeds("nothing left to edit")
            return await super().rewrite(request, history, champion)

    reasoner = Stubborn()
    run, _ = await scene(tmp_path, Tiered(), reasoner)
    assert reasoner.started == [0, 1, 0]
    assert len(pairs_of(run)[0].captions) == 3


async def test_without_new_words_there_are_fewer_captions(tmp_path: Path) -> None:
    run, _ = await scene(tmp_path, Tiered(), ScriptedReasoner(reseed_from=2))
    assert len(pairs_of(run)[0].captions) == 2
    assert [iteration.tier for iteration in run.iterations] == ["draft", "draft", "target", "target"]


async def test_a_caption_with_a_failed_render_is_left_out_and_told(tmp_path: Path) -> None:
    run, _ = await scene(tmp_path, Tiered("target 1 11"), ScriptedReasoner())
    pairs, (told,) = pairs_of(run)
    assert [each.text for each in pairs.captions] == ["caption 0 of a boat", "caption 2 of a boat"]
    assert told.startswith("'a boat': caption 2 is left out: 1 of its renders came to nothing (")


async def test_a_prompt_without_any_clip_to_rewrite_from_is_given_up(tmp_path: Path) -> None:
    run, _ = await scene(tmp_path, Tiered("draft 0 10", "draft 0 11"), ScriptedReasoner())
    assert not pairs_of(run)[0].captions
    assert sum(iteration.tier == "draft" for iteration in run.iterations) == 1


# a session


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[Tiered, ScriptedCritic]:
    """What a session builds."""
    generator, critic = Tiered(), ScriptedCritic(scored)

    @asynccontextmanager
    async def build(*_: object) -> AsyncIterator[Parts]:
        yield Parts(reasoner=ScriptedReasoner(), generator=generator, critic=critic)

    monkeypatch.setattr(session, "build", build)
    return generator, critic


def asked_for(folder: Path, captions: int = 3, **request: object) -> Session:
    config = check({"request": {"size": "832x480", "num_frames": 9, "seed": 5, **request}})
    return Session(config, Wish(DraftConfig(steps=15), captions, 2), folder)


def ignore(event: object) -> None:
    del event


async def measure(folder: Path, *prompts: str, captions: int = 3, **request: object) -> Landscape:
    session = asked_for(folder, captions, **request)
    await session.prepare([Asked(prompt) for prompt in prompts or ("a boat", "a car")])
    return await session.measure(ignore, ignore)


async def test_what_was_stopped_goes_on_and_nothing_is_done_twice(
    tmp_path: Path, parts: tuple[Tiered, ScriptedCritic]
) -> None:
    generator, critic = parts
    begun = asked_for(tmp_path)
    await begun.prepare([Asked("a boat"), Asked("a car")])
    seen: list[Event] = []

    def hear(event: Event) -> None:
        seen.append(event)
        if len(critic.judged) == 5:
            asyncio.current_task().get_loop().call_soon(work.cancel)  # type: ignore[union-attr]

    work = asyncio.ensure_future(begun.measure(hear, ignore))
    with pytest.raises(asyncio.CancelledError):
        await work
    made = len(generator.started)
    assert 5 <= made < 24
    landscape = await measure(tmp_path)
    lost = len(generator.started) - 24
    assert 0 <= lost <= 4  # what was under way when it stopped
    again = await measure(tmp_path)
    assert len(generator.started) == 24 + lost
    assert again == landscape
    assert [pairs.prompt for pairs in landscape.prompts] == ["a boat", "a car"]
    assert (len(landscape.draft_seconds), len(landscape.target_seconds)) == (12, 12)


async def test_a_folder_of_another_measurement_is_not_overwritten(
    tmp_path: Path, parts: tuple[Tiered, ScriptedCritic]
) -> None:
    await measure(tmp_path, "a boat", captions=2)
    with pytest.raises(ConfigError, match="another draft, target, seed; choose another --out"):
        await measure(tmp_path, "a boat", num_frames=13, seed=6)
    assert len((await measure(tmp_path, "a boat", "a car", captions=3)).prompts) == 2  # it may grow
    assert len(parts[0].started) == 24


async def test_what_does_not_count_is_told(tmp_path: Path, parts: tuple[Tiered, ScriptedCritic]) -> None:
    generator, _ = parts
    seed = session._seed(5, Asked("a boat"))
    generator.fails = (f"draft 0 {seed}", f"draft 1 {seed}")
    landscape = await measure(tmp_path, "a boat")
    assert not landscape.prompts
    assert landscape.failures == 2
    assert landscape.left_out[-1] == "'a boat' is left out: it has no two captions to compare."


async def test_the_forecast_counts_renders_of_both_tiers(tmp_path: Path) -> None:
    begun = asked_for(tmp_path)
    await begun.prepare([Asked("a boat"), Asked("a car")])
    lines = list(foretold(begun))
    assert lines[0].startswith("2 prompts x 3 captions x 2 seeds: 12 drafts and as many renders as asked, 24 in all")
    assert "a draft about" in lines[1]


async def test_drafts_that_cost_as_much_are_not_measured(tmp_path: Path) -> None:
    begun = asked_for(tmp_path / "out", size="320x192")
    with pytest.raises(ConfigError, match=r"would cost as much .*another --tier"):
        await begun.prepare([Asked("a boat")])
    assert not (tmp_path / "out").exists()


# prompts


def test_prompts_of_a_file(tmp_path: Path) -> None:
    lines = tmp_path / "mine.txt"
    lines.write_text("a boat\n\n  a car  \na boat\n", encoding="utf-8")
    assert read_prompts(lines) == [Asked("a boat"), Asked("a car")]
    table = tmp_path / "mine.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["Prompt", "first_frame"], ["a, b", "a.png"], ["c", ""], ["d", "https://x/y.png"]])
    frames = [Asked("a, b", str(tmp_path / "a.png")), Asked("c"), Asked("d", "https://x/y.png")]
    assert read_prompts(table) == frames
    assert read_prompts(table, 2) == frames[:2]
    objects = tmp_path / "mine.jsonl"
    objects.write_text('{"prompt": "a boat"}\n{"prompt": "a car", "more": 1}\n')
    assert [asked.prompt for asked in read_prompts(objects)] == ["a boat", "a car"]
    assert len(read_prompts(None)) == 12


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "names no prompt"),
        ("a.txt", b"a boat\na \x1b[31mcar", "line 2: holds the control character"),
        ("a.txt", b"a \xff boat", "line 1: is not UTF-8"),
        ("a.txt", b"\n".join(b"%d" % n for n in range(2000)), "names over 1,000 prompts; give --limit"),
        ("a.txt", b"x" * (1 << 21), "over 1,048,576 bytes"),
        ("a.csv", b"text\na boat\n", "column 'prompt' is missing"),
        ("a.csv", b"prompt,x\n,1\n", "line 2: prompt is empty"),
        ("b.txt", None, "cannot be read"),
    ],
)
def test_prompts_that_cannot_be_used(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_prompts(tmp_path / name)


# figures


def paired(draft: float | Mapping[int, float], target: float | Mapping[int, float]) -> Paired:
    both = [scores if isinstance(scores, Mapping) else {1: scores} for scores in (draft, target)]
    return Paired(text="words", source="rewrite", draft=dict(both[0]), target=dict(both[1]))


def landscape(*prompts: list[Paired], names: str = "abcdefgh") -> Landscape:
    pairs = [PromptPairs(prompt=name, captions=tuple(each)) for name, each in zip(names, prompts, strict=False)]
    return Landscape(kind=KIND, prompts=tuple(pairs), draft_seconds=(1.0, 3.0), target_seconds=(8.0,))


def test_the_correlation_is_spearmans_averaged_over_prompts() -> None:
    one = ([0.1, 0.5, 0.3, 0.3], [0.2, 0.6, 0.5, 0.1])
    two = ([0.9, 0.5, 0.3, 0.2], [0.2, 0.6, 0.5, 0.1])
    found = agreement(landscape(*([paired(d, t) for d, t in zip(*each, strict=True)] for each in (one, two))))
    values = [float(spearmanr(*each).statistic) for each in (one, two)]
    assert found.spearman.value == pytest.approx(sum(values) / 2, abs=1e-4)
    assert found.spearman.low == pytest.approx(min(values), abs=1e-4)
    assert found.spearman.high == pytest.approx(max(values), abs=1e-4)
    assert (found.spearman.n, found.prompts, found.captions, found.tied) == (2, 2, 4, 0)
    assert (found.draft_seconds, found.target_seconds) == (2.0, 8.0)


def test_the_choice_by_drafts_beside_chance() -> None:
    right = [paired(0.9, 0.9), paired(0.5, 0.89), paired(0.1, 0.3)]
    wrong = [paired(0.9, 0.3), paired(0.5, 0.7), paired(0.1, 0.8), paired(0.2, 0.2)]
    torn = [paired(0.5, 0.4), paired(0.5, 0.6)]  # either is as good a choice
    found = agreement(landscape(right, wrong, torn))
    assert found.best.value == pytest.approx((1 + 0 + 0.5) / 3, abs=1e-4)
    assert found.best_by_chance == pytest.approx((1 / 3 + 1 / 4 + 1 / 2) / 3)
    assert found.near_by_chance == pytest.approx((2 / 3 + 1 / 4 + 1 / 2) / 3)
    assert found.loss.value == pytest.approx((0 + 0.5 + 0.1) / 3, abs=1e-4)
    assert found.loss_by_chance.value == pytest.approx(((0.9 - 2.09 / 3) + (0.8 - 0.5) + 0.1) / 3, abs=1e-4)
    assert found.tied == 1


def test_a_caption_that_lacks_hardly_anything_is_near_the_best_and_not_it() -> None:
    found = agreement(landscape([paired(0.9, 0.69), paired(0.1, 0.7)], [paired(0.9, 0.67), paired(0.1, 0.7)]))
    assert (found.best.value, found.near.value) == (0, 0.5)


def test_what_was_measured_holds_for_no_fewer_steps_or_frames() -> None:
    def held(steps: float, frames: float) -> bool:
        return correlation(ROW.generator, ROW.draft, ROW.target, steps, frames, [ROW]) is not None

    assert ROW.frames == 1
    assert [held(0.35, 1), held(0.9, 1), held(0.3, 1), held(0.35, 0.9)] == [True, True, False, False]


def test_what_seeds_alone_allow() -> None:
    """Targets agree with one another as their seeds do; drafts of one seed are held against targets of the other."""
    same = [paired({1: 0.1, 2: 0.1}, {1: 0.1, 2: 0.2}), paired({1: 0.2, 2: 0.2}, {1: 0.3, 2: 0.4})]
    turned = [paired({1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.4}), paired({1: 0.2, 2: 0.1}, {1: 0.3, 2: 0.2})]
    found = agreement(landscape(same, turned))
    assert found.ceiling.value == 0.0  # 1 on the first prompt, -1 on the second
    assert found.one_seed.value == 0.0
    assert agreement(landscape(same)).ceiling.value == 1.0
    assert agreement(landscape([paired(0.1, 0.2), paired(0.2, 0.3)])).ceiling.value is None  # one seed


def test_runs_of_one_prompt_are_one_prompt() -> None:
    up, down = [paired(0.1, 0.1), paired(0.2, 0.2)], [paired(0.1, 0.2), paired(0.2, 0.1)]
    found = agreement(landscape(up, down, up, names="aab"))
    assert (found.prompts, found.spearman.n, found.spearman.value) == (2, 2, 0.5)


def test_prompts_on_which_one_tier_tells_nothing_apart_have_no_correlation() -> None:
    flat = [paired(0.1, 0.5), paired(0.2, 0.5)]
    found = agreement(landscape(flat))
    assert (found.spearman.value, found.tied) == (None, 1)
    assert result.measured(landscape(flat), found, "by hand") is None


# words


def with_rank(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> Agreement:
    up = [paired({1: 0.1, 2: 0.1}, {1: 0.1, 2: 0.1}), paired({1: 0.2, 2: 0.2}, {1: 0.2, 2: 0.2})]
    found = agreement(landscape(up, up))
    rank = Figure(value=value, low=low, high=high, n=more.pop("n", 12))
    return found.model_copy(update={"spearman": rank, "prompts": 12, "captions": 4, **more})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (with_rank(None), "Nothing can be said"),
        (with_rank(0.9), "One prompt has no interval"),
        (with_rank(-0.5, -0.8, -0.2), "the wrong way round"),
        (with_rank(0.4, -0.1, 0.9), "cannot be told from chance"),
        (with_rank(0.8, 0.6, 0.9), "rank captions well"),
        (with_rank(0.3, 0.1, 0.45), "worse than search.draft.min_correlation (0.5) asks for"),
        (with_rank(0.6, 0.3, 0.9), "is not settled"),
        (with_rank(0.6, 0.3, 0.9, n=7), "7 prompts are few"),
        (with_rank(1.0, 1.0, 1.0, n=4), "4 prompts with a correlation are too few"),
        (with_rank(0.6, 0.3, 0.9, captions=2), "2 captions of a prompt rank coarsely"),
        (with_rank(0.3, 0.1, 0.45, ceiling=Figure(value=0.2)), "not the drafts' doing alone"),
        (with_rank(0.6, 0.3, 0.9), "as well as these do with one another"),
        (with_rank(0.6, 0.3, 0.9, ceiling=Figure.none("")), "share no two seeds"),
    ],
)
def test_what_is_said_of_it(found: Agreement, words: str) -> None:
    up = [paired({1: 0.1, 2: 0.1}, {1: 0.1, 2: 0.1}), paired({1: 0.2, 2: 0.2}, {1: 0.2, 2: 0.2})]
    told = "\n".join(saying.told(landscape(up, up), found, 0.5))
    assert words in told


# finished runs


def kept(place: Path) -> None:
    """A finished run of three captions as a folder."""
    config = check({"request": {"prompt": place.name, "size": "832x480"}, "search": {"draft": {"promote": 3}}})
    journal.create(place, config, make_run(place.parent / "none").model_copy(update={"folder": place}), {})
    run, _ = asyncio.run(scene(place, Tiered(), ScriptedReasoner(), 3))
    request = run.request.model_copy(update={"prompt": place.name})
    run = run.model_copy(update={"request": request})
    (place / journal.RUN).write_text(journal._dump(run.stopped(ended(run, "iterations"))))


def test_pairs_of_finished_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "runs" / "one")
    kept(tmp_path / "runs" / "two")
    places = folders([str(tmp_path / "runs")])
    assert [place.name for place in places] == ["one", "two"]
    found, words = from_runs(places)
    assert found is not None
    assert [pairs.prompt for pairs in found.prompts] == ["one", "two"]
    assert (found.kind.draft, found.kind.target, found.kind.steps, found.kind.engine) == (256, 480, 0.5, "animatic")
    assert words[-1].startswith("A run renders its best drafts as asked")
    out = tmp_path / "out"
    assert main(["bench", "drafts", "--runs", str(tmp_path / "runs"), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures"]["spearman"]["value"] == 0.5
    assert told["file"] == str(out / "draft_correlation.yaml")
    (row,) = read(out / "draft_correlation.yaml")
    assert (row.value, row.prompts, row.captions, row.source) == (
        0.5,
        2,
        3,
        f"retake bench drafts --runs {tmp_path / 'runs'}",
    )
    assert json.loads((out / "drafts.json").read_text())["prompts"][0]["captions"][0]["draft"]
    assert main(["bench", "drafts", "--runs", str(tmp_path / "runs" / "one"), "--out", str(out)]) == 3
    assert "One prompt has no interval" in capsys.readouterr().out
    assert not (out / "draft_correlation.yaml").exists()


def test_runs_that_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "clips")
    journal.create(tmp_path / "run", check({"request": {"prompt": "a boat"}}), run, {})
    assert main(["bench", "drafts", "--runs", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 3
    assert "1 of 1 runs are not finished." in capsys.readouterr().out
    with pytest.raises(RunFolderError, match="holds none"):
        folders([str(tmp_path / "clips")])
    assert main(["bench", "drafts", "c.yaml", "--limit", "2", "--runs", str(tmp_path)]) == 2
    assert "leave out CONFIG, --limit" in capsys.readouterr().err
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / session.ABOUT).write_text("seeds: 2\n")
    assert main(["bench", "drafts", "--runs", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    assert "holds a measurement that was rendered" in capsys.readouterr().err


# a run that goes by it


ROW = Measured(
    generator="vllm_omni",
    draft=256,
    target=480,
    steps=0.35,
    frames=1.0,
    value=0.7,
    low=0.4,
    high=0.9,
    prompts=12,
    captions=4,
    source="retake bench drafts mine.yaml",
)


def omni(file: Path | None, **search: object) -> RunConfig:
    named = {} if file is None else {"draft_correlation": str(file)}
    return check(
        {"request": {"prompt": "a boat"}, "generator": {"backend": "vllm_omni"}, "search": {**named, **search}}
    )


def made(config: RunConfig) -> Request:
    return tiered(config, plain(config.request, capabilities(config.generator)))


def measured_as(folder: Path, *rows: Measured) -> Path:
    (folder / "mine.yaml").write_text(written(rows, "by hand"), encoding="utf-8")
    return folder / "mine.yaml"


def test_drafts_are_made_by_themselves_where_the_user_measured_that_they_rank_well(tmp_path: Path) -> None:
    assert made(omni(None)).draft is None
    config = omni(measured_as(tmp_path, ROW))
    draft = made(config).draft
    assert draft is not None
    assert (draft.spec.width, draft.spec.num_inference_steps, draft.seeds) == (320, 13, AUTO.seeds)
    assert "0.70 (0.40 to 0.90 over 12 prompts, retake bench drafts mine.yaml, in your mine.yaml)" in draft.assumes
    run = settled(config, made(config))
    assert isinstance(run.search.draft, DraftConfig)
    assert (run.search.draft.steps, run.budget.max_iterations) == (13, 5)


@pytest.mark.parametrize(
    "row",
    [
        ROW.model_copy(update={"value": 0.45}),
        ROW.model_copy(update={"low": -0.1}),
        ROW.model_copy(update={"prompts": 4}),
        ROW.model_copy(update={"target": 720}),
        ROW.model_copy(update={"generator": "diffusers"}),
    ],
    ids=["badly", "maybe by chance", "too few prompts", "another size", "another generator"],
)
def test_and_not_where_they_rank_badly_or_something_else_was_measured(tmp_path: Path, row: Measured) -> None:
    config = omni(measured_as(tmp_path, row))
    assert made(config).draft is None
    assert unasked(config, made(config)).endswith("at 832x480, also by your mine.yaml.")


def test_the_cheapest_drafts_that_rank_well_are_taken(tmp_path: Path) -> None:
    cheap, bad = (
        ROW.model_copy(update={"steps": 0.5, "frames": 0.3333}),
        ROW.model_copy(update={"steps": 0.1, "value": 0.1, "low": 0.0}),
    )
    draft = made(omni(measured_as(tmp_path, ROW.model_copy(update={"steps": 1.0}), cheap, bad))).draft
    assert draft is not None
    assert (draft.spec.num_inference_steps, draft.spec.num_frames) == (18, 65)


def test_drafts_that_were_asked_for_are_held_against_the_users_measurement_first(tmp_path: Path) -> None:
    file = measured_as(tmp_path, ROW.model_copy(update={"generator": "animatic", "value": 0.1, "low": 0.0}))
    request, search = {"prompt": "a boat"}, {"draft": {"steps": 13}}
    assert made(check({"request": request, "search": search})).draft is not None  # the packaged one says 0.52
    held = made(check({"request": request, "search": {**search, "draft_correlation": str(file)}}))
    assert held.draft is None
    assert "correlation of 0.10" in held.notes[-1]
    assert "in your mine.yaml), below search.draft.min_correlation (0.5)" in held.notes[-1]
    others = omni(file, draft={})
    assert "was never measured for vllm_omni, and your mine.yaml is not about such drafts." in getattr(
        made(others).draft, "assumes", ""
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("", "must be a list of measurements"),
        ("a: b", "must be a list of measurements"),
        ("[a, b", "line 1, column 6: is not YAML"),
        ("- a", "measurement 1: input should be a valid dictionary"),
        (written([ROW, ROW], "x").replace("value: 0.7", "value: 7", 2), "measurement 1: value: input should be less"),
        (written([ROW], "x").replace("steps: 0.35", "steps: .inf"), "steps: input should be less than or equal to 1"),
        (written([ROW], "x").replace("frames: 1.0", "frames: 1e308"), "frames: input should be less than or equal to"),
        (written([ROW], "x").replace("low: 0.4", "low: 0.8"), "measurement 1: value 0.7 is not between low 0.8"),
        (written([ROW], "x").replace("prompts", "promts"), "measurement 1: prompts: field required"),
        ("x" * (1 << 20) + "x", "over 1,048,576 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=r"search\.draft_correlation: .*mine\.yaml: ") as fault:
        made(omni(file))
    assert words in str(fault.value)


def test_a_file_of_anybodys_is_told_in_a_line_and_asks_for_a_step_at_least(tmp_path: Path) -> None:
    source = "\x1b[2J\nretake bench drafts --runs " + " ".join(f"runs/{n}" for n in range(500))
    file = measured_as(tmp_path, ROW.model_copy(update={"steps": 1e-9, "source": source}))
    draft = made(omni(file)).draft
    assert draft is not None
    assert draft.spec.num_inference_steps == 1
    assert draft.assumes.isprintable()
    assert len(draft.assumes) < 500
    assert "…, in your mine.yaml)." in draft.assumes


def test_the_file_is_found_from_the_configs_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("search: {draft_correlation: d.yaml}\n")
    assert load_config(tmp_path / "mine" / "config.yaml").search.draft_correlation == str(tmp_path / "mine" / "d.yaml")


def test_the_packaged_file_has_the_same_form() -> None:
    assert read(DATA) == measured()
    assert recorded.data(measured()) == DATA.read_text(encoding="utf-8")


def test_the_command_is_named_as_it_was_given() -> None:
    words = ["bench", "drafts", "my config.yaml", "-s", "request.seed=1", "--captions", "3", "--steps", "12", "-q"]
    given = command_line(parser().parse_args(words))
    assert given == "retake bench drafts 'my config.yaml' -s request.seed=1 --captions 3 --steps 12"
