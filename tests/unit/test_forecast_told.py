"""A forecast in a run: told once as it starts, kept, shown beside what was spent."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent import api, journal
from agent.controller import Controller
from agent.events import ForecastMade, RunStarted
from agent.forecast import Bounds, Forecast, Place, StepForecast
from agent.journal import Journal
from agent.lines import forecast_line, spent
from agent.reading import check
from agent.report.page import render
from agent.resuming import within
from agent.run import Run
from agent.terminal import Lively, Plain, verdict
from agent.types import Candidate, Duel, Ending, Entrant
from critic.types import Comparison
from reasoner.types import Caption
from tests.pages import page
from tests.parts import (
    Recorder,
    ScriptedCritic,
    ScriptedGenerator,
    ScriptedReasoner,
    make_clip,
    make_critique,
    make_run,
)


def place(name: str, each: float, *, judged: bool = True) -> Place:
    whole = {"caption": Bounds.sure(0), "render": Bounds(expected=4 * each, worst=8 * each)}
    if judged:
        whole["judge"] = Bounds.sure(2)
    return Place.model_validate(
        {
            "name": name,
            "render": Bounds(expected=each, worst=2 * each),
            "seconds": whole,
            "wall": Bounds(expected=5 * each, worst=9 * each),
            "basis": "as scripted",
        }
    )


def made(*places: Place, price: float | None = None, expected: float = 4) -> Forecast:
    clips = StepForecast(count=Bounds(expected=expected, worst=4))
    return Forecast(
        steps={"caption": StepForecast(count=Bounds.sure(2)), "render": clips, "judge": clips},
        places=places,
        price_usd=None if price is None else Bounds.sure(price),
        assumes=("Everything is <assumed>.",),
        sources=("A page.",),
    )


async def carried(run: Run, forecast: Forecast | None, *listeners: Any) -> Run:
    def emit(event: Any) -> None:
        for listener in listeners:
            listener(event)

    controller = Controller(
        reasoner=ScriptedReasoner(),
        generator=ScriptedGenerator(),
        critic=ScriptedCritic(lambda text, seed: 0.5),
        emit=emit,
        forecast=forecast,
    )
    return await controller.refine(run)


async def test_a_run_tells_its_forecast_once_and_keeps_it(tmp_path: Path) -> None:
    run, heard = make_run(tmp_path), Recorder()
    one = made(place("here", 3.0))
    done = await carried(run, one, heard, Journal(run))
    assert heard.types()[:3] == ["run_started", "forecast_made", "caption_started"]
    assert heard.types().count("forecast_made") == 1
    assert done.forecast == one
    assert journal.load(tmp_path).forecast == one
    (tmp_path / journal.RUN).write_text("{")  # the events alone tell it, too
    assert journal.load(tmp_path).forecast == one


async def test_a_resumed_run_keeps_the_forecast_that_it_began_with(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_forecast(made(place("then", 3.0)))
    heard = Recorder()
    done = await carried(run, made(place("now", 9.0)), heard)
    assert "forecast_made" not in heard.types()
    assert done.forecast == run.forecast


def test_another_budget_wants_another_forecast(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_forecast(made())
    assert within(run, run.budget, run.accept_at).forecast == run.forecast
    assert within(run, run.budget.model_copy(update={"max_iterations": 5}), run.accept_at).forecast is None
    assert within(run, run.budget, 0.5).forecast is None


def test_a_run_from_before_there_were_forecasts_loads(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    Journal(run)(RunStarted(run=run))
    facts = json.loads((tmp_path / "run.json").read_text())
    del facts["forecast"]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    loaded = journal.load(tmp_path)
    assert loaded == run
    assert spent(loaded) == ""
    assert "Forecast" not in render(loaded)


@pytest.mark.parametrize(
    ("forecast", "line"),
    [
        (
            made(place("here", 3.0)),
            "4 renders, 12.0 s of rendering, 15.0 s in all; at worst 4 renders, 24.0 s of rendering, 27.0 s in all",
        ),
        (
            made(place("a", 3.0), place("b", 60.0), expected=2.5),
            (
                "2.5 renders, 12.0 s to 4:00 of rendering, 15.0 s to 5:00 in all; "
                "at worst 4 renders, 24.0 s to 8:00 of rendering, 27.0 s to 9:00 in all"
            ),
        ),
        (made(price=1.0), "4 renders, $1.00; at worst 4 renders, $1.00"),
        (made(), "4 renders; at worst 4 renders"),
    ],
)
def test_a_forecast_in_one_line(forecast: Forecast, line: str) -> None:
    assert forecast_line(forecast) == line


def tiered(*, tested: bool = False) -> Forecast:
    """Of two captions of two drafts, and one or two renders as asked."""
    steps: dict[str, Any] = {
        "caption": StepForecast(count=Bounds.sure(2)),
        "render": StepForecast(
            count=Bounds(expected=5, worst=6), drafts=Bounds.sure(4), finals=Bounds(expected=1, worst=2)
        ),
        "judge": StepForecast(count=Bounds(expected=5, worst=6)),
    }
    if tested:
        steps["test"] = StepForecast(count=Bounds(expected=0, worst=1))
    return Forecast.model_validate({"steps": steps})


def test_drafts_are_told_by_themselves(tmp_path: Path) -> None:
    assert forecast_line(tiered()) == "4 drafts and 1 render; at worst 4 drafts and 2 renders"
    run = make_run(tmp_path).with_caption(Caption.raw("a"), (10, 11), "draft").with_forecast(tiered(tested=True))
    run = run.with_candidate(Candidate(clip=make_clip(tmp_path / "x.mp4", 10), critique=make_critique(0.5)))
    assert spent(run) == (
        "captions 1, 0.0 s (forecast 2); renders 1, 1 of them drafts, 0.5 s (forecast 5, 4 of them drafts); "
        "critiques 1, 0.2 s (forecast 5)"
    )
    assert Forecast.model_validate_json(tiered().model_dump_json()) == tiered()


def test_comparisons_that_were_not_forecast_are_told_all_the_same(tmp_path: Path) -> None:
    one, other = Entrant(iteration=0, seed=10), Entrant(iteration=0, seed=11)
    compared = Comparison.of((0.6, 0.6), judge="pairwise/1", method="logprobs", seconds=5.0)
    run = make_run(tmp_path).with_forecast(made()).with_duel(Duel(first=one, second=other, comparison=compared))
    assert spent(run).endswith("comparisons 1, 5.0 s (forecast 0)")


async def test_the_terminal_tells_it_first_and_holds_it_against_what_was_spent(tmp_path: Path) -> None:
    run, out = make_run(tmp_path), io.StringIO()
    done = await carried(run, made(place("here", 3.0, judged=False)), Plain(out))
    lines = out.getvalue().splitlines()
    assert lines[1].startswith("Forecast: 4 renders, 12.0 s of rendering")
    assert sum("Forecast" in line for line in lines) == 1
    assert (
        "spent    captions 2, 0.0 s (forecast 2, 0.0 s); renders 4, 2.0 s (forecast 4, 12.0 s); "
        "critiques 4, 1.0 s (forecast 4)"
    ) in verdict(done)


async def test_the_live_view_shows_it(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    view = Lively(console)
    await carried(make_run(tmp_path), made(place("here", 3.0)), view)
    with console.capture() as capture:
        console.print(view)
    assert capture.get().count("Forecast: 4 renders, 12.0 s of rendering") == 1


async def test_the_report_shows_it_beside_what_was_spent(tmp_path: Path) -> None:
    done = await carried(make_run(tmp_path), made(place("a", 3.0), place("b", 60.0), price=1.25))
    shown = page(done.stopped(Ending(reason="iterations")))
    dash = "\N{EN DASH}"
    assert f"Renders 4 4 2.0 s 12.0{dash}240.0 s, at worst 24.0{dash}480.0 s" in shown.said
    assert "Critiques 4 4 1.0 s 2.0 s" in shown.said
    assert "Price: $1.25, at worst $1.25." in shown.said
    assert "A render on a: 3.0 s." in shown.said
    assert "Everything is <assumed>." in shown.said


def test_a_forecast_that_cannot_be_made_costs_a_run_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = check({"generator": {"backend": "vllm_omni"}, "critic": {"backend": "vlm", "rubric": "/nowhere.yaml"}})
    assert api._forecast(config, make_run(tmp_path), "vllm_omni/1 m") is None
    assert "no forecast could be made" in caplog.text


def test_the_event_is_read_back() -> None:
    event = ForecastMade(forecast=made(place("here", 3.0)))
    assert ForecastMade.model_validate_json(event.model_dump_json()) == event


def test_the_ends_of_several_places_are_each_the_least_and_the_most() -> None:
    steady = place("steady", 5.0).model_copy(update={"wall": Bounds.sure(5)})
    wild = place("wild", 3.0).model_copy(update={"wall": Bounds(expected=3, worst=9)})
    assert made(steady, wild).wall == (Bounds(expected=3, worst=5), Bounds(expected=5, worst=9))
