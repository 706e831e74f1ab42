"""The report in a real browser, opened from disk."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Error, Page

from agent.report import write_report
from agent.run import Run
from tests import runs

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.good(tmp_path_factory.mktemp("runs") / "a good # run")


@dataclass
class Visit:
    """A page opened from disk, and everything that went wrong or was asked for meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: self.complaints.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on("request", lambda r: self.requests.append(r.url))
        # a video's own request may be dropped when the page closes or the file is read in parts
        self.page.on(
            "requestfailed", lambda r: None if "ERR_ABORTED" in str(r.failure) else self.complaints.append(r.url)
        )

    def plays(self, selector: str) -> int:
        """Wait until each video has moved on. Returns how many there are."""
        before = self.times(selector)
        self.until(f"[...document.querySelectorAll('{selector}')].every((v, n) => v.currentTime !== {before}[n])")
        return len(before)

    def stands(self, selector: str) -> int:
        """Wait until each video is paused; then none moves on. Returns how many there are."""
        self.until(f"[...document.querySelectorAll('{selector}')].every(v => v.paused && !v.seeking)")
        before = self.times(selector)
        self.page.wait_for_timeout(500)
        assert self.times(selector) == before
        return len(before)

    def times(self, selector: str) -> list[float]:
        found: list[float] = self.page.eval_on_selector_all(selector, "all => all.map(v => v.currentTime)")
        return found

    def until(self, condition: str) -> None:
        """Wait for a condition. Playwright's own way evaluates text in the page, which the page's policy forbids."""
        for _ in range(1200):
            with suppress(Error):  # the page is reading itself again just now
                if self.page.evaluate(condition):
                    return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never came true: {condition}")

    def hash(self) -> str:
        return str(self.page.evaluate("location.hash"))


@pytest.fixture
def visit(browser: Browser, good: Run) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        opened = Visit(context.new_page())
        opened.page.goto(write_report(good).as_uri())
        yield opened
        assert opened.complaints == []
        assert opened.requests
        assert all(url.startswith(("file:///", "data:")) for url in opened.requests)


CHOSEN = "video.chosen"
FIRST = "#iteration-1 .media video"
IN_STEP = """[...document.querySelectorAll('#iteration-1 .media video')].every((v, n, all) => {
  const off = Math.abs(v.currentTime - all[0].currentTime);
  return !v.seeking && Math.min(off, v.duration - off) < 0.2;
})"""
"""Each clip shows the moment that the first one shows."""


def test_the_chosen_clip_plays_muted_and_in_a_loop(visit: Visit) -> None:
    visit.until("document.querySelector('video.chosen').currentTime > 0.2")
    chosen = visit.page.locator(CHOSEN)
    assert chosen.evaluate("v => [v.videoWidth, v.videoHeight, v.muted, v.loop, v.paused, v.error]") == [
        320,
        192,
        True,
        True,
        False,
        None,
    ]
    assert abs(float(chosen.evaluate("v => v.duration")) - 49 / 24) < 0.05


def test_every_clip_can_be_decoded(visit: Visit) -> None:
    visit.page.evaluate("document.querySelectorAll('.media video').forEach(v => { v.preload = 'auto'; v.load(); })")
    visit.until("[...document.querySelectorAll('.media video')].every(v => v.readyState >= 2)")
    widths = visit.page.eval_on_selector_all(".media video", "all => all.map(v => v.videoWidth)")
    assert widths == [320] * 8


def test_the_first_screen_needs_no_scrolling(visit: Visit) -> None:
    box = visit.page.locator("nav.strip").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800


@pytest.mark.thorough
def test_pointing_at_a_clip_plays_its_iteration_in_step(visit: Visit) -> None:
    assert visit.stands(FIRST) == 3
    box = visit.page.locator("#iteration-1 button.media").nth(1)
    box.scroll_into_view_if_needed()
    box.hover()
    visit.until(f"[...document.querySelectorAll('{FIRST}')].every(v => v.currentTime > 0.1)")
    assert visit.plays(FIRST) == 3
    visit.until(IN_STEP)
    assert box.get_attribute("aria-pressed") == "true"
    assert visit.stands("#iteration-2 .media video") > 0
    visit.page.mouse.move(5, 5)
    assert visit.stands(FIRST) == 3


