"""benchmarks.schedule: the loop wastes no time, and the page says what was measured."""

import asyncio
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.schedule.ahead import AHEAD, saved
from benchmarks.schedule.clock import SkippingLoop
from benchmarks.schedule.latencies import JUDGE, RENDER, REWRITE, Latencies
from benchmarks.schedule.measure import Bench, Measured, Setting, prepared
from benchmarks.schedule.page import DOCS, Conditions, ahead_section, figures, page, with_section
from benchmarks.schedule.plot import plot


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return prepared(tmp_path_factory.mktemp("schedule"), frames=5)


@pytest.mark.parametrize("setting", [Setting(1, 3, 2), Setting(2, 3, 2), Setting(4, 5, 1), Setting(8, 4, 1)], ids=str)
def test_the_loop_never_waits_for_nothing(bench: Bench, setting: Setting, tmp_path: Path) -> None:
    latencies = Latencies()
    assert bench.schedule(setting, tmp_path / "run", latencies) == pytest.approx(setting.ideal(latencies), abs=1e-6)


def test_a_clock_that_skips_what_is_slept() -> None:
    async def work() -> float:
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(asyncio.sleep(5000), asyncio.sleep(3000))
        await asyncio.to_thread(time.sleep, 0.01)  # work outside is waited for
        return asyncio.get_running_loop().time() - begun

    begun = time.monotonic()
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        assert runner.run(work()) == pytest.approx(5000)
    assert 0.01 <= time.monotonic() - begun < 60


def test_the_overhead_is_what_the_scaled_schedule_leaves_of_the_wall() -> None:
    row = Measured(Setting(1, 2, 1), scale=0.01, ideal=100.0, schedule=110.0, wall=1.6, processor=0.2, load=1.5)
    assert row.overhead == pytest.approx(0.5)
    assert row.ratio == pytest.approx(1.105)  # waste counts in full, and is not taken for overhead
    assert row.scaled_ratio == pytest.approx(1.6)
    assert row.schedule_ratio == pytest.approx(1.1)


ROWS = [
    Measured(Setting(1, 1, 1), scale=0.01, ideal=75.0, schedule=75.0, wall=0.90, processor=0.2, load=1.5),
    Measured(Setting(1, 2, 1), scale=0.01, ideal=135.0, schedule=135.0, wall=1.62, processor=0.2, load=1.5),
    Measured(Setting(2, 2, 1), scale=0.01, ideal=75.0, schedule=75.0, wall=1.50, processor=0.2, load=1.5),
]
CONDITIONS = Conditions(command="python -m benchmarks.schedule", seconds=120.0, unequal=(1.0, 1.04, 1.02))


def test_figures() -> None:
    found = figures(ROWS, CONDITIONS)
    assert (found["median_ratio"], found["worst_ratio"]) == (1.002, 1.01)
    assert (found["median_scaled_ratio"], found["worst_scaled_ratio"]) == (1.2, 2.0)
    assert (found["median_unequal_ratio"], found["worst_unequal_ratio"]) == (1.02, 1.04)
    assert [row["candidates"] for row in found["rows"]] == [1, 2, 2]


def test_the_page_holds_every_setting_and_the_load() -> None:
    text = page(ROWS, CONDITIONS, "## Captions begun ahead\n\nSaved.\n")
    assert "Saved.\n\n## What the figures" in text
    assert "in 2.0 minutes" in text
    assert "load average 1.5 to\n1.5, median 1.5" in text
    assert "| 2 candidates | 1.0020 (1.20), 135 s |" in text
    assert "| 2 candidates | 1.0100 (2.00), 75 s |" in text
    assert "is 1.0020 times" not in text
    assert "takes 1.0020 times as long" in text


def test_the_plot_has_two_points_a_setting() -> None:
    picture = ET.fromstring(plot(ROWS))  # noqa: S314 - our own
    circles = [c for c in picture.iter("{http://www.w3.org/2000/svg}circle") if c.attrib["r"] == "2.6"]
    assert len(circles) == 2 * len(ROWS)
    heights = [float(c.attrib["cy"]) for c in circles]
    assert heights[4] < heights[2]  # the worse, the higher


def test_the_written_page_is_of_all_settings_and_names_no_path() -> None:
    text = (DOCS / "schedule-benchmark.md").read_text(encoding="utf-8")
    assert "`python -m benchmarks.schedule --write" in text
    assert "the median of\n128 settings" in text
    assert "/tmp" not in text
    assert (DOCS / "schedule-benchmark.svg").exists()
    assert "## Captions begun ahead\n\nMade by `python -m benchmarks.schedule --" in text
    assert f"| {AHEAD[0].endpoints} endpoints, 1 candidate | 1.000, " in text


def test_what_captions_begun_ahead_save(bench: Bench, tmp_path: Path) -> None:
    equal, raw, mixed, both = saved(bench, [Setting(4, 2, 2)], tmp_path)
    assert equal.ratio == pytest.approx(1, abs=1e-6)
    render, judge, rewrite = RENDER / 1000, JUDGE / 1000, REWRITE / 1000
    assert raw.without - raw.ahead == pytest.approx(render + judge), "the raw prompt's round, beside the expansion's"
    assert equal.ahead - raw.ahead == pytest.approx(render + judge + rewrite)
    assert [row.early for row in (equal, raw, mixed, both)] == [0, 0, 1, 0]
    assert [row.rewrites for row in (equal, raw, mixed, both)] == [1, 0, 1, 0]
    assert max(mixed.ratio, both.ratio) < 0.9
    section = ahead_section([equal, raw, mixed, both], "a command")
    assert f"| 4 endpoints, 2 candidates | 1.000, {equal.without:.0f} to {equal.ahead:.0f} s (0 of 1) | 0." in section


def test_a_section_is_replaced_and_nothing_else() -> None:
    text = "# A\n\nA.\n\n## B\n\nold\n\nold\n\n## C\n\nC.\n"
    assert with_section(text, "## B\n\nnew\n") == "# A\n\nA.\n\n## B\n\nnew\n\n## C\n\nC.\n"
