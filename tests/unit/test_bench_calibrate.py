"""`retake bench calibrate`: the threshold file, why it is withheld, and what the command says."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.bench import folder as bench_folder
from agent.bench.outcome import Origin, Outcome, Wish, calibrate, counted_as_passed
from agent.bench.types import Scored
from agent.cli import main
from critic.instrument import Instrument
from critic.threshold import Threshold, ThresholdFileError, read, told

SIGNALS = Instrument(critic="signals/1", rubric="signals/3")


def rows(scores: Iterable[float | None], labels: Iterable[int], *, groups: int = 0, **more: object) -> list[Scored]:
    return [
        Scored.model_validate(
            {
                "sample_id": str(i),
                "label_type": "binary",
                "label": label,
                "group": f"prompt {i % groups if groups else i}",
                "score": score,
                "failure": "" if score is not None else "the reply cannot be read",
                **more,
            }
        )
        for i, (score, label) in enumerate(zip(scores, labels, strict=True))
    ]


def outcome(of: list[Scored], precision: float = 0.8, *, rejection: float | None = None) -> Outcome:
    return calibrate(of, Wish(precision, rejection, 0.95), Origin("mine.csv", "0" * 64, SIGNALS))


GOOD = rows([0.9 - i / 1000 for i in range(40)] + [0.4 - i / 1000 for i in range(40)], [1] * 38 + [0] * 42)


def test_a_threshold_says_what_stands_behind_it() -> None:
    made = outcome(GOOD, rejection=0.8).threshold
    assert made is not None
    assert made.accept.right / made.accept.n > 0.8
    assert made.accept.lower_bound >= 0.8
    assert (made.n, made.groups, made.instrument, made.dataset) == (80, 80, SIGNALS, "mine.csv")
    assert made.pass_at == "labelled as passed"  # noqa: S105 - no password
    assert made.reject_below is not None
    assert made.reject is not None
    assert made.reject_below <= made.threshold
    assert made.reject.n == sum(1 for row in GOOD if row.score is not None and row.score < made.reject_below)


def test_it_says_what_it_lets_through() -> None:
    made = outcome(GOOD, rejection=0.8)
    assert made.threshold is not None
    said = " ".join(made.words)
    assert f"accepts {made.threshold.accept.n} of the 80 labelled clips, and 38 of the 38 that people take" in said
    assert "between the two the critic abstains" in said


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (rows([0.9] * 20, [1] * 20), "people take all of the 20 clips"),
        (rows([0.9] * 20, [0] * 20), "people take none of the 20 clips"),
        (rows([None] * 20, [0, 1] * 10), "no clip has a score"),
        (
            rows([7.0] * 20, [0, 1] * 10),
            "scores go from 7 to 7, and a run's threshold lies in [0, 1]; bring them there first",
        ),
        (rows([0.9] * 20, [0, 1] * 10, groups=2), "the 20 clips come from 2 prompts"),
        (rows([0.9] * 20, [0, 1] * 10, floors_hold=False), "each is without a score or below a floor"),
        (rows([0.9] * 20, [0, 1] * 10), "More labels would not help if 50% is the true share"),
        (rows([0.9] * 10 + [0.1] * 10, [1] * 10 + [0] * 10), "takes at least 14 clips above the threshold"),
    ],
)
def test_it_is_withheld_in_words(of: list[Scored], says: str) -> None:
    made = outcome(of)
    assert made.threshold is None
    assert says in made.withheld


def test_how_many_more_labels_it_takes() -> None:
    made = outcome(rows([0.9] * 12 + [0.1] * 12, [1] * 12 + [0] * 12))
    assert made.more is not None
    assert f"about {made.more} labelled clips more of other prompts would do" in made.withheld
    count = 24 + (made.more or 0)
    again = outcome(rows([0.9] * (count // 2) + [0.1] * (count // 2), [1] * (count // 2) + [0] * (count // 2)))
    assert again.threshold is not None


def test_rows_that_say_nothing_of_passing_are_left_out_and_told() -> None:
    pairs = [
        Scored(sample_id=f"p{i}", label_type="pair", label=1, group=f"g{i}", score=0.5, score_b=0.4) for i in range(3)
    ]
    made = outcome([*GOOD, *pairs])
    assert made.threshold is not None
    assert made.threshold.n == 80
    assert made.words[0].startswith("3 rows say nothing of whether a clip passes")


def test_what_counts_as_passed() -> None:
    likert = [Scored(sample_id="a", label_type="likert", label=4, scale=(1, 5), group="g", score=0.5)]
    mos = [Scored(sample_id="a", label_type="mos", label=61.5, group="g", score=0.5)]
    assert counted_as_passed(likert, None) == "label >= 4 of 1-5"
    assert counted_as_passed(likert, 3) == "label >= 3 of 1-5"
    assert counted_as_passed(mos, 60) == "label >= 60"


@pytest.mark.parametrize(
    ("share", "words"), [(0.9, "90%"), (0.8997, "89.9%"), (0.29, "29%"), (1.0, "100%"), (0.8251, "82.5%")]
)
def test_a_promise_is_never_rounded_up(share: float, words: str) -> None:
    assert told(share) == words


def test_labels_of_an_axis_are_held_against_the_score_of_the_whole() -> None:
    """A run accepts by the whole, so that an axis's own score would be a threshold of something else."""
    of = [row.model_copy(update={"axis": "physics", "overall": row.score, "score": 0.5}) for row in GOOD]
    made, plain = outcome(of).threshold, outcome(GOOD).threshold
    assert made is not None
    assert plain is not None
    assert made.threshold == plain.threshold
    assert outcome([row.model_copy(update={"overall": None}) for row in of]).withheld == "no clip has a score"