@pytest.mark.thorough
def test_focus_plays_and_the_space_bar_pauses(visit: Visit) -> None:
    visit.page.locator("#iteration-1 .measured summary").first.focus()
    visit.page.keyboard.press("Shift+Tab")
    visit.page.keyboard.press("Shift+Tab")
    assert visit.page.evaluate("document.activeElement.matches('button.media')")
    visit.until(f"document.querySelector('{FIRST}').currentTime > 0.1")
    visit.page.keyboard.press("Space")
    assert visit.stands(FIRST) == 3
    visit.page.keyboard.press("Space")
    assert visit.plays(FIRST) == 3


@pytest.mark.thorough
def test_a_click_on_a_defect_seeks_every_clip_of_the_iteration(visit: Visit) -> None:
    visit.page.locator("#iteration-1 .defects button").first.click()
    visit.until(
        f"[...document.querySelectorAll('{FIRST}')].every(v => !v.seeking && Math.abs(v.currentTime - 0.85) < 0.02)"
    )
    assert visit.stands(FIRST) == 3
    heads = visit.page.eval_on_selector_all(
        "#iteration-1 .playhead", "all => all.map(l => Number(l.getAttribute('x1')))"
    )
    assert all(abs(x - 100 * 0.85 / (49 / 24)) < 1 for x in heads)


def test_a_click_into_the_traces_seeks_there(visit: Visit) -> None:
    traces = visit.page.locator("#iteration-1 .traces").first
    traces.scroll_into_view_if_needed()
    box = traces.bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    visit.until(
        f"[...document.querySelectorAll('{FIRST}')].every(v => !v.seeking && Math.abs(v.currentTime - 49 / 48) < 0.05)"
    )


def test_arrow_keys_go_from_iteration_to_iteration(visit: Visit) -> None:
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        visit.page.keyboard.press(key)
        seen.append(visit.hash())
    assert seen == ["#iteration-1", "#iteration-2", "#iteration-3", "#iteration-3", "#iteration-2"]
    assert visit.page.evaluate("document.activeElement.id") == "iteration-2"
    top = visit.page.locator("#iteration-2").evaluate("e => e.getBoundingClientRect().top")
    assert 0 <= float(top) < 100
    assert visit.page.locator(".column[aria-current]").get_attribute("href") == "#iteration-2"
    visit.page.keyboard.press("ArrowLeft")
    visit.page.keyboard.press("ArrowLeft")
    assert visit.page.evaluate("scrollY") == 0


def test_the_strip_goes_to_an_iteration(visit: Visit) -> None:
    visit.page.locator(".column").nth(2).click()
    assert visit.hash() == "#iteration-3"
    visit.page.locator(".column").nth(0).focus()
    visit.page.keyboard.press("Enter")
    assert visit.hash() == "#iteration-1"


def test_a_criterion_is_explained_for_all_clips_at_once(visit: Visit) -> None:
    lines = visit.page.locator("#iteration-1 .explanation")
    assert [text.split()[0] for text in lines.all_inner_texts()] == ["camera"] * 3
    visit.page.locator("#iteration-1 [data-criterion=flicker]").nth(1).hover()
    assert [text.split()[0] for text in lines.all_inner_texts()] == ["flicker"] * 3
    visit.page.locator("#iteration-1 [data-criterion=camera]").first.focus()
    visit.page.keyboard.press("ArrowDown")
    assert visit.page.evaluate("document.activeElement.dataset.criterion") == "flicker", "the next that is not folded"
    assert [text.split()[0] for text in lines.all_inner_texts()] == ["flicker"] * 3


def test_what_is_folded_away_in_one_clip_opens_in_all_of_its_iteration(visit: Visit) -> None:
    banding = visit.page.locator("#iteration-1 [data-criterion=banding]")
    assert [banding.nth(n).is_visible() for n in range(3)] == [False] * 3
    visit.page.locator("#iteration-1 details.fine[data-axis=quality] > summary").nth(1).click()
    visit.until(
        "[...document.querySelectorAll('#iteration-1 [data-criterion=banding]')].every(b => b.checkVisibility())"
    )
    assert not visit.page.locator("#iteration-3 [data-criterion=banding]").first.is_visible()


