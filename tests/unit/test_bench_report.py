"""A benchmark's page, its drawings and what they leave alone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from agent.bench.figures.types import Figures
from agent.bench.folder import About
from agent.bench.replay_figures import Point, Replay
from agent.bench.report import canvas, plots, write
from agent.bench.report.beside import Beside, beside
from agent.bench.report.clips import clips
from agent.bench.report.material import Material
from agent.bench.report.page import render
from agent.bench.report.rows import coverage, disagreements
from agent.bench.types import Scored
from agent.errors import ConfigError
from agent.files import file_hash
from critic.instrument import Instrument
from critic.threshold import Bound, Threshold
from tests import benches, movies
from tests.pages import Page

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 5000
THRESHOLD = Threshold(
    threshold=0.8,
    accept=Bound(target=0.8, lower_bound=0.82, confidence=0.95, level=0.98, n=31, right=30, design_effect=1),
    n=120,
    groups=30,
    instrument=Instrument(critic="other/2"),
    made=date(2026, 1, 2),
)
REPLAY = Replay(
    runs=24,
    prompts=12,
    left_out={},
    critics=("hybrid/1",),
    points=tuple(
        Point(
            **dict.fromkeys(("samples", "precision", "precision_low", "precision_high")),
            **dict.fromkeys(("unknown", "marked", "passed", "renders", "renders_saved"), 0),
            accept_at=at,
            max_iterations=most,
            runs=24,
            accepted=20,
            render_seconds=1.0,
            regret=lost,
            low=lost,
            high=lost,
            render_seconds_saved_share=1 - at,
        )
        for at, most, lost in ((0.5, None, 0.4), (0.7, None, 0.1), (0.8, None, None), (0.6, 2, 0.9))
    ),
    words=(),
)
PLOTS = ("roc", "precision-recall", "reliability", "histogram", "coverage-risk")


def material(folder: Path, rows: list[Scored], **other: object) -> Material:
    facts: dict[str, object] = {"figures": benches.figures(rows), "beside": Beside(), "source": "bench/mine"}
    return Material(rows=rows, folder=folder, **{**facts, **other})  # type: ignore[arg-type]


def told(rows: list[Scored], **other: object) -> Page:
    """A page without drawings, which take long."""
    return Page(render(material(Path("bench/none"), rows, **other), ()))


def _pairs() -> list[Scored]:
    return [
        Scored(sample_id=f"p{n}", label_type="pair", label=n % 2, group=f"g{n // 2}", score=0.3 + n / 50, score_b=0.5)
        for n in range(20)
    ]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Two axes (one of pairs alone, since drawing takes long), a hostile sample, a threshold, a replay."""
    rows = [*benches.rows(), *(row.model_copy(update={"axis": "first_frame"}) for row in _pairs())]
    rows[9] = rows[9].model_copy(update={"sample_id": HOSTILE, "group": HOSTILE, "score": 0.999, "label": 1.0})
    rows[0] = rows[0].model_copy(update={"failure": HOSTILE})
    made = material(
        tmp_path_factory.mktemp("bench") / "a # folder",
        rows,
        figures=benches.figures(rows, dataset=HOSTILE, instrument=Instrument(critic="hybrid/1", model=HOSTILE)),
        beside=Beside(threshold=THRESHOLD, replay=REPLAY, coverage=0.3, notes=(HOSTILE,)),
        command=HOSTILE,
    )
    write(made)
    return made


@pytest.fixture(scope="module")
def page(full: Material) -> Page:
    return Page((full.folder / "report.html").read_text(encoding="utf-8"))


def test_all_files_are_there(full: Material) -> None:
    assert Figures.model_validate_json((full.folder / "figures.json").read_bytes()) == full.figures
    names = {p.name for p in (full.folder / "plots").iterdir()}
    assert names == {f"overall-{n}{ending}" for n in (*PLOTS, "regret") for ending in (".svg", ".png")}


def test_the_page_says_what_the_score_is_worth_before_all_else(page: Page, full: Material) -> None:
    first, second = full.figures.axes
    assert page.said.index(first.words[0]) < page.said.index("0.58") < page.said.index("First frame")
    assert "better than chance" in page.said
    assert "First frame ✓ better than chance 20 pairs, 10 prompts" in page.said
    assert f"People take {first.n_pass} of {first.n_pass + first.n_fail}" in page.said
    assert "Prompts 31 Raters a label 3" in page.said
    assert second.words[0] in page.said


def test_the_page_says_what_the_threshold_is_worth_and_for_whom(page: Page) -> None:
    assert THRESHOLD.sentence() in page.said
    assert "It was made for another critic: critic: other/2 there, hybrid/1 here" in page.said
    assert "critic.threshold_file=" in page.said


