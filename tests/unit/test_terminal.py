"""What the terminal shows: the same facts live, in plain lines, and at the end."""

import io
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from agent.events import (
    AttemptFailed,
    CandidateReady,
    CaptionReady,
    ChoiceMade,
    ClipsCompared,
    CriticTested,
    CriticTestFailed,
    Event,
    RenderProgressed,
    RenderStarted,
    RunFinished,
    RunStarted,
    ServerReady,
    ServerWaiting,
    StepRecalled,
)
from agent.lines import heading, printable, span, tokens, trust_line
from agent.remaining import remaining
from agent.report.page import doing
from agent.run import Run
from agent.terminal import Lively, Plain, Witness, resume_line, verdict
from agent.types import Canaries, Candidate, Ending, Failure
from generator.types import Clip, Effective, Progress
from reasoner.types import Caption, Edit
from tests import runs
from tests.parts import SPEC, make_clip, make_critique, make_run

AT = datetime(2026, 1, 2, tzinfo=UTC)


def events(run: Run, start: datetime = AT) -> list[Event]:
    effective = Effective(width=320, height=192, num_frames=9, fps=24, codec="h264")
    clip = Clip(path=run.clip_path(0, 10), seed=10, spec=SPEC, effective=effective, seconds=3.2, generator="g")
    edit = Edit(field="lighting.conditions", before="a", after="b", criterion="exposure", reason="too dark")
    return [
        RunStarted(run=run, at=start),
        CaptionReady(iteration=0, caption=Caption(prompt="c", source="upsample", reasoner="r"), seeds=(10, 11)),
        RenderStarted(iteration=0, seed=10),
        RenderStarted(iteration=0, seed=11),
        CandidateReady(
            iteration=0, candidate=Candidate(clip=clip, critique=make_critique(0.4)), at=start + timedelta(seconds=4)
        ),
        AttemptFailed(iteration=0, failure=Failure(step="render", seed=11, message="[red]out of memory")),
        CaptionReady(
            iteration=1,
            caption=Caption(prompt="d", source="rewrite", edits=(edit,), reasoner="r"),
            seeds=(10, 11),
            at=start + timedelta(seconds=5),
        ),
    ]


def test_plain_lines(tmp_path: Path) -> None:
    run = make_run(tmp_path, accept_at=0.9)
    run = run.model_copy(update={"request": run.request.model_copy(update={"notes": ("Size snapped.",)})})
    out = io.StringIO()
    plain = Plain(out)
    for event in events(run):
        plain(event)
    assert out.getvalue().splitlines() == [
        f"Run {tmp_path}",
        "Note: Size snapped.",
        "Iteration 1 of 2  prompt expanded",
        "  seed 10          0.40  lowest: motion 0.40  render 3.2 s, judge 0.2 s",
        "  4.0 s elapsed, about 12.0 s more if every iteration is used",
        "  seed 11          render failed: [red]out of memory",
        "Iteration 2 of 2  1 edit for exposure",
    ]


def test_a_run_that_goes_on_says_under_which_caption(tmp_path: Path) -> None:
    witness, out = Witness(), io.StringIO()
    for event in events(make_run(tmp_path)):
        witness(event)
    assert witness.run is not None
    Plain(out)(RunStarted(run=witness.run, at=AT))
    assert out.getvalue().splitlines() == [f"Run {tmp_path}", "Iteration 2 of 2  1 edit for exposure"]


