"""Readers of T2VQA-DB, VideoFeedback, VBench's preferences and marked runs: every row, and why the others are none."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent import marks
from agent.bench.readers import open_dataset, runs, t2vqa, vbench, videofeedback
from agent.bench.types import BadRow, Row
from agent.errors import ConfigError
from agent.files import file_hash
from agent.marks import Mark
from agent.run import Run
from agent.types import Candidate, Draft, Entrant
from generator.types import Clip, Effective
from reasoner.types import Caption
from tests.runs import begin, critique

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bench"
DIMENSIONS = ("visual quality", "temporal consistency", "dynamic degree", "text-to-video alignment")


def parted(found: Iterable[Row | BadRow]) -> tuple[list[Row], dict[int, str]]:
    """The rows, and why each line that is none is none."""
    both = list(found)
    return [r for r in both if isinstance(r, Row)], {b.line: b.why for b in both if isinstance(b, BadRow)}


def test_t2vqa_is_read_line_by_line() -> None:
    data = open_dataset(FIXTURES / "t2vqa" / "info.txt")
    rows, bad = parted(data.rows())

    assert data.format == "t2vqa"
    assert [(r.sample_id, r.label) for r in rows] == [
        ("0001.mp4", 62.417),
        ("0002.mp4", 35.08),
        ("0003.mp4", 51.0),
        ("0009.mp4", 48.731),
    ]
    assert rows[2].prompt == "Left|right: two boats, one sail"
    assert {(r.label_type, r.scale, r.axis, r.n_raters) for r in rows} == {("mos", (0.0, 100.0), "overall", 27)}
    assert rows[0].group == rows[1].group == rows[0].prompt
    assert rows[0].video == "0001.mp4"
    assert bad == {
        5: "score must be a number from 0 to 100 (got 'high')",
        6: "must be name|prompt|score (got '0005.mp4|A tin robot waters tulips')",
        7: "name is empty",
        8: "score must be a number from 0 to 100 (got '104.5')",
        9: "name: there was '0001.mp4' before",
    }


def test_t2vqa_without_a_row_of_use_says_why(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text("a.mp4|a prompt|nan\n")
    with pytest.raises(ConfigError, match="no row of it can be used; the first is line 1: score must be a number"):
        list(open_dataset(tmp_path / "info.txt", "t2vqa").rows())


@pytest.mark.parametrize("head", [b"", b"a|b\n", b"name|prompt|mos\n", b"\x00\xff|a|1e999\n", b"{}", b"a,b,1\n"])
def test_t2vqa_does_not_take_what_is_none_of_its_own(head: bytes, tmp_path: Path) -> None:
    assert not t2vqa.recognises(tmp_path / "info.txt", head)


def test_vbench_gives_each_pair_once() -> None:
    data = open_dataset(FIXTURES / "vbench" / "subject_consistency.json")
    rows, bad = parted(data.rows())

    assert data.format == "vbench"
    assert {r.sample_id: r.label for r in rows} == {
        "1/cogvideo/lavie": 0.0,
        "1/cogvideo/modelscope": 0.5,
        "1/cogvideo/videocraft": 0.0,
        "1/lavie/modelscope": 1.0,
        "1/lavie/videocraft": 0.5,
        "1/modelscope/videocraft": 1.0,
    }
    assert {(r.label_type, r.axis, r.group) for r in rows} == {
        ("pair", "consistency", "a grey cat crossing a wet street")
    }
    assert rows[0].video.startswith("https://")
    assert rows[0].video_b == "lavie/a grey cat crossing a wet street-0.mp4"
    assert bad[3] == "human_anno: 'lavie' beside 'modelscope' must be 0, 0.5 or 1 (got 0.3)"
    assert bad[4] == "prompt_en is missing, empty or no text"
    assert bad[5] == "is no JSON object"
    found = [b.why for b in data.rows() if isinstance(b, BadRow) and b.line == 2]
    assert found == [
        "human_anno: 'lavie' beside 'modelscope' is 1, and the other way round 1: 0 would agree",
        "videos: 'cogvideo' is missing, empty or no text",
    ]


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("overall_consistency.json", "adherence"),
        ("human_anno_motion-smoothness.json", "motion"),
        ("imaging_quality.json", "quality"),
        ("labels.json", "overall"),
    ],
)
def test_vbenchs_dimension_is_the_files_name(name: str, axis: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((FIXTURES / "vbench" / "subject_consistency.json").read_bytes())
    assert {r.axis for r in vbench.read(tmp_path / name) if isinstance(r, Row)} == {axis}


@pytest.mark.parametrize("text", ["{}", '[{"prompt_en": ', "[" * 40 + "]" * 40])
def test_vbench_that_is_no_list_of_objects_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json"):
        list(vbench.read(tmp_path / "a.json"))


def feedback(path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> Path:
    """A parquet file with all the columns of the dataset's card."""
    grade = pa.int64()
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("images", pa.list_(pa.string())),
            ("text prompt", pa.string()),
            ("video link", pa.string()),
            *((name, grade) for name in DIMENSIONS),
            ("factual consistency", grade),
            ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
        ]
    )
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, **options)
    return path


