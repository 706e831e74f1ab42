"""`retake bench degrade`: what is done to clips, made and judged once, and the figures of a critic."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from agent.bench.degrade import asking, figures, scenes, told
from agent.bench.degrade.bases import Made, Size, made
from agent.bench.degrade.catalogue import DEGRADATIONS, Degradation, Material, chosen
from agent.bench.degrade.own import own
from agent.bench.degrade.page import write_page
from agent.bench.degrade.suite import CASES, Maker, judge
from agent.bench.degrade.types import Case, Judged, Row, Suite
from agent.bench.degrade.video import SEVERITIES, decode, encode
from agent.cli import main
from agent.errors import ConfigError
from critic.instrument import Instrument
from critic.types import Critique, JudgeError, Score
from reasoner.camera import requested_moves
from tests.pages import Page

PROMPT = "A ball rolls through a street. The camera pans right."


def material(place: scenes.Place = "street", frames: int = 9, prompt: str = PROMPT) -> Material:
    video = scenes.clip(place, frames=frames, width=96, height=64, path=scenes.Path(pan=0.3))
    return Material(video, 24, prompt, video[0])


def difference(a: Material, b: Material) -> float:
    """How far two materials differ: 0 only where nothing does."""
    words = float(a.prompt != b.prompt)
    image = 0.0
    if a.first_frame is not None and b.first_frame is not None:
        image = float(np.abs(a.first_frame.astype(float) - b.first_frame).mean())
    if len(a.video) != len(b.video):
        return 1.0
    return words + image + float(np.abs(a.video.astype(float) - b.video).mean())


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """As the critic does: on a busy machine OpenCV's own threads are three times slower."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("degradation", DEGRADATIONS.values(), ids=lambda d: d.name)
def test_every_degradation_changes_a_clip_at_every_severity_and_the_same_each_time(degradation: Degradation) -> None:
    base, other = material(), material("room")
    kept = base.video.copy()
    again = degradation.change(base, other, 5)
    for severity in (1, 3, 5):
        changed = degradation.change(base, other, severity)
        assert changed is not None
        assert changed.video.dtype == np.uint8
        assert changed.video.shape[1:] == base.video.shape[1:]
        assert len(changed.video) >= 2
        if severity >= 3:
            assert difference(base, changed) > 0
        last = changed
    assert again is not None
    assert difference(last, again) == 0
    assert np.array_equal(base.video, kept), "the base is shared by all of them"
    assert degradation.words.endswith(".")
    assert degradation.words[0].isupper() or degradation.words[0].isdigit()


WHOLE_OR_NOT = {"another_asked", "another_move", "cut", "dropped", "corrupted"}
"""Of which a mean over pixels says nothing: other words, pieces, another length, and whole blocks of a small clip."""


@pytest.mark.parametrize("name", sorted(DEGRADATIONS.keys() - WHOLE_OR_NOT))
def test_what_is_done_grows_with_severity(name: str) -> None:
    base, other = material(frames=25), material("room", frames=25)
    changed = [DEGRADATIONS[name].change(base, other, severity) for severity in SEVERITIES]
    apart = [0.0, *(difference(base, each) for each in changed if each is not None)]
    assert len(apart) == 6
    assert all(milder < worse for milder, worse in pairwise(apart)), apart


def test_base_and_degraded_clips_are_encoded_alike_and_hardly_lose(tmp_path: Path) -> None:
    made = maker(tmp_path, 1)
    cases = [made.case(0, wanted) for wanted in (("", 0), ("watermarked", 1))]
    files = [(tmp_path / case.clip).read_bytes() for case in cases if case is not None]
    said = [re.findall(rb"x264 - core.*?options: ([^\0]*)", file)[0] for file in files]
    assert said[0] == said[1]
    assert b"crf=18.0" in said[0]


def test_frames_come_backwards_without_a_jump_but_the_turn() -> None:
    clip = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(3, -1)
    base = Material(clip, 24, PROMPT)
    for severity in SEVERITIES:
        changed = DEGRADATIONS["backwards"].change(base, base, severity)
        assert changed is not None
        order = changed.video[:, 0, 0, 0].astype(int)
        assert len(order) == 20
        assert max(abs(a - b) for a, b in pairwise(order)) == 1
        assert sum(b < a for a, b in pairwise(order)) in {4 * severity - 1, 4 * severity}
    assert list(order) == list(range(20))[::-1]


