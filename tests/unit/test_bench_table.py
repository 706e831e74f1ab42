"""Tables of scores: what a row says, what is bad in it, and what no table may do."""

import gzip
import logging
from pathlib import Path

import pytest

from agent.bench.table import from_csv, from_folder, read
from agent.bench.types import Scored
from agent.errors import ConfigError


def _written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "scores.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_plain_table(tmp_path: Path) -> None:
    rows, bad = from_csv(_written(tmp_path, "sample_id,score,label,group\na,0.5,1,cat\nb,0.25,0,dog\n"))
    assert not bad
    assert [(r.sample_id, r.score, r.label, r.label_type, r.group, r.axis) for r in rows] == [
        ("a", 0.5, 1.0, "binary", "cat", "overall"),
        ("b", 0.25, 0.0, "binary", "dog", "overall"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_ends_of_lines_and_byte_order_marks(tmp_path: Path, delimiter: str, end: str, mark: bytes) -> None:
    lines = ["Label", " Score "], ["pass", "0.5"], ["NO", "-1e-3"]
    text = end.join(delimiter.join(line) for line in lines)
    rows, bad = from_csv(_written(tmp_path, mark + text.encode()))
    assert not bad
    assert [(r.sample_id, r.group, r.score, r.label) for r in rows] == [("1", "1", 0.5, 1), ("2", "2", -1e-3, 0)]


def test_between_semicolons_a_comma_is_a_point(tmp_path: Path) -> None:
    rows, _ = from_csv(_written(tmp_path, "score;label\n0,5;3,25\n"))
    assert (rows[0].score, rows[0].label, rows[0].label_type) == (0.5, 3.25, "mos")


@pytest.mark.parametrize(
    ("header", "labels", "kind", "values"),
    [
        ("label", ["0", "1", "1.0"], "binary", [0, 1, 1]),
        ("label", ["true", "FAIL", "yes"], "binary", [1, 0, 1]),
        ("label", ["0", "1", "0.4"], "mos", [0, 1, 0.4]),
        ("label", ["1", "5"], "mos", [1, 5]),
        ("label,scale", ["1,1-5", "5,1..5", "0,0 to 4"], "likert", [1, 5, 0]),
        ("label,scale", ["1.5,1-5", "5,1-5"], "mos", [1.5, 5]),
        ("label,score_b", ["A,.5", "b,.1", "Tie,.1"], "pair", [1, 0, 0.5]),
        ("label,score_b", ["1,.5", "0.5,.1"], "pair", [1, 0.5]),
        ("label,label_type", ["1,mos", "0,mos"], "mos", [1, 0]),
    ],
)
def test_what_kind_of_labels_they_are(
    tmp_path: Path, header: str, labels: list[str], kind: str, values: list[float]
) -> None:
    table = f"score,{header}\n" + "".join(f"0.5,{label}\n" for label in labels)
    rows, bad = from_csv(_written(tmp_path, table))
    assert not bad
    assert {r.label_type for r in rows} == {kind}
    assert [r.label for r in rows] == values


def test_the_kind_is_told_by_the_axis(tmp_path: Path) -> None:
    rows, _ = from_csv(_written(tmp_path, "score,label,axis\n1,1,overall\n1,1,physics\n1,3,Physics\n"))
    assert [r.label_type for r in rows] == ["binary", "mos", "mos"]


def test_the_group_is_the_prompt_where_none_is_given(tmp_path: Path) -> None:
    text = 'score,label,prompt,group\n1,1,"a cat, a\ndog",\n1,0,,g\n1,0,,\n'
    assert [r.group for r in from_csv(_written(tmp_path, text))[0]] == ["a cat, a\ndog", "g", "3"]


@pytest.mark.parametrize("cell", ["", "nan", "-inf", "NULL", "n/a", "1e999"])
def test_no_score_is_a_failure_and_never_a_zero(tmp_path: Path, cell: str) -> None:
    (row,), bad = from_csv(_written(tmp_path, f"score,label\n{cell},1\n"))
    assert (row.score, row.failure, bad) == (None, "no score", [])


def test_a_score_in_words_and_half_a_pair_are_failures(tmp_path: Path) -> None:
    rows, _ = from_csv(_written(tmp_path, "score,label,score_b\nI like it,A,0.5\n0.5,A,\n"))
    assert [(r.score, r.score_b, r.failure) for r in rows] == [
        (None, None, "the score is no number"),
        (None, None, "no score"),
    ]


@pytest.mark.parametrize(
    ("header", "row", "why"),
    [
        ("score,label", "1,maybe", "label: 'maybe' is neither"),
        ("score,label", "1,inf", "label: 'inf'"),
        ("score,label", "1,1_0", "label: '1_0'"),
        ("score,label", "1", "label: '' is neither"),
        ("score,label", "1,1,1", "has 3 cells under 2 columns"),
        ("score,label", '1,"1"x', "cannot be read"),
        ("score,label", "1,A", "score_b: is missing"),
        ("score,label,scale", "1,7,1-5", "must lie on its scale"),
        ("score,label,scale", "1,7,low", "scale: 'low' is none"),
        ("score,label,scale", "1,5,5-5", "from the worst to the best"),
        ("score,label,label_type", "1,7,stars", "label_type: 'stars' is none of likert"),
        ("score,label,label_type", "1,7,binary", "label must be 0 or 1"),
        ("score,label,label_type", "1,3,likert", "scale must be given"),
        ("score,label,axis", "1,1,phisics", "did you mean 'physics'"),
        ("score,label,sample_id", "1,1,", "sample_id: is empty"),
        ("score,label,sample_id", "1,1,ok", "'ok' was there before"),
        ("score,label,n_raters", "1,1,0", "n_raters: "),
        ("score,label,n_raters", "1,1,1.5", "n_raters: '1.5' is no count"),
        ("score,label,floors_hold", "1,1,perhaps", "floors_hold: 'perhaps' is neither"),
        ("score,label,words", "1,1,-3", "words: '-3' is no count"),
    ],
)
def test_bad_rows_are_told_with_their_lines_and_the_others_read(
    tmp_path: Path, header: str, row: str, why: str
) -> None:
    full = {"score": "1", "label": "1", "scale": "1-5", "sample_id": "ok"}
    good = ",".join(full.get(name, "") for name in header.split(","))
    rows, bad = from_csv(_written(tmp_path, f"{header}\n{good}\n\n{row}\n"))
    assert len(rows) == 1
    assert [b.line for b in bad] == [4]
    assert why in bad[0].why


def test_whether_floors_hold_and_how_many_rated(tmp_path: Path) -> None:
    rows, _ = from_csv(_written(tmp_path, "score,label,floors_hold,n_raters,words\n1,1,no,3,12\n1,1,1,,\n"))
    assert [(r.floors_hold, r.n_raters, r.words) for r in rows] == [(False, 3, 12), (True, 1, None)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"sample,scores,label\na,1,1\n", "no column score; did you mean 'scores'"),
        (b"score,human_label\n1,1\n", "no column label; did you mean 'human_label'"),
        (b"", "no column score; its first line says: 'nothing'"),
        (b"score,label\n", "there is a header alone"),
        (b"score,label\n1,x\n", "line 2: label: 'x'"),
        (b"score,label,Score\n1,1,1\n", "the column score twice"),
        (b"score,label\n1,\xff\n", "not text in UTF-8"),
        ("score,label\n1,1\n".encode("utf-16"), "is UTF-16; save it as text in UTF-8"),
        (gzip.compress(b"score,label\n1,1\n", mtime=0), "is gzip; save it as text in UTF-8"),
        (b"score,label" + b",x" * 300 + b"\n", "over 256 columns"),
        (b"\x1b[31mscore\n", r"first line says: '\x1b"),
    ],
)
def test_what_is_no_table(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_csv(_written(tmp_path, data))
    assert why in str(raised.value)


def test_hostile_cells_do_no_harm(tmp_path: Path) -> None:
    cells = {"score": "9" * 100_000, "label": "1", "scale": "", "sample_id": "a" * 200_000}
    text = ",".join(cells) + "\n" + ",".join(cells.values()) + "\n1,1,,b\n" + '1,"' + "x" * 200_000
    rows, bad = from_csv(_written(tmp_path, text))
    assert [r.sample_id for r in rows] == ["b"]
    assert [b.line for b in bad] == [2, 4]
    assert max(len(b.why) for b in bad) < 200


def test_neither_a_device_nor_nothing_is_read(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path / "none.csv"):
        with pytest.raises(ConfigError, match=r"a benchmark's folder n?or a table"):
            read(path)


def test_a_folder_is_read_and_a_line_that_was_cut_off_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Scored(sample_id="a", label_type="binary", label=1, group="g", failure="no answer")
    again = first.model_copy(update={"score": 0.5, "failure": ""})
    other = Scored(sample_id="b", label_type="binary", label=0, group="g", score=0.25)
    lines = [row.model_dump_json() for row in (first, other, again)]
    (tmp_path / "scored.jsonl").write_text("\n".join([lines[0], lines[1][:40], *lines[1:], lines[0][:-9]]))
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path) == ([again, other], [])
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == [2, 5]