def test_the_live_view_shows_what_is_going_on(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    view = Lively(console)
    assert "Starting" in str(view.__rich__())
    for event in events(make_run(tmp_path, accept_at=0.9), datetime.now(UTC) - timedelta(seconds=5)):
        view(event)
    view(RenderStarted(iteration=1, seed=10))
    with console.capture() as capture:
        console.print(view)
    text = capture.get()
    assert "▸ seed 10" in text
    assert "✗ seed 11          render failed: [red]out of memory" in text
    assert "2 of at most 4 renders" in text
    assert "if every iteration is used" in text
    assert "rendering" in text


def test_the_verdict(tmp_path: Path) -> None:
    witness = Witness()
    for event in [*events(make_run(tmp_path, accept_at=0.9)), RunFinished(ending=Ending(reason="iterations"))]:
        witness(event)
    assert witness.run is not None
    assert verdict(witness.run) == [
        "All 2 iterations are used. The best clip scores 0.40, below the threshold of 0.90.",
        "rules    accepted 0.4 of 0.9, iterations 2 of 2",
        "score    0.40  (not accepted; threshold 0.90, uncalibrated; seed 10)",
        f"video    {tmp_path / 'clips/01-seed-10.mp4'}",
        f"report   {tmp_path / 'report.html'}",
    ]


def test_forecast_follows_the_pace_and_the_limits(tmp_path: Path) -> None:
    run = make_run(tmp_path, max_iterations=5)
    assert remaining(run, 4.0) is None
    witness = Witness()
    for event in events(run):
        witness(event)
    assert witness.run is not None
    assert remaining(witness.run, 4.0) == 16.0
    limited = witness.run.model_copy(update={"budget": witness.run.budget.model_copy(update={"max_renders": 3})})
    assert remaining(limited, 4.0) == 4.0  # two are under way, whatever the limit is now
    five = {"max_renders": 5}
    assert remaining(limited.model_copy(update={"budget": limited.budget.model_copy(update=five)}), 4.0) == 6.0
    dollar = {"max_renders": None, "max_price_usd": 1.0}
    paid = limited.model_copy(update={"budget": limited.budget.model_copy(update=dollar), "expected_usd": 0.4})
    assert remaining(paid, 4.0) == 4.0
    timed = witness.run.model_copy(update={"budget": witness.run.budget.model_copy(update={"max_seconds": 9.0})})
    assert remaining(timed, 4.0) == 5.0


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (9.44, "9.4 s"), (61, "1:01"), (7384, "2:03:04")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_resume_line_can_be_pasted() -> None:
    program, _, rest = resume_line(Path("/a/it's here")).partition(" run ")
    assert shlex.split(rest) == ["--resume", "/a/it's here"]
    assert shutil.which(shlex.split(program)[0])


def test_the_renders_of_an_earlier_session_say_nothing_of_the_pace(tmp_path: Path) -> None:
    before = Witness()
    for event in events(make_run(tmp_path)):
        before(event)
    assert before.run is not None
    witness = Witness()
    witness(RunStarted(run=before.run, at=AT))
    assert witness.run is not None
    assert remaining(witness.run, 4.0, witness.earlier) is None
    for event in events(before.run)[4:5]:
        assert isinstance(event, CandidateReady)
        witness(event.model_copy(update={"iteration": 1}))
    assert remaining(witness.run, 4.0, witness.earlier) == 4.0


def test_recalled_renders_say_nothing_of_the_pace(tmp_path: Path) -> None:
    witness = Witness()
    for event in events(make_run(tmp_path)):
        witness(event)
    witness(StepRecalled(step="render", key="k"))
    witness(StepRecalled(step="judge", key="k"))
    assert witness.run is not None
    assert witness.earlier == {"target": 1}
    assert remaining(witness.run, 4.0, witness.earlier) == 8.0
    assert remaining(witness.run, 4.0, {"target": 2}) is None


def test_notes_are_said_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    out = io.StringIO()
    plain = Plain(out)
    started, ready, _, _, candidate, *_ = events(run)
    assert isinstance(candidate, CandidateReady)
    assert isinstance(ready, CaptionReady)
    clip = candidate.candidate.clip.model_copy(update={"notes": ("Drew a hall.",)})
    noted = candidate.candidate.model_copy(update={"clip": clip})
    caption = ready.caption.model_copy(update={"notes": ("Not understood: x.",)})
    for event in (
        started,
        ready.model_copy(update={"caption": caption}),
        candidate.model_copy(update={"candidate": noted}),
    ):
        plain(event)
    assert [line for line in out.getvalue().splitlines() if line.startswith("Note")] == [
        "Note: Not understood: x.",
        "Note: Drew a hall.",
    ]


def test_a_terminal_obeys_nothing_that_a_prompt_says() -> None:
    assert printable("a\x1b[2Jb\x07") == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}"
    assert printable("ein Bär 熊 🐻") == "ein Bär 熊 🐻"


def waiting(seconds: float, line: str = "Loading weights") -> ServerWaiting:
    return ServerWaiting(part="reasoner", seconds=seconds, line=line)


READY = ServerReady(part="reasoner", url="http://127.0.0.1:8101", model="tiny", version="0.30.0", seconds=42.0)
ANSWERS = "reasoner: tiny at http://127.0.0.1:8101 (vLLM 0.30.0), ready after 42.0 s"


def test_a_server_is_waited_for_before_the_run_starts(tmp_path: Path) -> None:
    out = io.StringIO()
    plain = Plain(out)
    waits = [waiting(s) for s in (0.0, 3.0, 6.0, 10.5, 12.0, 42.0)]
    told: list[Event] = [*waits, READY, RunStarted(run=make_run(tmp_path))]
    for event in told:
        plain(event)
    assert out.getvalue().splitlines() == [
        "waiting for the reasoner: 0 s: Loading weights",
        "waiting for the reasoner: 10 s: Loading weights",
        "waiting for the reasoner: 42 s: Loading weights",
        ANSWERS,
        f"Run {tmp_path}",
    ]
    assert plain.run is not None


