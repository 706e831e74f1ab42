import base64
import hashlib
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from agent.run import Run
from agent.types import Ending, Failure
from critic.types import Critique
from generator.types import Effective
from reasoner.types import Caption, Edit
from tests import runs
from tests.pages import Page, page

HOSTILE = "</script><img src=x onerror=alert(1)> {{7*7}} {% include 'x' %} \"' onload=alert(1) <!-- ]]> \u202e &amp;"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.good(tmp_path_factory.mktemp("runs") / "good")


def test_the_first_screen_says_what_came_of_the_run(good: Run) -> None:
    shown = page(good)
    reached = "Accepted: a clip reached 0.96, at or above the threshold of 0.90 (uncalibrated), and every floor held."
    assert reached in shown.said
    assert "threshold 0.90 · uncalibrated" in shown.said
    assert runs.PROMPT in shown.said
    assert "iteration 3: 4 fields changed since the first caption" in shown.said
    assert (
        "Seed 4101 Iteration 3 of 3 Clip 320\N{MULTIPLICATION SIGN}192, 2.0 s Renders 9 Rendering 19.2 s Judging 3.2 s"
        in shown.said
    )


def test_every_clip_is_there_once_a_place_and_by_a_path_relative_to_the_page(good: Run) -> None:
    videos = page(good).all("video")
    assert len(videos) == 1 + 8
    assert {v["src"] for v in videos} == {f"clips/{c.clip.path.name}" for c in good.candidates}
    assert all("muted" in v and "playsinline" in v and "autoplay" not in v for v in videos)


def test_posters_are_small_and_inlined(good: Run) -> None:
    for video in page(good).all("video"):
        kind, _, data = video["poster"].partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(BytesIO(base64.b64decode(data))) as poster:
            assert poster.size == (320, 192)


def test_nothing_comes_from_elsewhere(good: Run) -> None:
    html = page(good).html
    assert not re.search(r"https?://|//cdn|@import|url\(", html)
    named = {a[k] for _, a in Page(html).elements for k in ("src", "href", "poster") if k in a}
    assert all(
        n.startswith(("data:", "#", "clips/")) or n in {"run.json", "events.jsonl", "config.yaml"} for n in named
    )


