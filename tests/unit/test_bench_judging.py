"""A critic over labelled rows: what becomes of each row, what is judged once, and what outlives an interruption."""

import asyncio
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.bench import folder as folders
from agent.bench.folder import About
from agent.bench.judging import IN_A_ROW, on_axis, second_time
from agent.bench.progress import Plain
from agent.bench.running import Bench
from agent.bench.tally import Tally
from agent.bench.types import BadRow, Scored
from agent.bench.window import in_order
from agent.errors import ConfigError, ServingError, StorageError
from agent.events import ServerReady, ServerWaiting
from critic.hybrid import NOT_ASKED
from critic.instrument import Instrument
from critic.types import JudgeError
from reasoner.chat.types import Refused, ServerDown, ServerFailed
from tests.bench_rows import CountingCritic, bench, critique, row
from tests.parts import ScriptedComparer


def lines(work: Bench) -> list[Scored]:
    return list(work.lines.kept())


async def judged(work: Bench) -> list[Scored]:
    await work.run()
    return lines(work)


def test_an_axis_has_the_weighted_mean_of_its_criteria() -> None:
    found = critique(0.9)
    assert on_axis(found, "motion") == pytest.approx((3 * 0.9 + 0.5) / 4)
    assert on_axis(found, "quality") == 0.9
    assert on_axis(found, "overall") == found.overall
    assert on_axis(found, "physics") is None


def test_a_clip_that_was_not_worth_a_question_counts_as_such_on_every_axis() -> None:
    found = critique(0.9)
    gate = found.scores[0].model_copy(update={"criterion": NOT_ASKED, "axis": "quality", "value": 0.1, "weight": 1.0})
    gated = found.model_copy(update={"scores": (*found.scores, gate)})
    assert on_axis(gated, "physics") == 0.1
    assert on_axis(gated, "quality") == pytest.approx(0.5)


async def test_a_sample_with_several_axes_is_judged_once(tmp_path: Path) -> None:
    rows = [row(1, axis=axis) for axis in ("overall", "motion", "quality", "physics")]
    critic = CountingCritic(lambda prompt: 0.8)
    work = bench(tmp_path, rows, critic)
    overall, motion, quality, physics = await judged(work)
    assert len(critic.judged) == 1
    assert [motion.score, quality.score] == pytest.approx([0.725, 0.8])
    assert (physics.score, physics.failure) == (None, "no question on axis physics")
    assert physics.overall is not None  # which a threshold is held against, whatever was labelled
    assert (overall.words, overall.seconds, motion.seconds) == (4, 0.25, 0)
    assert (work.tally.judged, work.tally.not_asked, work.tally.failed, work.tally.recalled) == (3, 1, 0, 3)


async def test_what_decides_a_judgement_is_the_clips_bytes_the_prompt_and_the_first_frame(tmp_path: Path) -> None:
    critic = CountingCritic()
    same = row(0).model_copy(update={"sample_id": "elsewhere", "video": "same.mp4"})
    others = [row(0, prompt="a car"), row(0, video="clip1.mp4"), row(0, first_frame="clip2.mp4")]
    work = bench(tmp_path, [row(0), same, *others], critic)
    (tmp_path / "data" / "same.mp4").write_text("clip 0")
    await work.run()
    assert len(critic.judged) == 4
    again = CountingCritic(id="another/1")
    await bench(tmp_path / "b", [row(0)], again).run()
    assert len(again.judged) == 1


async def test_a_pair_is_judged_and_compared_in_both_orders(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"label_type": "pair", "label": 1, "video_b": "clip1.mp4"}
    rows = [row(0, **facts), row(0, axis="motion", **facts), row(2, prompt="cannot", **facts)]
    critic = CountingCritic(lambda prompt: 0.8)
    comparer = ScriptedComparer(lambda a, b: 0.7, bias=0.1)
    first, motion, _ = await judged(bench(tmp_path, rows, critic, comparer=comparer))
    assert (first.score, first.score_b) == (critique(0.8).overall,) * 2
    assert first.orders is not None
    assert list(first.orders) == pytest.approx([0.8, 0.6])
    assert first.seconds == pytest.approx(0.25 * 2 + 0.125)
    assert (motion.score_b, motion.orders) == (0.725, None), "which moves better is not what is asked"
    assert comparer.compared == [("clip 0", "clip 1"), ("clip 2", "clip 1")]


