"""kill -9 at random moments, then --resume: nothing finished is done twice, and the answer is the undisturbed run's.

Every strategy of the search is on: the raw prompt beside its expansion, drafts and promotions, the critic's test and,
where that is said, racing.
"""

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

from agent.forecasting.planned import cores
from tests.e2e.process import SMALL, leaves, retake, start, wait_for

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
ALL: list[str | Path] = [QUICKSTART, *SMALL, "-v", "-s", "search.include_raw_prompt=true"]
ALL += ["-s", "budget.max_iterations=3", "-s", "search.canaries={beyond_gpu_seconds: 0}"]
"""The critic is tested on the first draft, however long that took."""
ARGS = [*ALL, "-s", "search.draft={frames: 5, promote: 2, seeds: 2}", "-s", "critic.accept_at=null"]
"""Three captions on two seeds as drafts, then the better two as asked: 10 renders, and as many however often killed."""
RACE = [*ALL, "-s", "search.draft={frames: 5, promote: 1, seeds: 4}", "-s", "critic.accept_at=0.5"]
RACE += ["-s", "generator.concurrency=1"]
"""A draft of the raw prompt would do, so it is rendered as asked at once. The first clip of four is accepted, while the
second renders or is done and two wait: which, is a matter of time."""
AHEAD: list[str | Path] = [QUICKSTART, *SMALL, "-v", "-s", "search.include_raw_prompt=true"]
AHEAD += ["-s", "budget.max_iterations=3", "-s", "critic.accept_at=null"]
AHEAD += ["-s", "budget.speculate=true", "-s", "budget.samples_per_iteration=1"]
"""The raw prompt and its expansion side by side, where there are two cores. The rewrite knows the scores of both."""
ACCEPTED = '"candidate_ready","iteration":1,"candidate":{"clip":{"path":"clips/02-seed-7.mp4"'
"""In events.jsonl, once that first clip is judged."""
TEST = ("control", "frozen", "reversed", "shuffled", "control")
"""What the critic's test has judged, in any order but for the first."""
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
    """The clips that the critic's own log says it began to judge, but for the doctored versions of its test."""
    return {file.name for file in judgements(log) if file.parent.name == "clips"}


def judgements(log: str) -> list[Path]:
    """All that the critic's own log says it began to judge."""
    return [Path(file) for file in re.findall(r"critic\.signals: judge start (\S+)", log)]


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
    new = len([*(folder / "memory").glob("judge-*.json")]) - sum(p.name.startswith("judge-") for p in records)
    assert len(judgements(again.err)) == new, "what was judged was not remembered, or was before"
    assert records == {p: p.stat().st_mtime_ns for p in records}
    if expected is not None:
        assert answer(folder) == expected
    else:
        raced(folder)
        assert not settled or not rendered(again.err, "start"), "a seed was rendered that is needless"
    clean(folder)


def clean(folder: Path) -> None:
    """Nothing half-written is left."""
    assert not [f for f in leaves(folder) if "unremembered" in f or f.endswith((".tmp", ".part"))]
    assert not (folder / "canaries").exists()


def raced(folder: Path) -> None:
    """A settled run: accepted, every seed accounted for once, and what was given up has no clip."""
    run = json.loads((folder / "run.json").read_text())
    drafts, finals = run["iterations"]
    assert (run["result"]["stop_reason"], finals["caption"]["source"], finals["promoted"]) == ("accepted", "raw", 0)
    assert len(run["self_test"]["canaries"]) == 4
    assert [candidate["clip"]["seed"] for candidate in drafts["candidates"]] == drafts["seeds"] == [7, 8]
    judged = [candidate["clip"]["seed"] for candidate in finals["candidates"]]
    given_up = [each["seed"] for each in finals["given_up"]]
    assert sorted(judged + given_up) == finals["seeds"] == [7, 8, 9, 10]
    assert given_up
    names = {"01-seed-7.mp4", "01-seed-8.mp4", *(f"02-seed-{seed}.mp4" for seed in judged)}
    assert {path.name for path in (folder / "clips").glob("*.mp4")} == names


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    """The answer of a run that nobody disturbed, and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    begun = time.monotonic()
    done = retake("run", *ARGS, "--out", folder)
    assert done.code == 0, done.err
    assert len(rendered(done.err, "start")) == len(rendered(done.err, "done")) == 10
    versions = [file.name.removeprefix(".").partition(".")[0] for file in judgements(done.err) if file.name[0] == "."]
    assert sorted(versions) == sorted(TEST)
    # two captions may come to the same pixels, and the same pixels are judged once
    assert len(judged(done.err)) == len({digest(p) for p in (folder / "clips").glob("*.mp4")})
    clean(folder)
    found = answer(folder)
    assert [(i["tier"], i["promoted"] is None) for i in found["run"]["iterations"]] == [
        *[("draft", True)] * 3,
        *[("target", False)] * 2,
    ]
    return found, time.monotonic() - begun


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
        pytest.param("render start seed=8", ARGS, marks=pytest.mark.thorough),
        pytest.param("render done seed=7", ARGS, marks=pytest.mark.thorough),
        pytest.param("render done seed=8", ARGS, marks=pytest.mark.thorough),
        pytest.param("canaries: self-test start", ARGS, marks=pytest.mark.thorough),
        pytest.param("canaries/.shuffled", ARGS, marks=pytest.mark.thorough),  # the critic's test is half made
        pytest.param(".unremembered-04-seed-8", ARGS, marks=pytest.mark.thorough),  # the first one promoted
        pytest.param(ACCEPTED, RACE, id="accepted", marks=pytest.mark.thorough),
    ],
)
def test_killed_at_the_worst_moments(
    tmp_path: Path, moment: str, args: list[str | Path], undisturbed: tuple[dict[str, Any], float]
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    process = start("run", *args, "--out", folder, log=log)
    wait_for(folder / "events.jsonl" if moment is ACCEPTED else log, moment, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resume(folder, log.read_text(), None if args is RACE else undisturbed[0])


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("moment", [".unremembered-02-seed-7.mp4", "render done"])
def test_killed_while_a_caption_is_begun_ahead(tmp_path: Path, moment: str) -> None:
    whole = retake("run", *AHEAD, "--out", tmp_path / "elsewhere" / "whole")
    assert whole.code == 0, whole.err
    if cores() > 1:
        begun, ended = whole.err.index(".unremembered-02-seed-7.mp4"), whole.err.index("render done")
        assert begun < ended, "the second caption was not begun ahead"
    folder, log = tmp_path / "run", tmp_path / "log"
    process = start("run", *AHEAD, "--out", folder, log=log)
    wait_for(log, moment, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resume(folder, log.read_text(), answer(tmp_path / "elsewhere" / "whole"))


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