def test_the_policy_allows_our_own_style_and_script_and_nothing_inline(good: Run) -> None:
    shown = page(good)
    policy = next(m["content"] for m in shown.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", shown.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [a for _, a in shown.elements for k in a if k == "style" or k.startswith("on")]


def test_each_candidate_shows_its_criteria_with_their_measured_reasons(good: Run) -> None:
    shown = page(good)
    buttons = [b for b in shown.all("button") if "data-criterion" in b]
    assert len(buttons) == 8 * len(runs.CRITERIA)
    assert shown.said.count("Camera: measured 0.690 of the clip") == 2, "for the eye and for screen readers"
    assert "Lowest: camera 0.31, below its floor of 0.50" in shown.said
    assert len([b for b in buttons if b["tabindex"] == "0"]) == 8, "one stop of the tab key a clip"


def test_defects_can_be_gone_to(good: Run) -> None:
    shown = page(good)
    seeks = [b["data-seek"] for b in shown.all("button") if "data-seek" in b]
    assert len(seeks) == sum(len(c.critique.defects) for c in good.candidates)
    assert "0.850" in seeks
    assert "0:00\N{EN DASH}0:02 camera asked to push in, hardly moves" in shown.said


def test_a_rewrite_shows_its_edits_and_what_they_gained_seed_by_seed(good: Run) -> None:
    said = page(good).said
    assert "A prompt problem: the caption names no move, so the camera drifts." in said
    assert "Cinematography: camera motion for camera The camera moves clearly pushes in, all the way." in said
    first, second = good.iterations[:2]
    gain = second.gain_over(first)
    assert gain is not None
    assert f"Mean: what the prompt did +{gain.mean:.2f}" in said
    assert "4100 0.53 0.90 +0.37 4101 0.79 0.93 +0.13" in said
    assert "The rewrite is kept: later ones start from it. 2 seeds are too few for an interval." in said


def test_a_caption_that_gained_nothing_is_not_kept(good: Run) -> None:
    first, second, _ = good.iterations
    worse = second.model_copy(update={"candidates": first.candidates})
    assert "gained nothing and is not kept" in page(good.model_copy(update={"iterations": (first, worse)})).said


def test_fresh_seeds_have_no_paired_gain(good: Run) -> None:
    first = good.iterations[0]
    run = good.model_copy(update={"iterations": (first,)})
    run = run.with_caption(first.caption.on_fresh_seeds("nothing is left to edit"), (4103,))
    run = run.with_candidate(runs.candidate(run, 1, 4103, {"camera": 0.8})).stopped(Ending(reason="iterations"))
    said = page(run).said
    assert "caption of iteration 1, fresh seeds" in said
    assert "No seed was judged under both captions" in said


def test_a_failure_says_what_failed_and_what_to_do(good: Run) -> None:
    shown = page(good)
    assert "✕ Rendering failed seed 4102 rendering seed 4102: the encoder stopped after 12 frames" in shown.said
    assert "retake run --resume good --retry-failed" in shown.said
    assert len(shown.all("article", "failure")) == 1


def test_the_strip_links_to_every_iteration(good: Run) -> None:
    shown = page(good)
    links = shown.all("a", "column")
    assert [a["href"] for a in links] == ["#iteration-1", "#iteration-2", "#iteration-3"]
    assert links[1]["aria-label"] == "Iteration 2: best 0.93, 2 candidates, 1 failed"
    assert {f"iteration-{n}" for n in (1, 2, 3)} <= {a["id"] for a in shown.all("section", "iteration")}


def test_every_control_has_a_name(good: Run) -> None:
    shown = page(good)
    for tag, attrs in shown.elements:
        if tag == "video" or attrs.get("role") in {"img", "region", "group"}:
            assert attrs.get("aria-label") or attrs.get("tabindex") == "-1", (tag, attrs)
        if tag == "img":
            assert attrs.get("alt")
    assert not re.search(r"<(button|a|summary)[^>]*>\s*</\1>", shown.html)


def test_requested_beside_effective_is_marked_only_where_it_differs(good: Run) -> None:
    shown = page(good)
    assert not shown.all("tr", "differs")
    assert "8 clips · h264" in shown.said
    first = good.iterations[0]
    short = first.candidates[0].clip.model_copy(
        update={"effective": Effective(width=320, height=192, num_frames=45, fps=23.976, codec="vp9")}
    )
    odd = first.candidates[0].model_copy(update={"clip": short})
    changed = first.model_copy(update={"candidates": (odd, *first.candidates[1:])})
    other = page(good.model_copy(update={"iterations": (changed, *good.iterations[1:])}))
    assert len(other.all("tr", "differs")) == 3
    assert "Frames 49 45 ≠ differs Frames per second 24 23.98 ≠ differs Seconds 2.0 1.9 ≠ differs" in other.said


def test_notes_config_budget_and_versions_are_there(good: Run) -> None:
    said = page(good).said
    assert "size: 360x200 was asked for; 320x192 is the nearest that Cosmos3 was trained on" in said
    assert "request: size: 320x192 budget: max_iterations: 3" in said
    assert (
        "Iterations 3 of 3 Candidates an iteration 3 Renders 9 of 12 Time limit none Accept at 0.90, uncalibrated"
        in said
    )
    assert "Reasoner rules/1 Generator painted/1 Critic signals/1 Rubric signals/1 cosmos-retake 0.1.0" in said


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    run = runs.begin(tmp_path / HOSTILE.replace("/", "_")[:60], prompt=HOSTILE)
    edit = Edit(field=HOSTILE, before=HOSTILE, after=HOSTILE * 2, criterion=HOSTILE, reason=HOSTILE)
    written = Caption.raw(HOSTILE, HOSTILE).model_copy(update={"edits": (edit,), "reasoner": HOSTILE})
    run = run.with_caption(written, (1, 2))
    made = runs.candidate(run, 0, 1, {"camera": 0.4})
    data = made.critique.model_dump()
    data |= {"feedback": HOSTILE, "judge": HOSTILE, "rubric": HOSTILE}
    for name, key in (("scores", "explanation"), ("scores", "criterion"), ("defects", "words"), ("traces", "unit")):
        data[name] = [{**item, key: HOSTILE} for item in data[name]]
    run = run.with_candidate(made.model_copy(update={"critique": Critique.model_validate(data)}))
    run = run.with_failure(Failure(step="render", seed=2, message=HOSTILE))
    run = run.stopped(Ending(reason="failed", detail=HOSTILE)).model_copy(update={"versions": {HOSTILE: HOSTILE}})
    (run.folder / "config.yaml").write_text(HOSTILE, encoding="utf-8")
    shown = page(run)
    assert [t for t, _ in shown.elements].count("script") == 1
    assert not shown.all("img")
    assert not [a for _, a in shown.elements for k in a if k.startswith("on")]
    assert "49" not in shown.said.replace("Frames 49 49", "")
    assert shown.said.count("</script><img src=x onerror=alert(1)> {{7*7}}") > 12
    assert shown.all("video")[0]["src"].startswith("clips/")


def test_the_page_is_the_same_from_the_same_run(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 2)
    assert page(run).html == page(run).html
    assert not list(run.folder.rglob("*.tmp"))


def test_a_moved_folder_gives_the_same_page(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "a" / "run", 2)
    before = page(run).html
    moved = (tmp_path / "a").rename(tmp_path / "b") / "run"
    text = run.model_dump_json(context={"folder": run.folder})
    again = Run.model_validate_json(text, context={"folder": moved}).model_copy(update={"folder": moved})
    assert page(again).html == before


def test_importing_the_package_stays_light() -> None:
    look = "import sys, agent.report; print([m for m in ('jinja2', 'PIL', 'av', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