async def test_clips_that_cannot_be_compared_keep_their_scores(tmp_path: Path) -> None:
    comparer = ScriptedComparer(lambda a, b: JudgeError("one video only"))
    pair = row(0, label_type="pair", label=1, video_b="clip1.mp4")
    (line,) = await judged(bench(tmp_path, [pair], CountingCritic(), comparer=comparer))
    assert (line.score is not None, line.orders, line.failure) == (True, None, "")


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (JudgeError("it does not decode"), "cannot be judged: it does not decode"),
        (ValueError("an odd clip\nand so on"), "the critic failed: an odd clip and so on"),
        (Refused("Asking tiny was refused (400).", 400), "the server fails at it: Asking tiny was refused (400)."),
        (ServerFailed("It failed (500)."), "the server fails at it: It failed (500)."),
    ],
)
async def test_one_clips_failure_is_a_line_and_never_a_zero(tmp_path: Path, outcome: Exception, failure: str) -> None:
    critic = CountingCritic(lambda prompt: outcome if prompt == "boat 1" else 0.5)
    work = bench(tmp_path, 3, critic)
    found = await judged(work)
    assert [line.score is None for line in found] == [False, True, False]
    assert found[1].failure == failure
    assert work.tally.failures == {failure.partition(": ")[0]: 1}


async def test_a_clip_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    rows = [row(0, video="gone.mp4"), row(1, first_frame="gone.png")]
    work = bench(tmp_path, rows, CountingCritic())
    clip, frame = await judged(work)
    assert work.tally.recalled == 0
    assert clip.failure.startswith("the clip cannot be had: ")
    assert frame.failure.startswith("the first frame cannot be had: ")


@pytest.mark.parametrize("error", [ServerDown("Nobody answers."), Refused("No such endpoint.", 404)])
async def test_a_server_that_is_gone_ends_it_and_keeps_what_was_done(tmp_path: Path, error: Exception) -> None:
    work = bench(tmp_path, 9, CountingCritic(lambda prompt: error if prompt == "boat 4" else 0.5))
    with pytest.raises(ServingError, match=f"judging: {error}"):
        await work.run()
    assert [line.sample_id for line in lines(work)] == ["s0", "s1", "s2", "s3"]


async def test_a_server_that_fails_at_every_clip_is_at_fault_itself(tmp_path: Path) -> None:
    work = bench(tmp_path, 9, CountingCritic(lambda prompt: ServerFailed("It failed (500).")))
    with pytest.raises(ServingError, match=f"with {IN_A_ROW} clips one after another"):
        await work.run()
    assert len(lines(work)) < IN_A_ROW
    critic = CountingCritic(lambda p: ServerFailed("500") if p[-1] in "13579" else 0.5)
    assert len(await judged(bench(tmp_path / "other", 20, critic))) == 20


async def test_a_full_disk_ends_it(tmp_path: Path) -> None:
    work = bench(tmp_path, 3, CountingCritic(lambda prompt: OSError(28, "No space left on device", "x")))
    with pytest.raises(StorageError, match="free some space"):
        await work.run()


async def test_a_share_of_the_samples_is_judged_twice_afresh(tmp_path: Path) -> None:
    values = iter([0.5] + [0.1 * n for n in range(9)])
    critic = CountingCritic(lambda prompt: next(values))
    (line,) = await judged(bench(tmp_path, [row(0, axis="quality")], critic, retest=0.001))
    assert (line.score, line.retest) == (0.5, 0.0), "the first sample is always among them"
    shares = [sum(second_time(f"s{n}", share) for n in range(2000)) / 2000 for share in (0.0, 0.1, 1.0)]
    assert shares == [0.0, pytest.approx(0.1, abs=0.02), 1.0]
    again = CountingCritic(lambda prompt: 1.0)
    work = bench(tmp_path, [row(0, axis="quality")], again, retest=0.001)
    work.lines.path.unlink()
    assert (await judged(work))[0].retest == 0.0, "it is remembered like the first"
    assert again.judged == []


async def test_a_second_judgement_that_fails_leaves_the_first(tmp_path: Path) -> None:
    values: Iterator[float | Exception] = iter([0.5, JudgeError("odd")])
    (line,) = await judged(bench(tmp_path, [row(0)], CountingCritic(lambda prompt: next(values)), retest=1.0))
    assert (line.score is not None, line.retest, line.failure) == (True, None, "")


