"""`retake bench report` as a user types it."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from agent.bench import folder as bench
from agent.bench.report import terminal
from agent.bench.report.beside import Beside
from agent.bench.report.material import Material
from agent.bench.types import Scored
from agent.cli import main
from agent.files import file_hash
from critic.instrument import Instrument
from tests import benches, movies
from tests.pages import Page


def judged(folder: Path, rows: list[Scored], *, done: bool = True) -> Path:
    """A benchmark's folder as `retake bench run` leaves it, beside its dataset with one clip for all."""
    folder.mkdir(parents=True)
    clip = folder.parent / "ball.mp4"
    if not clip.exists():
        movies.write_movie(clip, movies.moving(4))
    lines = "".join(f'{row.sample_id},ball.mp4,"{row.group}",{row.label:g},1-5\n' for row in rows)
    (folder.parent / "clips.csv").write_text(f"sample_id,video,prompt,label,scale\n{lines}")
    about = bench.About(
        dataset="clips",
        source=str(folder.parent / "clips.csv"),
        format="plain",
        sha256=file_hash(folder.parent / "clips.csv"),
        instrument=Instrument(critic="hybrid/3", model="nvidia/Cosmos3-Nano"),
        made=datetime(2026, 1, 1, tzinfo=UTC),
        bad_rows=2,
        done=done,
    )
    bench.write(folder, about)
    (folder / bench.SCORED).write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judged(tmp_path_factory.mktemp("made") / "bench", benches.rows(60), done=False)


def test_a_benchmarks_folder_becomes_a_page_and_a_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "report", str(folder), "--bootstrap", "20", "--pass-at", "3"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("clips: 60 rows, judged by hybrid/3 nvidia/Cosmos3-Nano\nAUC 0.")
    assert "Judging is not finished" in said
    assert "Left out: 2 bad rows." in said
    assert f"retake bench calibrate {folder} --pass-at 3 --precision 0.8" in said
    assert said.endswith(f"report   {folder}/report.html\n")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "label >= 3 of 1-5" in page.said
    assert "nvidia/Cosmos3-Nano" in page.said
    links = [a["href"] for a in page.all("a") if a["href"].endswith(".mp4")]
    assert links
    assert {(folder / link).resolve() for link in links} == {folder.parent / "ball.mp4"}
    assert len(page.all("img")) == len(links)
    assert len(list((folder / "posters").iterdir())) == 1, "one poster for the one clip of all"


def test_a_table_of_scores_is_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"s{n},{n / 40},{int(n > 19)},g{n // 2}\n" for n in range(40))
    Path("mine.csv").write_text(f"sample_id,score,label,group\n{rows}bad,0.5,perhaps,g\n")
    assert main(["bench", "report", "--scores", "mine.csv", "--bootstrap", "20", "--json", "--axis", "overall"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [found[name] for name in ("roc_auc", "average_precision")] == [1, 1]
    assert 0.8 < found["spearman"] < 0.9
    assert {"kendall", "pearson", "ece", "intervals", "words", "axes"} <= found.keys()
    assert found["intervals"]["roc_auc"] == [1, 1]
    assert [found[name] for name in ("n", "groups", "failed", "bad_rows", "chance")] == [40, 20, 0, 1, False]
    assert found["axes"]["overall"]["roc_auc"]["n"] == 40
    assert found["report"] == "bench/mine/report.html"
    assert Path(found["figures"]).is_file()
    assert (
        captured.err == "retake: mine.csv, line 42: label: 'perhaps' is neither a number nor pass, fail, A, B or tie\n"
    )
    # again into the same folder, which is ours, and all failed
    Path("mine.csv").write_text("score,label\n,1\n,0\n")
    assert main(["bench", "report", "--scores", "mine.csv", "-q"]) == 3
    words = "Nothing can be said: 2 rows, and not one has a score."
    assert capsys.readouterr().out == f"{words}\nbench/mine/report.html\n"


def test_what_is_wrong_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    scores = tmp_path / "s.csv"
    scores.write_text("score,label\n0.5,1\n0.2,0\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    table = ["--scores", str(scores)]
    wrong = {
        "give either BENCH_DIR or --scores FILE.csv": [],
        "give either BENCH_DIR or --scores": [str(folder), *table],
        "--bootstrap must be 0 or more (got -1)": [str(folder), "--bootstrap", "-1"],
        "--axis physics: no row is about it; there are overall": [
            *table,
            "--axis",
            "physics",
            "--out",
            str(tmp_path / "o"),
        ],
        "holds other files and no report of ours; name another": [*table, "--out", str(tmp_path / "mine")],
        "is a benchmark of its own, whose report it holds": [*table, "--out", str(folder)],
        "is a file; name a folder with --out": [*table, "--out", str(scores)],
        "is no benchmark's folder, it has no bench.yaml": [str(tmp_path)],
        "is no benchmark's folder, it does not exist": [str(tmp_path / "nope")],
        "is no benchmark's folder, it is a file (a table of scores is given by --scores)": [str(scores)],
    }
    for words, arguments in wrong.items():
        assert main(["bench", "report", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("command", [["report"], ["calibrate", "--precision", "0.8"]])
def test_a_label_to_pass_at_is_a_number(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("four", "nan"):
        with pytest.raises(SystemExit):
            main(["bench", *command, "--pass-at", label])
        assert f"argument --pass-at: must be a number (got '{label}')" in capsys.readouterr().err


def test_a_terminal_is_told_nothing_that_it_would_obey() -> None:
    rows = benches.rows(40)
    rows[0] = rows[0].model_copy(update={"failure": "[bold]\x1b[2J\x07"})
    hostile = benches.figures(rows, dataset="\x1b]0;mine\x07" + "long" * 400)
    console = Console(width=80, highlight=False, color_system=None, file=io.StringIO(), record=True)
    terminal.show(
        Material(figures=hostile, rows=rows, folder=Path("bench"), beside=Beside(withheld="\x1b[31mred")), console
    )
    said = console.export_text()
    assert [c for c in said if not c.isprintable() and c != "\n"] == []
    assert "[bold]" in said
    assert "\N{REPLACEMENT CHARACTER}[31mred" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("counts", "shown"), [([], ""), ([0, 0], "  "), ([1, 1000, 500], "▁█▄"), ([8, 7, 0, 1], "█▇ ▁")]
)
def test_blocks_show_whatever_is_there(counts: list[int], shown: str) -> None:
    assert terminal.blocks(counts) == shown
