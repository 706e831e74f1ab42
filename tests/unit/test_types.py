"""The nouns: what a run says of itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from agent.course import history
from agent.events import (
    AttemptFailed,
    CandidateReady,
    CaptionReady,
    Event,
    RenderFinished,
    RunFinished,
    RunStarted,
    after,
)
from agent.run import Run
from agent.stopping import RULES, sentence, stop_reason
from agent.types import Candidate, Ending, Failure
from generator.types import Clip, Effective
from reasoner.rules.upsample import upsample
from reasoner.types import Caption, CaptionRequest
from tests.parts import SPEC, make_critique, make_run


def clip(run: Run, seed: int) -> Clip:
    effective = Effective(width=320, height=192, num_frames=9, fps=24, codec="h264")
    return Clip(path=run.clip_path(0, seed), seed=seed, spec=SPEC, effective=effective, seconds=2.0, generator="g/1")


def candidate(run: Run, seed: int, score: float) -> Candidate:
    return Candidate(clip=clip(run, seed), critique=make_critique(score))


def caption(text: str = "c", seconds: float = 0.5) -> Caption:
    return Caption(prompt=text, source="upsample", reasoner="r/1", seconds=seconds)


def test_the_earliest_wins_a_tie(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(caption(), (10, 11))
    run = run.with_candidate(candidate(run, 11, 0.5)).with_candidate(candidate(run, 10, 0.5))
    assert run.best is not None
    assert run.best.seed == 10


def test_gain_is_paired_by_seed(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(caption(), (10, 11))
    run = run.with_candidate(candidate(run, 10, 0.2)).with_candidate(candidate(run, 11, 0.8))
    run = run.with_caption(caption("better"), (10, 11)).with_candidate(candidate(run, 10, 0.4))
    # a higher mean of unpaired scores would say the opposite: (0.2 + 0.8) / 2 = 0.5 against 0.4
    gain = run.iterations[1].gain_over(run.iterations[0])
    assert gain is not None
    assert gain.by_seed == {10: pytest.approx(0.2)}
    assert history(run).champion == 1


def test_a_rewriter_is_told_how_far_scores_spread_over_the_seeds(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(caption(), (10, 11))
    run = run.with_candidate(candidate(run, 10, 0.2))
    (alone,), _ = history(run)
    assert (alone.spread, alone.criteria_spread) == (None, {})
    (both,), _ = history(run.with_candidate(candidate(run, 11, 0.8)))
    assert both.spread == pytest.approx(0.6 / 2**0.5)
    assert set(both.criteria_spread) == set(both.criteria)
    assert max(both.criteria_spread.values()) == pytest.approx(0.6 / 2**0.5)


def test_a_verdict_says_whether_fresh_seeds_are_drawn() -> None:
    again = caption().on_fresh_seeds("the model cannot", "model_limit")
    assert (again.verdict, again.reseed) == ("model_limit", True)
    assert (again.on_fresh_seeds("dice").verdict, Caption.raw("a", reseed=True).verdict) == ("reseed", "reseed")
    with pytest.raises(ValidationError, match="contradicts reseed"):
        Caption(prompt="c", source="rewrite", reasoner="r/1", verdict="prompt_problem", reseed=True)


@pytest.mark.parametrize("reseed", [True, False])
def test_a_caption_from_before_verdicts_still_loads(reseed: bool) -> None:
    written = caption().model_dump(mode="json") | {"reseed": reseed}
    del written["verdict"]
    loaded = Caption.model_validate(written)
    assert (loaded.verdict, loaded.reseed) == (None, reseed)


def test_seconds_add_up_by_step_and_count_failed_judging(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(caption(), (10, 11)).with_candidate(candidate(make_run(tmp_path), 10, 0.2))
    run = run.with_failure(Failure(step="judge", seed=11, message="no", clip=clip(run, 11)))
    assert run.seconds == {"caption": 0.5, "render": 4.0, "judge": 0.25, "compare": 0.0, "test": 0.0}
    assert run.renders == 2


def test_a_run_survives_its_file_and_the_move_of_its_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a").with_caption(caption(), (10,))
    run = run.with_candidate(candidate(run, 10, 0.5)).stopped(Ending(reason="iterations"))
    text = run.model_dump_json(context={"folder": run.folder})
    assert str(tmp_path) not in text
    moved = Run.model_validate_json(text, context={"folder": tmp_path / "b"}).model_copy(
        update={"folder": tmp_path / "b"}
    )
    assert moved.video == tmp_path / "b/clips/01-seed-10.mp4"
    assert moved.model_dump_json(context={"folder": moved.folder}) == text


def test_every_event_survives_its_line(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    events: list[Event] = [
        RunStarted(run=run),
        CaptionReady(iteration=0, caption=caption(), seeds=(10, 11)),
        RenderFinished(iteration=0, clip=clip(run, 10)),
        CandidateReady(iteration=0, candidate=candidate(run, 10, 0.5)),
        AttemptFailed(iteration=0, failure=Failure(step="render", seed=11, message="no")),
        RunFinished(ending=Ending(reason="iterations")),
    ]
    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    context = {"folder": tmp_path}
    again = [adapter.validate_json(adapter.dump_json(e, context=context), context=context) for e in events]
    assert again[1:] == events[1:]

    folded = run
    for event in events:
        folded = after(folded, event)
    assert folded.stop_reason == "iterations"
    assert (len(folded.candidates), folded.renders) == (1, 2)


@pytest.mark.parametrize("reason", [*RULES])
@pytest.mark.parametrize("judged", [True, False])
def test_each_stop_has_its_sentence(tmp_path: Path, reason: str, judged: bool) -> None:
    run = make_run(tmp_path, accept_at=0.4, max_seconds=9.0, max_renders=4).with_caption(caption(), (10,))
    if judged:
        run = run.with_candidate(candidate(run, 10, 0.5))
    text = sentence(run.stopped(Ending.model_validate({"reason": reason})))
    assert text.endswith(".")
    assert "None" not in text


def test_a_run_that_has_not_begun_goes_on(tmp_path: Path) -> None:
    assert stop_reason(make_run(tmp_path)) is None
    assert sentence(make_run(tmp_path)) == "Still running."
    assert make_run(tmp_path).created_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_model_that_reads_no_json_or_not_so_much_of_it_is_sent_sentences(tmp_path: Path) -> None:
    structured = upsample(CaptionRequest(prompt="A boat at sea", width=832, height=480, num_frames=189, fps=24))
    caption = Caption(prompt=structured.text(), structured=structured, source="upsample", reasoner="rules/1")
    request = make_run(tmp_path).request
    assert request.prompt_for(caption) == structured.text()
    prose = request.model_copy(update={"prose": True}).prompt_for(caption)
    assert prose == structured.prose()
    room = len(structured.text())
    assert request.model_copy(update={"prompt_limit": room}).prompt_for(caption) == structured.text()
    short = request.model_copy(update={"prompt_limit": room - 1}).prompt_for(caption)
    assert short == structured.prose(500)
    assert len(short) < 4096
    raw = Caption.raw("word " * 900)
    assert request.model_copy(update={"prompt_limit": 100}).prompt_for(raw) == raw.prompt, "a person's words stay"