def test_a_server_that_was_there_is_said_to_be_reused() -> None:
    out = io.StringIO()
    Plain(out)(READY.model_copy(update={"reused": True, "version": "", "form": ""}))
    assert out.getvalue() == "reasoner: tiny at http://127.0.0.1:8101, already running\n"


def test_the_live_view_shows_the_wait_and_then_the_server(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    view = Lively(console)

    def shown() -> str:
        with console.capture() as capture:
            console.print(view)
        return capture.get()

    view(waiting(42.0, "\x1b[2JCapturing graphs"))
    assert "waiting for the reasoner: 42 s: \N{REPLACEMENT CHARACTER}[2JCapturing graphs" in shown()
    view(READY)
    view(RunStarted(run=make_run(tmp_path)))
    assert ANSWERS in shown()
    assert "waiting" not in shown()


def test_silent_views_stay_silent_while_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    witness = Witness()
    witness(waiting(1.0))
    witness(READY)
    assert witness.run is None
    assert capsys.readouterr() == ("", "")


def test_a_fallback_is_said_aloud_at_once_and_at_the_end(tmp_path: Path) -> None:
    run = runs.asked(tmp_path / "run")
    raw = run.iterations[0].caption
    out = io.StringIO()
    plain = Plain(out)
    live = Lively(Console(file=io.StringIO(), force_terminal=True, width=300, color_system=None))
    told: list[Event] = [
        RunStarted(run=runs.begin(tmp_path / "other")),
        CaptionReady(iteration=0, caption=raw, seeds=(1,)),
    ]
    for event in told:
        plain(event)
        live(event)
    assert "Iteration 1 of 3  PROMPT NOT EXPANDED, used as written" in out.getvalue()
    assert f"  WARNING: {raw.diagnosis}" in out.getvalue()
    with live.console.capture() as capture:
        live.console.print(live)
    assert f"! {raw.diagnosis}" in capture.get()
    assert verdict(run)[1] == f"WARNING  iteration 1 used the prompt as written: {raw.diagnosis}"


def test_the_verdict_tells_tokens_where_models_were_asked(tmp_path: Path) -> None:
    run = runs.asked(tmp_path / "run")
    told = "295,500 read (239,400 cached), 15,416 written in 118 requests; prefix cache 83 % hit"
    assert tokens(run) == told
    assert f"tokens   {told}" in verdict(run)
    assert tokens(make_run(tmp_path / "none")) == ""


def retold(run: Run) -> list[Event]:
    """What was told while a run ran, as far as the views heed it."""
    bare = {"iterations": (), "duels": (), "choice": None, "self_test": None, "self_test_failure": "", "ending": None}
    told: list[Event] = [RunStarted(run=run.model_copy(update=bare), at=AT)]
    for index, i in enumerate(run.iterations):
        told.append(
            CaptionReady(iteration=index, caption=i.caption, seeds=i.seeds, tier=i.tier, promoted=i.promoted, at=AT)
        )
        told += [CandidateReady(iteration=index, candidate=c, at=AT) for c in i.candidates]
        if index == 0 and run.self_test is not None and run.tested is not None:
            told.append(CriticTested(test=run.self_test, of=run.tested, at=AT))
    told += [ClipsCompared(duel=duel, at=AT) for duel in run.duels]
    if run.choice is not None:
        told.append(ChoiceMade(choice=run.choice, at=AT))
    return told


CHOICE = (
    "seed 4100 of iteration 3, 0.03 below the highest score. 3 candidates are within 0.05 of the best score; of 3 "
    "comparisons in both orders 2 are ties. The chosen one won most."
)


def test_drafts_the_critics_test_and_the_choice_are_told(tmp_path: Path) -> None:
    run = runs.chosen(tmp_path / "run")
    out = io.StringIO()
    plain = Plain(out)
    live = Lively(Console(file=io.StringIO(), force_terminal=True, width=300, color_system=None))
    for event in retold(run):
        plain(event)
        live(event)
    lines = [line for line in out.getvalue().splitlines() if not line.startswith((" ", "Run", "Note"))]
    assert lines == [
        "Iteration 1  caption 1 of 2, drafts 160x96: prompt expanded",
        runs.TEST.sentence(0.7),
        "Iteration 2  caption 2 of 2, drafts 160x96: 1 edit for camera",
        "Iteration 3  caption of iteration 2 rendered as asked, 320x192",
        "Iteration 4  caption of iteration 1 rendered as asked, 320x192",
        f"Chosen: {CHOICE}",
    ]
    with live.console.capture() as capture:
        live.console.print(live)
    for line in lines:
        assert line in capture.get()
    assert "▸ seed 4100        0.93" in capture.get(), "the chosen one is marked, and not the highest"
    assert capture.get().count("▸") == 1
    told = verdict(run)
    assert told[told.index(f"choice   {CHOICE}") + 2] == f"critic   {runs.TEST.sentence(0.7)}"


def test_a_critic_that_failed_its_test_may_not_end_the_run(tmp_path: Path) -> None:
    run = runs.chosen(tmp_path / "run", least=0.8)
    assert trust_line(run) == f"{runs.TEST.sentence(0.8)} It may not end the run early."
    failed = run.without_test("its server went away.")
    told = "The critic could not be tested: its server went away. It may not end the run early."
    assert trust_line(failed) == told
    out = io.StringIO()
    plain = Plain(out)
    plain(RunStarted(run=failed))
    plain(CriticTestFailed(message="its server went away."))
    assert out.getvalue().splitlines()[-1] == told
    assert trust_line(runs.good(tmp_path / "good")) == ""
    never = run.model_copy(update={"self_test": None, "canaries": Canaries()})
    words = "The critic was not tested: a test was to come before more than 300 s of rendering or $1.00."
    assert trust_line(never) == words


def test_fresh_seeds_of_a_caption_with_drafts_are_named(tmp_path: Path) -> None:
    run = runs.compared(tmp_path / "run")
    fresh = run.iterations[1].caption.on_fresh_seeds("nothing left")
    run = run.with_caption(fresh, (4102,), "target", 1)
    assert heading(run.iterations[2], 3, run) == (
        "Iteration 3  caption of iteration 2 rendered as asked, fresh seeds, 320x192"
    )


def test_a_draft_that_is_left_over_is_said_to_be_one(tmp_path: Path) -> None:
    told = verdict(runs.compared(tmp_path / "run").stopped(Ending(reason="cancelled")))
    score = "0.95  (a draft of 160x96, not 320x192 as asked; threshold 0.90, uncalibrated; seed 4101)"
    assert f"score    {score}" in told


def test_the_progress_of_a_render_is_shown_and_in_a_log_every_ten_seconds(tmp_path: Path) -> None:
    out, begun = io.StringIO(), datetime(2026, 1, 2, tzinfo=UTC)
    plain = Plain(out)
    live = Lively(Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None))
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10,))
    first: list[Event] = [RunStarted(run=run), RenderStarted(iteration=0, seed=10)]
    steps = [
        RenderProgressed(
            at=begun + timedelta(seconds=second),
            progress=Progress(seed=10, stage="rendering", step=second, steps=35, seconds=second),
        )
        for second in range(1, 22)
    ]
    gone = Progress(seed=10, stage="abandoned", seconds=21, endpoint="http://a:1", note="it goes on over there")
    for event in [*first, *steps]:
        plain(event)
        live(event)
    with live.console.capture() as capture:
        live.console.print(live)
    assert "seed 10          step 21 of 35, 21.0 s" in capture.get()
    plain(RenderProgressed(at=begun + timedelta(seconds=22), progress=gone))
    lines = out.getvalue().splitlines()[2:]  # the run, and where it goes on
    assert [line.split("step ")[1].split()[0] for line in lines[:-1]] == ["1", "11", "21"]
    assert lines[-1].endswith("abandoned after 21.0 s at http://a:1: it goes on over there")


