"""`retake bench run` as a user runs it: what it says, what it refuses, and what a kill at any moment leaves."""

import asyncio
import csv
import errno
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.cli import main
from agent.journal import only_writer
from generator.types import RenderSpec
from tests.clips import write_clip
from tests.e2e.process import environment, start, stop, wait_for
from tests.seeing import seeing
from tests.wire import Answer, Wire, completion

TINY = RenderSpec(width=64, height=64, num_frames=9, fps=8)
RUBRIC = """
name: mine
version: 1
criteria:
  - {name: boat, title: A boat, axis: adherence, question: "Is there a boat, as in {prompt}?"}
"""
KILLS = int(os.environ.get("RETAKE_KILLS", "4"))


def labels(folder: Path, count: int, *more: dict[str, str]) -> Path:
    """A CSV of as many labelled rows on three clips, each with a prompt of its own."""
    for seed in range(3):
        write_clip(folder / f"{seed}.mp4", TINY, seed=seed)
    path = folder / "clips.csv"
    rows = [
        {"sample_id": f"s{n}", "video": f"{n % 3}.mp4", "prompt": f"<boat {n}>", "label": str(n % 2), "scale": ""}
        for n in range(count)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["sample_id", "video", "prompt", "label_type", "label", "scale", "axis"])
        writer.writeheader()
        writer.writerows({"label_type": "binary", **row} for row in [*rows, *more])
    return path


def written(out: Path) -> list[dict[str, Any]]:
    """The lines of a benchmark that are whole."""
    path = out / "scored.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def asking(folder: Path, url: str) -> list[str | Path]:
    """Arguments that name a critic which asks one question about each clip."""
    (folder / "mine.yaml").write_text(RUBRIC)
    keys = ("backend=vlm", f"rubric={folder / 'mine.yaml'}", f"endpoint.base_url={url}", "feedback=false")
    return [argument for key in keys for argument in ("-s", f"critic.{key}")]


def run(*args: str | Path) -> int:
    """In this process."""
    return main(["bench", "run", *map(str, args)])


