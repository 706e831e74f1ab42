"""Our own format: dialects, what is guessed of labels, bad rows by line, and hostile cells."""

import itertools
import re
import time
import tracemalloc
from pathlib import Path

import pytest

from agent.bench.readers import open_dataset
from agent.bench.readers.lines import MAX_LINE
from agent.bench.readers.plain import parse_scale
from agent.bench.types import BadRow, Row
from agent.errors import ConfigError
from tests.unit.test_bench_readers import FIXTURES, labels, rows

PLAIN = FIXTURES / "plain"
AXES = "overall, adherence, first_frame, motion, consistency, physics, quality"


def of(tmp_path: Path, content: str | bytes, name: str = "a.csv") -> tuple[list[Row], dict[int, list[str]]]:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return rows(tmp_path / name, "plain")


def test_semicolons_a_byte_order_mark_windows_line_ends_and_quoted_ones() -> None:
    good, bad = rows(PLAIN / "grades.csv")
    assert labels(good) == [
        ("boat-1", "overall", "likert", 4),
        ("boat-1", "motion", "likert", 2),
        ("cat-1", "overall", "likert", 5),
    ]
    boat = good[0]
    assert boat.prompt == 'A boat; it sails\r\ninto the "fog"'
    assert (boat.video, boat.first_frame, boat.group) == ("clips/boat 1.mp4", "first/boat.png", "boats")
    assert (boat.scale, boat.n_raters) == ((1, 5), 3)
    assert (good[2].group, good[2].n_raters, good[2].first_frame) == ("A cat jumps", 1, None)
    assert not bad


def test_tabs_and_verdicts_and_samples_that_are_numbered() -> None:
    good, bad = rows(PLAIN / "verdicts.tsv")
    assert labels(good) == [("1", "overall", "binary", 1), ("2", "overall", "binary", 0), ("3", "overall", "binary", 1)]
    assert [row.group for row in good] == ["A cat, asleep", "A dog", "A cat, asleep"]
    assert not bad
    assert open_dataset(PLAIN / "verdicts.tsv").notes == ("The labels are taken for verdicts: pass or fail.",)


def test_pairs_as_json_lines() -> None:
    good, bad = rows(PLAIN / "pairs.jsonl")
    assert labels(good) == [("1", "overall", "pair", 1), ("2", "quality", "pair", 0.5), ("3", "overall", "pair", 0)]
    assert [(row.video, row.video_b, row.n_raters) for row in good] == [
        ("a.mp4", "b.mp4", 1),
        ("a.mp4", "c.mp4", 5),
        ("b.mp4", "c.mp4", 1),
    ]
    assert list(bad) == [4, 5]
    assert bad[4] == ["video_b is empty, and the label is about two clips"]
    assert bad[5][0].startswith("is no JSON object")


def test_what_is_wrong_is_told_by_line_and_column_and_the_rest_is_read() -> None:
    good, bad = rows(PLAIN / "bad.csv")
    assert labels(good) == [("a", "overall", "likert", 4)]
    assert bad == {
        3: ["sample_id 'a' has a label on the axis overall already; give each row its own"],
        4: ["video is empty"],
        5: [f"axis must be one of {AXES} (got 'moton'); is 'motion' meant?"],
        7: ["scale must be given for a likert label, as 1-5"],
        8: ["label must lie on its scale 1-5 (got 6)"],
        9: ["label must be a whole number (got '4.5')"],
        10: ["scale must be the worst and the best label, as 1-5 (got '5-Jan')"],
        11: ["label_type must be one of likert, binary, pair, mos (got 'liket')"],
        12: ["label must be pass, fail, 1 or 0 (got 'maybe')"],
        13: ["video_b is empty, and the label is about two clips"],
        14: ["label must be a number (got 'nan')"],
        15: ["n_raters must be a whole number from 1 on (got '2.5')"],
        16: ["video_b must be given for a pair, and for nothing else"],
        17: ["has 10 cells, the header 9; put quotation marks around a cell with a ','"],
    }


def test_labels_in_words_of_ones_own_are_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"line 2: label must be pass or fail, a number, or A, B or tie \(got 'good'\)"
    ):
        of(tmp_path, "video,prompt,label\na.mp4,A cat,good\nb.mp4,A cat,bad\n")


