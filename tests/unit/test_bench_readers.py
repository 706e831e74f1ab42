"""Public datasets with human labels: rows as published, bad rows by line, and which format is told from which."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent.bench.readers import FORMATS, open_dataset, rewardbench, uve, videophy2, whole_json
from agent.bench.types import BadRow, Row
from agent.errors import ConfigError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bench"
VIDEOPHY2 = FIXTURES / "videophy2" / "videophy2_test.csv"
REWARDBENCH = FIXTURES / "rewardbench" / "videogen-rewardbench.csv"
UVE = FIXTURES / "uve" / "annotations.json"


def rows(path: Path, format_name: str | None = None) -> tuple[list[Row], dict[int, list[str]]]:
    """The rows of a dataset, and why others are bad, by line."""
    good: list[Row] = []
    bad: dict[int, list[str]] = {}
    for row in open_dataset(path, format_name).rows():
        if isinstance(row, BadRow):
            bad.setdefault(row.line, []).append(row.why)
        else:
            good.append(row)
    return good, bad


def labels(found: list[Row]) -> list[tuple[str, str, str, float]]:
    return [(row.sample_id, row.axis, row.label_type, row.label) for row in found]


def test_videophy2_as_its_card_describes_it() -> None:
    good, bad = rows(VIDEOPHY2)
    ball, honey, rope = (
        "A ball is thrown at a wall, and bounces back.",
        "Honey drips from a spoon",
        "A rope is pulled tight",
    )
    assert labels(good) == [
        ("1", "adherence", "likert", 5),
        ("1", "physics", "likert", 4),
        ("1", "overall", "binary", 1),
        ("2", "adherence", "likert", 4),
        ("2", "physics", "likert", 2),
        ("2", "overall", "binary", 0),
        ("3", "adherence", "likert", 3),
        ("5", "physics", "likert", 1),
        ("6", "adherence", "likert", 4),
        ("6", "physics", "likert", 4),
        ("7", "adherence", "mos", 4.5),
        ("7", "physics", "likert", 4),
        ("7", "overall", "binary", 1),
    ]
    assert [row.prompt for row in good] == [ball] * 6 + [honey] * 2 + [rope] * 5, "the caption, not its upsampled form"
    assert all(row.group == row.prompt for row in good)
    assert {row.scale for row in good} == {(1, 5), None}
    assert good[0].video == "https://videos.example/wan/A%20ball%20is%20thrown.mp4"
    assert bad == {
        5: ["pc must be a grade from 1 to 5 (got an empty cell)"],
        6: ["video_url is empty"],
        7: ["sa must be a grade from 1 to 5 (got '6')"],
        8: ["joint is '0', and sa and pc make it 1"],
    }


def test_videophy2_of_clips_that_lie_here() -> None:
    good, bad = rows(FIXTURES / "videophy2" / "local.csv")
    assert labels(good) == [
        ("1", "adherence", "likert", 2),
        ("1", "physics", "likert", 5),
        ("1", "overall", "binary", 0),
    ]
    assert good[0].video == "examples/A_jetski_moves_quickly,_and_turns_0.mp4"
    assert not bad


def test_rewardbench_as_its_evaluation_reads_it() -> None:
    good, bad = rows(REWARDBENCH)
    assert labels(good) == [
        *[("1", axis, "pair", label) for axis, label in zip(AXES, (1, 0, 0.5, 1), strict=True)],
        *[("2", axis, "pair", label) for axis, label in zip(AXES, (0.5, 0.5, 0, 0), strict=True)],
        *[("3", axis, "pair", 1) for axis in AXES[:3]],
        *[("5", axis, "pair", 1) for axis in AXES[1:]],
    ]
    assert (good[0].video, good[0].video_b) == ("videos/kling1.5/00102.mp4", "videos/gen3/00102.mp4")
    assert [good[0].prompt, good[8].prompt, good[-1].prompt] == [
        "A ship sails past an iceberg, in fog",
        "一只猫在弹钢琴",
        'He says "hello"',
    ]
    assert bad == {
        4: ["Overall must be A, B or same (got an empty cell)"],
        5: ["path_B is empty"],
        6: ["VQ must be A, B or same (got 'invalid')"],
    }


AXES = ("quality", "motion", "adherence", "overall")


def test_rewardbench_training_tables_have_no_overall() -> None:
    good, bad = rows(FIXTURES / "rewardbench" / "train.csv")
    assert labels(good) == [("1", "quality", "pair", 1), ("1", "motion", "pair", 0.5), ("1", "adherence", "pair", 0)]
    assert not bad


def test_uve_as_its_repository_has_it() -> None:
    good, bad = rows(UVE)
    assert labels(good) == [
        ("movie_gen_video_bench-dynamic_degree-00000-0", "motion", "pair", 0),
        ("movie_gen_video_bench-static_visual_quality-00000-3", "quality", "pair", 0.5),
        ("movie_gen_video_bench-temporal_visual_quality-00001-4", "consistency", "pair", 0.5),
        ("movie_gen_video_bench-temporal_visual_quality-00001-4", "physics", "pair", 0.5),
        ("movie_gen_video_bench-tv_alignment_appearance-00082-1", "adherence", "pair", 1),
    ]
    assert [row.group[-5:] for row in good] == ["00000", "00000", "00001", "00001", "00082"]
    assert [row.prompt for row in good] == [
        "",
        "",
        "",
        "",
        "A wall with a black graffiti that spells \u2018Away\u2019.",
    ]
    assert good[0].video == "movie_gen_video_bench/moviegen_480p/moviegen_480p_00000.mp4"
    assert good[0].video_b == "movie_gen_video_bench/mochi/mochi_00000.mp4"
    assert bad == {
        5: ["subaspects: none of our axes is about 'light_change'"],
        6: ["preference must be one of A is better, B is better, same good, same bad (got 'Both')"],
        7: ["video_b is missing, empty or no text"],
    }


@pytest.mark.parametrize(
    ("clips", "prefix"), [("a/uve_bench_videos", "uve_bench_videos/"), ("uve_bench_videos", "../uve_bench_videos/")]
)
def test_uve_finds_its_folder_of_clips(tmp_path: Path, clips: str, prefix: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / clips).mkdir()
    (tmp_path / "a" / "annotations.json").write_bytes(UVE.read_bytes())
    good, _ = rows(tmp_path / "a" / "annotations.json")
    assert good[0].video == f"{prefix}movie_gen_video_bench/moviegen_480p/moviegen_480p_00000.mp4"


ENTRY: dict[str, Any] = {
    "video_a": "a/a_00001.mp4",
    "video_b": "b/b_00001.mp4",
    "prompt": None,
    "preference": "A is better",
    "aspect": "flickering",
    "subaspects": ["flickering"],
    "dataset": "d",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": 3}, "prompt is missing, empty or no text"),
        ({"prompt": "x" * 20_001}, "prompt has 20,001 characters"),
        ({"video_a": "a\x1b[31m"}, r"video_a holds the control character '\\x1b'"),
        ({"video_a": "a\ud800"}, "video_a is not UTF-8"),
        ({"preference": ["A"]}, "preference is missing, empty or no text"),
        ({"subaspects": "flickering"}, "subaspects must be a list"),
        ({"subaspects": []}, "subaspects must be a list"),
        ({"subaspects": [{}]}, "subaspects must be a list"),
    ],
)
def test_hostile_entries_are_bad_rows(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"good": ENTRY, "bad": {**ENTRY, **change}, "list": []}))
    found = list(uve.read(path))
    assert [type(row) for row in found] == [Row, BadRow, BadRow]
    assert isinstance(found[1], BadRow)
    assert found[1].line == 2
    assert found[1].why.startswith(says.replace("\\\\", "\\"))


def test_an_id_that_stands_twice_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    entry = json.dumps(ENTRY)
    path.write_text(f'{{"a": {entry}, "b": {entry}, "a": {entry}}}')
    assert [(type(row), getattr(row, "line", None)) for row in uve.read(path)] == [(BadRow, 1), (Row, None)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ('{"a": 1', "is no JSON"),
        ("[]", "must be one JSON object"),
        ('{"a": ' + "9" * 5000 + "}", "is no JSON"),
        ("{}", "no row of it can be used; it holds none"),
        ('{"a": 1}', "no row of it can be used; the first is line 1: the entry 'a' is no JSON object"),
    ],
)
def test_json_that_cannot_be_read_is_an_error(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=says):
        list(open_dataset(tmp_path / "a.json", "uve").rows())


def test_json_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_json, "MAX_BYTES", 1 << 20)
    (tmp_path / "a.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(ConfigError, match="at most 1 MiB of it; split it, or make a CSV or JSONL"):
        list(open_dataset(tmp_path / "a.json", "uve").rows())


@pytest.mark.parametrize(
    ("format_name", "header", "says"),
    [
        ("videophy2", "caption,video_url,sa,physics", "the column 'pc' is missing; there are 'caption'"),
        ("videophy2", "caption,video_uri,sa,pc", "the column 'video_url' is missing; is 'video_uri' meant"),
        ("rewardbench", "path_A,pathB,prompt,VQ", "the column 'path_b' is missing; is 'pathB' meant"),
        ("rewardbench", "path_A,path_B,prompt,quality", "has none of the columns VQ, MQ, TA, Overall"),
        ("plain", "clip,prompt,label", "the column 'video' is missing"),
    ],
)
def test_a_missing_column_is_named_with_the_nearest_one(
    tmp_path: Path, format_name: str, header: str, says: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\na,b,c,d\n")
    with pytest.raises(ConfigError, match=says):
        list(open_dataset(tmp_path / "a.csv", format_name).rows())


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*.*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_fixture_is_recognised_by_its_own_format(path: Path) -> None:
    found = open_dataset(path)
    assert found.format == path.parent.name
    assert found.folder == path.parent


def test_a_dataset_says_what_it_is() -> None:
    found = open_dataset(UVE)
    assert (found.name, found.path, found.notes) == ("annotations", UVE, ())
    assert found.sha256 == hashlib.sha256(UVE.read_bytes()).hexdigest()
    assert labels([row for row in found.rows() if isinstance(row, Row)]) == labels(rows(UVE)[0]), (
        "rows can be had again"
    )


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"name,age\nx,1\n", b"{}", b"[" * 70_000, b"\xff\xfea\0"])
def test_an_unknown_format_is_told_with_all_that_are_known(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "what.csv").write_bytes(content)
    with pytest.raises(ConfigError, match="is of no known format") as caught:
        open_dataset(tmp_path / "what.csv")
    assert all(f"\n  {name}: {words}" in str(caught.value) for name, words in FORMATS.items())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"file,text,score\n", "its columns are 'file', 'score', 'text'"),
        (b"sample_id,score,label\n", "a table of scores, which `retake bench report --scores` reads"),
    ],
)
def test_of_an_unknown_format_it_is_told_what_it_looks_like(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "what.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        open_dataset(tmp_path / "what.csv")


def test_runs_that_nobody_marked_and_other_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder that holds no marked run"):
        open_dataset(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="nobody has marked a clip of its runs; `retake mark "):
        open_dataset(tmp_path)


def test_what_is_not_there_or_not_known_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        open_dataset(tmp_path / "gone.csv")
    with pytest.raises(ConfigError, match=r"--format 'parquet': there is no such format; known are videophy2, "):
        open_dataset(UVE, "parquet")
    with pytest.raises(ConfigError, match="a scale may be given for plain files alone"):
        open_dataset(UVE, scale=(1, 5))


@pytest.mark.parametrize("module", [videophy2, rewardbench, uve])
def test_recognising_never_raises(tmp_path: Path, module: Any) -> None:
    for head in (b"", b"\xff" * 100, b"{" * 50_000, b'"' * 1000, b"\n" * 1000, b"{}"):
        assert not module.recognises(tmp_path / "x.csv", head)
    assert not module.recognises(tmp_path, b"")