def test_a_whole_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = [{"video": "0.mp4", "label": "7"} for _ in range(12)]
    path = labels(tmp_path, 4, {"sample_id": "gone", "video": "gone.mp4", "prompt": "x", "label": "1"}, *bad)
    assert run(path.name, "--retest", "0.5") == 0
    said = capsys.readouterr()
    assert "rows     4 of 5 judged, 1 failed, 12 bad rows left out" in said.out
    assert "failed   1: the clip cannot be had; the first: video: 'gone.mp4' does not exist" in said.out
    assert "again    the same command with --retry-failed tries what failed again" in said.out
    assert "mean     passed " in said.out
    assert said.out.endswith("folder   bench/clips-signals\nnext     retake bench report bench/clips-signals\n")
    assert said.err.count("clips.csv: line ") == 10
    assert "2 more rows cannot be used" in said.err
    out = tmp_path / "bench" / "clips-signals"
    about = yaml.safe_load((out / "bench.yaml").read_text())
    assert (about["instrument"]["critic"], about["done"], about["bad_rows"]) == ("signals/1", True, 12)
    lines = written(out)
    assert [line["sample_id"] for line in lines] == ["s0", "s1", "s2", "s3", "gone"]
    assert lines[0]["retest"] == lines[0]["score"], "the signals are deterministic"

    assert run(path.name, "--retest", "0.5", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    del facts["seconds"]
    assert facts == {
        "bench_dir": "bench/clips-signals",
        "dataset": "clips",
        "rows": 5,
        "judged": 4,
        "failed": 1,
        "not_asked": 0,
        "bad_rows": 12,
        "recalled": 5,
        "failures": {"the clip cannot be had": 1},
        "critic": "signals/1",
    }
    assert written(out) == lines

    write_clip(tmp_path / "gone.mp4", TINY)
    assert run(path.name, "--retest", "0.5", "--retry-failed", "-q") == 0
    assert "rows     5 of 5 judged, 4 of them judged already" in capsys.readouterr().out
    assert written(out)[:4] == lines[:4]

    cases: list[tuple[list[str], str]] = [
        ([path.name], "--retest: 0.5 there, 0 here"),
        ([path.name, "--retest", "0.5", "--out", "."], "is no benchmark's"),
        ([path.name, "--axis", "beauty"], "--axis 'beauty': .* known are overall, adherence"),
        ([path.name, "--axis", "physics"], "no row on axis physics"),
        ([path.name, "--format", "nope"], "no such format"),
        ([path.name, "--retest", "0.5", "--scale", "1-5"], "--scale: none there, 1-5 here"),
        ([path.name, "--scale", "5-1"], "must be the worst and the best label"),
        ([path.name, "--out", path.name], "is a file"),
    ]
    for args, words in cases:
        assert run(*args) == 2
        assert re.search(words, capsys.readouterr().err), args
    path.write_text(path.read_text().replace("<boat 1>", "<boot 1>"))
    assert run(path.name, "--retest", "0.5") == 2
    assert "the labels' SHA-256: " in capsys.readouterr().err


def test_nothing_that_can_be_judged_is_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = labels(tmp_path, 2)
    for seed in range(3):
        (tmp_path / f"{seed}.mp4").write_bytes(b"no clip")
    assert run(path, "--out", tmp_path / "out", "--json") == 3
    facts = json.loads(capsys.readouterr().out)
    assert (facts["judged"], facts["failures"]) == (0, {"the clip cannot be had": 2})


def test_fewer_rows_than_have_lines_are_refused_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = labels(tmp_path, 3), tmp_path / "out"
    assert run(path, "--out", out) == 0
    before = {name: (out / name).read_bytes() for name in ("bench.yaml", "scored.jsonl")}
    for more in ((), ("--retry-failed",)):
        assert run(path, "--out", out, "--limit", "2", *more) == 2
        assert "scored.jsonl: holds more rows than the 2 that are asked for; raise --limit" in capsys.readouterr().err
        assert {name: (out / name).read_bytes() for name in before} == before


@pytest.mark.thorough
def test_an_answer_that_cannot_be_read_is_asked_for_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, say = labels(tmp_path, 2), seeing()

    def odd(body: Any) -> Any:
        return completion("No idea.") if "<boat 1>" in json.dumps(body) else say(body)

    with Wire(odd) as server:
        args = [path, *asking(tmp_path, server.url), "--out", tmp_path / "out"]
        assert run(*args) == 0
        assert "1 of 2 judged, 1 failed" in capsys.readouterr().out
        server.reply = say
        assert run(*args) == 0
        assert "1 of 2 judged, 2 of them judged already, 1 failed" in capsys.readouterr().out
        assert run(*args, "--retry-failed") == 0
        assert "2 of 2 judged" in capsys.readouterr().out


def test_a_benchmark_that_another_process_works_on_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = labels(tmp_path, 1), tmp_path / "out"
    out.mkdir()
    with only_writer(out, "benchmark"):
        assert run(path, "--out", out, "--json") == 2
    said = capsys.readouterr()
    assert "another process is working on this benchmark" in said.err
    assert f"retake: {json.loads(said.out)['error']}\n" in said.err
    assert not (out / "bench.yaml").exists()


def test_a_full_disk_is_named_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("agent.memory.write_atomically", full)
    assert run(labels(tmp_path, 1), "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert re.search(r"keeping \S*/out/memory/judge-\w+\.json: No space left on device; free some space", said)


def test_judgements_are_shared_between_benchmarks_of_the_same_critic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, cache = labels(tmp_path, 4), tmp_path / "judged"
    with Wire(seeing()) as server:
        critic = asking(tmp_path, server.url)
        assert run(path, *critic, "--cache", cache, "--out", tmp_path / "a", "--limit", "3", "--concurrency", "1") == 0
        asked = len(server.chats)
        assert server.most_at_once == 1
        assert run(path, *critic, "--cache", cache, "--out", tmp_path / "b", "--json") == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (facts["judged"], facts["recalled"]) == (4, 3)
    assert not [body for body in server.chats[asked:] if "<boat 0>" in json.dumps(body)]
    assert facts["critic"].startswith("vlm/1 tiny-cosmos3-reasoner")
    assert not (tmp_path / "a" / "memory").exists()


def test_a_server_that_dies_ends_it_and_the_same_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, say = labels(tmp_path, 5), seeing()

    def dying(body: Any) -> Answer:
        return Answer(401) if "<boat 3>" in json.dumps(body) else say(body)

    with Wire(dying) as server:
        args = [path, *asking(tmp_path, server.url), "--out", tmp_path / "out", "--concurrency", "1"]
        assert run(*args, "--json") == 1
        said = capsys.readouterr()
        facts = json.loads(said.out)
        assert (facts["judged"], facts["rows"]) == (3, 5)
        assert "was not allowed (401)" in facts["error"]
        assert "To go on, give the same command again." in said.err
        server.reply = say
        assert run(*args) == 0
    assert "5 of 5 judged, 3 of them judged already" in capsys.readouterr().out
    assert len(written(tmp_path / "out")) == 5


class Slow:
    """A model that takes its time over each question, and none beyond `most` of them."""

    def __init__(self) -> None:
        self.say, self.most = seeing(), math.inf
        self.wire = Wire(self.reply)

    async def reply(self, body: Any) -> Answer:
        await asyncio.sleep(0.02)
        while len(self.wire.chats) > self.most:
            await asyncio.sleep(0.02)
        return self.say(body)


@pytest.fixture
def slow() -> Iterator[Slow]:
    model = Slow()
    with model.wire:
        yield model


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.thorough
def test_interrupted_it_keeps_its_lines_and_goes_on(tmp_path: Path, slow: Slow, how: signal.Signals, code: int) -> None:
    path, out, log = labels(tmp_path, 40), tmp_path / "out", tmp_path / "log"
    args = ["bench", "run", path, *asking(tmp_path, slow.wire.url), "--out", out]
    slow.most = 16
    process = start(*args, log=log)
    wait_for(out / "scored.jsonl", '"s3"', process)
    busy = run(*args[2:])
    assert stop(process, how) == code, log.read_text()
    assert busy == 2
    said = log.read_text()
    assert "still to come" in said
    assert "give the same command again" in said
    finished = {line["prompt"] for line in remembered(out)}
    assert 4 <= len(finished) <= 16
    asked, slow.most = len(slow.wire.chats), math.inf
    assert run(*args[2:], "-q") == 0
    again = prompts(slow.wire.chats[asked:])
    assert not finished & again.keys(), "a row that was judged was asked about again"
    once(out, 40)


def remembered(out: Path) -> list[dict[str, Any]]:
    """What is remembered of each judgement: its clip, prompt and first frame."""
    return [json.loads(path.read_text())["inputs"] for path in (out / "memory").glob("judge-*.json")]


def prompts(chats: list[dict[str, Any]]) -> Counter[str]:
    """How often a model was asked about each prompt."""
    texts = map(json.dumps, chats)
    return Counter(text[at : text.index(">", at) + 1] for text in texts if (at := text.find("<boat ")) >= 0)


def once(out: Path, count: int) -> None:
    """Every row has exactly one line, in the dataset's order, and is judged once."""
    assert [line["sample_id"] for line in written(out)] == [f"s{n}" for n in range(count)]
    assert Counter(line["prompt"] for line in remembered(out)) == {f"<boat {n}>": 1 for n in range(count)}
    assert yaml.safe_load((out / "bench.yaml").read_text())["done"]


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments_over_the_wire(tmp_path: Path, slow: Slow) -> None:
    path, dice = labels(tmp_path, 60), random.Random(6)
    for number in range(max(2, KILLS // 8)):  # twice each
        out, log = tmp_path / f"out{number}", tmp_path / "log"
        args = ["bench", "run", path, *asking(tmp_path, slow.wire.url), "--out", out, "--concurrency", "1"]
        finished, codes = set[str](), list[int]()
        for session in range(3):
            asked = len(slow.wire.chats)
            slow.most = asked + 40 if session == 0 else math.inf  # the first cannot end before it is killed
            process = start(*args, log=log)
            if session < 2:
                begun(slow, asked, process)
                time.sleep(dice.uniform(0.0, 0.9))
                process.kill()
            codes.append(process.wait(100))
            assert not finished & prompts(slow.wire.chats[asked:]).keys(), "a row that was judged was asked about again"
            finished = {line["prompt"] for line in remembered(out)}
        assert codes[0] == -signal.SIGKILL
        assert codes[2] == 0, log.read_text()
        once(out, 60)


def begun(slow: Slow, asked: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the model is asked more than it was, or the process ends."""
    end = time.monotonic() + 100
    while len(slow.wire.chats) <= asked and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


def judging(folder: Path, rows: int, most: int | None = None) -> "subprocess.Popen[str]":
    """A benchmark of many rows by a critic that tells what it judges, as a process. `most`: it is killed after them."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench_rows", str(folder), str(rows), *([] if most is None else [str(most)])],
        env=environment(),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> dict[int, float]:
    """Wait for it: MiB of memory by rows."""
    said, _ = process.communicate(timeout=290)
    assert process.returncode == 0
    return {int(line.split()[0]): float(line.split()[2]) for line in said.splitlines()}


def killed_and_gone_on_with(folder: Path, rows: int, moments: list[int]) -> None:
    """Kill it when so many rows were begun, each time, and then let it end: no row is judged twice."""
    told = folder / "judged.txt"
    known = set[str]()
    for moment in moments:
        process = judging(folder, rows, moment - len(known))
        process.communicate(timeout=290)
        assert process.returncode == -signal.SIGKILL
        begun = told.read_text().splitlines()
        assert not known & set(begun), "a row was judged twice"
        new = {line["prompt"] for line in remembered(folder / "bench")} - known
        assert new <= set(begun)
        assert len(begun) - len(new) <= 8, "more than what was under way was lost"
        known |= new
        told.unlink()
    ended(judging(folder, rows))
    assert Counter([*known, *told.read_text().splitlines()]) == {f"boat {n}": 1 for n in range(rows)}
    lines = [line["sample_id"] for line in written(folder / "bench")]
    assert lines == [f"s{n}" for n in range(rows)]


@pytest.mark.thorough
def test_killed_in_the_middle_no_row_is_judged_twice(tmp_path: Path) -> None:
    killed_and_gone_on_with(tmp_path, 300, [random.Random().randrange(1, 250)])


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_rows_take_no_more_memory_than_a_thousand(tmp_path: Path) -> None:
    mib = ended(judging(tmp_path, 10_000))
    assert mib[10_000] < mib[1000] + 2, mib


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_rows_killed_again_and_again(tmp_path: Path) -> None:
    killed_and_gone_on_with(tmp_path, 10_000, [700, 4100, 8800])