def table(path: Path, of: list[Scored]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "score", "label", "group"])
        writer.writerows([row.sample_id, row.score, int(row.label), row.group] for row in of)
    return path


def bench(folder: Path, of: list[Scored], *, done: bool = True) -> Path:
    folder.mkdir()
    about = bench_folder.About(
        dataset="mine",
        source="mine.csv",
        format="plain",
        sha256="1" * 64,
        instrument=SIGNALS,
        made=datetime(2026, 1, 2, tzinfo=UTC),
        done=done,
    )
    bench_folder.write(folder, about)
    lines = [row.model_dump_json() + "\n" for row in of]
    (folder / bench_folder.SCORED).write_text("".join(lines))
    return folder


def test_the_command_writes_a_file_that_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bench(tmp_path / "b", GOOD)
    assert main(["bench", "calibrate", str(folder), "--precision", "0.8"]) == 0
    made = read(folder / "threshold.yaml")
    assert made.instrument == SIGNALS
    assert made.dataset_sha256 == "1" * 64
    said = capsys.readouterr().out
    assert made.sentence() in said
    assert f"critic.threshold_file={folder / 'threshold.yaml'}" in said


def test_withheld_is_exit_3_and_writes_no_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bench(tmp_path / "b", GOOD[30:50], done=False)
    assert main(["bench", "calibrate", str(folder), "--precision", "0.9", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["threshold"] is None
    assert told["file"] is None
    assert "takes at least 29 clips" in told["withheld"]
    assert any("not finished" in words for words in told["words"])
    assert not (folder / "threshold.yaml").exists()
    assert "withheld" in (folder / "withheld.txt").read_text()
    (folder / bench_folder.SCORED).write_text("".join(row.model_dump_json() + "\n" for row in GOOD))
    assert main(["bench", "calibrate", str(folder), "--precision", "0.8"]) == 0
    assert not (folder / "withheld.txt").exists()


def test_scores_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = table(tmp_path / "s.csv", GOOD), tmp_path / "new" / "t.yaml"
    args = ["bench", "calibrate", "--scores", str(path), "--precision", "0.8", "--out", str(out)]
    assert main(args) == 0
    assert read(out).instrument is None
    assert "does not say which critic gave the scores" in capsys.readouterr().out
    assert main([*args, "--critic", "mine/2", "--json"]) == 0
    assert read(out).instrument == Instrument(critic="mine/2")
    told = json.loads(capsys.readouterr().out)
    assert told["accept"]["n"] == read(out).accept.n
    assert told["withheld"] == ""
    lines = [line + ",physics" if n else line + ",axis" for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("\n".join(lines))
    assert main([*args, "--json"]) == 0  # whatever the score is of: the table has no other


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--precision", "0.8"], "give a benchmark's folder, or --scores"),
        (["x", "--scores", "y", "--precision", "0.8"], "one of them"),
        (["x", "--critic", "y", "--precision", "0.8"], "--critic goes with --scores"),
        (["nothing-here", "--precision", "0.8"], "retake bench run"),
    ],
)
def test_wrong_commands_are_told(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "calibrate", *args]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1", "90", "nan", "much", "0.9999999999999999"])
def test_a_share_is_one(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "calibrate", "x", "--precision", share])
    assert "must lie between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["calibrate", "x", "--precision", "0.9", "--pass-at", "nan"],
        ["report", "x", "--pass-at", "inf"],
        ["report", "x", "--seed", "-3"],
        ["replay", "x", "--seed", "-3"],
    ],
)
def test_a_number_that_is_none_is_told(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *args])
    assert "must be a" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threshold: [", "is not YAML"),
        ("- 1", "must be what `retake bench calibrate` writes"),
        ("threshold: 2", "threshold: Input should be less than or equal to 1"),
        ("x" * 70000, "and so no threshold file"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(ThresholdFileError, match=says):
        read(path)


def test_a_rejection_above_the_threshold_is_refused() -> None:
    made = outcome(GOOD, rejection=0.8).threshold
    assert made is not None
    with pytest.raises(ValueError, match="must not be above"):
        Threshold.model_validate({**made.model_dump(), "reject_below": 0.99})
    with pytest.raises(ValueError, match="stand or fall together"):
        Threshold.model_validate({**made.model_dump(), "reject": None})