async def test_lines_come_in_the_datasets_order_and_no_more_is_held_than_the_window() -> None:
    taken, got, under_way = 0, list[int](), 0
    most = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 31):
            assert taken - len(got) <= 5, "read too far ahead"
            yield taken

    async def work(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 * (item * 7 % 5))
        under_way -= 1
        return item

    await in_order(items(), work, 4, got.append)
    assert (got, most) == (list(range(1, 31)), 4)


async def test_being_cancelled_ends_what_is_under_way() -> None:
    begun, ended = [], []

    async def work(item: int) -> int:
        begun.append(item)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(item)
        return item

    task = asyncio.create_task(in_order(range(9), work, 3, lambda item: None))
    while len(begun) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [0, 1, 2]


@pytest.mark.parametrize("stop", [0, 1, 5, 8])
async def test_the_same_command_goes_on_and_judges_nothing_twice(tmp_path: Path, stop: int) -> None:
    first = CountingCritic(lambda prompt: ServerDown("gone") if prompt == f"boat {stop}" else 0.5)
    with pytest.raises(ServingError):
        await bench(tmp_path, 9, first).run()
    whole = await judged(bench(tmp_path / "whole", 9, CountingCritic()))
    second = CountingCritic()
    work = bench(tmp_path, 9, second)
    found = await judged(work)
    without = {"seconds"}
    assert [line.model_dump(exclude=without) for line in found] == [line.model_dump(exclude=without) for line in whole]
    both = [prompt for _, prompt in [*first.judged, *second.judged]]
    assert sorted(both) == sorted([*(f"boat {n}" for n in range(9)), f"boat {stop}"])
    assert work.tally.done == 9
    assert work.tally.recalled >= stop


