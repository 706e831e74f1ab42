"""`retake mark` as a process, and its page in a real browser."""

import json
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from agent import marks
from agent.report import write_report
from tests import marked
from tests.e2e.process import command, environment, stop, wait_for
from tests.e2e.test_report_browser import CONTRAST, SCHEMES


@contextmanager
def marking(folder: Path, log: Path, *options: str, **extra: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and the address that it prints."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command("mark", folder, *options), env=environment() | extra, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(log, "Ctrl-C ends it", process)
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", log.read_text())
        assert found, log.read_text()
        yield process, found[0]
    finally:
        process.kill()
        process.wait()


def test_it_opens_the_browser_serves_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    marked.write(folder / "a run", (0.5,))
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    opener.chmod(opener.stat().st_mode | stat.S_IXUSR)
    log = tmp_path / "log"
    with marking(folder, log, BROWSER=f"{opener} %s") as (process, url):
        wait_for(tmp_path / "opened", "token", process)
        assert (tmp_path / "opened").read_text().strip() == url
        port = urlsplit(url).port
        assert port
        with socket.create_connection(("127.0.0.1", port)) as raw:
            query = urlsplit(url).query
            raw.sendall(f"GET /clips/../../run.json?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert raw.recv(100).startswith(b"HTTP/1.1 404")
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):  # noqa: PT011
            pass
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as page:
            assert page.get(f"/?{query}").status_code == 200
            candidate = page.get("/api/runs").json()["runs"][0]["candidates"][0]
            mark = {"run": 0, "kind": "verdict", "first": candidate["entrant"], "first_sha256": candidate["sha256"]}
            origin = {"Origin": f"http://127.0.0.1:{port}"}
            assert page.post("/api/marks", json=mark | {"label": 1}, headers=origin).json()["saved"] is True
            assert stop(process, signal.SIGINT) == 0  # the connection still stands open
    said = log.read_text()
    assert "1 mark saved in 1 run." in said
    assert f"retake bench run {folder}\n" in said
    assert f"retake report '{folder}/a run'" in said
    assert "Traceback" not in said


# --- the page


@dataclass
class Seat:
    """Somebody at the page."""

    page: Page
    complaints: list[str]

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def says(self, words: str) -> None:
        self.page.locator("#said").get_by_text(words).wait_for(timeout=60_000)

    def pressed(self) -> list[str]:
        names = "all => all.filter(b => b.checkVisibility()).map(b => b.textContent.trim().split(/\\s+/).join(' '))"
        found: list[str] = self.page.eval_on_selector_all("[data-kind][aria-pressed=true]", names)
        return found

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def until(self, condition: str) -> None:
        for _ in range(1200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never came true: {condition}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one of three candidates, whose prompt is hostile, and one of one."""
    folder = tmp_path_factory.mktemp("marked") / "runs"
    hostile = "<img src=x onerror=alert(1)> A lighthouse. " + "Unbreakable" * 30
    write_report(marked.write(folder / "1 a run", prompt=hostile))
    marked.write(folder / "2 another", (0.7,), first_frame=True)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "log"
    with marking(folder, log, "--no-browser") as (process, url):
        yield url
        assert stop(process, signal.SIGINT) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture
def seat(browser: Browser, served: str, folder: Path) -> Iterator[Seat]:
    """A browser that knows its rater's name, at runs without a mark."""
    for kept in folder.glob(f"*/{marks.NAME}"):
        kept.unlink()
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        origin = served.partition("/?")[0]
        context.add_cookies([{"name": "retake-rater", "value": "Ann", "url": origin}])
        seat = sit(context, served)
        seat.until("document.getElementById('rater').textContent === 'Ann'")
        yield seat
        assert seat.complaints == []


def sit(context: BrowserContext, url: str) -> Seat:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: complaints.append(f"error: {e}"))
    page.goto(url)
    page.locator("#where").get_by_text("of").wait_for(timeout=60_000)
    return Seat(page, complaints)


def kept(folder: Path) -> list[tuple[str, str, float]]:
    return [(m.rater, m.kind, m.label or 0) for f in sorted(folder.iterdir()) for m in marks.standing(f)]


@pytest.mark.browser
def test_keys_mark_and_a_reload_keeps_it(seat: Seat, folder: Path) -> None:
    seat.page.context.clear_cookies(name="retake-rater")
    seat.page.reload()
    seat.page.locator("#who").wait_for()
    seat.page.keyboard.type("Ann 1p")  # in the name keys are letters
    seat.press("Backspace Backspace Backspace Enter")
    seat.until("document.getElementById('rater').textContent === 'Ann'")
    seat.until("document.querySelector('video').currentTime > 0.05")
    video = seat.page.locator("video").first
    assert video.evaluate("v => [v.muted, v.loop, v.videoWidth]") == [True, True, 160]
    for key, saved in (
        ("1", "1 of 5"),
        ("2", "2 of 5"),
        ("3", "3 of 5"),
        ("5", "5 of 5"),
        ("4", "4 of 5"),
        ("p", "pass"),
    ):
        seat.press(key)
        seat.says(f"Saved: {saved}")
    seat.press("ArrowRight f 2")
    seat.says("Saved: 2 of 5")
    seat.press("u")
    seat.says("Taken back")
    assert seat.text("#where") == "Candidate 2 of 3, run 1 of 2"
    assert seat.text("#all-progress") == "2 of 4 marked"
    assert sorted(kept(folder)) == [("Ann", "rating", 4), ("Ann", "verdict", 0), ("Ann", "verdict", 1)]
    seat.page.reload()
    seat.until("document.getElementById('rater').textContent === 'Ann'")
    seat.until("document.querySelectorAll('[data-kind][aria-pressed=true]').length === 1")
    assert seat.text("#where") == "Candidate 2 of 3, run 1 of 2"
    assert seat.pressed() == ["✕ Fail f"]
    seat.press("k")
    assert seat.pressed() == ["4 good", "✓ Pass p"]
    seat.press("n")
    assert seat.text("#where") == "Candidate 3 of 3, run 1 of 2"
    seat.press("ArrowRight")
    assert seat.text("#where") == "Candidate 1 of 1, run 2 of 2"
    assert seat.text("#prompt").startswith("A red lighthouse")
    seat.until("document.querySelector('#first-frame img').naturalWidth === 160")


@pytest.mark.browser
@pytest.mark.thorough
def test_undo_takes_back_what_was_done_last_and_shows_it(seat: Seat, folder: Path) -> None:
    seat.press("2 4 ArrowRight p u")
    seat.says("Taken back")
    assert kept(folder) == [("Ann", "rating", 4)]
    seat.press("ArrowRight u")
    seat.says("Saved: 2 of 5")
    assert (seat.text("#where"), seat.pressed()) == ("Candidate 1 of 3, run 1 of 2", ["2 poor"])
    seat.press("u")
    seat.says("Taken back")
    assert (kept(folder), seat.pressed()) == ([], [])


@pytest.mark.browser
@pytest.mark.thorough
def test_what_is_marked_last_stands_whichever_tab_it_was(seat: Seat, folder: Path) -> None:
    seat.press("4")
    seat.says("Saved: 4 of 5")
    other = seat.page.context.new_page()
    other.goto(seat.page.url)
    other.locator("[data-label='4'][aria-pressed=true]").wait_for()
    other.keyboard.press("2")
    other.locator("#said", has_text="Saved: 2 of 5").wait_for()
    other.close()
    assert seat.pressed() == ["4 good"]
    seat.press("n k 4")
    seat.says("Saved: 4 of 5")
    assert kept(folder) == [("Ann", "rating", 4)]
    seat.press("u")
    seat.says("Taken back")
    assert kept(folder) == []


@pytest.mark.browser
@pytest.mark.thorough
def test_two_are_compared_side_by_side_in_step(seat: Seat, folder: Path) -> None:
    seat.press("b")
    assert seat.text("#all-progress") == "0 of 3 pairs compared"
    seat.until("[...document.querySelectorAll('video')].every(v => v.currentTime > 0.05)")
    seat.until(
        "(([a, b]) => !b.seeking && Math.abs(a.currentTime - b.currentTime) < 0.12)(document.querySelectorAll('video'))"
    )
    pairs = {}
    for key, saved in (("1", "left is better"), ("ArrowRight", "right is better"), ("t", "a tie")):
        left, right = seat.page.eval_on_selector_all("video", "all => all.map(v => v.src.match(/(\\d+)\\?/)[1])")
        pairs[int(left), int(right)] = saved
        seat.press(key)
        seat.says(f"Saved: {saved}")
        seat.press("j")
    for mark in marks.standing(folder / "1 a run"):
        assert mark.second is not None
        first, second = mark.first.seed, mark.second.seed
        expected = {1: "left is better", 0: "right is better", 0.5: "a tie"}[
            mark.label if mark.label is not None else -1
        ]
        turned = {"left is better": "right is better", "right is better": "left is better"}
        assert pairs.get((first, second), "") == expected or pairs[second, first] == turned.get(expected, expected)
    assert len(pairs) == 3
    seat.press("n")
    seat.says("All pairs are compared.")
    seat.page.reload()
    seat.until("document.getElementById('all-progress').textContent === '3 of 3 pairs compared'")


@pytest.mark.browser
@pytest.mark.thorough
def test_scores_are_hidden_until_asked_for_and_the_space_bar_pauses(seat: Seat) -> None:
    assert "score" not in seat.text("main").lower()
    seat.press("s")
    assert re.search(r"score 0\.\d\d · iteration 1, seed 41\d\d", seat.text("figcaption >> nth=0"))
    seat.press("s Space")
    assert "score" not in seat.text("main").lower()
    assert seat.page.evaluate("document.querySelector('video').paused")
    seat.press("Space")
    seat.until("!document.querySelector('video').paused")
    seat.press("?")
    assert seat.page.locator("#help").is_visible()
    seat.press("?")
    assert not seat.page.locator("#help").is_visible()


@pytest.mark.browser
@pytest.mark.thorough
def test_a_mark_that_cannot_be_saved_waits_in_the_page(seat: Seat, folder: Path) -> None:
    (folder / "1 a run").rename(folder.parent / "away")
    seat.press("3 p")
    seat.page.locator("#trouble").get_by_text("Bring it back, then try again. 2 marks wait in this page.").wait_for()
    assert seat.pressed() == ["3 fair", "✓ Pass p"]
    (folder.parent / "away").rename(folder / "1 a run")
    seat.press("r")
    seat.says("Saved: pass")
    assert not seat.page.locator("#trouble").is_visible()
    assert sorted(kept(folder)) == [("Ann", "rating", 3), ("Ann", "verdict", 1)]
    seat.press("1")
    seat.says("Saved: 1 of 5")
    seed = re.findall(r"/(\d+)\?", str(seat.page.locator("video").first.get_attribute("src")))[0]
    clip = folder / "1 a run" / "clips" / f"01-seed-{seed}.mp4"
    data = clip.read_bytes()
    clip.write_bytes(data + b" ")
    seat.press("5")
    seat.page.locator("#trouble").get_by_text("The clip has changed since it was shown").wait_for()
    assert seat.pressed() == ["1 bad", "✓ Pass p"], "what is not saved is not shown as if it were"
    clip.write_bytes(data)
    # 404: a clip that was still being read when its run went away
    assert [c for c in seat.complaints if not {"404", "409", "503"} & {*re.findall(r"[0-9]{3}", c)}] == []
    seat.complaints.clear()


@pytest.mark.browser
@pytest.mark.thorough
def test_the_report_is_shown_and_is_nobody_here(seat: Seat) -> None:
    with seat.page.context.expect_page() as opened:
        seat.page.locator("#runs a").click()
    report = opened.value
    report.locator("video.chosen").wait_for()
    for _ in range(1200):
        if report.evaluate("document.querySelector('video.chosen').readyState") > 1:
            break
        report.wait_for_timeout(50)
    assert report.evaluate("[self.origin, document.querySelector('video.chosen').videoWidth]") == ["null", 160]
    assert report.evaluate("fetch('/api/runs').then(() => 'read', () => 'refused')") == "refused"
    report.close()


@pytest.mark.browser
@pytest.mark.thorough
def test_it_can_be_read_narrow_and_wide_by_day_and_by_night(seat: Seat, tmp_path: Path) -> None:
    unnamed = (
        "all => all.filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length"
    )
    assert seat.page.eval_on_selector_all("button, a, input, video, dialog [role]", unnamed) == 0
    seat.press("4")
    for key in ("s", "b"):
        seat.press(key)
        for scheme in SCHEMES:
            seat.page.emulate_media(color_scheme=scheme)
            assert seat.page.evaluate(CONTRAST) == []
            for width in (380, 1600):
                seat.page.set_viewport_size({"width": width, "height": 800})
                assert seat.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, width
                box = seat.page.locator("#marks").bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= 800, (key, width)
                if (scheme, width) in {("light", 380), ("dark", 1600)}:  # for people to look at
                    seat.page.screenshot(path=tmp_path / f"{key}-{scheme}-{width}.png")
    seat.page.emulate_media(reduced_motion="reduce")
    seat.page.reload()
    seat.until("[...document.querySelectorAll('video')].every(v => v.readyState > 1)")
    seat.page.wait_for_timeout(200)
    assert seat.page.eval_on_selector_all("video", "all => all.map(v => v.paused)") == [True, True]


@pytest.mark.browser
@pytest.mark.thorough
def test_a_name_of_the_command_line_is_not_asked_for(browser: Browser, folder: Path, tmp_path: Path) -> None:
    with (
        marking(folder, tmp_path / "log", "--no-browser", "--rater", "Bob", "--no-blind") as (_, url),
        browser.new_context() as context,
    ):
        seat = sit(context, url)
        seat.until("document.getElementById('rater').textContent === 'Bob'")
        assert not seat.page.locator("#who").is_visible()
        assert "iteration 1, seed 4100" in seat.text("figcaption >> nth=0")
        seat.press("5")
        seat.says("Saved: 5 of 5")
        line = json.loads((folder / "1 a run" / marks.NAME).read_text().splitlines()[-1])
        assert (line["rater"], line["label"], line["first"]["seed"]) == ("Bob", 5, 4100)
        assert seat.complaints == []