def clip(number: int, grades: Sequence[int | None] = (3, 2, 3, 1, 2)) -> dict[str, Any]:
    """A row of VideoFeedback."""
    name = f"{7_000_000 + number}"
    return {
        "id": name,
        "images": [f"{name}_00.jpg", f"{name}_01.jpg"],
        "text prompt": "a paper boat in a gutter  ",
        "video link": f"https://example.org/videos/7/{name}.mp4",
        **dict(zip((*DIMENSIONS, "factual consistency"), grades, strict=True)),
        "conversations": [{"from": "human", "value": "Rate it."}, {"from": "gpt", "value": "visual quality: 3"}],
    }


def test_videofeedback_gives_a_row_for_each_aspect(tmp_path: Path) -> None:
    path = feedback(tmp_path / "test-00000-of-00001.parquet", [clip(1917), clip(1486, (2, 3, 3, 2, 3))])
    data = open_dataset(path)
    rows, bad = parted(data.rows())

    assert (data.format, bad) == ("videofeedback", {})
    assert [(r.axis, r.label) for r in rows[:5]] == [
        ("quality", 3.0),
        ("consistency", 2.0),
        ("motion", 3.0),
        ("adherence", 1.0),
        ("physics", 2.0),
    ]
    assert {(r.sample_id, r.video) for r in rows[:5]} == {("7001917", "https://example.org/videos/7/7001917.mp4")}
    assert {(r.label_type, r.scale, r.prompt, r.group) for r in rows} == {
        ("likert", (1.0, 4.0), "a paper boat in a gutter", "a paper boat in a gutter")
    }


def test_videofeedbacks_bad_rows_are_counted_over_batches_and_row_groups(tmp_path: Path) -> None:
    rows = [clip(n) for n in range(1200)]
    rows[700] = clip(700, (3, 2, 3, 0, 2)) | {"text prompt": ""}
    rows[1100] = clip(1100) | {"video link": None}
    rows[1101] = clip(1101, (5, None, 1, 1, 1))
    rows[1102] = clip(1102) | {"id": ""}
    found = list(videofeedback.read(feedback(tmp_path / "a.parquet", rows, row_group_size=500)))

    assert [(b.line, b.why) for b in found if isinstance(b, BadRow)] == [
        (701, "text-to-video alignment must be 1, 2, 3 or 4 (got 0)"),
        (1101, "video link is empty or no text; frames alone (images) are not judged"),
        (1102, "visual quality must be 1, 2, 3 or 4 (got 5)"),
        (1102, "temporal consistency must be 1, 2, 3 or 4 (got nothing)"),
        (1103, "id is empty or no text"),
    ]
    good = [r for r in found if isinstance(r, Row)]
    assert len(good) == 5 * 1196 + 4 + 3
    assert {r.group for r in good if r.sample_id == "7000700"} == {"7000700"}


def test_videofeedback_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    whole = feedback(tmp_path / "a.parquet", [clip(1)]).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"cut\.parquet: cannot be read as parquet"):
        list(videofeedback.read(tmp_path / "cut.parquet"))

    pq.write_table(pa.table({"id": ["1"], "text prompt": ["a"], "video link": ["a.mp4"]}), tmp_path / "b.parquet")
    with pytest.raises(ConfigError, match="has none of the columns visual quality"):
        list(videofeedback.read(tmp_path / "b.parquet"))

    pq.write_table(pa.table({"id": ["1"], "prompt": ["a"], "video link": ["a.mp4"]}), tmp_path / "c.parquet")
    with pytest.raises(ConfigError, match="the column 'text prompt' is missing; is 'prompt' meant"):
        list(videofeedback.read(tmp_path / "c.parquet"))


