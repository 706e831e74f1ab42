"""When the report is rebuilt."""

import threading
from pathlib import Path

import pytest
from pydantic import ConfigDict

from agent.report import NAME
from agent.report.reporter import Reporter
from agent.run import Run
from tests import runs


class Slow(Run):
    """Rebuilding its report takes until it is told to go on."""

    go_on: threading.Event
    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def notes(self) -> tuple[str, ...]:
        assert self.go_on.wait(10)
        return super().notes


def slow(run: Run) -> Slow:
    return Slow.model_validate({**dict(run), "go_on": threading.Event()})


def test_whoever_tells_it_is_not_kept_waiting(tmp_path: Path) -> None:
    run = slow(runs.many(tmp_path / "run", 2))
    reporter = Reporter(0)
    reporter.show(run)
    assert not (run.folder / NAME).exists()
    run.go_on.set()
    reporter.finish(runs.many(tmp_path / "run", 2))
    assert (run.folder / NAME).exists()


def test_the_last_build_is_of_the_last_run(tmp_path: Path) -> None:
    first = slow(runs.many(tmp_path / "run", 1))
    last = runs.many(tmp_path / "run", 3)
    reporter = Reporter(0)
    reporter.show(first)
    threading.Timer(0.02, first.go_on.set).start()
    reporter.finish(last)
    assert "seed 4102" in (last.folder / NAME).read_text()


def test_no_more_often_than_it_is_read(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 1)
    reporter = Reporter(60)
    reporter.finish(run)
    (run.folder / NAME).unlink()
    reporter.show(run)
    reporter.finish(run.model_copy(update={"folder": tmp_path}))  # whatever was being built is there by now
    assert not (run.folder / NAME).exists()


def test_a_build_that_failed_is_told_at_the_next(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 1)
    reporter = Reporter(0)
    reporter.show(run.model_copy(update={"folder": tmp_path / "gone"}))
    with pytest.raises(FileNotFoundError):
        reporter.finish(run)


def test_a_page_that_cannot_be_made_costs_the_run_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Run):
        @property
        def notes(self) -> tuple[str, ...]:
            raise KeyError("a chart")

    run = Broken.model_validate(dict(runs.many(tmp_path / "run", 1)))
    reporter = Reporter(0)
    reporter.show(run)
    reporter.finish(run)
    assert [record.message for record in caplog.records] == [
        "the report could not be built; the run goes on without it"
    ] * 2
