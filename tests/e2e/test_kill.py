"""kill -9 at random moments, then --resume: nothing finished is done twice, and the answer is the undisturbed run's."""

import json
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import SMALL, leaves, retake, start

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
ARGS: list[str | Path] = [QUICKSTART, *SMALL, "-s", "budget.max_iterations=3", "-s", "critic.accept_at=null", "-v"]
KILLS, GROUPS = 20, 4

Undisturbed = tuple[dict[str, Any], int, float]
"""Its answer, how many critiques it made, and the seconds it took."""


def answer(folder: Path) -> dict[str, Any]:
    """Everything that a run came to, but for how long it took."""
    run = json.loads((folder / "run.json").read_text())
    for drop in ("id", "created_at"):
        del run[drop]

    def without_seconds(data: Any) -> Any:
        if isinstance(data, dict):
            return {k: without_seconds(v) for k, v in data.items() if k != "seconds"}
        return [without_seconds(v) for v in data] if isinstance(data, list) else data

    clips = {p.name: p.read_bytes() for p in (folder / "clips").glob("*.mp4")}
    return {"run": without_seconds(run), "clips": clips}


def renders_begun(log: str) -> list[str]:
    """The files whose render the generator's own log says it began."""
    return re.findall(r"generator\.animatic: render start seed=\d+ to=(\S+)", log)


def clips_judged(log: str) -> list[str]:
    """The files that the critic's own log says it judged."""
    return re.findall(r"critic\.signals: judged (\S+)", log)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A run to compare with."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    begun = time.monotonic()
    done = retake("run", *ARGS, "--out", folder)
    assert done.code == 0, done.err
    assert len(renders_begun(done.err)) == 6
    # two captions may come to the same pixels, and the same pixels are judged once
    assert len(clips_judged(done.err)) == len({p.read_bytes() for p in (folder / "clips").glob("*.mp4")})
    return answer(folder), len(clips_judged(done.err)), time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_killed_at_random_moments(tmp_path: Path, group: int, undisturbed: Undisturbed) -> None:
    expected, critiques, seconds = undisturbed
    dice = random.Random(group)
    for number in range(KILLS // GROUPS):
        folder, log = tmp_path / f"{number}", tmp_path / f"{number}.log"
        process = start("run", *ARGS, "--out", folder, log=log)
        time.sleep(dice.uniform(0.3, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()

        if not folder.exists():  # killed before the run was one
            assert leaves(tmp_path / f"{number}") == []
            again = retake("run", *ARGS, "--out", folder)
        else:
            kept = {p.name for p in (folder / "clips").glob("[!.]*.mp4")}
            records = {p: p.stat().st_mtime_ns for p in (folder / "memory").glob("*.json")}
            judged = sum(1 for p in records if p.name.startswith("judge-"))
            again = retake("run", "--resume", folder, "-v")
            anew = {Path(to).name.removeprefix(".unremembered-") for to in renders_begun(again.err)}
            assert anew.isdisjoint(kept), "a finished clip was rendered again"
            assert len(anew) == len(renders_begun(again.err)), "one clip was rendered twice"
            assert len(clips_judged(again.err)) == critiques - judged, "a finished critique was made again"
            assert records == {p: p.stat().st_mtime_ns for p in records}
        assert again.code == 0, again.err
        assert answer(folder) == expected
        shutil.rmtree(folder)


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, undisturbed: Undisturbed) -> None:
    expected, _, seconds = undisturbed
    dice = random.Random(99)
    folder, log = tmp_path / "run", tmp_path / "log"
    args: list[str | Path] = ["run", *ARGS, "--out", folder]
    for _ in range(4):
        process = start(*args, log=log)
        time.sleep(dice.uniform(0.5, 0.7) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if folder.exists():
            args = ["run", "--resume", folder, "-v"]
    done = retake(*args)
    assert done.code == 0, done.err
    assert answer(folder) == expected
