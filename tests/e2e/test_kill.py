"""kill -9 at random moments, then --resume: nothing finished is done twice, and the answer is the undisturbed run's."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import SMALL, leaves, retake, start, wait_for

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
ARGS: list[str | Path] = [QUICKSTART, *SMALL, "-v", "-s", "search.include_raw_prompt=true"]
ARGS += ["-s", "budget.max_iterations=3", "-s", "critic.accept_at=null"]
RACE: list[str | Path] = [*ARGS, "-s", "critic.accept_at=0.5", "-s", "search.racing=true"]
RACE += ["-s", "budget.samples_per_iteration=4", "-s", "generator.concurrency=1"]
"""Accepted by the first clip of four, while the second renders or is done and two wait: which, is a matter of time."""
ACCEPTED = '"candidate_ready","iteration":0,"candidate":{"clip":{"path":"clips/01-seed-7.mp4"'
"""In events.jsonl, once that first clip is judged."""
KILLS = int(os.environ.get("RETAKE_KILLS", "4"))
"""Random kills, half of them in a race; .ci/run asks for more."""


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


def rendered(log: str, what: str) -> set[str]:
    """The clips whose render the generator's own log says it has come to `what`: "start" or "done"."""
    files = re.findall(rf"generator\.animatic: render {what} seed=\d+ to=(\S+)", log)
    names = [Path(file).name.removeprefix(".unremembered-") for file in files]
    assert len(names) == len(set(names)), "one session rendered one clip twice"
    return set(names)


def judged(log: str) -> set[str]:
    """The clips that the critic's own log says it began to judge."""
    return {Path(file).name for file in re.findall(r"critic\.signals: judge start (\S+)", log)}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def critiques(folder: Path) -> set[str]:
    """The contents of the clips whose critique is on the disk."""
    return {json.loads(p.read_text())["inputs"]["clip"] for p in (folder / "memory").glob("judge-*.json")}


def resume(folder: Path, killed: str, expected: dict[str, Any] | None) -> None:
    """Go on with a killed run, and hold both sessions' logs and files against one another. None: it was a race."""
    finished = rendered(killed, "done") | {p.name for p in (folder / "clips").glob("[!.]*.mp4")}
    known = critiques(folder)
    events = folder / "events.jsonl"
    settled = expected is None and events.exists() and ACCEPTED in events.read_text()
    records = {p: p.stat().st_mtime_ns for p in (folder / "memory").glob("*.json")}
    again = retake("run", "--resume", folder, "-v")
    assert again.code == 0, again.err
    assert rendered(again.err, "start").isdisjoint(finished), "a finished clip was rendered again"
    assert known.isdisjoint(digest(folder / "clips" / name) for name in judged(again.err)), "judged twice"
    assert records == {p: p.stat().st_mtime_ns for p in records}
    if expected is not None:
        assert answer(folder) == expected
    else:
        raced(folder)
        assert not settled or not rendered(again.err, "start"), "a seed was rendered that is needless"
    assert not [f for f in leaves(folder) if "unremembered" in f or f.endswith(".tmp")]


def raced(folder: Path) -> None:
    """A settled run: accepted, every seed accounted for once, and what was given up has no clip."""
    run = json.loads((folder / "run.json").read_text())
    (first,) = run["iterations"]
    assert (run["result"]["stop_reason"], first["caption"]["source"]) == ("accepted", "raw")
    judged = [candidate["clip"]["seed"] for candidate in first["candidates"]]
    given_up = [each["seed"] for each in first["given_up"]]
    assert sorted(judged + given_up) == first["seeds"] == [7, 8, 9, 10]
    assert given_up
    assert sorted(path.name for path in (folder / "clips").glob("*.mp4")) == sorted(f"01-seed-{s}.mp4" for s in judged)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    """The answer of a run that nobody disturbed, and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    begun = time.monotonic()
    done = retake("run", *ARGS, "--out", folder)
    assert done.code == 0, done.err
    assert len(rendered(done.err, "start")) == len(rendered(done.err, "done")) == 6
    # two captions may come to the same pixels, and the same pixels are judged once
    assert len(judged(done.err)) == len({digest(p) for p in (folder / "clips").glob("*.mp4")})
    return answer(folder), time.monotonic() - begun


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("racing", [False, True])
def test_killed_at_random_moments(tmp_path: Path, racing: bool, undisturbed: tuple[dict[str, Any], float]) -> None:
    args, expected, seconds = (RACE, None, undisturbed[1] / 2) if racing else (ARGS, *undisturbed)
    dice = random.Random(int(racing))
    for number in range(KILLS // 2):
        folder, log = tmp_path / f"{number}", tmp_path / f"{number}.log"
        process = start("run", *args, "--out", folder, log=log)
        time.sleep(dice.uniform(0.3, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if folder.exists():
            resume(folder, log.read_text(), expected)
        else:  # killed before the run was one
            again = retake("run", *args, "--out", folder)
            assert again.code == 0, again.err
            if expected is None:
                raced(folder)
            else:
                assert answer(folder) == expected
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "args"),
    [
        ("render start seed=8", ARGS),
        pytest.param("render done seed=7", ARGS, marks=pytest.mark.thorough),
        pytest.param("render done seed=8", ARGS, marks=pytest.mark.thorough),
        ("lowest: ", RACE),  # a candidate is accepted
    ],
)
def test_killed_at_the_worst_moments(
    tmp_path: Path, moment: str, args: list[str | Path], undisturbed: tuple[dict[str, Any], float]
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    process = start("run", *args, "--out", folder, log=log)
    wait_for(log, moment, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resume(folder, log.read_text(), None if args is RACE else undisturbed[0])


@pytest.mark.thorough
@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    expected, seconds = undisturbed
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