def test_what_others_wrote_is_text_and_nothing_else(page: Page) -> None:
    assert not page.all("script")
    assert "<script>alert(1)</script>" in page.said
    assert not [attributes for _, attributes in page.elements if "style" in attributes or "onload" in attributes]
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_drawings_in_the_page_have_its_colours_and_say_what_they_show(page: Page, full: Material) -> None:
    drawings = page.all("svg", "drawing")
    assert len(drawings) == len(PLOTS) + 1
    assert drawings[0]["aria-label"].startswith("ROC, overall: area 0.91 (0.83 to 0.98)")
    painted = {a.get(name, "none") for _, a in page.elements for name in ("fill", "stroke")}
    assert not [p for p in painted if p.startswith("#")]
    classes = {c for _, a in page.elements for c in a.get("class", "").split()}
    assert {"fill-ink", "fill-accent", "fill-sheet", "stroke-bad"} <= classes
    named = {a["id"] for _, a in page.elements if "id" in a}
    used = {
        v.strip("url(#)") for _, a in page.elements for n, v in a.items() if n in {"clip-path", "fill"} and "#" in v
    }
    assert used
    assert used <= named


def test_the_same_figures_draw_the_same_bytes(full: Material, tmp_path: Path) -> None:
    with canvas.look():
        figure = plots.histogram(full.axes[0], full.beside)
        assert figure is not None
        svg = canvas.save(figure, tmp_path / "again")
    before = full.folder / "plots" / "overall-histogram"
    assert svg == before.with_suffix(".svg").read_text(encoding="utf-8")
    assert (tmp_path / "again.png").read_bytes() == before.with_suffix(".png").read_bytes()
    assert "date" not in svg.lower()


def test_plots_name_their_axes_and_how_many_and_tell_lines_apart_without_colour(full: Material) -> None:
    words = {
        "roc": ("false positive rate", "true positive rate", "n = 116"),
        "precision-recall": ("recall", "precision", "n = 116"),
        "reliability": ("score", "share taken", "n = 116"),
        "histogram": ("score", "clips", f"people take, n = {full.axes[0].n_pass}"),
        "coverage-risk": ("share accepted, best scores first", "share of these not taken", "n = 116"),
        "regret": (
            "render seconds saved, share of the full budget",
            "score lost",
            "stored runs, n = 24",
            "at 0.50",
            "at 0.70",
        ),
    }
    for name, expected in words.items():
        svg = (full.folder / "plots" / f"overall-{name}.svg").read_text(encoding="utf-8")
        assert [w for w in expected if f">{w}<" not in svg] == []
        assert "at 0.60" not in svg, "another budget than the runs had"
        if name == "histogram":
            assert "<pattern" in svg, "hatched where people do not take them"
        elif name != "regret":
            assert "stroke-dasharray" in svg


def test_chance_level_cannot_be_overlooked() -> None:
    page = told(benches.rows(worth=0.01))
    assert page.all("div", "alarm")
    assert "Chance level. Nothing here tells this critic's score from a coin toss." in page.said
    assert "On a score that is not better than chance none can be defended." in page.said
    assert not told(benches.rows()).all("div", "alarm")


def _one_class() -> list[Scored]:
    return [r for r in benches.rows() if r.label < 4]


SMALL: Mapping[str, tuple[list[Scored], str]] = {
    "pairs alone": (_pairs(), "Accuracy on pairs"),
    "all failed": (benches.rows(5, failed=5), "Nothing was judged."),
    "one class": (_one_class(), "It cannot be told what the score is worth."),
    "one row": (benches.rows(1, failed=0), "It cannot be told what the score is worth."),
}


@pytest.mark.parametrize("name", SMALL)
def test_what_cannot_be_said_is_said(name: str) -> None:
    rows, words = SMALL[name]
    page = told(rows)
    assert words in page.said
    assert "There is nothing to draw" in page.said


def test_scores_at_the_end_of_what_a_number_can_be_are_not_drawn() -> None:
    """Matplotlib's own sums overflow there."""
    near = benches.axis_figures(benches.rows())
    assert plots.histogram(near, Beside()) is not None
    bins = tuple(b.model_copy(update={"low": -1.7e308, "high": 1e308}) for b in near.histogram)
    assert plots.histogram(near.model_copy(update={"histogram": bins}), Beside()) is None


def test_no_row_at_all_still_gives_a_page(tmp_path: Path) -> None:
    write(material(tmp_path, [], figures=Figures(dataset="none", rows=0, bootstrap=0, axes=())))
    assert "There is no row." in Page((tmp_path / "report.html").read_text(encoding="utf-8")).said