def test_another_prompt_asks_for_the_same_moves_and_something_else() -> None:
    for severity in SEVERITIES:
        asked = asking.another_asked(PROMPT, severity)
        assert requested_moves(asked) == requested_moves(PROMPT)
        assert (PROMPT in asked) == (severity < 5)
    assert len(asking.another_asked(PROMPT, 4)) > len(asking.another_asked(PROMPT, 1))


def test_another_move_goes_from_its_own_and_another_to_the_opposite() -> None:
    found = [requested_moves(asking.another_move(PROMPT, severity) or "") for severity in SEVERITIES]
    assert found == [
        (("pan_right",), ("tilt_up",)),
        (("tilt_up",), ("pan_right",)),
        (("tilt_up",),),
        (("pan_left",), ("tilt_up",)),
        (("pan_left",),),
    ]
    assert asking.another_move("A ball rolls through a street.", 5) is None
    assert asking.another_move("The camera pans right past a street.", 5) is None
    assert requested_moves(asking.another_move("A pier. Handheld camera.", 5) or "") == (("static",),)


class Bright:
    """A critic that likes light: the mean luma of the first frame, and where it is asked for a move, only that."""

    id = "bright/1"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        self.asked.append((clip.name, prompt, None if first_frame is None else first_frame.name))
        if clip.name == "noisy-3.mp4":
            raise JudgeError("looks away")
        value = float(decode(clip)[0].mean()) / 255
        score = Score(
            criterion="light", axis="quality", value=value, weight=1, floor=0, explanation="It is as bright as it is."
        )
        return Critique.of([score], feedback="", rubric="r/1", judge=self.id, seconds=0)


TINY = Size(96, 64, 5)


def maker(folder: Path, count: int = 2) -> Maker:
    return Maker(folder, [Made(5 + 4 * n, TINY, 0) for n in range(count)], DEGRADATIONS)


async def run(folder: Path, critic: Bright, names: Sequence[str]) -> tuple[Maker, tuple[Judged, ...]]:
    made = maker(folder)
    wanted = [(name, severity) for name in names for severity in (3, 5)]
    return made, await judge(made, wanted, critic, at_once=2, tell=lambda done, total: None)


async def test_clips_are_made_once_and_judged_against_what_was_changed(tmp_path: Path) -> None:
    names = ("underexposed", "another_asked", "another_move", "first_mixed", "noisy")
    critic = Bright()
    first, judged = await run(tmp_path, critic, names)
    # a scene without a camera move, and one with: nothing is asked of the first, which is told for good
    assert [j.case.base for j in judged if j.case.degradation == "another_move"] == ["10-scene"] * 2
    assert {j.failure for j in judged if j.case.id.endswith("noisy-3")} == {"looks away"}
    assert first.made == 2 * (2 + 2 + 2 + 2)  # base and image, darker clips, images, noisy ones
    assert ("base.mp4", asking.another_asked(judged[0].case.prompt, 3), "base.png") in critic.asked
    assert ("base.mp4", judged[0].case.prompt, "first_mixed-5.png") in critic.asked
    bytes_ = {path: path.read_bytes() for path in tmp_path.rglob("*.mp4")}

    with (tmp_path / CASES).open("a") as file:
        file.write('{"base": "killed her')
    (tmp_path / "clips" / "06-scene" / ".77.part.mp4").write_bytes(b"half")
    (tmp_path / "clips" / "06-scene" / "underexposed-5.mp4").unlink()
    again, same = await run(tmp_path, Bright(), names)
    assert again.made == 1
    assert same == judged
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.mp4")} == bytes_


@pytest.mark.parametrize("numbers", [(5,), (5, 5)], ids=["one base", "one clip asked for twice"])
def test_another_clip_is_another_one(numbers: Sequence[int], tmp_path: Path) -> None:
    made = Maker(tmp_path, [Made(number, TINY, 0) for number in numbers], DEGRADATIONS)
    base, *cut = (made.case(0, wanted) for wanted in (("", 0), ("cut_in", 3), ("dissolved", 3)))
    assert base is not None
    for case in cut:
        assert case is not None
        apart = np.abs(decode(tmp_path / case.clip) - decode(tmp_path / base.clip).astype(float))
        assert apart.mean(axis=(1, 2, 3)).max() > 9