def test_videofeedback_with_a_row_group_that_fills_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = feedback(tmp_path / "a.parquet", [clip(n) for n in range(50)])
    monkeypatch.setattr(videofeedback, "MAX_ROW_GROUP", 1 << 10)
    with pytest.raises(ConfigError, match="row group 1 unpacks to"):
        list(videofeedback.read(path))


def marked(folder: Path, name: str = "20260314-bay-ab12", *, draft: bool = False) -> Run:
    """A run of two iterations of two candidates, its clips a few bytes each."""
    run = begin(folder / name)
    spec = run.request.spec
    if draft:
        cheap = spec.model_copy(update={"num_frames": 17})
        tier = Draft(spec=cheap, promote=1, seeds=2, ratio=3.0, assumes="that drafts rank as targets do")
        run = run.model_copy(update={"request": run.request.model_copy(update={"draft": tier})})
    for index in range(2):
        tier_name: Literal["draft", "target"] = "draft" if draft and index == 0 else "target"
        run = run.with_caption(Caption.raw(run.request.prompt), (4100, 4101), tier_name)
        for seed in (4100, 4101):
            path = run.clip_path(index, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"clip {index} {seed}".encode())
            asked = run.request.spec_for(run.iterations[index].caption, tier_name)
            sizes = {"width": asked.width, "height": asked.height, "num_frames": asked.num_frames, "fps": asked.fps}
            made = Clip(
                path=path,
                seed=seed,
                spec=asked,
                effective=Effective.model_validate({**sizes, "codec": "h264"}),
                seconds=2.0,
                generator="painted/1",
            )
            run = run.with_candidate(Candidate(clip=made, critique=critique({}, seed=seed)))
    (run.folder / "run.json").write_text(run.model_dump_json(context={"folder": run.folder}))
    return run


def say(
    run: Run,
    kind: Literal["rating", "verdict", "pair"],
    label: float | None,
    first: tuple[int, int],
    second: tuple[int, int] | None = None,
    rater: str = "",
) -> None:
    """One more mark of the run."""
    one, other = ((None if e is None else Entrant(iteration=e[0], seed=e[1])) for e in (first, second))
    assert one is not None
    count = sum(1 for _ in marks.lines(run.folder))
    mark = Mark(
        kind=kind,
        label=label,
        first=one,
        second=other,
        clip_sha256=file_hash(run.clip_path(*first)),
        second_sha256=None if second is None else file_hash(run.clip_path(*second)),
        rater=rater,
        at=datetime(2026, 3, 15, tzinfo=UTC) + timedelta(minutes=count),
    )
    marks.append(run.folder, mark)


def test_one_persons_marks_are_rows(tmp_path: Path) -> None:
    run = marked(tmp_path)
    say(run, "rating", 2, (0, 4100))
    say(run, "rating", 4, (0, 4100))  # the last one stands
    say(run, "verdict", 1, (0, 4100))
    say(run, "rating", 5, (1, 4100))
    say(run, "rating", None, (1, 4100))  # taken back
    say(run, "pair", 1, (1, 4101), (0, 4101))
    data = open_dataset(tmp_path)
    rows, bad = parted(data.rows())

    assert (data.format, bad) == ("runs", {})
    assert [(r.sample_id, r.label_type, r.label, r.scale) for r in rows] == [
        ("20260314-bay-ab12/target/0-4100", "likert", 4.0, (1.0, 5.0)),
        ("20260314-bay-ab12/target/0-4100/verdict", "binary", 1.0, None),
        ("20260314-bay-ab12/target/0-4101/1-4101", "pair", 0.0, None),
    ]
    assert rows[0].video == "20260314-bay-ab12/clips/01-seed-4100.mp4"
    assert rows[2].video_b == "20260314-bay-ab12/clips/02-seed-4101.mp4"
    assert {(r.prompt, r.group, r.first_frame, r.axis) for r in rows} == {
        (run.request.prompt, run.request.prompt, None, "overall")
    }
    alone = parted(runs.read(run.folder))[0]
    assert [r.sample_id for r in alone] == [r.sample_id for r in rows]
    assert alone[0].video == "clips/01-seed-4100.mp4"


