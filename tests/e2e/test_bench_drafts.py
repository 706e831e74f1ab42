"""`retake bench drafts` as a process, with the embedded parts."""

import json
import signal
from pathlib import Path

import pytest

from agent.forecasting.correlation import read
from tests.e2e.process import cut_off, leaves, retake

SMALL = [
    *("bench", "drafts", "--prompts", "mine.csv", "--captions", "2", "--seeds", "1"),
    *("-s", "request.size=832x480", "-s", "request.num_frames=5", "-s", "request.fps=12", "--out", "out"),
]


def remembered(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out" / "memory").glob("*.json")}


@pytest.mark.thorough
def test_a_killed_measurement_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        'prompt,who\n"A red car drives along a coastal road. The camera pans right.",a\n'
        "A lighthouse above a stormy sea. The camera tilts up.,b\n"
    )
    assert cut_off(signal.SIGKILL, 5, "render*.json", *SMALL, cwd=tmp_path).code == -signal.SIGKILL
    before = remembered(tmp_path)
    assert sum(name.startswith("render") for name in before) == 4
    done = retake(*SMALL, cwd=tmp_path)
    assert done.code == 0, done.err
    after = remembered(tmp_path)
    assert before.items() <= after.items()
    assert sum(name.startswith("render") for name in after) == 8
    assert "2 prompts x 2 captions x 1 seed: 4 drafts" in done.err
    assert "2 prompts with a correlation are too few" in done.out
    (row,) = read(tmp_path / "out" / "draft_correlation.yaml")
    assert (row.generator, row.draft, row.target, row.frames, row.captions) == ("animatic", 256, 480, 1.0, 2)
    assert row.source.startswith("retake bench drafts -s request.size=832x480")
    found = json.loads((tmp_path / "out" / "drafts.json").read_text())
    assert [len(pairs["captions"]) for pairs in found["prompts"]] == [2, 2]
    assert not [name for name in leaves(tmp_path / "out") if name.endswith((".tmp", ".part"))]

    again = retake(*SMALL, "--json", cwd=tmp_path)
    told = json.loads(again.out)
    assert (again.code, again.err) == (0, "")
    assert remembered(tmp_path) == after
    assert told["figures"] == found["figures"]


@pytest.mark.thorough
def test_what_cannot_be_measured_is_said_before_anything_is_written(tmp_path: Path) -> None:
    done = retake("bench", "drafts", "-s", "request.size=320x192", "--out", "out", cwd=tmp_path)
    assert done.code == 2
    assert "would cost as much as the render that is asked for" in done.err
    assert leaves(tmp_path) == []