def test_base_clips_are_of_three_kinds_and_the_seed_is_theirs() -> None:
    found = [(base.name, base.prompt) for base in made(12, TINY, 0)]
    assert {name[3:] for name, _ in found} == {"text", "image", "scene"}
    assert len({prompt for _, prompt in found}) == 12
    assert {bool(requested_moves(prompt)) for _, prompt in found} == {True, False}
    text, image = Made(0, TINY, 0).material(), Made(3, TINY, 0).material()
    assert text.first_frame is None
    assert image.first_frame is not None
    assert np.abs(image.video[0].astype(float) - image.first_frame).mean() < 12
    scene = [Made(1, TINY, seed).material().video for seed in (0, 0, 1)]
    assert np.array_equal(scene[0], scene[1])
    assert not np.array_equal(scene[0], scene[2])


def judged(base: str, score: float | None, degradation: str = "", severity: int = 0, **criteria: float) -> Judged:
    case = Case(base=base, degradation=degradation, severity=severity, prompt=PROMPT, clip=f"clips/{base}.mp4")
    return Judged(case=case, score=score, failure="" if score is not None else "gone", criteria=criteria)


BASES = {"a": judged("a", 0.9, light=0.9, move=1.0), "b": judged("b", 0.7, light=0.8, move=0.5), "c": judged("c", 0.6)}
DEGRADED = [
    judged("a", 0.8, "blurred", 1, light=0.7, move=1.0),
    judged("a", 0.7, "blurred", 3, light=0.3, move=1.0),
    judged("a", 0.3, "blurred", 5, light=0.1, move=0.9),
    judged("b", 0.7, "blurred", 1, light=0.8, move=0.5),
    judged("b", 0.75, "blurred", 3, light=0.8, move=0.6),
    judged("b", 0.6, "blurred", 5, light=0.7, move=0.4),
    judged("c", None, "blurred", 1),
    judged("c", 0.6, "blurred", 3),
    judged("c", 0.6, "blurred", 5),
]


def row(degraded: Sequence[Judged] = DEGRADED, **options: int) -> Row:
    settings = {"bootstrap": 200, "seed": 0, **options}
    return figures.row(DEGRADATIONS["blurred"], BASES, degraded, **settings)


def test_figures_are_what_can_be_counted_by_hand() -> None:
    found = row()
    assert found.all.auc == pytest.approx((1 + (0.5 + 0 + 1) / 3 + 0.5) / 3)
    assert found.by_severity[1].auc == pytest.approx((1 + 0.5) / 2)
    assert found.clear.auc == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert (found.all.pairs, found.by_severity[1].pairs, found.bases, found.failed) == (8, 2, 3, 1)
    # an independent computation: the Mann-Whitney U
    own, degraded = [0.9, 0.7, 0.6], [each.score for each in DEGRADED if each.score is not None]
    assert found.all.pooled == pytest.approx(mannwhitneyu(own, degraded).statistic / (3 * 8), abs=1e-12)
    assert found.spearman == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.fell == "light"
    assert found.fell_by == pytest.approx((0.2 + 0.6 + 0.8 + 0 + 0 + 0.1) / 8, abs=1e-4)


def test_intervals_are_by_bases_and_by_the_seed() -> None:
    found = row()
    assert found.interval is not None
    assert found.pooled_interval is not None
    assert found.interval[0] < (found.all.auc or 0) < found.interval[1]
    assert found.pooled_interval[0] < (found.all.pooled or 0) < found.pooled_interval[1]
    assert row().interval == found.interval
    few = [judged("a", 0.1, "blurred", 1), judged("a", 0.2, "blurred", 3), judged("b", 0.1, "blurred", 1)]
    assert row(few).pooled_interval == (1, 1), "what always wins does so among any bases, of however many clips"
    assert row(DEGRADED[:3]).interval is None, "one base says nothing of others"
    flat = row([judged(base, 0.1, "blurred", 5) for base in BASES])
    assert (flat.all.auc, flat.interval, flat.spearman) == (1.0, (1.0, 1.0), None)


def test_nothing_that_could_be_judged_is_no_figure() -> None:
    found = row([judged("a", None, "blurred", 1)])
    assert (found.all.auc, found.all.pairs, found.failed, found.fell) == (None, 0, 1, "")


def suite(prompt: str = PROMPT) -> Suite:
    low = row().model_copy(update={"degradation": "blurred"})
    return Suite(
        instrument=Instrument(critic="bright/1"),
        command="retake bench degrade",
        versions={"python": "3"},
        settings={"size": "96x64"},
        bases=dict.fromkeys(BASES, prompt),
        base_scores={"a": 0.9, "b": 0.7, "c": 0.6},
        rows=(low,),
        judged=(*BASES.values(), *DEGRADED),
        seconds=1,
    )


