"""`python -m benchmarks.search` as a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.process import environment

ROOT = Path(__file__).parents[2]


def search(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.search", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.mark.thorough
def test_quick_ends_with_one_line_of_json() -> None:
    done = search("--quick", "--json", "--resamples", "20")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    low, high = found["interval"]
    assert found["ratio"] is None or found["ratio"] > 0
    assert low is None or high is None or low <= high
    assert found["resamples"] == 20
    assert set(found["strategies"]) == {"published", "recorded"}
    assert found["strategies"]["published"][found["reference"]]["cost"] == [1, 1, 1]
    assert "replaying" in done.stderr  # the progress bar


@pytest.mark.thorough
def test_quick_figures_are_not_written_down() -> None:
    done = search("--quick", "--write")
    assert done.returncode == 2
    assert "no measurement to write down" in done.stderr