async def test_a_line_that_a_kill_cut_off_is_written_again(tmp_path: Path) -> None:
    whole = bench(tmp_path, 3, CountingCritic())
    await whole.run()
    text = whole.lines.path.read_bytes()
    start = text.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (*range(start, start + 3), len(text) - 2, len(text) - 1):
        whole.lines.path.write_bytes(text[:cut])
        critic = CountingCritic()
        found = await judged(bench(tmp_path, 3, critic))
        assert ([line.sample_id for line in found], critic.judged) == (["s0", "s1", "s2"], [])
    whole.lines.path.write_bytes(text[: start // 2])
    assert len(await judged(bench(tmp_path, 3, CountingCritic()))) == 3
    whole.lines.path.write_bytes(b"x" * 9000)  # longer than what is read at once, and no line at all
    assert len(await judged(bench(tmp_path, 3, CountingCritic()))) == 3


async def test_more_rows_are_judged_behind_the_ones_that_are_there(tmp_path: Path) -> None:
    await bench(tmp_path, 9, CountingCritic(), limit=4).run()
    critic = CountingCritic()
    assert len(await judged(bench(tmp_path, 9, critic, limit=6))) == 6
    assert len(critic.judged) == 2
    with pytest.raises(ConfigError, match=r"more rows than the 3 .* raise --limit"):
        await bench(tmp_path, 9, CountingCritic(), limit=3).run()


async def test_lines_of_other_rows_are_refused(tmp_path: Path) -> None:
    await bench(tmp_path, 3, CountingCritic()).run()
    with pytest.raises(ConfigError, match=r"line 2 is of sample 's1' .*'other'.*choose another --out"):
        await bench(tmp_path, [row(0), row(1, sample_id="other")], CountingCritic()).run()


@pytest.mark.parametrize("stop", [None, 1, 2, 4])
async def test_failed_rows_are_tried_again_and_the_others_stand(tmp_path: Path, stop: int | None) -> None:
    bad = {"boat 1", "boat 4"}
    before = await judged(bench(tmp_path, 6, CountingCritic(lambda p: JudgeError("odd") if p in bad else 0.5)))
    assert sum(line.score is None for line in before) == 2
    again = bench(tmp_path, 6, CountingCritic(lambda p: ServerDown("gone") if p == f"boat {stop}" else 0.9))
    shutil.rmtree(tmp_path / "bench" / "memory")  # the lines alone say what was judged
    again.lines.retry()
    if stop in {1, 4}:  # the server dies, and the same command with or without --retry-failed goes on
        with pytest.raises(ServingError):
            await again.run()
        if stop == 4:
            again.lines.retry()
        critic = CountingCritic(lambda prompt: 0.9)
        await bench(tmp_path, 6, critic).run()
        assert {prompt for _, prompt in critic.judged} <= bad
    else:
        await again.run()
        assert {prompt for _, prompt in again.judging.critic.judged} == bad  # type: ignore[attr-defined]
    after = lines(again)
    assert [line.sample_id for line in after] == [f"s{n}" for n in range(6)]
    better = critique(0.9).overall
    assert [line.score for line in after] == [better if n in {1, 4} else before[n].score for n in range(6)]
    assert not again.lines.before.exists()


def about(**more: Any) -> About:
    facts = {
        "dataset": "clips",
        "source": "clips.csv",
        "format": "plain",
        "sha256": "ab",
        "instrument": Instrument(critic="signals/1"),
        "made": "2026-01-02T00:00:00Z",
    }
    return About.model_validate(facts | more)


def test_a_folder_of_other_labels_or_another_critic_is_told_apart(tmp_path: Path) -> None:
    folders.write(tmp_path, about(retest=0.1))
    known = folders.read(tmp_path)
    assert known.differences(about(retest=0.1, limit=9, bad_rows=3, source="moved.csv")) == ()
    other = about(sha256="cd", axis="motion", instrument=Instrument(critic="signals/2", fps=4))
    assert known.differences(other) == (
        "the labels' SHA-256: ab there, cd here",
        "--axis: all there, motion here",
        "--retest: 0.1 there, 0 here",
        "critic: signals/1 there, signals/2 here",
        "fps: none there, 4 here",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("garbage: [", "bench.yaml: is damaged (it is no YAML in UTF-8); put it back"),
        ("extra: 1", "bench.yaml: is damaged (dataset: Field required); put it back"),
        (None, "is no benchmark's folder, it has no bench.yaml; `retake bench run` makes one"),
    ],
)
def test_what_is_no_benchmark_is_told_in_a_line(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "bench.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        folders.read(tmp_path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "scored.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"scored.jsonl: line 1 is damaged"):
        list(folders.scored(tmp_path / "scored.jsonl"))


async def test_bad_rows_are_counted_and_the_first_told(tmp_path: Path) -> None:
    bad = [BadRow(line=n, why="label is missing") for n in range(2, 22)]
    work = bench(tmp_path, [*bad, row(1)], CountingCritic())
    assert (work.asked.bad_rows, [b.line for b in work.asked.bad]) == (20, list(range(2, 12)))
    assert len(await judged(work)) == 1


def test_means_are_of_what_people_took_and_of_pairs_decided_alike() -> None:
    tally = Tally(total=6)
    for label, score in ((1, 0.9), (1, 0.7), (0, 0.2)):
        tally.add(Scored(sample_id="a", label_type="binary", label=label, group="g", score=score), recalled=False)
    for better, (a, b) in (
        (1.0, (0.9, 0.1)),
        (0.0, (0.9, 0.1)),
        (1.0, (0.5, 0.5)),
        (0.0, (0.5, 0.5)),
        (0.5, (0.9, 0.1)),
    ):
        pair = Scored(sample_id="a", label_type="pair", label=better, group="g", score=a, score_b=b)
        tally.add(pair, recalled=False)
    assert tally.means == "passed 0.800 (2), not passed 0.200 (1), pairs decided as people do 0.250 (4)"


def test_a_log_is_told_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    out, tally = io.StringIO(), Tally(total=300, judged=100, recalled=50)
    tally.failures["cannot be judged"] = 2
    plain = Plain(tally, out)
    plain()
    assert out.getvalue() == ""
    plain.begun -= 26.0
    plain.said -= 26.0
    plain()
    plain()
    assert out.getvalue() == "102 of 300 rows, 26.0 s, 2.0 rows/s, about 1:39 left, 2 failed\n"
    for seconds in (0, 3, 11):
        plain.event(ServerWaiting(part="critic", seconds=seconds, line="loading\x1b[2J"))
    plain.event(ServerReady(part="critic", url="http://h", model="m"))
    told = out.getvalue().splitlines()[1:]
    assert len(told) == 3
    assert "\x1b" not in out.getvalue()