def test_a_seed_that_is_rendered_of_two_captions_at_once_is_shown_of_both(tmp_path: Path) -> None:
    out = io.StringIO()
    plain = Plain(out)
    live = Lively(Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None))
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10,)).with_caption(Caption.raw("a ship"), (10,))
    clip = make_clip(run.clip_path(0, 10), 10)
    told: list[Event] = [RunStarted(run=run), RenderStarted(iteration=0, seed=10), RenderStarted(iteration=1, seed=10)]
    for step, name in ((7, ".unremembered-01-seed-10.mp4"), (3, "02-seed-10.mp4")):
        progress = Progress(seed=10, clip=name, stage="rendering", step=step, steps=35, seconds=step)
        told.append(RenderProgressed(progress=progress))
    for event in told:
        plain(event)
        live(event)
    with live.console.capture() as capture:
        live.console.print(live)
    for shown in (out.getvalue(), capture.get()):
        assert "  iteration 1, seed 10          step 7 of 35, 7.0 s" in shown
        assert "  seed 10          step 3 of 35, 3.0 s" in shown
    plain(CandidateReady(iteration=0, candidate=Candidate(clip=clip, critique=make_critique(0.4))))
    assert "  iteration 1, seed 10          0.40  lowest" in out.getvalue()
    assert plain.run is not None
    assert doing(plain.run) == "Iteration 2: 0 of 1 candidate done."