def test_the_documented_examples_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "bench-data.md").read_text()
    small, full, objects = (
        of(tmp_path, text, f"a.{kind}") for kind, text in re.findall(r"```(csv|jsonl)\n(.*?)```", page, re.DOTALL)
    )
    assert [row.label_type for row in small[0]] == ["binary"] * 3
    assert [row.label_type for row in full[0]] == ["likert", "mos", "pair"]
    assert [(row.label_type, row.label) for row in objects[0]] == [("likert", 4), ("likert", 2)]
    assert not small[1]
    assert not full[1]
    assert not objects[1]


@pytest.mark.parametrize(
    ("header", "cells", "kind", "says"),
    [
        ("label", ["1", "0", "1.0"], "binary", "verdicts"),
        ("label", ["yes", "No", "TRUE"], "binary", "verdicts"),
        ("label,video_b", ["A,b.mp4", "tie,b.mp4"], "pair", "comparisons"),
        ("label,video_b", ["1,b.mp4", "0.5,b.mp4"], "pair", "comparisons"),
        ("label,scale", ["4,1-5", "1,1-5"], "likert", "grades"),
        ("label,scale", ["1,1-5", "0,0-5"], "likert", "grades"),
        ("label", ["4", "5", "1"], "mos", r"without a scale.*give --scale 1-5"),
        ("label", ["4.2", "5"], "mos", r"mean opinion scores: .*\(line 2: '4.2'\)"),
        ("label", ["1", "0", "11"], "mos", r"not all are pass or fail.*\(line 4: '11'\)"),
        ("label,scale", ["62.5,0-100", "70,0-100"], "mos", "mean opinion scores"),
        ("label", ["fail", "oops", "pass"], "binary", "verdicts"),
    ],
)
def test_the_kind_of_the_labels_is_guessed_and_said(
    tmp_path: Path, header: str, cells: list[str], kind: str, says: str
) -> None:
    lines = [f"a.mp4,A cat,{cell}" for cell in cells]
    good, _ = of(tmp_path, "\n".join([f"video,prompt,{header}", *lines]))
    assert {row.label_type for row in good} == {kind}
    (note,) = open_dataset(tmp_path / "a.csv").notes
    assert re.search(says, note)


def test_a_scale_given_beside_the_file_makes_grades_of_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,prompt,label\na.mp4,A cat,1\nb.mp4,A cat,0\nc.mp4,A cat,9\n")
    found = open_dataset(tmp_path / "a.csv", scale=(0, 5))
    first, second, third = found.rows()
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.label_type, first.scale, second.label) == ("likert", (0, 5), 0)
    assert third == BadRow(line=4, why="label must lie on its scale 0-5 (got 9)")


@pytest.mark.parametrize(
    ("text", "scale"),
    [("1-5", (1, 5)), (" 0 - 100 ", (0, 100)), ("1 to 7", (1, 7)), ("0.5–4.5", (0.5, 4.5)), ("-1-1", (-1, 1))],  # noqa: RUF001
)
def test_scales_that_are_read(text: str, scale: tuple[float, float]) -> None:
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["", "5", "1-", "a-b", "1-5-9", "1e5-2", "1.2.3-4", "nan-5"])
def test_scales_that_are_none(text: str) -> None:
    assert parse_scale(text) is None