def test_a_folder_without_judgements_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scored.jsonl: cannot be read .*retake bench run"):
        from_folder(tmp_path)
    (tmp_path / "scored.jsonl").write_text("{")
    with pytest.raises(ConfigError, match="holds no judgement"):
        from_folder(tmp_path)


def test_a_quotation_mark_that_is_not_closed_costs_its_own_row_alone(tmp_path: Path) -> None:
    """What follows is read, be the next mark near, far or nowhere."""
    rows = [f"{n},0.5,pass,{'p' * 300}" for n in range(600)]
    rows[10], rows[20], rows[21] = '10,0.5,pass,"p10', '20,0.5,pass,"p20', '21,0.5,pass,"a, b"'
    rows[590] = '590,1,1,"p'
    found, bad = from_csv(_written(tmp_path, "\n".join(["sample_id,score,label,group", *rows])))
    assert [b.line for b in bad] == [12, 22, 592]
    assert [int(r.sample_id) for r in found] == [n for n in range(600) if n not in {10, 20, 590}]


def test_a_quotation_mark_in_every_line_is_not_read_again_for_ever(tmp_path: Path) -> None:
    """Of more than a thousand what each swallows is told and passed over."""
    found, bad = from_csv(_written(tmp_path, "score,label\n0.5,pass\n" + '0.5,"fail\n' * 1500))
    assert len(found) == 1
    assert [b.line for b in bad] == [*range(3, 1003), *range(1003, 1503, 2)]
    assert bad[-1].why.startswith("the line cannot be read up to line 1502: ")