def test_what_several_people_said_of_a_clip_is_one_row(tmp_path: Path) -> None:
    run = marked(tmp_path)
    for rater, rating, verdict, better in (("a", 2, 0, 1), ("b", 5, 1, 0), ("c", 5, 1, 0)):
        say(run, "rating", rating, (0, 4100), rater=rater)
        say(run, "verdict", verdict, (0, 4100), rater=rater)
        say(run, "pair", better, (0, 4100), (0, 4101), rater)
    say(run, "pair", 0, (0, 4101), (0, 4100), "a")  # "a" was shown them the other way round, and says the same again
    for rater, verdict in (("a", 0), ("b", 1)):
        say(run, "verdict", verdict, (1, 4100), rater=rater)
        say(run, "pair", verdict, (1, 4100), (1, 4101), rater)
    rows, bad = parted(open_dataset(tmp_path).rows())

    assert [(r.label_type, r.label, r.n_raters) for r in rows] == [
        ("mos", 4.0, 3),
        ("binary", 1.0, 3),
        ("pair", 0.0, 3),
        ("pair", 0.5, 2),
    ]
    why = "iteration 1, seed 4100: 2 people, of whom as many passed as failed it"
    assert bad == {13: f"20260314-bay-ab12/marks.jsonl: {why}"}


def test_drafts_are_told_by_their_tier(tmp_path: Path) -> None:
    run = marked(tmp_path, draft=True)
    say(run, "rating", 3, (0, 4100))
    say(run, "rating", 4, (1, 4100))
    rows, _ = parted(open_dataset(tmp_path).rows())
    assert [r.sample_id.split("/")[1] for r in rows] == ["draft", "target"]


def test_a_mark_of_other_bytes_or_of_no_clip_is_no_row(tmp_path: Path) -> None:
    run = marked(tmp_path)
    for entrant in ((0, 4100), (0, 4101), (1, 4100), (1, 4101)):
        say(run, "rating", 3, entrant)
    run.clip_path(0, 4100).write_bytes(b"another clip")
    run.clip_path(0, 4101).unlink()
    outside = tmp_path.parent / "secret.mp4"
    outside.write_bytes(run.clip_path(1, 4100).read_bytes())
    run.clip_path(1, 4100).unlink()
    run.clip_path(1, 4100).symlink_to(outside)
    stray = Mark(
        kind="rating",
        first=Entrant(iteration=7, seed=1),
        clip_sha256="0",
        label=1,
        at=datetime(2026, 3, 15, tzinfo=UTC),
    )
    marks.append(run.folder, stray)
    with (run.folder / "marks.jsonl").open("a") as file:
        file.write('{"kind": "rating"\n')
    rows, bad = parted(open_dataset(tmp_path).rows())

    assert [r.sample_id for r in rows] == ["20260314-bay-ab12/target/1-4101"]
    named = {line: why.removeprefix("20260314-bay-ab12/marks.jsonl: ") for line, why in bad.items()}
    assert named[1] == "iteration 0, seed 4100: its clip is another than the one that was marked"
    assert named[2] == "iteration 0, seed 4101: its clip cannot be read (No such file or directory)"
    assert named[3] == "iteration 1, seed 4100: its clip lies outside of the run's folder"
    assert named[5] == "iteration 7, seed 1: the run has no such candidate"
    assert "Invalid JSON" in named[6]


def test_several_runs_are_read_by_name_and_hashed_together(tmp_path: Path) -> None:
    for name in ("b-run", "a-run", "c-unmarked"):
        run = marked(tmp_path, name)
        if name != "c-unmarked":
            say(run, "rating", 3, (0, 4100))
    (tmp_path / "d-damaged").mkdir()
    (tmp_path / "d-damaged" / "run.json").write_text("{")
    (tmp_path / "d-damaged" / "marks.jsonl").write_text("{}\n")
    data = open_dataset(tmp_path)
    rows, bad = parted(data.rows())

    assert [r.sample_id for r in rows] == ["a-run/target/0-4100", "b-run/target/0-4100"]
    assert "d-damaged" in bad[1]
    before = runs.digest(tmp_path)
    assert data.sha256 == before
    say(run, "rating", 4, (1, 4100))
    assert runs.digest(tmp_path) != before


def test_a_folder_without_marks_is_none_of_theirs(tmp_path: Path) -> None:
    marked(tmp_path)
    assert not runs.recognises(tmp_path, b"")
    assert not runs.recognises(tmp_path / "nothing", b"")


def test_a_run_that_is_linked_into_the_folder_is_read_by_the_links_name(tmp_path: Path) -> None:
    run = marked(tmp_path / "elsewhere")
    say(run, "rating", 3, (0, 4100))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(run.folder, target_is_directory=True)
    data = open_dataset(tmp_path / "runs")
    (row,), bad = parted(data.rows())
    assert not bad
    assert row.sample_id == "linked/target/0-4100"
    assert (data.folder / row.video).read_bytes() == b"clip 0 4100"