def test_a_column_that_is_nearly_one_of_ours_is_told(tmp_path: Path) -> None:
    of(tmp_path, "video,prompt,label,n_rater,model\na.mp4,A cat,pass,3,wan\n")
    assert open_dataset(tmp_path / "a.csv").notes[0] == "The column 'n_rater' is not read; is 'n_raters' meant?"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (b"\x1b[31mred", r"prompt holds the control character '\x1b'; take it out"),
        (b"nul\0l", r"prompt holds the control character '\x00'; take it out"),
        (b"caf\xe9", "prompt is not UTF-8; save the file in UTF-8"),
        (b"x" * 20_001, "prompt has 20,001 characters, at most 20,000 are read"),
        (
            b"x" * 140_000,
            "cannot be read as CSV (field larger than field limit (131072)); is a quotation mark not closed?",
        ),
        (b"x" * (MAX_LINE + 9), "the line is longer than 1,048,576 characters; split the file at its line ends"),
    ],
)
def test_hostile_cells_are_bad_rows_and_reading_goes_on(tmp_path: Path, cell: bytes, says: str) -> None:
    good, bad = of(tmp_path, b"video,prompt,label\na.mp4," + cell + b",pass\nb.mp4,A cat,fail\n")
    assert bad == {2: [says]}
    assert labels(good) == [("2", "overall", "binary", 0)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[" * 5000, "is no JSON: is nested too deeply"),
        ('{"label": 1' + "0" * 5000 + "}", "is no JSON: Exceeds the limit"),
        ('{"video": ["a"], "prompt": {}, "label": Infinity}', "label must be"),
        ("x" * (MAX_LINE + 9), "the line is longer"),
    ],
)
def test_hostile_json_lines_are_bad_rows_and_reading_goes_on(tmp_path: Path, line: str, says: str) -> None:
    good, bad = of(tmp_path, f'{line}\n{{"video": "b.mp4", "prompt": "A cat", "label": "pass"}}\n', "a.jsonl")
    assert list(bad) == [1]
    assert bad[1][0].startswith(says)
    assert labels(good) == [("2", "overall", "binary", 1)]


def test_what_follows_a_quotation_mark_that_is_not_closed_is_read(tmp_path: Path) -> None:
    text = 'video,prompt,label,axis\na.mp4,"two\nlines",pass\nb.mp4,5" disc,pass\nc.mp4,"open,pass\nd.mp4,x,fail\n'
    (tmp_path / "open.csv").write_text(text)
    found = list(open_dataset(tmp_path / "open.csv").rows())
    assert [row.why if isinstance(row, BadRow) else row.video for row in found] == [
        "a.mp4",
        "b.mp4",
        "opens a quotation mark that is not closed",
        "d.mp4",
    ]


def test_a_quotation_mark_that_is_not_closed_costs_its_own_row_alone(tmp_path: Path) -> None:
    filler = "".join(f"{n}.mp4,A {'big ' * 40}cat,pass\n" for n in range(900))
    good, bad = of(tmp_path, f'video,prompt,label\na.mp4,"A cat,pass\n{filler}')
    assert list(bad) == [2]
    assert "is a quotation mark not closed?" in bad[2][0]
    assert [row.sample_id for row in good] == [str(n) for n in range(2, 902)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; its first line must name its columns"),
        (b"\xff\xfev\0i\0", "is UTF-16; save it as text in UTF-8"),
        (b"PK\3\4" + bytes(100), "is a ZIP archive or a spreadsheet"),
        (b"video,prompt,label,Label\n", "has the column 'label' twice"),
        (b"video,prompt,lable\na,b,1\n", "the column 'label' is missing; is 'lable' meant"),
        (b"video,prompt,label\n", "no row of it can be used; it holds none"),
        (b"video,prompt,label\n,,\na.mp4,,1\n", "no row of it can be used; the first is line 3: prompt is empty"),
    ],
)
def test_a_file_of_no_use_is_an_error_that_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        of(tmp_path, content)


def test_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("video,prompt,label\n" + "a.mp4,A cat,pass\n" * 5000)
    found = open_dataset(path).rows()
    assert labels([row for row in itertools.islice(found, 3) if isinstance(row, Row)])[-1][0] == "3"
    with path.open("a") as file:
        file.write("late.mp4,A cat,fail\n")
    last = list(found)[-1]
    assert isinstance(last, Row)
    assert (last.sample_id, last.video) == ("5001", "late.mp4")


@pytest.mark.thorough
def test_100_000_rows_are_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write("video,prompt,label,scale\n")
        file.writelines(
            f"clips/{n}.mp4,A cat jumps over wall number {n // 4},{n % 5 + 1},1-5\n" for n in range(100_000)
        )
    dataset = open_dataset(path)
    began = time.process_time()
    assert sum(isinstance(row, Row) for row in dataset.rows()) == 100_000
    assert time.process_time() - began < 60
    tracemalloc.start()
    try:
        for _ in itertools.islice(dataset.rows(), 20_000):
            pass
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
