"""README's five commands, as they stand there: from 60 labelled clips to a run that stops at a threshold."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from generator.types import RenderSpec
from tests.clips import write_clip
from tests.e2e.process import command, environment

ROOT = Path(__file__).parents[2]
SMALL = RenderSpec(width=160, height=96, num_frames=25, fps=24)


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## What a score is worth")[1]
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def labelled(folder: Path) -> None:
    """60 clips of 30 prompts that ask the camera to push in: every second one pulls out, and people do not take it."""
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "prompt", "label"])
        for n in range(60):
            name = f"clips/{n}.mp4"
            write_clip(folder / name, SMALL, seed=n, zoom=-0.3 if n % 2 else 0.3)
            taken = n % 2 == 0 if n % 30 else n % 2 == 1  # people are not of one mind
            writer.writerow([name, f"A bay at dusk, number {n // 2}. The camera pushes in.", int(taken)])


@pytest.mark.thorough
def test_the_five_commands(tmp_path: Path) -> None:
    install, *rest = commands()
    assert install == "pip install -q '.[bench]'"  # what .ci/run has done for the whole suite
    assert len(rest) == 4
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    labelled(tmp_path)
    for line in rest:
        name, *args = line.split()
        assert name == "retake"
        if args[0] == "run":
            args += ["-s", "request.num_frames=25", "-s", "request.size=160x96", "--json"]
        done = subprocess.run(
            [*command(), *args],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["calibrated"] is True
    assert facts["precision_at_least"] == 0.8
    assert 0 < facts["threshold"] < 1
    assert (tmp_path / "bench" / "mine" / "report.html").exists()
    assert "people take at least 80%" in (Path(facts["run_dir"]) / "report.html").read_text()