def test_the_raw_json_is_behind_a_switch_and_exact(visit: Visit, good: Run) -> None:
    text = visit.page.locator("#text-final")
    assert not text.is_visible()
    visit.page.locator("#json-final > summary").click()
    assert text.is_visible()
    assert text.inner_text() == good.prompt
    visit.page.locator("#json-final button").click()
    assert visit.page.evaluate("getSelection().toString()") == good.prompt


@pytest.mark.parametrize(
    "made",
    [
        runs.good,
        *(
            pytest.param(made, marks=pytest.mark.thorough)
            for made in (runs.chosen, runs.asked, runs.failed, runs.running, lambda folder: runs.many(folder, 30))
        ),
    ],
)
def test_no_page_is_wider_than_its_window(browser: Browser, tmp_path: Path, made: runs.Maker) -> None:
    with browser.new_context() as context:
        visit = Visit(context.new_page())
        run = made(tmp_path / "run")
        long = run.request.model_copy(update={"prompt": "Unbreakable" * 450})
        visit.page.goto(write_report(run.model_copy(update={"request": long})).as_uri())
        visit.page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
        for width in (380, 700, 1100, 1600):
            visit.page.set_viewport_size({"width": width, "height": 800})
            assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, width
        assert visit.complaints == []


SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
CONTRAST = """() => {
  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = colours => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("svg, .unseen, .skip, script, .missing")) continue;
    const grounds = [];
    for (let e = element; e; e = e.parentElement) grounds.unshift(getComputedStyle(e).backgroundColor);
    const above = light(over([...grounds, getComputedStyle(element).color]));
    const [high, low] = [light(over(grounds)), above].sort((x, y) => y - x);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.push(`${element.className || element.tagName} ${ratio.toFixed(2)} ${element.textContent}`);
  }
  return poor;
}"""
"""Every element whose own text has less contrast to what lies under it than WCAG 2.2 AA asks of small text."""


@pytest.mark.parametrize(
    "made",
    [
        runs.good,
        *(pytest.param(m, marks=pytest.mark.thorough) for m in (runs.chosen, runs.asked, runs.failed, runs.running)),
    ],
)
def test_text_has_contrast_by_day_and_by_night(browser: Browser, tmp_path: Path, made: runs.Maker) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(write_report(made(tmp_path / "run")).as_uri())
        page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
        grounds = []
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            assert page.evaluate(CONTRAST) == []
        assert grounds == ["rgb(247, 247, 245)", "rgb(18, 19, 22)"]


@pytest.mark.thorough
def test_nothing_moves_by_itself_where_motion_is_unwanted(browser: Browser, good: Run) -> None:
    with browser.new_context(reduced_motion="reduce") as context:
        visit = Visit(context.new_page())
        visit.page.goto(write_report(good).as_uri())
        assert visit.stands(CHOSEN) == 1
        box = visit.page.locator("#iteration-1 button.media").first
        box.hover()
        assert visit.stands(FIRST) == 3
        box.click()
        assert visit.plays(FIRST) == 3
        assert visit.complaints == []


@pytest.mark.thorough
def test_a_running_page_reads_itself_again_and_keeps_its_place(browser: Browser, tmp_path: Path) -> None:
    run = runs.running(tmp_path / "run")
    with browser.new_context(viewport={"width": 1280, "height": 600}) as context:
        visit = Visit(context.new_page())
        visit.page.goto(write_report(run).as_uri())
        visit.page.locator("#versions > summary").click()
        visit.page.mouse.move(2, 2)
        visit.page.evaluate("scrollTo(0, 700)")
        second = run.iterations[1].candidates[0]
        write_report(
            run.with_candidate(second.model_copy(update={"clip": second.clip.model_copy(update={"seed": 4101})}))
        )
        visit.page.get_by_text("Iteration 2: 2 of 3 candidates done.").first.wait_for(timeout=60_000)
        visit.until("scrollY === 700")
        assert visit.page.locator("#versions").get_attribute("open") is not None
        assert visit.complaints == []


@pytest.mark.thorough
def test_a_clip_deleted_after_the_page_was_written_is_said_to_be_missing(browser: Browser, tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 2)
    path = write_report(run)
    run.candidates[0].clip.path.unlink()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(path.as_uri())
        page.locator("#iteration-1 button.media").first.focus()
        page.keyboard.press("Space")
        page.locator(".media.missing").get_by_text("The clip is missing.").wait_for(timeout=60_000)
