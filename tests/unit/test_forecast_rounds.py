"""The rounds of a forecast: counted by hand, and held against what real runs do."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.controller import Controller
from agent.forecast import Bounds
from agent.forecasting.outlook import outlook
from agent.forecasting.rounds import Each, Round, Terms, expected, packed, played, times_tested, total
from agent.run import Run
from agent.types import Budget, Canaries, Draft
from generator.types import Clip, Rendering, RenderSpec
from reasoner.types import Caption, CaptionRequest, Revision
from tests.parts import SPEC, Recorder, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_clip, make_run

CHEAP = SPEC.model_copy(update={"width": 160, "height": 96})
PACE: Each = {"draft": 1.0, "target": 8.0}


def draft(promote: int = 1, seeds: int = 1, ratio: float = 8.0) -> Draft:
    return Draft(spec=CHEAP, promote=promote, seeds=seeds, ratio=ratio, assumes="nothing")


def terms(
    budget: Mapping[str, object], tier: Draft | None = None, *, stops: bool = False, raw_first: bool = False
) -> Terms:
    return Terms(Budget.model_validate(budget), tier, stops=stops, raw_first=raw_first)


def counts(rounds: Sequence[Round]) -> list[str]:
    """E.g. ["d2", "t1"]: two drafts, then a render as asked."""
    return [f"{one.tier[0]}{one.count}" for one in rounds]


@pytest.mark.parametrize(
    ("budget", "rounds"),
    [
        ({}, ["t2", "t2"]),
        ({"max_iterations": 3, "samples_per_iteration": 4}, ["t4", "t4", "t4"]),
        ({"max_renders": 3}, ["t2", "t1"]),
        ({"max_renders": 1}, ["t1"]),
        ({"max_renders": 4, "max_iterations": 5}, ["t2", "t2"]),
        ({"max_renders": 99}, ["t2", "t2"]),
        ({"max_iterations": 9, "max_gpu_seconds": 40.0}, ["t2", "t2", "t1"]),  # of 8 s
        ({"max_gpu_seconds": 1.0}, ["t2"]),  # of the first nothing is known
    ],
)
def test_renders_of_each_iteration(budget: dict[str, float], rounds: list[str]) -> None:
    assert counts(played(terms(budget), PACE)) == rounds


def test_money_is_counted_from_the_first_render_on() -> None:
    of = Terms(Budget(max_iterations=9, samples_per_iteration=4, max_price_usd=1.0), prices={"target": 0.2})
    assert counts(played(of, PACE)) == ["t4", "t1"]
    tiers = Terms(of.budget, draft(), prices={"draft": 0.05, "target": 0.4})
    assert counts(played(tiers, PACE)) == ["d4", "d4", "d4", "t1"]  # 12 x 0.05 + 0.40


@pytest.mark.parametrize(
    ("tier", "budget", "rounds"),
    [
        (draft(), {"max_iterations": 3}, ["d2", "d2", "d2", "t1"]),
        (draft(promote=2, seeds=3), {"max_iterations": 3}, ["d2", "d2", "d2", "t3", "t3"]),
        (draft(promote=5), {"max_iterations": 2}, ["d2", "d2", "t1", "t1"]),
        (draft(seeds=2), {"max_iterations": 9, "max_renders": 7}, ["d2", "d2", "d1", "t2"]),
        (draft(), {"max_iterations": 9, "max_renders": 1}, []),  # it is held for a promotion of nothing
        (draft(), {"max_iterations": 9, "max_gpu_seconds": 13.0}, ["d2", "d2", "d1", "t1"]),
    ],
)
def test_rounds_of_two_tiers(tier: Draft, budget: dict[str, float], rounds: list[str]) -> None:
    assert counts(played(terms(budget, tier), PACE)) == rounds


@pytest.mark.parametrize(
    ("tier", "stops", "budget", "drafted", "rounds"),
    [
        (draft(), True, {"max_iterations": 3}, 3, ["d2", "d2", "d2", "t1", "t1", "t1"]),
        (draft(), True, {"max_iterations": 3}, 1, ["d2", "t1", "t1", "t1"]),
        (draft(), False, {"max_iterations": 4}, 1, ["d2", "t1", "t1", "t1"]),
        (draft(), False, {"max_iterations": 4}, 2, ["d2", "d2", "t1", "t1", "t1"]),  # the second outdoes the first
        (draft(), False, {"max_iterations": 4}, 4, ["d2", "d2", "d2", "d2", "t1"]),
        (draft(promote=9), False, {"max_iterations": 3}, 3, ["d2", "d2", "d2", "t1", "t1", "t1"]),
        (draft(seeds=2), True, {"max_iterations": 9, "max_renders": 9}, 2, ["d2", "d2", "t2", "t2", "t1"]),
        (draft(), True, {"max_iterations": 3, "max_gpu_seconds": 19.0}, 1, ["d2", "t1", "t1", "d1"]),  # 1 s is left
    ],
)
def test_the_most_rounds_with_so_many_drafted(
    tier: Draft, stops: bool, budget: dict[str, float], drafted: int, rounds: list[str]
) -> None:
    assert counts(packed(terms(budget, tier, stops=stops), PACE, drafted)) == rounds


def test_the_raw_prompt_is_drafted_like_its_expansion_and_not_written() -> None:
    of = terms({"max_iterations": 3}, draft(), raw_first=True)
    assert [one.asks for one in played(of, PACE)] == [False, True, True, False]
    # the expansion is a draft of its own, so that one caption is left to be tried again
    ahead = outlook(of, {}, 0.0)
    assert ahead.bounds(lambda rounds, _: total(rounds, "target")) == Bounds(expected=1, worst=2)


def test_what_is_expected_where_captions_are_accepted_early() -> None:
    of = terms({"max_iterations": 3}, draft(promote=2), stops=True)
    found = expected(of, PACE, 0.5)
    assert total(found, "draft") == 2 * (1 + 0.5 + 0.25)
    # one where a caption is accepted: 1 - 1/8 of the time; else the two best
    assert total(found, "target") == 7 / 8 + 2 / 8
    assert total(expected(of, PACE, 0.0)) == 6 + 2
    plain = terms({"max_iterations": 3})
    assert total(expected(plain, PACE, 0.5)) == 2 * (1 + 0.5 + 0.25)


@pytest.mark.parametrize(
    ("stops", "drafts", "finals", "seconds"),
    [
        (True, 8, 4, 8 * 1 + 4 * 8),  # each caption drafted, promoted and found to fall short
        (False, 8, 3, 4 * 1 + 3 * 8),  # two drafted, the first of them tried again twice, the second promoted
    ],
)
def test_the_most_that_can_happen(stops: bool, drafts: int, finals: int, seconds: float) -> None:
    of = terms({"max_iterations": 4}, draft(), stops=stops)
    ahead = outlook(of, {tier: Bounds.sure(each) for tier, each in PACE.items()}, 0.0)
    assert ahead.bounds(lambda rounds, _: total(rounds, "draft")) == Bounds(expected=8, worst=drafts)
    assert ahead.bounds(lambda rounds, _: total(rounds, "target")) == Bounds(expected=1, worst=finals)
    found = ahead.bounds(lambda rounds, _: sum(one.count * one.seconds for one in rounds))
    assert found == Bounds(expected=16, worst=seconds)


def test_of_slow_renders_a_time_limit_pays_for_fewer_and_of_quick_ones_for_more() -> None:
    of = terms({"max_iterations": 9, "max_gpu_seconds": 80.0})
    ahead = outlook(of, {"target": Bounds(expected=10, worst=40)}, 0.0)
    assert ahead.bounds(lambda rounds, _: total(rounds)) == Bounds.sure(8)
    assert ahead.bounds(lambda rounds, _: sum(one.count * one.seconds for one in rounds)) == Bounds.sure(80)


@pytest.mark.parametrize(
    ("beyond", "at"),
    [
        ({"beyond_gpu_seconds": 0.0}, 1),  # before the second caption: the first clip is needed for it
        ({"beyond_gpu_seconds": 4.0}, 2),  # 4 s are spent, and two more drafts would make it 6
        ({"beyond_gpu_seconds": 13.0}, 3),  # 6 s are spent, and the promotion would make it 14
        ({"beyond_gpu_seconds": 99.0}, 3),  # $0.60 are spent, and it would make it $1.40
        ({"beyond_gpu_seconds": 99.0, "beyond_price_usd": 1.5}, None),
        ({"beyond_gpu_seconds": 99.0, "beyond_price_usd": 0.5}, 2),  # of 0.1 for a draft
    ],
)
def test_when_the_critic_is_tested(beyond: dict[str, float], at: int | None) -> None:
    of = terms({"max_iterations": 3}, draft())
    of = Terms(of.budget, of.draft, {"draft": 0.1, "target": 0.8}, canaries=Canaries.model_validate(beyond))
    rounds = played(of, PACE)
    assert [n for n, one in enumerate(rounds) if one.tested] == ([] if at is None else [at])
    assert times_tested(rounds) == (at is not None)


def test_many_captions_are_counted_quickly() -> None:
    """So that a forecast keeps no run waiting: this is every course of the longest run there can be."""
    of = terms({"max_iterations": 100, "max_gpu_seconds": 500.0}, draft(promote=16), stops=True)
    ahead = outlook(of, {tier: Bounds.sure(each) for tier, each in PACE.items()}, 0.1)
    assert ahead.bounds(lambda rounds, _: sum(one.count * one.seconds for one in rounds)).worst <= 500


@dataclass
class Reasoner(ScriptedReasoner):
    """Tries the caption again on fresh seeds at these calls."""

    fresh: frozenset[int] = field(default_factory=frozenset)

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        call = len(self.asked)
        found = await super().rewrite(request, history, champion)
        return history[champion].caption.on_fresh_seeds("as scripted") if call in self.fresh else found


@dataclass
class Generator(ScriptedGenerator):
    """A draft takes 1 s and a tenth of a dollar, a render as asked 8 s and 80 cents."""

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        tier, cents = ("draft", 10) if spec.width == CHEAP.width else ("target", 80)
        to.write_text(f"{tier} {prompt.split()[1]}|{seed}")
        return make_clip(to, seed, spec, rendering=Rendering(render_seconds=PACE[tier], price_usd=cents / 100))  # type: ignore[index]


async def ran(run: Run, critic: ScriptedCritic, fresh: frozenset[int] = frozenset()) -> tuple[Run, Recorder]:
    heard = Recorder()
    controller = Controller(reasoner=Reasoner(fresh=fresh), generator=Generator(), critic=critic, emit=heard)
    return await controller.refine(run), heard


def begun(folder: Path, of: Terms) -> Run:
    run = make_run(folder, accept_at=0.8 if of.stops else None)
    tier = of.draft and of.draft.model_copy(update={"price_usd": of.prices.get("draft")})
    return run.model_copy(
        update={
            "request": run.request.model_copy(update={"draft": tier}),
            "budget": of.budget,
            "raw_first": of.raw_first,
            "expected_usd": of.prices.get("target"),
            "canaries": of.canaries,
        }
    )


def rising(text: str, seed: int) -> float:
    """Each draft leads, and is accepted where there is a threshold; no render as asked is."""
    tier, caption = text.split()
    return 0.8 + int(caption) / 1000 if tier == "draft" else 0.1


PRICES: Each = {"draft": 0.1, "target": 0.8}


@pytest.mark.parametrize(("promote", "seeds"), [(1, 1), (2, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize(
    "budget",
    [{}, {"max_renders": 8}, {"max_renders": 15}, {"max_gpu_seconds": 29.0}, {"max_price_usd": 3.1}],
)
async def test_a_run_goes_as_it_is_counted(tmp_path: Path, budget: dict[str, float], promote: int, seeds: int) -> None:
    """By the real rules, where no draft is accepted."""
    tier = draft(promote, seeds, ratio=6.0)  # the run finds out that it is 8
    of = Terms(Budget.model_validate({"max_iterations": 4, **budget}), tier, PRICES, stops=False)
    run, _ = await ran(begun(tmp_path, of), ScriptedCritic(rising))
    assert [f"{i.tier[0]}{len(i.seeds)}" for i in run.iterations] == counts(played(of, PACE)), run.stop_reason


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("drafted", [1, 2, 3, 4])
async def test_the_most_that_is_counted_can_happen(tmp_path: Path, drafted: int, stops: bool) -> None:
    """Each draft leads, and is accepted where it can be; no render as asked is. The first is tried again."""
    of = Terms(Budget(max_iterations=4), draft(), PRICES, stops=stops)
    run, _ = await ran(begun(tmp_path, of), ScriptedCritic(rising), frozenset(range(1, 5 - drafted)))
    made = sorted(f"{i.tier[0]}{len(i.seeds)}" for i in run.iterations)
    assert made == counts(packed(of, PACE, drafted))


@pytest.mark.parametrize("beyond", [0.0, 4.0, 13.0])
async def test_the_critic_is_tested_where_it_is_counted(tmp_path: Path, beyond: float) -> None:
    rules = Canaries(beyond_gpu_seconds=beyond, beyond_price_usd=99.0)
    of = Terms(Budget(max_iterations=3), draft(promote=3), PRICES, stops=False, canaries=rules)
    _, heard = await ran(begun(tmp_path, of), ScriptedCritic(rising))
    told = [kind for kind in heard.types() if kind in {"caption_ready", "critic_test_failed"}]  # no clip is a video
    counted = [kind for one in played(of, PACE) for kind in ["critic_test_failed"] * one.tested + ["caption_ready"]]
    assert told == counted
    assert "critic_test_failed" in told


@pytest.mark.parametrize("dice", range(12))
async def test_no_run_takes_more_than_the_worst(tmp_path: Path, dice: int) -> None:
    """Whatever the scores are, and whenever the reasoner finds nothing to rewrite."""
    chance = random.Random(dice)
    limits = {
        "max_renders": chance.choice([None, 9, 14]),
        "max_gpu_seconds": chance.choice([None, 40.0]),
        "max_price_usd": chance.choice([None, 3.0]),
        "patience": chance.choice([None, 2]),
    }
    budget = Budget.model_validate(
        {"max_iterations": chance.randint(2, 6), "samples_per_iteration": chance.randint(1, 3), **limits}
    )
    tier = draft(chance.randint(1, 3), chance.randint(1, 2), ratio=chance.choice([8.0, 5.0, 12.0]))
    of = Terms(budget, tier, PRICES, raw_first=chance.random() < 0.3, stops=chance.random() < 0.6)
    ahead = outlook(of, {tier: Bounds.sure(each) for tier, each in PACE.items()}, 0.0)
    fresh = frozenset(call for call in range(1, 9) if chance.random() < 0.3)
    scores: dict[str, float] = {}
    critic = ScriptedCritic(lambda text, seed: scores.setdefault(f"{text} {seed}", chance.uniform(0.4, 0.95)))
    run, _ = await ran(begun(tmp_path, of), critic, fresh)
    renders = [sum(len(i.seeds) for i in run.iterations if i.tier == kind) for kind in ("draft", "target")]
    assert renders[0] <= ahead.bounds(lambda rounds, _: total(rounds, "draft")).worst
    assert renders[1] <= ahead.bounds(lambda rounds, _: total(rounds, "target")).worst
    assert sum(renders) <= ahead.bounds(lambda rounds, _: total(rounds)).worst
    seconds = ahead.bounds(lambda rounds, _: sum(one.count * one.seconds for one in rounds))
    assert run.gpu.spent <= seconds.worst
