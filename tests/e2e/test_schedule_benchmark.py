"""`python -m benchmarks.schedule` as a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.process import environment


@pytest.mark.thorough
def test_quick_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.schedule", "--quick", "--json"],
        cwd=Path(__file__).parents[2],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert 1 <= found["median_ratio"] <= found["worst_ratio"] < found["worst_scaled_ratio"]
    assert found["worst_schedule_ratio"] == 1
    assert found["settings"] == len(found["rows"])
    assert "measuring" in done.stderr or "candidates" in done.stderr  # the progress bar
