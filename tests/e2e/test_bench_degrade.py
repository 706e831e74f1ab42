"""`retake bench degrade` the way a user runs it."""

import csv
import json
import signal
from pathlib import Path

import pytest

from tests.e2e.process import cut_off, leaves, retake
from tests.pages import Page

ASKED = [
    *("bench", "degrade", "--only", "blurred", "first_mixed", "--bases", "2"),
    *("--severities", "1,5", "--size", "96x64", "--frames", "9"),
]


@pytest.mark.thorough
def test_a_suite_is_made_judged_and_told(tmp_path: Path) -> None:
    done = retake(*ASKED, "--out", "mine", cwd=tmp_path)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split()[:3] == ["degradation", "axis", "seen"]
    assert {line.split()[0] for line in lines[1:3]} == {"blurred", "first_mixed"}
    assert str(tmp_path / "mine" / "degrade.html") in done.out

    folder = tmp_path / "mine"
    with (folder / "scored.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["label"] == "1" for row in rows) == 2
    assert {row["group"] for row in rows} == {"01-text", "02-scene"}
    assert len(rows) == 2 + 4 + 2, "only the scene began with an image"
    found = json.loads((folder / "degrade.json").read_text())
    blurred = next(row for row in found["rows"] if row["degradation"] == "blurred")
    assert blurred["by_severity"]["5"]["auc"] == 1
    assert blurred["fell"]
    assert "`retake bench degrade --only blurred" in (folder / "degrade.md").read_text()
    assert len(Page((folder / "degrade.html").read_text()).all("img")) == 6

    # once more: nothing is made or judged, and the figures are the same
    before = {name: (folder / name).stat().st_mtime_ns for name in leaves(folder) if name.startswith(("clips", "mem"))}
    again = retake(*ASKED, "--out", "mine", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.err == ""
    told = json.loads(again.out)
    assert told["recalled"] == len(rows)
    assert [row["all"] for row in told["rows"]] == [row["all"] for row in found["rows"]]
    assert before == {name: (folder / name).stat().st_mtime_ns for name in before}

    other = retake(*ASKED, "--out", "mine", "--seed", "1", cwd=tmp_path)
    assert other.code == 2
    assert "holds another suite (seed: 0 there, 1 here)" in other.err


@pytest.mark.thorough
def test_a_stopped_suite_is_gone_on_with(tmp_path: Path) -> None:
    stopped = cut_off(signal.SIGTERM, 1, "judge-*", *ASKED, "--out", "mine", cwd=tmp_path)
    assert stopped.code == 143
    assert "give the same command again" in stopped.err
    assert not any(".part" in name for name in leaves(tmp_path / "mine"))
    judged = [name for name in leaves(tmp_path / "mine") if name.startswith("memory/judge-")]
    done = retake(*ASKED, "--out", "mine", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["recalled"] >= len(judged) > 0