def test_a_page_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<!doctype html>my own")
    with pytest.raises(ConfigError, match=r"was not written by `retake bench report`; name another folder with --out"):
        write(material(tmp_path, _pairs()))
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_plots_of_an_earlier_report_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    for name in ("physics-roc.svg", "overall-regret.png", "my-drawing.svg", "roc.svg"):
        (tmp_path / "plots" / name).touch()
    write(material(tmp_path, benches.rows(5, failed=5)))
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {"my-drawing.svg", "roc.svg"}


def test_rows_are_apart_by_rank_and_not_by_leniency() -> None:
    kind = [
        Scored(sample_id=f"c{n}", label_type="mos", label=n, scale=(0, 20), group="g", score=0.9 + n / 400)
        for n in range(20)
    ]
    assert disagreements(kind) == ()
    kind[0] = kind[0].model_copy(update={"score": 0.99})
    (found,) = disagreements(kind)
    assert (found.row.sample_id, found.label, found.words) == (
        "c0",
        "0 on 0-20",
        "critic above 100 % of clips, people above 0 %",
    )
    assert found.apart == 1


def test_pairs_are_apart_where_the_worse_clip_scores_higher() -> None:
    found = disagreements(_pairs())
    assert [d.row.sample_id for d in found[:2]] == ["p1", "p18"]
    assert (found[0].label, found[0].words) == ("first is better", "the second scores 0.18 higher")


def test_coverage_counts_failures_and_broken_floors_as_not_accepted() -> None:
    rows = [*benches.rows(4, failed=1), *_pairs()]
    assert coverage(rows, 0.0, None) == 0.75
    rows[1] = rows[1].model_copy(update={"floors_hold": False})
    assert coverage(rows, 0.0, None) == 0.5
    assert coverage(_pairs(), 0.0, None) is None


def test_what_lies_beside_is_read_and_what_is_broken_is_a_note(tmp_path: Path) -> None:
    assert beside(tmp_path) == Beside()
    (tmp_path / "threshold.yaml").write_text(THRESHOLD.to_yaml())
    (tmp_path / "replay.json").write_text(REPLAY.model_dump_json())
    found = beside(tmp_path)
    assert (found.threshold, found.replay, found.notes) == (THRESHOLD, REPLAY, ())
    (tmp_path / "threshold.yaml").write_text("threshold: much")
    (tmp_path / "replay.json").write_bytes(b"\xff[" * 600_000)
    (tmp_path / "withheld.txt").write_text("29 clips are needed, 12 are there.")
    found = beside(tmp_path)
    assert (found.threshold, found.replay, found.withheld) == (None, None, "29 clips are needed, 12 are there.")
    assert [note.partition(" cannot be used")[0] for note in found.notes] == ["threshold.yaml", "replay.json"]


def test_only_clips_are_linked_to(tmp_path: Path) -> None:
    movies.write_movie(tmp_path / "a.mp4", movies.moving(4))
    (tmp_path / "secret.txt").write_text("secret")
    names = ["a.mp4", "secret.txt", "/etc/passwd", "javascript:alert(1)", "https://x.test/b.mp4", "gone.mp4", "n\0.mp4"]
    names += ["https://me:s3cret@x.test:81/c.mp4?sig=s3cret#s3cret", "http://[x/d.mp4"]
    lines = "".join(f"s{n},{name},a ball,1\n" for n, name in enumerate(names))
    (tmp_path / "clips.csv").write_text(f"sample_id,video,prompt,label\n{lines}")
    about = About(
        dataset="clips",
        source=str(tmp_path / "clips.csv"),
        format="plain",
        sha256=file_hash(tmp_path / "clips.csv"),
        instrument=Instrument(critic="c/1"),
        made=datetime(2026, 1, 1, tzinfo=UTC),
    )
    (tmp_path / "bench").mkdir()
    found = clips(about, {f"s{n}" for n in range(len(names))}, tmp_path / "bench")
    assert {name: [c.url for c in shown] for name, shown in found.items() if shown} == {
        "s0": ["../a.mp4"],
        "s4": ["https://x.test/b.mp4"],
        "s7": ["https://x.test:81/c.mp4"],
    }
    (first,) = found["s0"]
    assert (first.poster or "").startswith("data:image/jpeg;base64,")
    gone = about.model_copy(update={"source": str(tmp_path / "gone.csv")})
    assert clips(gone, {"s0"}, tmp_path) == clips(None, {"s0"}, tmp_path) == {}
    other = about.model_copy(update={"sha256": "ab" * 32})
    assert clips(other, {"s0"}, tmp_path / "bench") == {}