def test_a_first_glance_defect_that_is_missed_is_named(tmp_path: Path) -> None:
    words = told.verdict(suite())
    assert "Of 1 degradations that are seen at first glance, 0 reach an AUC of 0.9" in words
    assert "blurred (0.67, at severity 3 and up 0.67)" in words
    assert "1 clips could not be judged" in words
    assert "| blurred | Gaussian blur" in told.page(suite())


def test_rows_of_scores_are_bases_and_degraded_clips_in_groups() -> None:
    lines = told.scores(suite()).splitlines()
    assert lines[:2] == ["sample_id,score,label,group", "a/base,0.900000,1,a"]
    assert "a/blurred-3,0.700000,0,a" in lines
    assert len(lines) == 1 + 3 + 8, "what failed has no score"


def test_the_sheet_shows_stills_and_keeps_what_users_wrote_as_text(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    encode(material(frames=3).video, tmp_path / "clips" / "a.mp4", threads="1")
    hostile = "<img src=x onerror=alert(1)> | `code`"
    write_page(suite(hostile), tmp_path, tmp_path / "degrade.html")
    page = Page((tmp_path / "degrade.html").read_text())
    assert [image["src"][:23] for image in page.all("img")] == ["data:image/jpeg;base64,"] * 4
    assert hostile in page.said
    assert "0.200 below the base" in page.said
    assert "seen, but missed" in page.said
    assert not page.all("script")
    assert "\\|" in told.page(suite(hostile))
    assert "<img" not in told.page(suite(hostile)).replace("\\<img", "")


def test_own_clips_come_with_their_prompts(tmp_path: Path) -> None:
    encode(material(frames=6).video, tmp_path / "b.mp4", fps=12, threads="1")
    with pytest.raises(ConfigError, match=r"b\.txt beside it"):
        own(tmp_path, tmp_path / "got", count=None, size=None, most=None)
    (tmp_path / "b.txt").write_text("A street.")
    (clip,) = own(tmp_path, tmp_path / "got", count=None, size=None, most=5)
    found = clip.material()
    assert (clip.name, found.prompt, found.fps, found.video.shape) == ("01-b", "A street.", 12, (5, 64, 96, 3))
    table = tmp_path / "clips.csv"
    table.write_text("video,prompt\nb.mp4,One\nb.mp4,One\nb.mp4,Two\n")
    assert [c.prompt for c in own(table, tmp_path / "got", count=None, size=(64, 48), most=None)] == ["One", "Two"]
    assert own(table, tmp_path / "got", count=1, size=(64, 48), most=None)[0].material().video.shape == (6, 48, 64, 3)
    for few, needed in ((material(frames=4).video, "has 4 frames"), (material().video[:, :40], "is 96x40")):
        encode(few, tmp_path / "few.mp4", threads="1")
        table.write_text("video,prompt\nb.mp4,One\nfew.mp4,Two\n")
        with pytest.raises(ConfigError, match=needed):
            own(table, tmp_path / "got", count=None, size=None, most=None)
    for row, needed in (("b.mp4,", "line 3: prompt is empty"), ("b.mp4,One,more", "line 3: has 3 cells")):
        table.write_text(f"video,prompt\nb.mp4,One\n{row}\n")
        with pytest.raises(ConfigError, match=needed):
            own(table, tmp_path / "got", count=None, size=None, most=None)
    for wrong in ("gone.mp4", "http://127.0.0.1:9/a.mp4", "file:///etc/passwd"):
        table.write_text(f"video,prompt\n{wrong},One\n")
        with pytest.raises(ConfigError, match="--clips"):
            own(table, tmp_path / "got", count=None, size=None, most=None)


def test_wrong_words_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="is 'blurred' meant"):
        chosen(["blured"])
    assert [d.name for d in chosen(["noisy", "frozen"])] == ["frozen", "noisy"]
    out = str(tmp_path / "out")
    for wrong in (["--size", "7x7"], ["--frames", "3"], ["--only", "nothing"], ["--clips", str(tmp_path / "gone")]):
        assert main(["bench", "degrade", "--out", out, *wrong]) == 2
        assert wrong[0] in capsys.readouterr().err
    for wrong in (["--severities", "0"], ["--bases", "0"], ["--seed", "-1"]):
        with pytest.raises(SystemExit):
            main(["bench", "degrade", *wrong])
    assert not Path(out).exists()
